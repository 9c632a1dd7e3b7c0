//! A stream of bytes for a receiver, and where many of them come from.

use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use sockless::Config;
use sockless::test_util::strategies::{cuts, legal_frames, nearly_legal_frames};
use sockless::test_util::{Change, Cuts, Frame, Frames, Length, Role};

/// What one receiver is given.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Who receives.
    pub role: Role,
    /// Which limits it has.
    pub limits: Limits,
    /// All that comes.
    pub bytes: Vec<u8>,
    /// Where it is cut the second time.
    pub places: Vec<usize>,
}

/// Limits on the payload of frames and of messages: the same for every receiver that has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// sockless's default ones: 16 MiB for both.
    Default,
    /// 130 bytes for a frame, so that control frames never meet it, and 200 for a message.
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

    /// Of sockless.
    pub fn config(self) -> Config {
        Config::new()
            .with_max_frame_size(self.max_frame() as u64)
            .with_max_message_size(self.max_message() as u64)
            // Every receiver here answers every Ping.
            .with_max_unsent_pongs(usize::MAX)
    }
}

/// How many streams are made from one state of the generator.
pub const BATCH: usize = 1000;

/// The streams of one batch. The same seed and batch always give the same ones.
pub fn batch(seed: u64, number: usize) -> Vec<Stream> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&(number as u64).to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let strategy = streams();
    (0..BATCH)
        .map(|i| {
            let tree = strategy.new_tree(&mut runner);
            let mut stream = tree.expect("no value is ever filtered out").current();
            stream.0.role = Role::BOTH[i % 2];
            stream.1.cut(stream.0)
        })
        .collect()
}

/// What is done with the bytes in the end.
#[derive(Clone, Debug)]
struct Ending {
    /// The rest of the stream does not come.
    truncated: Option<Index>,
    /// Where it is cut; between all bytes if there is nothing here.
    cuts: Option<Cuts>,
}

impl Ending {
    fn cut(self, unmade: Unmade) -> Stream {
        let mut bytes = match unmade.source {
            Source::Frames(frames) => frames.encode(unmade.role),
            Source::Noise(bytes) => bytes,
        };
        if let Some(at) = self.truncated {
            bytes.truncate(at.index(bytes.len() + 1));
        }
        let places = match self.cuts {
            Some(cuts) => cuts.places(bytes.len()),
            None => (1..bytes.len()).collect(),
        };
        Stream {
            role: unmade.role,
            limits: unmade.limits,
            bytes,
            places,
        }
    }
}

#[derive(Clone, Debug)]
struct Unmade {
    source: Source,
    role: Role,
    limits: Limits,
}

#[derive(Clone, Debug)]
enum Source {
    Frames(Frames),
    Noise(Vec<u8>),
}

fn streams() -> impl Strategy<Value = (Unmade, Ending)> {
    let source = prop_oneof![
        3 => legal_frames().prop_map(Source::Frames),
        6 => nearly_legal_frames().prop_map(Source::Frames),
        6 => (nearly_legal_frames(), vec((any::<usize>(), edges()), 1..3)).prop_map(with_edges),
        1 => vec(any::<u8>(), 0..400).prop_map(|noise| arbitrary_frames(&noise)),
        1 => (select(BEGINNINGS), vec(any::<u8>(), 0..200)).prop_map(|(beginning, noise)| {
            Source::Noise([&beginning[..], &noise].concat())
        }),
    ];
    let limits = prop_oneof![3 => Just(Limits::Default), 1 => Just(Limits::Small)];
    let unmade = (source, limits).prop_map(|(source, limits)| Unmade {
        source,
        role: Role::Server,
        limits,
    });
    let ending = (
        prop::option::weighted(0.125, any::<Index>()),
        prop::option::weighted(0.875, cuts()),
    );
    let ending = ending.prop_map(|(truncated, cuts)| Ending { truncated, cuts });
    (unmade, ending)
}

/// Few random bytes are a legal beginning.
const BEGINNINGS: &[[u8; 2]] = &[
    [0x81, 0x90],
    [0x01, 0x10],
    [0x82, 0x85],
    [0x89, 0x02],
    [0x88, 0x83],
    [0x82, 0x7e],
    [0x81, 0xff],
];

fn arbitrary_frames(noise: &[u8]) -> Source {
    match Frames::arbitrary(&mut Unstructured::new(noise)) {
        Ok(frames) => Source::Frames(frames),
        Err(_) => Source::Noise(noise.into()),
    }
}

fn with_edges((mut frames, edges): (Frames, Vec<(usize, Frame)>)) -> Source {
    let edges = edges.into_iter();
    frames
        .changes
        .extend(edges.map(|(at, frame)| Change::Insert(at, frame)));
    Source::Frames(frames)
}

/// Frames on either side of a rule.
fn edges() -> impl Strategy<Value = Frame> {
    let codes = vec![
        0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000,
        4999, 5000, 65535,
    ];
    let close = (select(codes), characters(0..4)).prop_map(|(code, reason)| {
        Frame::new(0x88, [&u16::to_be_bytes(code)[..], &reason].concat())
    });
    let control = (
        select(vec![0x88, 0x89, 0x8a, 0x08, 0x09, 0x0a]),
        prop_oneof![0..4_usize, 124..128_usize],
    );
    let control = control.prop_map(|(first, length)| Frame::new(first, vec![0x0b; length]));
    let text = (select(vec![0x81, 0x01, 0x00, 0x80]), characters(0..8));
    let text = text.prop_map(|(first, payload)| Frame::new(first, payload));
    let binary = (select(vec![0x82, 0x02, 0x00, 0x80]), 60..132_usize);
    let binary = binary.prop_map(|(first, length)| Frame::new(first, vec![0; length]));
    let lengths = vec![Length::Bits16, Length::Bits64, Length::Claimed(1 << 63)];
    let length = (select(vec![0x81, 0x02, 0x88, 0x89, 0x8a]), select(lengths))
        .prop_map(|(first, length)| Frame::new(first, "").with_length(length));
    let masking = select(vec![0x81, 0x02, 0x88, 0x89, 0x8a])
        .prop_map(|first| Frame::new(first, "").wrongly_masked());
    prop_oneof![3 => close, 2 => control, 3 => text, 2 => binary, 1 => length, 1 => masking]
}

/// Characters in UTF-8, whole, cut or wrong.
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
