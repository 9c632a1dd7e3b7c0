//! permessage-deflate (RFC 7692): the opening handshake and the messages.

// A failed test stops. Rules with many cases have long tables. Tests make bytes from numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::too_many_lines, clippy::type_complexity)]
#![allow(clippy::cast_possible_truncation)]

mod support;

#[path = "support/cases.rs"]
mod cases;
#[path = "deflate/codecs.rs"]
mod codecs;
#[path = "support/data.rs"]
mod data;
#[path = "support/extension.rs"]
mod extension;
#[path = "deflate/keepalive.rs"]
mod keepalive;
#[path = "deflate/limits.rs"]
mod limits;
#[path = "deflate/listener.rs"]
mod listener;
#[path = "deflate/negotiation.rs"]
mod negotiation;
#[path = "deflate/properties.rs"]
mod properties;
#[path = "deflate/receiving.rs"]
mod receiving;
#[path = "deflate/reference.rs"]
mod reference;
#[path = "deflate/sending.rs"]
mod sending;
#[path = "deflate/shared.rs"]
mod shared;

use extension::{ask, pair, serve};
use sockless::test_util::{
    Frame, Outcome, OwnedEvent, Peer, Role, cuts_at, encode, every_cut, run_peer,
};
use sockless::{
    Config, Connection, Deflate, Delivery, FrameHeader, ProtocolError, ReadBuffer, apply_mask,
};

/// The offer of a client with default wishes.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

fn with(deflate: Deflate) -> Config {
    Config::new().with_deflate(deflate)
}

/// Default limits and wishes, except that short messages are compressed too.
fn everything() -> Config {
    with(Deflate::new().with_min_size(0))
}

/// A connection in this role that has agreed with a peer of default wishes.
fn agreed(role: Role, config: &Config) -> Connection {
    let connection = match role {
        Role::Server => serve(&[OFFER], config).unwrap().0,
        Role::Client => ask(&["permessage-deflate"], config).0.unwrap(),
    };
    assert!(connection.uses_deflate());
    connection
}

/// The same with a buffer.
fn agreed_peer(role: Role, config: &Config) -> Peer {
    Peer::with(agreed(role, config), ReadBuffer::new())
}

/// A connection in this role whose peer refers to no earlier message.
fn without_peer_takeover(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => agreed(role, config),
        Role::Client => {
            let answer = "permessage-deflate; server_no_context_takeover";
            ask(&[answer], config).0.unwrap()
        }
    }
}

/// The result of a stream that arrives in pieces.
fn run(connection: Connection, bytes: &[u8], cuts: &[usize]) -> Outcome {
    run_peer(Peer::with(connection, ReadBuffer::new()), bytes, cuts)
}

/// What both roles receive in both delivery modes, however the frames are cut: always the same. After an error, its
/// Close frame is the last frame sent.
fn received(config: &Config, frames: &[Frame]) -> (Vec<OwnedEvent>, Option<ProtocolError>) {
    let mut results = Vec::new();
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let config = config.clone().with_delivery(delivery);
            let bytes = encode(frames, role);
            let whole = run(agreed(role, &config), &bytes, &[]);
            for cuts in every_cut(bytes.len()) {
                let mut outcome = run(agreed(role, &config), &bytes, &cuts);
                // Chunks of a bad message may arrive before the error is found.
                if delivery == Delivery::Chunks && whole.error.is_some() {
                    outcome.open.clone_from(&whole.open);
                }
                let what = format!("{role:?} {delivery:?} {frames:02x?} cut at {cuts:?}");
                assert_eq!(outcome, whole, "{what}");
            }
            if delivery == Delivery::Messages {
                assert_eq!(whole.open, None);
            }
            if let Some(error) = whole.error {
                assert_closes(&whole.output, error);
            }
            results.push((whole.events, whole.error));
        }
    }
    let first = results.swap_remove(0);
    for other in results {
        assert_eq!(other, first, "{frames:02x?}");
    }
    first
}

/// The last frame of the output is the Close frame for this error.
fn assert_closes(output: &[u8], error: ProtocolError) {
    let (first, payload) = sent(output).pop().unwrap();
    let code = u16::from(error.close_code()).to_be_bytes();
    assert_eq!((first, &payload[..2]), (0x88, &code[..]));
}

/// The frames in an output: the first byte and the unmasked payload of each.
fn sent(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((header, size)) = FrameHeader::parse(bytes).unwrap() {
        let end = size + usize::try_from(header.payload_length).unwrap();
        let mut payload = bytes[size..end].to_vec();
        apply_mask(&mut payload, header.masking_key.unwrap_or_default(), 0);
        frames.push((bytes[0], payload));
        bytes = &bytes[end..];
    }
    assert!(bytes.is_empty());
    frames
}

/// Takes the output, and returns its only frame.
fn take_frame(connection: &mut Connection) -> (u8, Vec<u8>) {
    let mut frames = sent(&written(connection));
    connection.advance_output(connection.output_len());
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

/// All bytes of the output.
fn written(connection: &Connection) -> Vec<u8> {
    connection.output_parts().collect::<Vec<_>>().concat()
}

/// A message in fragments: `first` is the first byte of the message in one frame.
fn fragments(first: u8, payload: &[u8], places: &[usize]) -> Vec<Frame> {
    let pieces = cuts_at(payload, places);
    let mut frames: Vec<_> = pieces.map(|piece| Frame::new(0x00, piece)).collect();
    frames[0].first = first & 0x7f;
    frames.last_mut().unwrap().first |= first & 0x80;
    frames
}

/// Bytes that do not compress. Other seeds give other bytes.
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        })
        .collect()
}

/// Data with repetitions at distances that need each window from 9 bits to `most` bits. A compressor uses 262 bytes
/// less than its window.
fn repetitions(most: u8) -> Vec<u8> {
    let periods = (9..=most).map(|bits| 100 << (bits - 8));
    periods
        .flat_map(|period| noise(period, 77).repeat(2))
        .collect()
}

/// A payload that repeats three bytes from `distance` bytes before, in a block with fixed codes.
fn repeat(distance: usize) -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    let mut put = |value: usize, count: usize| {
        for i in 0..count {
            if at % 8 == 0 {
                bytes.push(0);
            }
            *bytes.last_mut().unwrap() |= ((value >> i & 1) as u8) << (at % 8);
            at += 1;
        }
    };
    // RFC 1951, section 3.1.1: Huffman codes begin with their most significant bit, other values with the least.
    let code =
        |value: usize, count: usize| (0..count).fold(0, |code, i| code << 1 | value >> i & 1);
    put(0b010, 3);
    put(code(1, 7), 7);
    let d = distance - 1;
    if d < 4 {
        put(code(d, 5), 5);
    } else {
        let extra = d.ilog2() as usize - 1;
        put(code(2 * extra + (d >> extra), 5), 5);
        put(d, extra);
    }
    // The end of the block, and the header of the empty one.
    put(0, 7 + 3);
    bytes
}

/// A payload with the data in stored blocks, without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in data.chunks(0xffff) {
        let size = piece.len() as u16;
        bytes.push(0);
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&(!size).to_le_bytes());
        bytes.extend_from_slice(piece);
    }
    bytes.push(0);
    bytes
}
