//! Incidents of framing: masking keys, lengths, and endless loops. Then edge cases of delivery and of the output.

use std::collections::HashSet;

use sockless::handshake::ServerHandshake;
use sockless::test_util::{Frame, Length, OwnedEvent, Peer, Role, encode, every_cut, run};
use sockless::{
    CloseCode, Config, Connection, Delivery, ProtocolError, ReadBuffer, Reply, Seed, SendError,
    TransportAction,
};

use super::heap::{NOTHING, measure};
use super::{REQUEST, buffer, client, frame_headers, response};

/// A client after its opening handshake.
fn opened(seed: u8) -> Connection {
    let mut client = client(seed);
    let mut buffer = buffer(response(&client, "").as_bytes());
    let (_, connection) = client.read_response(&mut buffer).unwrap().unwrap();
    connection.expect("accepted")
}

/// CVE-2025-10148: another client used one masking key for all frames, so a server could make it write bytes that a
/// proxy reads as HTTP. Every frame of a sockless client has a new key. Neither earlier keys nor other connections
/// predict it.
#[test]
fn no_two_frames_share_a_masking_key() {
    let keys = |connection: Connection| {
        let mut client = Peer::with(connection, ReadBuffer::new());
        for _ in 0..200 {
            let connection = &mut client.connection;
            connection.send_text("the same").unwrap();
            connection.send_text("the same").unwrap();
            connection.send_binary(&[0; 300]).unwrap();
            connection.send_text_fragment("the", false).unwrap();
            connection.send_ping(b"").unwrap();
            connection.send_text_fragment("same", true).unwrap();
            connection.send_pong(b"").unwrap();
            // Answered automatically.
            client.receive(&Frame::new(0x89, "ping").encode(Role::Client));
        }
        client.receive(&Frame::close(1000, "").encode(Role::Client));
        let headers = frame_headers(client.connection.output());
        let keys = headers.iter().map(|header| header.masking_key);
        let keys: Vec<u32> = keys.map(|key| u32::from_be_bytes(key.unwrap())).collect();
        // The limit for Pongs drops some of them.
        assert!(keys.len() > 1400, "{}", keys.len());
        keys
    };
    let all = [
        keys(opened(1)),
        keys(opened(2)),
        keys(Connection::client(&Config::default(), Seed::new([3; 32]))),
    ];
    for keys in &all {
        // Keys do not count up, do not differ by a constant, and share no half.
        for step in [
            |a: u32, b: u32| b.wrapping_sub(a),
            |a: u32, b: u32| a ^ b,
            |a: u32, _| a & 0xffff_0000,
            |a: u32, _| a & 0x0000_ffff,
        ] {
            let steps = keys.windows(2).map(|pair| step(pair[0], pair[1]));
            let different = steps.collect::<HashSet<_>>().len();
            assert!(different > 1300, "{different}");
        }
    }
    let together = all.concat();
    assert_eq!(
        together.iter().collect::<HashSet<_>>().len(),
        together.len()
    );
}

