//! The limit for messages counts decompressed bytes, because a few bytes can inflate to many (RFC 6455, section 10.4).

use sockless::test_util::{Frame, Length, OwnedEvent, Peer, Role, encode};
use sockless::{Config, Deflate, Delivery, Event, ProtocolError, ReadBuffer};

use super::support::hex;
use super::{
    DELIVERIES, agreed, agreed_peer, assert_closes, everything, fragments, noise, pair, repeat,
    run, stored, take_frame, with,
};

fn limited(limit: u64, delivery: Delivery) -> Config {
    everything()
        .with_max_message_size(limit)
        .with_delivery(delivery)
}

/// The payload of a sockless server for `data`.
fn compressed(data: &[u8]) -> Vec<u8> {
    let deflate = Deflate::new().with_min_size(0).with_context_takeover(false);
    let mut server = agreed(Role::Server, &with(deflate));
    server.send_binary(data).unwrap();
    let (first, payload) = take_frame(&mut server);
    assert_eq!(first, 0xc2);
    payload
}

/// A few ways to cut a long stream.
fn some_cuts(length: usize) -> Vec<Vec<usize>> {
    let every = |n| (0..length).step_by(n).collect();
    vec![vec![], every(length.div_ceil(3)), every(length / 97 + 1)]
}

