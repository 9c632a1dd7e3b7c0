//! Streams of bytes for a receiver, and a generator of them.

use std::fmt;

use arbitrary::{Arbitrary as _, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sockless::Config;
use sockless::test_util::strategies::{cuts, legal_frames, nearly_legal_frames, roles};
use sockless::test_util::{Change, Frame, Frames, Length, Role};

/// What one receiver gets.
#[derive(Clone)]
pub struct Stream {
    /// The receiver.
    pub role: Role,
    pub limits: Limits,
    pub bytes: Vec<u8>,
    /// Where the bytes are cut the second time.
    pub places: Vec<usize>,
}

impl Stream {
    /// A stream that is cut between all bytes.
    pub fn new(role: Role, limits: Limits, bytes: Vec<u8>) -> Self {
        Self {
            role,
            limits,
            places: (1..bytes.len()).collect(),
            bytes,
        }
    }
}

/// Shows the arguments for `tests/differential/run`.
impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = format!("{:?}", self.role).to_lowercase();
        let (bytes, places, limits) = (&self.bytes, &self.places, self.limits);
        write!(
            f,
            "--stream {role} {bytes:02x?}, cut at {places:?}, limits: {limits:?}"
        )
    }
}

/// Limits on the payload of frames and messages. Every receiver with limits gets the same.
#[derive(Clone, Copy, Debug)]
pub enum Limits {
    /// The defaults of sockless: 16 MiB for frames and for messages.
    Default,
    /// 130 bytes for frames, so that no control frame reaches the limit, and 200 bytes for messages.
    Small,
}

impl Limits {
    pub const fn max_frame(self) -> usize {
        match self {
            Self::Default => 16 << 20,
            Self::Small => 130,
        }
    }

    pub const fn max_message(self) -> usize {
        match self {
            Self::Default => 16 << 20,
            Self::Small => 200,
        }
    }

    pub fn config(self) -> Config {
        Config::new()
            .with_max_frame_size(self.max_frame() as u64)
            .with_max_message_size(self.max_message() as u64)
            // The other receivers answer every Ping.
            .with_max_unsent_pongs(usize::MAX)
    }
}

/// Legal streams, nearly legal streams and noise. One in eight breaks off.
pub fn streams() -> impl Strategy<Value = Stream> {
    let limits = prop_oneof![3 => Just(Limits::Default), 1 => Just(Limits::Small)];
    let end = prop::option::weighted(0.125, any::<Index>());
    let cuts = prop::option::weighted(0.875, cuts());
    (frames(), roles(), limits, end, cuts).prop_map(|(frames, role, limits, end, cuts)| {
        let mut bytes = frames.encode(role);
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        let mut stream = Stream::new(role, limits, bytes);
        if let Some(cuts) = cuts {
            stream.places = cuts.places(stream.bytes.len());
        }
        stream
    })
}

fn frames() -> impl Strategy<Value = Frames> {
    let edges = vec((any::<usize>(), edges()), 1..3);
    let edges = edges.prop_map(|edges| inserted(edges.into_iter()));
    let surrogate = Just(b"\xed\xa0".to_vec());
    let zeros = (60..132_usize).prop_map(|length| vec![0; length]);
    let fragments = prop_oneof![4 => characters(0..4), 4 => zeros, 1 => surrogate];
    let fragments = (1..3_u8, vec(fragments, 1..4), any::<bool>());
    let fragments = fragments.prop_map(|(opcode, fragments, ends)| {
        let last = fragments.len() - 1;
        let frames = fragments.into_iter().enumerate().map(|(i, payload)| {
            let opcode = if i == 0 { opcode } else { 0 };
            let fin = if ends && i == last { 0x80 } else { 0 };
            (i, Frame::new(fin | opcode, payload))
        });
        inserted(frames)
    });
    let arbitrary = |noise: Vec<u8>| Frames::arbitrary(&mut Unstructured::new(&noise));
    prop_oneof![
        3 => legal_frames(),
        6 => nearly_legal_frames(),
        6 => (nearly_legal_frames(), edges).prop_map(|(mut frames, edges)| {
            frames.changes.extend(edges.changes);
            frames
        }),
        2 => fragments,
        1 => vec(any::<u8>(), 0..400).prop_map(move |noise| arbitrary(noise).unwrap_or_default()),
        1 => (select(BEGINNINGS), vec(any::<u8>(), 0..200)).prop_map(|(beginning, noise)| Frames {
            tail: [&beginning[..], &noise].concat(),
            ..Frames::default()
        }),
    ]
}

/// Noise seldom begins legally without them.
const BEGINNINGS: &[[u8; 2]] = &[
    [0x81, 0x90],
    [0x01, 0x10],
    [0x82, 0x85],
    [0x89, 0x02],
    [0x88, 0x83],
    [0x82, 0x7e],
    [0x81, 0xff],
];

fn inserted(frames: impl Iterator<Item = (usize, Frame)>) -> Frames {
    Frames {
        changes: frames
            .map(|(at, frame)| Change::Insert(at, frame))
            .collect(),
        ..Frames::default()
    }
}

/// Frames that just keep or just break a rule.
fn edges() -> impl Strategy<Value = Frame> {
    let codes = vec![
        0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000,
        4999, 5000, 65535,
    ];
    let close = (select(codes), characters(0..4)).prop_map(|(code, reason)| {
        Frame::new(0x88, [&u16::to_be_bytes(code)[..], &reason].concat())
    });
    let first = |bytes: &[u8]| select(bytes.to_vec());
    let length = prop_oneof![0..4_usize, 124..128_usize];
    let control = (first(&[0x88, 0x89, 0x8a, 0x08, 0x09, 0x0a]), length)
        .prop_map(|(first, length)| Frame::new(first, vec![0x0b; length]));
    let text = (first(&[0x81, 0x01, 0x00, 0x80]), characters(0..8))
        .prop_map(|(first, payload)| Frame::new(first, payload));
    let binary = (first(&[0x82, 0x02, 0x00, 0x80]), 60..132_usize)
        .prop_map(|(first, length)| Frame::new(first, vec![0; length]));
    let lengths = vec![Length::Bits16, Length::Bits64, Length::Claimed(1 << 63)];
    let length = (first(&[0x81, 0x02, 0x88, 0x89, 0x8a]), select(lengths))
        .prop_map(|(first, length)| Frame::new(first, "").with_length(length));
    let masking = first(&[0x81, 0x02, 0x88, 0x89, 0x8a])
        .prop_map(|first| Frame::new(first, "").wrongly_masked());
    prop_oneof![3 => close, 2 => control, 3 => text, 2 => binary, 1 => length, 1 => masking]
}

/// Characters in UTF-8: whole, cut or invalid.
fn characters(count: core::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"a",
        b"\xc3\xa9",
        b"\xc3",
        b"\xa9",
        b"\xe2\x82\xac",
        b"\xe2\x82",
        b"\xac",
        b"\xed\xa0",
        b"\x80",
        b"\xf0\x9f",
        b"\x98\x80",
        b"\xf4\x90",
        b"\xff",
        b"\xed\x9f\xbf",
        b"\xc0",
    ];
    vec(select(pieces), count).prop_map(|pieces| pieces.concat())
}