/// CVE-2020-27813, CVE-2026-1528, CVE-2026-43678: in other libraries a length overflowed, alone or in a sum. It then
/// passed the limit, or a buffer had the wrong size. sockless compares lengths with the limits in 64 bits.
#[test]
fn lengths_near_the_end_of_the_numbers_do_not_wrap() {
    let most = u64::MAX;
    // The size that fits into memory limits whole messages.
    let in_memory = (usize::MAX / 4) as u64;
    // Frame and message limits.
    let table = [
        (16 << 20, 16 << 20),
        (most, most),
        (most, most >> 1),
        (most, in_memory),
        (most, 1000),
        (1 << 20, most),
    ];
    let claims = [
        65536,
        u64::from(u32::MAX) - 5,
        // After five bytes the sum is 0 in 32 bits.
        u64::from(u32::MAX) - 4,
        u64::from(u32::MAX),
        1 << 32,
        (1 << 32) + 1,
        1 << 62,
        // After five bytes the sum is the greatest that fits into memory, and one more.
        in_memory - 5,
        in_memory - 4,
        in_memory,
        in_memory + 1,
        // The same for `u64::MAX >> 1`.
        (most >> 1) - 5,
        (most >> 1) - 4,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX - 4,
        u64::MAX,
    ];
    for (max_frame, max_message) in table {
        for claim in claims {
            for before in [0, 5] {
                for role in Role::BOTH {
                    for delivery in [Delivery::Messages, Delivery::Chunks] {
                        let limit = if delivery == Delivery::Messages {
                            max_message.min(in_memory)
                        } else {
                            max_message
                        };
                        let mut expected = None;
                        if claim > u64::MAX >> 1 {
                            expected = Some(ProtocolError::LengthTooLarge);
                        } else if claim > max_frame {
                            expected = Some(ProtocolError::FrameTooLarge);
                        } else if u128::from(claim) + before as u128 > u128::from(limit) {
                            expected = Some(ProtocolError::MessageTooLarge);
                        }
                        let config = Config::new()
                            .with_max_frame_size(max_frame)
                            .with_max_message_size(max_message)
                            .with_delivery(delivery);
                        let mut peer = Peer::new(role, &config);
                        let first = if before > 0 {
                            peer.receive(&Frame::new(0x02, vec![7; before]).encode(role));
                            0x80
                        } else {
                            0x82
                        };
                        let frame = Frame::new(first, [1, 2, 3]);
                        let bytes = frame.with_length(Length::Claimed(claim)).encode(role);
                        let what = format!("{role:?} {max_frame} {max_message} {claim} {before}");
                        // The length is complete after 10 bytes.
                        peer.receive(&bytes[..9]);
                        assert_eq!(peer.error, None, "{what}");
                        peer.receive(&bytes[9..10]);
                        assert_eq!(peer.error, expected, "{what}");
                        peer.receive(&bytes[10..]);
                        peer.receive(&[0; 100]);
                        assert_eq!(peer.error, expected, "{what}");
                        assert!(peer.buffer.capacity() < 1000, "{what}: {:?}", peer.buffer);
                    }
                }
            }
        }
    }
}

/// Takes all events, and calls again. Every further answer is the same and changes nothing. Returns the number of
/// events.
fn ask_again(connection: &mut Connection, buffer: &mut ReadBuffer) -> usize {
    let mut events = 0;
    while let Ok(Some(_)) = connection.next_event(buffer) {
        events += 1;
        assert!(events < 1000, "events without end");
    }
    let look = |connection: &Connection| {
        let action = connection.transport_action();
        (connection.output().to_vec(), action, connection.can_send())
    };
    let last = connection.next_event(buffer).map(drop);
    let before = look(connection);
    let unread = buffer.unread().len();
    let ((), heap) = measure(|| {
        for _ in 0..20 {
            match connection.next_event(buffer) {
                Ok(None) => assert_eq!(last, Ok(())),
                Err(error) => assert_eq!(last, Err(error)),
                Ok(Some(event)) => panic!("{event:?} from nothing"),
            }
            connection.advance_output(0);
        }
    });
    assert_eq!(heap, NOTHING);
    assert_eq!(look(connection), before);
    assert_eq!(buffer.unread().len(), unread);
    events
}

