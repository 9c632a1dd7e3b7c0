//! Limits count what is delivered, to the byte (RFC 6455 section 10.4): a little input can make much output.

use sockless::{Config, Deflate, Delivery, Event, ProtocolError, ReadBuffer};

use super::support::hex;
use super::{agreed, everything, noise, repeat, run, sent, stored};
use sockless::test_util::{Frame, Length, OwnedEvent, Peer, Role, encode};

const MODES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

fn limited(limit: u64, delivery: Delivery) -> Config {
    everything()
        .with_max_message_size(limit)
        .with_delivery(delivery)
}

/// A payload for `data` that is as small as this library makes it.
fn compressed(data: &[u8]) -> Vec<u8> {
    let deflate = Deflate::new().with_min_size(0).with_context_takeover(false);
    let mut server = agreed(Role::Server, &super::with(deflate));
    server.send_binary(data).unwrap();
    let mut frames = sent(server.output());
    let (first, payload) = frames.pop().unwrap();
    assert!(frames.is_empty() && first == 0xc2);
    payload
}

/// Ways to cut a stream that are few enough for long ones.
fn some_cuts(length: usize) -> Vec<Vec<usize>> {
    let every = |n| (0..length).step_by(n).collect();
    vec![vec![], every(length.div_ceil(3)), every(length / 97 + 1)]
}

/// Either the message or 1009, and in the latter case no more than the limit.
fn check(limit: u64, frames: &[Frame], data: &[u8]) {
    for role in Role::BOTH {
        for delivery in MODES {
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
                    let code = sent(&outcome.output).pop().unwrap().1;
                    assert_eq!(code[..2], 1009_u16.to_be_bytes(), "{what}");
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
    // Around the sizes in which the decompressor is given space, and around its window.
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
            let mut frames: Vec<_> = payload
                .chunks(payload.len().div_ceil(pieces))
                .map(|piece| Frame::new(0x00, piece))
                .collect();
            frames[0].first |= 0x42;
            frames.insert(1, Frame::new(0x00, ""));
            frames.push(Frame::new(0x80, ""));
            for limit in [data.len() - 1, data.len()].map(|limit| limit as u64) {
                check(limit, &frames, &data);
            }
        }
    }
}

/// One message does not count for the next, nor do other frames.
#[test]
fn every_message_anew() {
    let full = [b'x'; 1000];
    for role in Role::BOTH {
        for delivery in MODES {
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
            for (wrong, error) in [
                (stored(&[0; 1001]), Some(ProtocolError::MessageTooLarge)),
                (stored(&[0; 1000]), None),
            ] {
                let frames = [&good[..], &[Frame::new(0xc2, wrong)]].concat();
                let outcome = run(agreed(role, &config), &encode(&frames, role), &[]);
                assert_eq!(outcome.error, error);
                assert_eq!(
                    outcome.events.len(),
                    good.len() - 1 + usize::from(error.is_none())
                );
            }
            let plain = [&good[..], &[Frame::new(0x82, [0; 1001])]].concat();
            let outcome = run(agreed(role, &config), &encode(&plain, role), &[]);
            assert_eq!(outcome.error, Some(ProtocolError::MessageTooLarge));
        }
    }
}

/// Nothing is small enough to be empty but an empty message.
#[test]
fn a_limit_of_nothing() {
    for payload in ["", "00", "02 00", "01", "00 00 00 ff ff 00"] {
        check(0, &[Frame::new(0xc2, hex(payload))], b"");
    }
    check(0, &[Frame::new(0xc2, stored(b"a"))], b"a");
}

/// The largest limit there is can be reckoned with, too.
#[test]
fn no_limit() {
    let data = noise(3000, 3);
    let payload = stored(&data);
    let (first, rest) = payload.split_at(payload.len() / 2);
    let frames = [Frame::new(0x42, first), Frame::new(0x80, rest)];
    check(u64::MAX, &frames, &data);
}

/// What a frame of a compressed message may have on the wire, as `Config::max_frame_size` states it.
fn on_the_wire(max_frame_size: u64) -> u64 {
    max_frame_size + max_frame_size / 8 + max_frame_size / 64 + 32
}

