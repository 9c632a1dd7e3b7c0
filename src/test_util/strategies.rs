//! Strategies for proptest: streams of frames, places to cut them, and headers of single frames.

use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::test_util::{Change, Cuts, Frame, Frames, Item, Length, Role};
use crate::{CloseCode, CloseFrame, Config, Delivery, FrameHeader, Opcode};

/// Generates either role.
pub fn roles() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

/// Generates up to 10 places to cut a stream.
pub fn cuts() -> impl Strategy<Value = Cuts> {
    vec(any::<u16>(), 0..10).prop_map(Cuts)
}

/// Generates configurations: small or default limits, both delivery modes, and a [`Config::max_unsent_pongs`] that is
/// never reached.
pub fn configs() -> impl Strategy<Value = Config> {
    let limit = || prop_oneof![2 => Just(1_u64 << 24), 1 => 0..200_u64];
    let delivery = select(vec![Delivery::Messages, Delivery::Chunks]);
    (limit(), limit(), delivery).prop_map(|(frame, message, delivery)| {
        Config {
            max_frame_size: frame,
            max_message_size: message,
            delivery,
            // The oracle answers each Ping.
            max_unsent_pongs: usize::MAX,
            ..Config::default()
        }
    })
}

/// Generates up to 40 characters. Characters at the bounds of UTF-8's forms are more frequent.
pub fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => prop::char::range(' ', '~'),
        1 => any::<char>(),
        1 => select(vec!['\u{7f}', '\u{80}', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10000}', '\u{10ffff}']),
    ];
    vec(character, 0..40).prop_map(String::from_iter)
}

/// Generates up to 60 bytes, or about 125 or 65,535 bytes, where the form of the length changes.
pub fn binary() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..60),
        1 => vec(any::<u8>(), 120..135),
    ]
}

/// Generates one message in any number of fragments, with Pings between them.
pub fn messages() -> impl Strategy<Value = Item> {
    let ping = || prop::option::weighted(0.3, control_payload());
    let splits = move || vec((any::<u16>(), ping()), 0..5);
    prop_oneof![
        2 => (text(), splits()).prop_map(|(text, splits)| Item::Text(text, splits)),
        1 => (binary(), splits()).prop_map(|(data, splits)| Item::Binary(data, splits)),
    ]
}

/// Generates legal streams of up to 6 messages and control frames, which may include a Close frame.
pub fn legal_frames() -> impl Strategy<Value = Frames> {
    let item = prop_oneof![
        12 => messages(),
        3 => control_payload().prop_map(Item::Ping),
        3 => control_payload().prop_map(Item::Pong),
        1 => close_frames(),
    ];
    (vec(item, 0..6), vec(any::<[u8; 4]>(), 1..4)).prop_map(|(items, masking_keys)| Frames {
        items,
        masking_keys,
        ..Frames::default()
    })
}

/// Generates legal streams with up to two [`Change`]s, and sometimes with extra bytes at the end.
pub fn nearly_legal_frames() -> impl Strategy<Value = Frames> {
    let tail = prop_oneof![3 => Just(vec![]), 1 => vec(any::<u8>(), 0..20)];
    (legal_frames(), vec(changes(), 0..3), tail).prop_map(|(frames, changes, tail)| Frames {
        changes,
        tail,
        ..frames
    })
}

/// Generates one change of a legal stream.
pub fn changes() -> impl Strategy<Value = Change> {
    let i = any::<usize>;
    let length = prop_oneof![
        Just(Length::Bits16),
        Just(Length::Bits64),
        any::<u64>().prop_map(Length::Claimed),
        (0..70_000_u64).prop_map(Length::Claimed),
    ];
    let frame = (any::<u8>(), binary()).prop_map(|(first, data)| Frame::new(first, data));
    prop_oneof![
        (i(), (0..8).prop_map(|bit| 1_u8 << bit)).prop_map(|(i, bits)| Change::First(i, bits)),
        i().prop_map(Change::Masking),
        (i(), length).prop_map(|(i, length)| Change::Length(i, length)),
        (i(), i(), any::<u8>()).prop_map(|(i, at, byte)| Change::Byte(i, at, byte)),
        (i(), i()).prop_map(|(i, j)| Change::Swap(i, j)),
        i().prop_map(Change::Drop),
        (i(), frame).prop_map(|(i, frame)| Change::Insert(i, frame)),
        (i(), close_frames()).prop_map(|(i, close)| {
            let close = close.frames().pop();
            Change::Insert(i, close.unwrap_or_else(|| Frame::new(0x88, "")))
        }),
    ]
}

/// Generates headers that [`FrameHeader::parse`] accepts: all opcodes, with and without a masking key, and all forms
/// of the length.
///
/// Lengths of data frames are often at a bound between two forms. They go up to 2^63 - 1, so do not generate the
/// payload. Control frames have FIN and at most 125 bytes. One header in four may have reserved bits, which are legal
/// only with an extension.
///
/// # Example
///
/// ```
/// use proptest::prelude::*;
/// use sockless::FrameHeader;
/// use sockless::test_util::strategies;
///
/// // In a #[test] function:
/// proptest!(|(header in strategies::frame_headers())| {
///     let mut buffer = [0; FrameHeader::MAX_SIZE];
///     let written = header.write(&mut buffer);
///     prop_assert_eq!(FrameHeader::parse(written), Ok(Some((header, written.len()))));
/// });
/// ```
pub fn frame_headers() -> impl Strategy<Value = FrameHeader> {
    let data = (
        select(vec![Opcode::Continuation, Opcode::Text, Opcode::Binary]),
        any::<bool>(),
        data_lengths(),
    );
    let control = (
        select(vec![Opcode::Close, Opcode::Ping, Opcode::Pong]),
        Just(true),
        prop_oneof![2 => 0..=125_u64, 1 => select(vec![0, 1, 124, 125])],
    );
    let rsv = prop_oneof![3 => Just(0), 1 => 0..=7_u8];
    let key = prop::option::of(any::<[u8; 4]>());
    (prop_oneof![data, control], rsv, key).prop_map(|((opcode, fin, payload_length), rsv, key)| {
        FrameHeader {
            fin,
            rsv,
            opcode,
            masking_key: key,
            payload_length,
        }
    })
}

/// Generates lengths in each of the three forms, and at their bounds.
fn data_lengths() -> impl Strategy<Value = u64> {
    const LARGEST: u64 = u64::MAX >> 1;
    let bounds = [
        0,
        1,
        125,
        126,
        127,
        0xfffe,
        0xffff,
        0x1_0000,
        0x1_0001,
        0xffff_ffff,
        0x1_0000_0000,
        LARGEST,
    ];
    prop_oneof![
        0..=125_u64,
        126..=0xffff_u64,
        0x1_0000..=LARGEST,
        select(bounds.to_vec()),
    ]
}

fn close_frames() -> impl Strategy<Value = Item> {
    let code = select(vec![1000, 1001, 1003, 1005, 1007, 1014, 3000, 4999]);
    (code, text()).prop_map(|(code, reason)| {
        Item::close(&CloseFrame {
            code: CloseCode::new(code),
            reason: &reason,
        })
    })
}

fn control_payload() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=125)
}
