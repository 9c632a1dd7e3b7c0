//! Limits (section 10.4).

use super::{accepts, config, refuses};
use sockless::test_util::{Frame, Length, OwnedEvent, Peer, Role, encode, join_parts, refused_at};
use sockless::{Config, Deadlines, Delivery, Event, ProtocolError, ReadBuffer, Reply};
use std::time::Duration;

#[test]
fn a_huge_ping_or_message_header_allocates_nothing() {
    for role in Role::BOTH {
        let too_long = Some(ProtocolError::ControlFrameTooLong);
        for (first, payload, error) in [(0x89, "", too_long), (0x82, "begin", None)] {
            let mut peer = Peer::new(role, &Config::default());
            let frame = Frame::new(first, payload).with_length(Length::Claimed(10 << 20));
            peer.receive(&frame.encode(role));
            assert_eq!(peer.error, error);
            assert!(peer.buffer.capacity() < 100, "{:?}", peer.buffer);
        }
    }
}

fn limits(frame: u64, message: u64) -> Config {
    Config::new()
        .with_max_frame_size(frame)
        .with_max_message_size(message)
}

/// The documentation of [`Config`] states these defaults.
#[test]
fn the_default_limits() {
    let Config {
        max_message_size,
        max_frame_size,
        max_output,
        max_unsent_pongs,
        max_head_size,
        max_headers,
        delivery,
        ping_reply,
        close_reply,
        ..
    } = Config::default();
    assert_eq!((max_message_size, max_frame_size), (16 << 20, 16 << 20));
    assert_eq!((max_output, max_unsent_pongs), (1 << 20, 2 << 10));
    assert_eq!((max_head_size, max_headers), (16 << 10, 100));
    assert_eq!(delivery, Delivery::Messages);
    assert_eq!(ping_reply, Reply::Automatic);
    assert_eq!(close_reply, Reply::Automatic);
    assert_eq!(Config::default(), Config::new());
    assert_eq!(Config::default().deadlines, None);

    // The largest frame passes. One byte more is refused at its header.
    for role in Role::BOTH {
        let claimed = |claim| Frame::new(0x82, "").with_length(Length::Claimed(claim));
        let most = claimed(16 << 20).encode(role);
        assert_eq!(refused_at(role, &Config::default(), &most), None);
        let bad = claimed((16 << 20) + 1).encode(role);
        let error = ProtocolError::FrameTooLarge;
        refuses(role, &Config::default(), &[], &bad[..10], error, 10);
        // In two frames, the message is too large.
        let good = [Frame::new(0x02, "x")];
        let bad = Frame::new(0x80, "").with_length(Length::Claimed(16 << 20));
        let bad = bad.encode(role);
        let error = ProtocolError::MessageTooLarge;
        refuses(role, &Config::default(), &good, &bad[..10], error, 10);
    }
}

#[test]
fn each_method_sets_its_own_limit_only() {
    const ALL: Config = Config::new()
        .with_max_message_size(1)
        .with_max_frame_size(2)
        .with_max_output(3)
        .with_max_unsent_pongs(4)
        .with_max_head_size(5)
        .with_max_headers(6)
        .with_delivery(Delivery::Chunks)
        .with_ping_reply(Reply::Manual)
        .with_deadlines(
            Deadlines::new()
                .with_handshake(Duration::from_secs(1))
                .with_ping_interval(Duration::from_secs(2))
                .with_pong(Duration::from_secs(3))
                .with_close(Duration::from_secs(4))
                .with_max_extension(Duration::from_secs(5)),
        );
    assert_eq!((ALL.max_message_size, ALL.max_frame_size), (1, 2));
    assert_eq!((ALL.max_output, ALL.max_unsent_pongs), (3, 4));
    assert_eq!((ALL.max_head_size, ALL.max_headers), (5, 6));
    assert_eq!(ALL.delivery, Delivery::Chunks);
    let replies = |config: &Config| (config.ping_reply, config.close_reply);
    assert_eq!(replies(&ALL), (Reply::Manual, Reply::Automatic));
    let close = Config::new().with_close_reply(Reply::Manual);
    assert_eq!(replies(&close), (Reply::Automatic, Reply::Manual));
    let deadlines = ALL.deadlines.unwrap();
    let found = [
        deadlines.handshake,
        deadlines.ping_interval,
        deadlines.pong,
        deadlines.close,
        deadlines.max_extension,
    ];
    assert_eq!(found, [1, 2, 3, 4, 5].map(Duration::from_secs));
}