/// The other limit counts what a frame has on the wire, and allows for what compression adds.
#[test]
fn frames_are_measured_compressed() {
    let data = vec![b'a'; 100_000];
    let payload = compressed(&data);
    assert!(payload.len() < 500);
    // The smallest limit that lets it pass.
    let least = (0..1000).find(|limit| on_the_wire(*limit) >= payload.len() as u64);
    for role in Role::BOTH {
        for delivery in MODES {
            for less in [0, 1] {
                let config = limited(data.len() as u64, delivery)
                    .with_max_frame_size(least.unwrap() - less as u64);
                let bytes = Frame::new(0xc2, &payload).encode(role);
                let outcome = run(agreed(role, &config), &bytes, &[]);
                let error = (less == 1).then_some(ProtocolError::FrameTooLarge);
                assert_eq!(outcome.error, error);
                assert_eq!(outcome.events.len(), 1 - less);
                if less == 1 {
                    // Told with 1009 when the length is there, before any payload.
                    let mut peer = Peer::with(agreed(role, &config), ReadBuffer::new());
                    let at = if payload.len() > 125 { 4 } else { 2 };
                    peer.receive(&bytes[..at - 1]);
                    assert_eq!(peer.error, None);
                    peer.receive(&bytes[at - 1..at]);
                    assert_eq!(peer.error, error);
                    let code = sent(peer.connection.output()).pop().unwrap().1;
                    assert_eq!(code[..2], 1009_u16.to_be_bytes());
                }
            }
        }
    }
    // And a message may have more on the wire than it delivers.
    let mut padded = hex("00 00 00 ff ff").repeat(40);
    padded.extend(stored(b"small"));
    check(5, &[Frame::new(0xc2, &padded)], b"small");
    check(4, &[Frame::new(0xc2, &padded)], b"small");
}

