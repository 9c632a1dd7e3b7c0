//! Incidents of memory: bytes that a peer announces, fragments, and output that a peer never reads.

use sockless::handshake::ServerHandshake;
use sockless::test_util::{Frame, Length, Role, encode};
use sockless::{CloseCode, Config, Connection, Delivery, Event, ReadBuffer, SendError};

use super::client;
use super::heap::{NOTHING, measure};
use super::receive::receive;

/// Gives bytes to the connection in one read. Returns the number of events and of bytes in messages.
fn take(connection: &mut Connection, buffer: &mut ReadBuffer, bytes: &[u8]) -> (usize, usize) {
    let received = receive(connection, buffer, bytes, bytes.len());
    assert_eq!(received.error, None);
    (received.events, received.bytes)
}

fn config(delivery: Delivery) -> Config {
    Config::new().with_delivery(delivery)
}

const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

/// RUSTSEC-2020-0043: the output of another library grew without bound when a peer sent and never read. sockless limits
/// what the application sends. Automatic Pongs have a limit too, and one Close frame comes on top.
#[test]
fn the_output_stays_bounded_while_the_peer_never_reads() {
    let config = Config::new().with_max_output(32 << 10);
    let message = 1000;
    let pongs = config.max_unsent_pongs;
    for role in Role::BOTH {
        let ping = Frame::new(0x89, [7; 125]).encode(role);
        // The application echoes messages or has none.
        for (message, bound) in [
            (message, config.max_output + message + 8 + pongs + 131),
            (0, pongs),
        ] {
            let text = Frame::new(0x81, vec![b'x'; message]).encode(role);
            let batch = if message > 0 {
                [&text[..], &ping].concat()
            } else {
                ping.clone()
            };
            let mut connection = role.connection(&config);
            let mut buffer = ReadBuffer::with_capacity(8192);
            let (refused, heap) = measure(|| {
                let mut refused = 0;
                for _ in 0..10_000 {
                    buffer.extend_from_slice(&batch);
                    while let Some(event) = connection.next_event(&mut buffer).expect("legal") {
                        if let Event::Text { text, .. } = event {
                            match connection.send_text(text) {
                                Ok(()) => {}
                                Err(SendError::Full) => refused += 1,
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                    assert!(connection.output().len() <= bound);
                }
                refused
            });
            assert_eq!(refused > 9_900, message > 0, "{refused}");
            // A vector that doubles, and the newest Ping.
            assert!(heap.kept <= 2 * bound as isize + 136, "{heap:?}");

            // Nothing follows the Close frame.
            let before = connection.output().len();
            connection.close(CloseCode::NORMAL, "").unwrap();
            let closed = connection.output().len();
            assert!(closed <= before + 8 && (message == 0 || closed <= bound));
            for drained in [false, true] {
                if drained {
                    connection.advance_output(closed);
                }
                for _ in 0..1000 {
                    take(&mut connection, &mut buffer, &ping);
                }
                let expected = if drained { 0 } else { closed };
                assert_eq!(connection.output().len(), expected);
            }
        }
    }
}

/// CVE-2022-35922: another library allocated the announced length, and a few bytes took all memory. Announced bytes
/// cost nothing here, whatever the limits are.
#[test]
fn announced_lengths_allocate_nothing() {
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            for first in [0x81, 0x82, 0x01, 0x02] {
                for claim in [65536, 15 << 20, 1 << 32, 1 << 62, (1 << 63) - 1] {
                    let config = config(delivery)
                        .with_max_frame_size(u64::MAX)
                        .with_max_message_size(u64::MAX);
                    // The message does not fit into memory.
                    let refused = delivery == Delivery::Messages && claim > (usize::MAX / 4) as u64;
                    let mut connection = role.connection(&config);
                    let mut buffer = ReadBuffer::with_capacity(4096);
                    let frame = Frame::new(first, "begin").with_length(Length::Claimed(claim));
                    let bytes = frame.encode(role);
                    let ((), heap) = measure(|| {
                        for byte in &bytes {
                            buffer.extend_from_slice(&[*byte]);
                            match connection.next_event(&mut buffer) {
                                Ok(Some(_)) => assert_eq!(delivery, Delivery::Chunks),
                                Ok(None) => {}
                                Err(_) => assert!(refused),
                            }
                        }
                    });
                    // Received text is kept in a string, which doubles when it grows.
                    let joined = delivery == Delivery::Messages && first & 0xf == 1;
                    let most = if joined { 3 * 5 } else { 0 };
                    assert!(heap.peak <= most || refused, "{heap:?}");
                }
            }
        }
        // A Ping that announces 10 MiB is refused after two bytes. It costs only the Close frame.
        let mut connection = role.connection(&Config::default());
        let mut buffer = ReadBuffer::with_capacity(64);
        let frame = Frame::new(0x89, "").with_length(Length::Claimed(10 << 20));
        let ping = frame.encode(role);
        let (error, heap) = measure(|| {
            buffer.extend_from_slice(&ping[..2]);
            connection.next_event(&mut buffer).map(drop).unwrap_err()
        });
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
        assert_eq!(heap.allocations, 1);
        assert!(heap.peak <= 64, "{heap:?}");
    }

    // The same for the body of a response.
    let mut client = client(1);
    let mut buffer = ReadBuffer::with_capacity(4096);
    let (body, heap) = measure(|| {
        buffer.extend_from_slice(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 9223372036854775807\r\n\r\nbegin",
        );
        match client.read_response(&mut buffer) {
            Ok(Some((response, None))) => response.body().len(),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(body, 5);
    assert!(heap.peak < 1024, "{heap:?}");
}

/// CVE-2026-48779: another library kept every fragment as an object many times its size. sockless joins fragments in
/// one buffer, which doubles when it grows.
#[test]
fn tiny_fragments_leave_no_objects_behind() {
    const COUNT: usize = 100_000;
    for role in Role::BOTH {
        let fragment = Frame::new(0x00, "x").encode(role);
        for (delivery, per_read) in [
            (Delivery::Messages, 1),
            (Delivery::Messages, 100),
            (Delivery::Chunks, 1),
            (Delivery::Chunks, 100),
        ] {
            let read = fragment.repeat(per_read);
            let begin = Frame::new(0x01, "").encode(role);
            let end = Frame::new(0x80, "").encode(role);
            let mut connection = role.connection(&config(delivery));
            let mut buffer = ReadBuffer::with_capacity(4096);
            let (carried, heap) = measure(|| {
                let mut carried = take(&mut connection, &mut buffer, &begin).1;
                for _ in 0..COUNT / per_read {
                    carried += take(&mut connection, &mut buffer, &read).1;
                }
                carried + take(&mut connection, &mut buffer, &end).1
            });
            assert_eq!(carried, COUNT);
            if delivery == Delivery::Chunks {
                assert_eq!(heap, NOTHING);
            } else {
                // From a byte to twice 100 KB.
                assert!(heap.allocations <= 17, "{heap:?}");
                assert!(buffer.capacity() <= 2 * (COUNT + 2 * read.len()) + 4096);
            }
        }
    }
}

/// RUSTSEC-2026-0258: no limit of another library counted frames without payload, and each one cost memory or time.
#[test]
fn frames_without_payload_cost_nothing() {
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            // The message begins with one byte or with none.
            for begin in ["", "x"] {
                let mut connection = role.connection(&config(delivery));
                let mut buffer = ReadBuffer::with_capacity(4096);
                let carried = begin.len();
                let begin = Frame::new(0x01, begin).encode(role);
                take(&mut connection, &mut buffer, &begin);
                let batch = [0x00, 0x8a, 0x00]
                    .map(|first| Frame::new(first, "").encode(role))
                    .concat()
                    .repeat(100);
                let (events, heap) = measure(|| {
                    let mut events = 0;
                    for _ in 0..1000 {
                        events += take(&mut connection, &mut buffer, &batch).0;
                    }
                    events
                });
                // Only the Pongs are events.
                assert_eq!((events, heap), (100_000, NOTHING));
                let joined = if delivery == Delivery::Messages {
                    2 * carried
                } else {
                    0
                };
                assert_eq!(buffer.capacity(), 4096 + joined);
                assert!(buffer.unread().is_empty());
            }

            let mut connection = role.connection(&config(delivery));
            let mut buffer = ReadBuffer::with_capacity(4096);
            let batch = [0x81, 0x82, 0x89]
                .map(|first| Frame::new(first, "").encode(role))
                .concat();
            let mut round = || {
                let received = take(&mut connection, &mut buffer, &batch);
                assert_eq!(received, (3, 0));
                let n = connection.output().len();
                connection.advance_output(n);
            };
            // The first Pong allocates the output.
            round();
            let ((), heap) = measure(|| (0..30_000).for_each(|_| round()));
            assert_eq!(heap, NOTHING);
        }
    }
}

/// A buffer grows to the end of a message, because the bytes of the next message must be moved. It grows in few steps,
/// even for a message in many fragments.
#[test]
fn the_read_buffer_grows_in_few_steps_to_the_end_of_a_message() {
    const LENGTH: usize = 300_000;
    const LEAST: usize = 512;
    for first in [0x01, 0x02] {
        for fragment in [1000, 7001, LENGTH] {
            let message = vec![b'x'; LENGTH];
            let pieces = message.chunks(fragment);
            let mut frames: Vec<_> = pieces.map(|piece| Frame::new(0x00, piece)).collect();
            frames[0].first |= first;
            frames.last_mut().unwrap().first |= 0x80;
            let stream = encode(&frames, Role::Server);
            let stream = stream.repeat(3);
            let mut connection = Connection::server(&Config::default());
            let mut buffer = ReadBuffer::with_capacity(4096);
            let (mut rest, mut growths, mut messages) = (&stream[..], 0, 0);
            while !rest.is_empty() {
                let before = buffer.capacity();
                let spare = buffer.spare_mut(LEAST);
                let n = spare.len().min(4096).min(rest.len());
                spare[..n].copy_from_slice(&rest[..n]);
                buffer.advance_filled(n);
                growths += usize::from(buffer.capacity() != before);
                rest = &rest[n..];
                while let Some(event) = connection.next_event(&mut buffer).expect("legal") {
                    assert!(matches!(event, Event::Text { .. } | Event::Binary { .. }));
                    messages += 1;
                }
            }
            assert_eq!(messages, 3);
            // By half each time, and at most once more for each message.
            assert!(growths <= 15, "{growths} times, fragments of {fragment}");
            if fragment == LENGTH && first == 0x02 {
                let capacity = buffer.capacity();
                assert!(capacity <= LENGTH + 14 + 2 * LEAST, "{capacity}");
            }
        }
    }
}

/// A connection may leave its buffer empty inside a message. The length that its peer announced must not affect the
/// next user of the buffer.
#[test]
fn a_pooled_buffer_grows_like_a_new_one() {
    let growths = |mut buffer: ReadBuffer| {
        let head = [
            &b"GET / HTTP/1.1\r\nHost: a\r\nCookie: "[..],
            &[b'x'; 16_000],
            b"\r\n\r\n",
        ]
        .concat();
        let mut handshake = ServerHandshake::new(&Config::default());
        let (mut growths, mut whole) = (0, false);
        for byte in head {
            let before = buffer.capacity();
            buffer.extend_from_slice(&[byte]);
            growths += usize::from(buffer.capacity() != before);
            let request = handshake.read_request(&mut buffer);
            whole = request.expect("legal").is_some();
        }
        assert!(whole);
        growths
    };
    let new = growths(ReadBuffer::new());
    for stream in [
        // The last byte of a message is missing.
        Frame::new(0x82, "x".repeat(100)).encode(Role::Server),
        // A failure in the middle of a frame.
        [Frame::new(0x83, "x").encode(Role::Server), vec![0; 50]].concat(),
    ] {
        let mut connection = Connection::server(&config(Delivery::Chunks));
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&stream[..stream.len() - 1]);
        while let Ok(Some(_)) = connection.next_event(&mut buffer) {}
        _ = connection.next_event(&mut buffer);
        assert!(buffer.is_empty());
        buffer.shrink_to(0);
        assert_eq!(growths(buffer), new);
    }
}