#[test]
fn limits_are_exact() {
    use ProtocolError::{FrameTooLarge, MessageTooLarge as TooLarge};
    let big = 1 << 20;
    let part = |first, size| Frame::new(first, vec![b'x'; size]);
    // The limits of frame and message, frames that pass, and the first byte and size of the frame that does not.
    let table: &[(u64, u64, &[Frame], u8, usize, ProtocolError)] = &[
        (big, 0, &[part(0x81, 0)], 0x81, 1, TooLarge),
        (big, 5, &[part(0x81, 5)], 0x81, 6, TooLarge),
        (big, 5, &[part(0x82, 5)], 0x02, 6, TooLarge),
        (5, big, &[part(0x82, 5)], 0x82, 6, FrameTooLarge),
        (5, big, &[part(0x02, 5), part(0, 5)], 0x80, 6, FrameTooLarge),
        (5, big, &[part(0x02, 5), part(0, 5)], 0x00, 6, FrameTooLarge),
        (5, 5, &[part(0x82, 5)], 0x82, 6, FrameTooLarge),
        (big, 200, &[part(0x82, 200)], 0x82, 201, TooLarge),
        // The limit is for the sum of the fragments. Control frames do not count. Each message starts at 0.
        (big, 5, &[part(0x01, 5), part(0x80, 0)], 0x81, 6, TooLarge),
        (
            big,
            5,
            &[part(0x01, 3), part(0x89, 9), part(0, 2)],
            0x80,
            1,
            TooLarge,
        ),
        (big, 5, &[part(0x02, 4)], 0x00, 2, TooLarge),
        (
            big,
            5,
            &[part(0x02, 5), part(0x80, 0), part(0x01, 4)],
            0x80,
            2,
            TooLarge,
        ),
    ];
    for role in Role::BOTH {
        for &(frame, message, good, first, size, error) in table {
            let bad = part(first, size).encode(role);
            let after = if size > 125 { 4 } else { 2 };
            // The length is enough to refuse the frame. The masking key and the payload need not arrive.
            refuses(role, &limits(frame, message), good, &bad, error, after);
        }
    }
}

#[test]
fn limits_do_not_apply_to_control_frames() {
    for role in Role::BOTH {
        let bytes = Frame::new(0x89, [7; 125]).encode(role);
        let (event, reply) = (OwnedEvent::ping(&[7; 125]), OwnedEvent::pong(&[7; 125]));
        accepts(role, &limits(0, 0), &bytes, &[event], &[reply]);
    }
}

/// Each role and each delivery mode is in one case. All four combinations would only take longer.
const ROLES_AND_DELIVERIES: [(Role, Delivery); 2] = [
    (Role::Server, Delivery::Messages),
    (Role::Client, Delivery::Chunks),
];