/// The message is delivered, or the connection fails with 1009 and has delivered at most the limit.
fn check(limit: u64, frames: &[Frame], data: &[u8]) {
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let config = limited(limit, delivery);
            let bytes = encode(frames, role);
            for cuts in some_cuts(bytes.len()) {
                let outcome = run(agreed(role, &config), &bytes, &cuts);
                let what = format!("{role:?} {delivery:?} {limit} for {}", data.len());
                if data.len() as u64 <= limit {
                    assert_eq!(outcome.error, None, "{what}");
                    assert_eq!(outcome.events.len(), 1, "{what}");
                    assert!(outcome.events[0] == OwnedEvent::binary(data), "{what}");
                } else {
                    let error = Some(ProtocolError::MessageTooLarge);
                    assert_eq!(outcome.error, error, "{what}");
                    assert_eq!(outcome.events, [], "{what}");
                    assert_closes(&outcome.output, ProtocolError::MessageTooLarge);
                    if let Some(open) = outcome.open {
                        assert_eq!(delivery, Delivery::Chunks, "{what}: {open:?}");
                        assert!(open.data().len() as u64 <= limit, "{what}");
                        assert!(data.starts_with(open.data()), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn exact_to_the_byte() {
    // Sizes near the steps of the decompressor and near its window.
    for length in [
        1, 255, 256, 257, 16_383, 16_384, 16_385, 32_768, 32_769, 65_537,
    ] {
        for data in [vec![b'a'; length], noise(length, 7)] {
            for payload in [compressed(&data), stored(&data)] {
                for limit in [length - 1, length].map(|limit| limit as u64) {
                    check(limit, &[Frame::new(0xc2, &payload)], &data);
                }
            }
        }
    }
}

#[test]
fn summed_over_fragments() {
    let data = [noise(3000, 3), vec![0; 3000]].concat();
    for payload in [compressed(&data), stored(&data)] {
        for pieces in [2, 3, 50] {
            let piece = payload.len().div_ceil(pieces);
            // An empty fragment after the first one, and at the end.
            let mut places: Vec<_> = (piece..payload.len()).step_by(piece).collect();
            places.extend([piece, payload.len()]);
            places.sort_unstable();
            let frames = fragments(0xc2, &payload, &places);
            for limit in [data.len() - 1, data.len()].map(|limit| limit as u64) {
                check(limit, &frames, &data);
            }
        }
    }
}

/// Earlier messages and control frames do not count.
#[test]
fn every_message_anew() {
    let full = [b'x'; 1000];
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let config = limited(full.len() as u64, delivery);
            let good = [
                Frame::new(0xc2, compressed(&full)),
                Frame::new(0x82, full),
                Frame::new(0xc2, stored(&full)),
                Frame::new(0x89, [0; 125]),
                Frame::new(0x02, &full[1..]),
                Frame::new(0x80, &full[..1]),
                Frame::new(0xc2, compressed(&full)),
            ];
            let error = Some(ProtocolError::MessageTooLarge);
            for (last, error) in [
                (Frame::new(0xc2, stored(&[0; 1001])), error),
                (Frame::new(0xc2, stored(&[0; 1000])), None),
                (Frame::new(0x82, [0; 1001]), error),
            ] {
                let frames = [&good[..], &[last]].concat();
                let outcome = run(agreed(role, &config), &encode(&frames, role), &[]);
                assert_eq!(outcome.error, error);
                let whole = good.len() - 1 + usize::from(error.is_none());
                assert_eq!(outcome.events.len(), whole);
            }
        }
    }
}

#[test]
fn the_smallest_and_the_largest_limit() {
    for payload in ["", "00", "02 00", "01", "00 00 00 ff ff 00"] {
        check(0, &[Frame::new(0xc2, hex(payload))], b"");
    }
    check(0, &[Frame::new(0xc2, stored(b"a"))], b"a");
    let data = noise(3000, 3);
    let payload = stored(&data);
    let halves = fragments(0xc2, &payload, &[payload.len() / 2]);
    check(u64::MAX, &halves, &data);
}

/// The limit for frames counts compressed bytes.
#[test]
fn a_payload_may_be_shorter_or_longer_than_its_data() {
    let data = vec![b'a'; 100_000];
    let payload = compressed(&data);
    assert!(payload.len() < 500);
    // The smallest limit that allows the frame.
    let allows = |limit: &u64| limit + limit / 8 + limit / 64 + 32 >= payload.len() as u64;
    let least = (0..1000).find(allows).unwrap();
    for role in Role::BOTH {
        let bytes = Frame::new(0xc2, &payload).encode(role);
        for delivery in DELIVERIES {
            for (limit, error) in [
                (least, None),
                (least - 1, Some(ProtocolError::FrameTooLarge)),
            ] {
                let config = limited(data.len() as u64, delivery).with_max_frame_size(limit);
                let outcome = run(agreed(role, &config), &bytes, &[]);
                assert_eq!(outcome.error, error);
                assert_eq!(outcome.events.len(), usize::from(error.is_none()));
                if let Some(error) = error {
                    assert_closes(&outcome.output, error);
                }
            }
        }
    }
    // Empty blocks make the payload longer than its data.
    let mut padded = hex("00 00 00 ff ff").repeat(40);
    padded.extend(stored(b"small"));
    check(5, &[Frame::new(0xc2, &padded)], b"small");
    check(4, &[Frame::new(0xc2, &padded)], b"small");
}

/// A compressed frame may be longer than the limit, as `Config::max_frame_size` documents. A frame without compression
/// may not. The header alone decides.
#[test]
fn only_compressed_frames_may_be_longer() {
    // The header of a frame up to its length.
    let start = |first, length: u64, role| {
        let (frame, size) = match length {
            0..=125 => (Frame::new(first, vec![0; length as usize]), 2),
            126..=0xffff => (Frame::new(first, vec![0; length as usize]), 4),
            _ => (
                Frame::new(first, "").with_length(Length::Claimed(length)),
                10,
            ),
        };
        frame.encode(role)[..size].to_vec()
    };
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let small = [0_u64, 1, 63, 64, 100, 1000];
            let large = [16 << 20, 1 << 62, (1 << 63) - 1];
            for limit in small.into_iter().chain(large) {
                let most = u128::from(limit) + u128::from(limit / 8) + u128::from(limit / 64) + 32;
                let most = u64::try_from(most).unwrap_or(u64::MAX).min((1 << 63) - 1);
                let config = limited(u64::MAX, delivery).with_max_frame_size(limit);
                for (before, first, most) in [
                    (None, 0xc2, most),
                    (Some(0x42), 0x80, most),
                    (Some(0x42), 0x00, most),
                    (None, 0x82, limit),
                    (Some(0x02), 0x80, limit),
                    (Some(0x02), 0x00, limit),
                ] {
                    // Whole messages without compression must fit into memory.
                    let fits = first == 0xc2
                        || before == Some(0x42)
                        || delivery == Delivery::Chunks
                        || most <= (usize::MAX / 4) as u64;
                    for (length, error) in
                        [(most, None), (most + 1, Some(ProtocolError::FrameTooLarge))]
                    {
                        if length >> 63 > 0 || (error.is_none() && !fits) {
                            continue;
                        }
                        let mut peer = agreed_peer(role, &config);
                        if let Some(before) = before {
                            peer.receive(&Frame::new(before, "").encode(role));
                        }
                        peer.receive(&start(first, length, role));
                        assert_eq!(peer.error, error, "{first:x} {limit} {length} {role:?}");
                    }
                }
            }
        }
    }
}

/// Compression makes noise longer. A message of the largest size still passes in one frame.
#[test]
fn noise_of_the_largest_size_passes() {
    const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
    let mut longest = 0;
    for length in [1, 5, 64, 1000, 300_000] {
        let data = noise(length, 11);
        let mut payloads = Vec::new();
        for level in [1, 9] {
            for memory_level in [1, 9] {
                let deflate = Deflate::new()
                    .with_level(level)
                    .with_memory_level(memory_level)
                    .with_min_size(0);
                let mut server = agreed(Role::Server, &with(deflate));
                server.send_binary(&data).unwrap();
                let (first, payload) = take_frame(&mut server);
                assert_eq!(first, 0xc2);
                longest = longest.max(payload.len().saturating_sub(length));
                // Some peers do not remove the marker of their flush.
                payloads.push([&payload[..], &TAIL, &[0]].concat());
                payloads.push(payload);
            }
            // The same from another library.
            let mut other = flate2::Compress::new(flate2::Compression::new(level.into()), false);
            let mut payload = Vec::with_capacity(2 * length + 100);
            other
                .compress_vec(&data, &mut payload, flate2::FlushCompress::Sync)
                .unwrap();
            assert_eq!(payload.split_off(payload.len() - 4), TAIL);
            payloads.push(payload);
        }
        let limit = length as u64;
        for (i, payload) in payloads.iter().enumerate() {
            let frame = Frame::new(0xc2, payload).encode(Role::Client);
            for delivery in DELIVERIES {
                let mut config = limited(limit, delivery).with_max_frame_size(limit);
                let outcome = run(agreed(Role::Client, &config), &frame, &[]);
                assert_eq!(outcome.error, None, "payload {i} of {length} bytes");
                assert!(outcome.events == [OwnedEvent::binary(&data)]);
                // A limit of one byte less refuses the message.
                config.max_message_size -= 1;
                let error = run(agreed(Role::Client, &config), &frame, &[]).error;
                assert_eq!(error, Some(ProtocolError::MessageTooLarge), "payload {i}");
            }
        }
    }
    // The noise becomes much longer.
    assert!(longest > 1000, "{longest}");
}

/// Each fragment ends with a flush. The limit for frames allows this.
#[test]
fn fragments_of_noise_pass() {
    for length in [1, 5, 64, 1000] {
        let data = noise(5 * length, 17);
        for (level, memory_level) in [(1, 1), (9, 1), (1, 9), (9, 9)] {
            let deflate = Deflate::new()
                .with_level(level)
                .with_memory_level(memory_level);
            let config = with(deflate)
                .with_max_frame_size(length as u64)
                .with_max_message_size(data.len() as u64);
            let mut pair = pair(&config, &config);
            for _ in 0..2 {
                for (i, piece) in data.chunks(length).enumerate() {
                    let server = &mut pair.server.connection;
                    server.send_binary_fragment(piece, i == 4).unwrap();
                }
            }
            pair.client.receive(pair.server.connection.output());
            assert_eq!(
                pair.client.error, None,
                "{length} B, {level}, {memory_level}"
            );
            let message = OwnedEvent::binary(&data);
            assert!(pair.client.events == [message.clone(), message]);
        }
    }
}

/// The default limits allow the flushes of a sender too.
#[test]
fn noise_of_16_mib_passes_by_default() {
    let piece = noise(1 << 20, 13);
    let config = with(Deflate::new().with_level(1).with_context_takeover(false));
    let mut pair = pair(&config, &config);
    pair.server.connection.send_binary(&piece).unwrap();
    let (_, mut payload) = take_frame(&mut pair.server.connection);
    assert!(payload.len() > piece.len() + 100);
    // The same piece 16 times, with a flush after each.
    payload.extend([0, 0, 0xff, 0xff]);
    payload = payload.repeat(16);
    payload.truncate(payload.len() - 4);
    let frame = Frame::new(0xc2, payload).encode(Role::Client);
    pair.client.receive(&frame);
    assert_eq!(pair.client.error, None);
    assert!(pair.client.events == [OwnedEvent::Binary(piece.repeat(16))]);
}

/// Chunks of text end with whole characters, wherever the decompressor stops.
#[test]
fn chunks_of_text() {
    let config = limited(1 << 20, Delivery::Chunks);
    for shift in 0..4 {
        let text = format!("{}{}", "a".repeat(shift), "\u{1f496}".repeat(50_000));
        let payload = compressed(text.as_bytes());
        for role in Role::BOTH {
            let bytes = Frame::new(0xc1, &payload).encode(role);
            for cuts in some_cuts(bytes.len()) {
                let outcome = run(agreed(role, &config), &bytes, &cuts);
                assert_eq!(outcome.error, None);
                assert!(outcome.events == [OwnedEvent::text(&text)]);
            }
        }
    }
}

/// The input may end when a chunk is full. sockless still delivers the rest of its data.
#[test]
fn chunks_do_not_wait_for_more_input() {
    fn length(peer: &Peer) -> usize {
        peer.events.iter().map(|event| event.data().len()).sum()
    }
    let config = limited(1 << 20, Delivery::Chunks);
    let peer = || agreed_peer(Role::Client, &config);
    // A few bits inflate to 258 bytes, and a chunk is full somewhere among them.
    for shift in (0..258).step_by(6) {
        let data = [noise(shift, 5), vec![0; 70_000]].concat();
        let bytes = Frame::new(0xc2, compressed(&data)).encode(Role::Client);
        let mut slow = peer();
        for (i, byte) in bytes.iter().enumerate() {
            slow.receive(&[*byte]);
            if length(&slow) > 60_000 {
                let mut fast = peer();
                fast.receive(&bytes[..=i]);
                assert_eq!(length(&fast), length(&slow), "{shift} {i}");
            }
        }
        assert_eq!(length(&slow), data.len());
    }
}

/// A control frame is delivered after the payload before it, even if that makes several chunks.
#[test]
fn chunks_come_in_order() {
    let payload = compressed(&vec![0; 200_000]);
    let frames = [
        Frame::new(0x42, payload),
        Frame::new(0x89, "ping"),
        Frame::new(0x00, hex("00 00 ff ff")),
        Frame::new(0x80, repeat(100)),
        Frame::new(0x81, "plain"),
    ];
    for role in Role::BOTH {
        let bytes = encode(&frames, role);
        let mut peer = agreed_peer(role, &limited(1 << 20, Delivery::Chunks));
        peer.receive(&bytes);
        assert_eq!(peer.error, None);
        let ping = OwnedEvent::ping(b"ping");
        let parts: Vec<_> = peer.events.split(|event| *event == ping).collect();
        let lengths = parts[0].iter().map(|event| event.data().len());
        assert_eq!(lengths.sum::<usize>(), 200_000);
        let after = [OwnedEvent::binary(&[0; 3]), OwnedEvent::text("plain")];
        assert_eq!(parts[1..], [after]);
    }
}

/// A message may end shortly after a full chunk. Then all its input is consumed, and some of its data is not yet
/// delivered.
#[test]
fn the_last_chunk_is_a_small_one() {
    let config = limited(1 << 20, Delivery::Chunks);
    let lengths = |role, size: usize, payload: &[u8]| {
        let mut peer = agreed_peer(role, &config);
        peer.receive(&Frame::new(0xc2, payload).encode(role));
        assert!(peer.error.is_none() && peer.buffer.is_empty());
        let lengths: Vec<_> = peer.events.iter().map(|event| event.data().len()).collect();
        assert_eq!(lengths.iter().sum::<usize>(), size);
        lengths
    };
    let size = 300_000;
    let chunks = lengths(Role::Client, size, &compressed(&vec![0; size]));
    assert!(chunks.len() > 4);
    let mut end = 0;
    for length in chunks {
        end += length;
        for more in [1, 20, 100, 200, 257, 258] {
            let payload = compressed(&vec![0; end + more]);
            for role in Role::BOTH {
                lengths(role, end + more, &payload);
            }
        }
    }
}

/// Reads between two chunks do not unmask earlier bytes again.
#[test]
fn reads_between_chunks() {
    let data = noise(5_000, 1).repeat(40);
    let payload = compressed(&data);
    for role in Role::BOTH {
        let bytes = Frame::new(0xc2, &payload).encode(role);
        for piece in [1, 3, 1000, 1001, 1002, 1003, 5501] {
            let config = limited(1 << 20, Delivery::Chunks);
            let mut connection = agreed(role, &config);
            let mut buffer = ReadBuffer::new();
            let mut received = Vec::new();
            let mut take = |buffer: &mut ReadBuffer| {
                let event = connection.next_event(buffer).unwrap();
                let Some(Event::Binary { data, .. }) = event else {
                    return event.is_some();
                };
                received.extend_from_slice(data);
                true
            };
            // One event per piece leaves the rest of the piece in the buffer.
            let (first, rest) = bytes.split_at(5_100);
            for piece in std::iter::once(first).chain(rest.chunks(piece)) {
                buffer.extend_from_slice(piece);
                take(&mut buffer);
            }
            while take(&mut buffer) {}
            assert!(received == data);
        }
    }
}

/// The caller passes the wrong buffer inside a message. The message is wrong, and nothing panics.
#[test]
fn the_wrong_buffer_inside_a_message() {
    let config = limited(16 << 20, Delivery::Chunks);
    let bomb = Frame::new(0xc2, compressed(&vec![0; 1 << 20])).encode(Role::Server);
    for others in [&[][..], &[0], &[0; 100]] {
        let mut connection = agreed(Role::Server, &config);
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&bomb);
        assert!(matches!(connection.next_event(&mut buffer), Ok(Some(_))));
        let mut other = ReadBuffer::new();
        other.extend_from_slice(others);
        for _ in 0..100 {
            let _ = connection.next_event(&mut other);
        }
        while let Ok(Some(_)) = connection.next_event(&mut buffer) {}
    }
}
