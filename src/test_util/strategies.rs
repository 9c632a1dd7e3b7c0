//! proptest strategies for streams of frames and for the cutting of them.

use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::test_util::{Change, Cuts, Frame, Frames, Item, Length, Role};
use crate::{CloseCode, CloseFrame, Config, Delivery};

/// Either role.
pub fn roles() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

/// Up to 10 places to cut a stream.
pub fn cuts() -> impl Strategy<Value = Cuts> {
    vec(any::<u16>(), 0..10).prop_map(Cuts)
}

/// Small limits or the default ones, both ways of delivery, and a Pong for every Ping.
pub fn configs() -> impl Strategy<Value = Config> {
    let limit = || prop_oneof![2 => Just(1_u64 << 24), 1 => 0..200_u64];
    let delivery = select(vec![Delivery::Messages, Delivery::Chunks]);
    (limit(), limit(), delivery).prop_map(|(frame, message, delivery)| {
        Config {
            max_frame_size: frame,
            max_message_size: message,
            delivery,
            // The oracle answers every Ping.
            max_unsent_pongs: usize::MAX,
            ..Config::default()
        }
    })
}

/// Up to 40 characters, those at the bounds of UTF-8's forms more often than others.
pub fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => prop::char::range(' ', '~'),
        1 => any::<char>(),
        1 => select(vec!['\u{7f}', '\u{80}', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10000}', '\u{10ffff}']),
    ];
    vec(character, 0..40).prop_map(String::from_iter)
}

/// Up to 60 bytes, or about as many as the shortest form of a length holds.
pub fn binary() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..60),
        1 => vec(any::<u8>(), 120..135),
    ]
}

/// One message in any number of fragments, with Pings between.
pub fn messages() -> impl Strategy<Value = Item> {
    let ping = || prop::option::weighted(0.3, control_payload());
    let splits = move || vec((any::<u16>(), ping()), 0..5);
    prop_oneof![
        2 => (text(), splits()).prop_map(|(text, splits)| Item::Text(text, splits)),
        1 => (binary(), splits()).prop_map(|(data, splits)| Item::Binary(data, splits)),
    ]
}

/// What a peer that breaks no rule may send: up to 6 messages and control frames, a Close among them.
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

/// The same with up to two [`Change`]s, and perhaps a stray end.
pub fn nearly_legal_frames() -> impl Strategy<Value = Frames> {
    let tail = prop_oneof![3 => Just(vec![]), 1 => vec(any::<u8>(), 0..20)];
    (legal_frames(), vec(changes(), 0..3), tail).prop_map(|(frames, changes, tail)| Frames {
        changes,
        tail,
        ..frames
    })
}

/// One change of a legal stream.
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