/// A plain frame is as long as what it delivers, on a compressed connection, too.
#[test]
fn only_compressed_frames_may_be_longer() {
    // A frame up to its length, which alone decides.
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
        for delivery in MODES {
            for limit in [
                0_u64,
                1,
                63,
                64,
                100,
                1000,
                16 << 20,
                1 << 62,
                (1 << 63) - 1,
            ] {
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
                    // Longer ones are refused for another reason, and some do not fit into memory.
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
                        let mut peer = Peer::with(agreed(role, &config), ReadBuffer::new());
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

/// A message of the largest size comes through in one frame, though compression made it longer.
#[test]
fn noise_of_the_largest_size_passes() {
    fn takes(delivery: Delivery, data: &[u8], payload: &[u8], what: &str) {
        let mut config =
            limited(data.len() as u64, delivery).with_max_frame_size(data.len() as u64);
        let frame = Frame::new(0xc2, payload).encode(Role::Client);
        let outcome = run(agreed(Role::Client, &config), &frame, &[]);
        assert_eq!(outcome.error, None, "{what}");
        assert!(outcome.events == [OwnedEvent::binary(data)], "{what}");
        // One byte less is one byte too few.
        config.max_message_size -= 1;
        let outcome = run(agreed(Role::Client, &config), &frame, &[]);
        assert_eq!(
            outcome.error,
            Some(ProtocolError::MessageTooLarge),
            "{what}"
        );
    }
    let mut longest = 0;
    for length in [1, 5, 64, 1000, 300_000] {
        let data = noise(length, 11);
        for level in [1, 9] {
            for memory_level in [1, 9] {
                let deflate = Deflate::new()
                    .with_level(level)
                    .with_memory_level(memory_level)
                    .with_min_size(0);
                let mut server = agreed(Role::Server, &super::with(deflate));
                server.send_binary(&data).unwrap();
                let (first, payload) = sent(server.output()).pop().unwrap();
                assert_eq!(first, 0xc2);
                longest = longest.max(payload.len().saturating_sub(length));
                // The last bytes of a flush may be there, too.
                let flushed = [&payload[..], &[0, 0, 0xff, 0xff, 0]].concat();
                for delivery in MODES {
                    let what = format!("{length} B, level {level}, memory level {memory_level}");
                    takes(delivery, &data, &payload, &what);
                    takes(delivery, &data, &flushed, &what);
                }
            }
            // Another implementation.
            let mut other = flate2::Compress::new(flate2::Compression::new(level.into()), false);
            let mut payload = Vec::with_capacity(2 * length + 100);
            other
                .compress_vec(&data, &mut payload, flate2::FlushCompress::Sync)
                .unwrap();
            assert_eq!(payload.split_off(payload.len() - 4), [0, 0, 0xff, 0xff]);
            for delivery in MODES {
                takes(
                    delivery,
                    &data,
                    &payload,
                    &format!("{length} B, flate2, level {level}"),
                );
            }
        }
    }
    // It does become longer, and not by a few bytes alone.
    assert!(longest > 1000, "{longest}");
}

/// Each fragment ends with a flush, which the limit for frames allows for.
#[test]
fn fragments_of_noise_pass() {
    for length in [1, 5, 64, 1000] {
        let data = noise(5 * length, 17);
        for (level, memory_level) in [(1, 1), (9, 1), (1, 9), (9, 9)] {
            let deflate = Deflate::new()
                .with_level(level)
                .with_memory_level(memory_level);
            let config = super::with(deflate)
                .with_max_frame_size(length as u64)
                .with_max_message_size(data.len() as u64);
            let mut pair = super::pair(&config, &config);
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

/// The same with the default limits, from one connection to another.
#[test]
fn noise_of_16_mib_passes_by_default() {
    let data = noise(16 << 20, 13);
    let config = super::with(Deflate::new().with_level(1));
    let mut pair = super::pair(&config, &config);
    pair.server.connection.send_binary(&data).unwrap();
    let output = pair.server.connection.output();
    assert!(output.len() > data.len() + 100);
    pair.client.receive(output);
    assert_eq!(pair.client.error, None);
    assert!(pair.client.events == [OwnedEvent::binary(&data)]);
}

/// What is stored grows to the limit and no further, however much the input would make.
#[test]
fn a_bomb_takes_no_more_than_the_limit() {
    // 1 MiB of zeros, and more of them by reference.
    let mut bomb = compressed(&vec![0; 1 << 20]);
    let one = bomb.clone();
    for _ in 0..7 {
        bomb.extend([0, 0, 0xff, 0xff]);
        bomb.extend(&one);
    }
    assert!(bomb.len() < 16 << 10);
    for role in Role::BOTH {
        for delivery in MODES {
            let limit = 300_000;
            let mut peer = Peer::with(
                agreed(role, &limited(limit as u64, delivery)),
                ReadBuffer::new(),
            );
            peer.receive(&Frame::new(0xc2, &bomb).encode(role));
            assert_eq!(peer.error, Some(ProtocolError::MessageTooLarge));
            let capacity = peer.buffer.capacity();
            let most = if delivery == Delivery::Messages {
                limit + 1
            } else {
                2 * (48 << 10)
            };
            assert!(
                capacity <= most + bomb.len() + 1024,
                "{delivery:?}: {capacity}"
            );

            // Within the limit, chunks need no more memory than their size.
            let config = limited(8 << 20, delivery);
            let mut peer = Peer::with(agreed(role, &config), ReadBuffer::new());
            peer.receive(&Frame::new(0xc2, &bomb).encode(role));
            assert_eq!(peer.error, None);
            let capacity = peer.buffer.capacity();
            let total: usize = peer.events.iter().map(|event| event.data().len()).sum();
            assert_eq!(total, 8 << 20);
            if delivery == Delivery::Chunks {
                assert!(peer.events.len() >= 100);
                assert!(capacity <= 2 * (48 << 10) + bomb.len() + 1024, "{capacity}");
            } else {
                assert_eq!(peer.events.len(), 1);
            }
        }
    }
}

/// Text is cut into chunks at characters, wherever the decompressor stops.
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

/// All that the input makes is delivered before more input is waited for, though a chunk was full when it ended.
#[test]
fn chunks_do_not_wait_for_more_input() {
    fn length(peer: &Peer) -> usize {
        peer.events.iter().map(|event| event.data().len()).sum()
    }
    let config = limited(1 << 20, Delivery::Chunks);
    let peer = || Peer::with(agreed(Role::Client, &config), ReadBuffer::new());
    // A chunk is full somewhere within 258 bytes that come from the same few bits.
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

/// Control frames wait for the payload before them, though it comes out in several chunks.
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
        let mut peer = Peer::with(
            agreed(role, &limited(1 << 20, Delivery::Chunks)),
            ReadBuffer::new(),
        );
        peer.receive(&bytes);
        assert_eq!(peer.error, None);
        let ping = peer
            .events
            .iter()
            .position(|e| *e == OwnedEvent::ping(b"ping"));
        let lengths = peer.events[..ping.unwrap()].iter().map(|e| e.data().len());
        assert_eq!(lengths.sum::<usize>(), 200_000);
        assert_eq!(
            peer.events[ping.unwrap() + 1..],
            [OwnedEvent::binary(&[0; 3]), OwnedEvent::text("plain")]
        );
    }
}

/// A message may end right behind a chunk, when all of its bytes are read and the last ones still have to come
/// out.
#[test]
fn the_last_chunk_is_a_small_one() {
    let config = limited(1 << 20, Delivery::Chunks);
    for role in Role::BOTH {
        let lengths = |size: usize| {
            let bytes = Frame::new(0xc2, compressed(&vec![0; size])).encode(role);
            let mut connection = agreed(role, &config);
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(&bytes);
            let mut lengths = Vec::new();
            while let Some(event) = connection.next_event(&mut buffer).unwrap() {
                let Event::Binary { data, .. } = event else {
                    panic!("{event:?}")
                };
                lengths.push(data.len());
            }
            assert!(buffer.is_empty());
            lengths
        };
        let mut end = 0;
        for length in lengths(500_000) {
            end += length;
            for more in [1, 20, 100, 200, 257, 258] {
                let size = end + more;
                assert_eq!(lengths(size).iter().sum::<usize>(), size);
            }
        }
    }
}

/// Chunks may be taken one at a time, with reads in between: what came earlier and was unmasked is not unmasked
/// again.
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
            // What is left of a piece waits behind the chunk that it brought.
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

/// A buffer mixed up with another one in the middle of what one frame inflates to garbles the message and
/// breaks nothing else.
#[test]
fn a_buffer_that_was_mixed_up() {
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