/// CVE-2025-5399: a crafted frame kept another client in an endless loop. Every call of `next_event` consumes bytes or
/// returns `None`, in every state and after every byte.
#[test]
fn asking_again_without_new_bytes_ends() {
    let frames = [
        Frame::new(0x81, "caf\u{e9}"),
        Frame::new(0x01, ""),
        Frame::new(0x89, ""),
        Frame::new(0x00, "\u{e9}"),
        Frame::new(0x8a, [7; 125]),
        Frame::new(0x80, ""),
        Frame::new(0x82, vec![1; 300]),
        Frame::new(0x82, ""),
        Frame::new(0x89, "ping"),
    ];
    let ends = [
        vec![],
        Frame::close(1000, "bye").encode(Role::Server),
        Frame::close(1000, "bye").encode(Role::Client),
        Frame::new(0x81, b"wrong \xff").encode(Role::Server),
        Frame::new(0x81, b"wrong \xff").encode(Role::Client),
        vec![0x83, 0x80],
    ];
    for role in Role::BOTH {
        for end in &ends {
            let bytes = [encode(&frames, role), end.clone(), vec![0x81; 20]].concat();
            for (delivery, reply) in [
                (Delivery::Messages, Reply::Automatic),
                (Delivery::Chunks, Reply::Manual),
            ] {
                let config = Config::new()
                    .with_delivery(delivery)
                    .with_close_reply(reply)
                    .with_ping_reply(reply)
                    .with_max_unsent_pongs(0);
                let mut connection = role.connection(&config);
                let mut buffer = ReadBuffer::new();
                let mut events = 0;
                for byte in &bytes {
                    buffer.extend_from_slice(&[*byte]);
                    events += ask_again(&mut connection, &mut buffer);
                }
                // A whole frame has at least two bytes, a part of a message one.
                assert!(events <= bytes.len(), "{events}");
                connection.handle_eof();
                assert_eq!(ask_again(&mut connection, &mut buffer), 0);

                // All at once.
                let mut connection = role.connection(&config);
                buffer = super::buffer(&bytes);
                ask_again(&mut connection, &mut buffer);
                _ = connection.close(CloseCode::NORMAL, "");
                ask_again(&mut connection, &mut buffer);
                let n = connection.output().len();
                connection.advance_output(n);
                ask_again(&mut connection, &mut buffer);
                connection.handle_eof();
                ask_again(&mut connection, &mut buffer);
                // One Pong may have waited.
                let n = connection.output().len();
                connection.advance_output(n);
                assert!(connection.output().is_empty());
                assert_eq!(connection.transport_action(), TransportAction::Close);
            }
        }
    }

    // The opening handshake.
    for n in 0..REQUEST.len() {
        let mut handshake = ServerHandshake::new(&Config::default());
        let mut buffer = buffer(&REQUEST.as_bytes()[..n]);
        for _ in 0..3 {
            assert_eq!(handshake.read_request(&mut buffer), Ok(None));
            assert_eq!(buffer.unread().len(), n);
        }
    }
}

#[test]
fn the_good_part_of_a_bad_chunk_does_not_depend_on_the_cut() {
    let config = Config::new().with_delivery(Delivery::Chunks);
    for bad in [&b"abc\xff"[..], b"abc\xf4\x90d", b"abc\xe2\x82"] {
        let frames = [Frame::new(0x81, bad), Frame::new(0x81, "more")];
        let bytes = encode(&frames, Role::Server);
        for cuts in every_cut(bytes.len()) {
            let outcome = run(Role::Server, &config, &bytes, &cuts);
            assert_eq!(outcome.events, [], "{bad:x?} cut at {cuts:?}");
            let good = OwnedEvent::TextPart("abc".into());
            assert_eq!(outcome.open, Some(good), "{bad:x?} cut at {cuts:?}");
            assert_eq!(outcome.error, Some(ProtocolError::InvalidUtf8));
            assert_eq!(outcome.ending.unwrap().error, outcome.error);
        }
    }
}

/// One message fits into an empty output, whatever the limit. A second one does not.
#[test]
fn an_output_limit_of_nothing_still_sends() {
    let config = Config::new().with_max_output(0);
    let mut connection = Connection::server(&config);
    assert_eq!(connection.send_text("one"), Ok(()));
    assert_eq!(connection.send_text("two"), Err(SendError::Full));
    connection.advance_output(connection.output().len());
    assert_eq!(connection.send_text("two"), Ok(()));
}