#[test]
fn many_small_fragments_pass() {
    const COUNT: usize = 65_536;
    let bytes = (0..=250).cycle().take(COUNT);
    let payload: Vec<u8> = bytes.flat_map(|byte| [byte; 64]).collect();
    for (role, delivery) in ROLES_AND_DELIVERIES {
        let mut peer = Peer::new(role, &config(delivery));
        for (i, fragment) in (1..).zip(payload.chunks(64)) {
            let first = match i {
                1 => 0x02,
                COUNT => 0x80,
                _ => 0x00,
            };
            peer.receive(&Frame::new(first, fragment).encode(role));
        }
        let (events, open) = join_parts(&peer.events);
        assert_eq!((events.len(), open, peer.error), (1, None, None));
        assert!(events[0].data() == payload);
    }
}
#[test]
fn a_million_empty_fragments_use_no_memory() {
    for (role, delivery) in ROLES_AND_DELIVERIES {
        let mut peer = Peer::new(role, &config(delivery));
        peer.receive(&Frame::new(0x01, "a").encode(role));
        let batch = Frame::new(0x00, "").encode(role).repeat(1000);
        // The two cases together receive a million.
        for _ in 0..500 {
            peer.receive(&batch);
        }
        // One read and one byte of the message need this much.
        let bound = 3 * batch.len();
        assert!(peer.buffer.capacity() <= bound, "{:?}", peer.buffer);
        peer.receive(&Frame::new(0x80, "b").encode(role));
        let (events, _) = join_parts(&peer.events);
        assert_eq!(events, [OwnedEvent::text("ab")]);
    }
}
/// The documentation of `ReadBuffer` states this bound.
#[test]
fn the_buffer_is_bounded_by_what_was_received() {
    let message = 50_000;
    for role in Role::BOTH {
        for (delivery, held) in [(Delivery::Messages, message), (Delivery::Chunks, 0)] {
            for (read, fragment) in [(1000, 50_000), (1000, 10), (1, 999), (4096, 3000)] {
                let mut peer = Peer::new(role, &config(delivery));
                let mut frames: Vec<Frame> = vec![b'x'; message]
                    .chunks(fragment)
                    .map(|piece| Frame::new(0x00, piece))
                    .collect();
                frames.last_mut().unwrap().first |= 0x80;
                frames[0].first |= 0x01;
                let bytes = encode(&frames, role);
                for piece in bytes.chunks(read).chain(bytes.chunks(read)) {
                    peer.receive(piece);
                    let unread = read + 14;
                    let bound = 2 * (held + unread) + read;
                    assert!(
                        peer.buffer.capacity() <= bound,
                        "{:?} > {bound}",
                        peer.buffer
                    );
                }
                assert!(peer.buffer.is_empty());
            }
        }
    }
}

/// A limit counts announced bytes, not bytes in memory. So even a 32-bit machine can receive this message in chunks.
#[test]
fn a_message_over_4_gib_streams_in_chunks() {
    const GIB: u64 = 1 << 30;
    const PIECE: usize = 1 << 20;
    for (frames, size) in [(1, 5 * GIB), (5, GIB)] {
        let config = limits(size, 5 * GIB).with_delivery(Delivery::Chunks);
        let mut client = Role::Client.connection(&config);
        let mut buffer = ReadBuffer::with_capacity(PIECE);
        let mut received = 0;
        for i in 0..frames {
            let first = if i == 0 { 0x02 } else { 0x00 };
            let header = Frame::new(first, "").with_length(Length::Claimed(size));
            buffer.extend_from_slice(&header.encode(Role::Client));
            assert_eq!(client.next_event(&mut buffer), Ok(None));
            for _ in 0..size / PIECE as u64 {
                // The content does not matter, so it is not written.
                assert!(buffer.spare_mut(PIECE).len() >= PIECE);
                buffer.advance_filled(PIECE);
                let Ok(Some(Event::Binary { data, fin: false })) = client.next_event(&mut buffer)
                else {
                    panic!("no chunk after {received} bytes");
                };
                received += data.len() as u64;
            }
        }
        assert_eq!(received, 5 * GIB);
        assert_eq!(buffer.capacity(), PIECE);
        // The limit is exact at this size, too.
        buffer.extend_from_slice(&Frame::new(0x00, "x").encode(Role::Client));
        assert_eq!(
            client.next_event(&mut buffer),
            Err(ProtocolError::MessageTooLarge)
        );
    }
}
