//! Sent compressed messages (RFC 7692, sections 6.1 and 7.2.1).

use sockless::test_util::{OwnedEvent, Role};
use sockless::{CloseCode, Config, Connection, Deflate, Delivery, SendError, SharedMessage};

use super::listener::Listener;
use super::support::hex;
use super::{agreed, agreed_peer, everything, noise, pair, sent, take_frame, with, written};

/// Takes the output. Returns the data of its messages, and whether they are compressed.
fn take(listener: &mut Listener, connection: &mut Connection) -> Vec<(bool, Vec<u8>)> {
    let heard = listener.hear(&written(connection));
    connection.advance_output(connection.output_len());
    let messages = heard.into_iter();
    messages
        .map(|heard| (heard.compressed, heard.event.data().to_vec()))
        .collect()
}

fn both(config: &Config, mut test: impl FnMut(Connection)) {
    for role in Role::BOTH {
        test(agreed(role, config));
    }
}

/// The examples of RFC 7692, section 7.2.3.
#[test]
fn vectors() {
    both(&everything(), |mut connection| {
        connection.send_text("Hello").unwrap();
        connection.send_text("Hello").unwrap();
        connection.send_text("").unwrap();
        connection.send_binary(b"").unwrap();
        assert_eq!(
            sent(connection.output()),
            [
                (0xc1, hex("f2 48 cd c9 c9 07 00")),
                (0xc1, hex("f2 00 11 00 00")),
                (0xc1, hex("00")),
                (0xc2, hex("00")),
            ]
        );
    });
    let deflate = Deflate::new().with_min_size(0).with_context_takeover(false);
    both(&with(deflate), |mut connection| {
        for _ in 0..2 {
            connection.send_text("Hello").unwrap();
        }
        let frame = (0xc1, hex("f2 48 cd c9 c9 07 00"));
        assert_eq!(sent(connection.output()), [frame.clone(), frame]);
    });
}

/// The length of a message in fragments is unknown when it begins, so such a message is always compressed.
#[test]
fn short_messages_are_left_alone() {
    for min_size in [0, 1, 5, 128, 1000, usize::MAX] {
        let deflate = Deflate::new().with_min_size(min_size);
        both(&with(deflate), |mut connection| {
            let mut listener = Listener::new(15, true);
            for length in [0, 1, 4, 5, 6, 127, 128, 129, 999, 1000, 1001] {
                let text = "x".repeat(length);
                connection.send_text(&text).unwrap();
                connection.send_binary(text.as_bytes()).unwrap();
                // One fragment alone is a whole message.
                connection.send_text_fragment(&text, true).unwrap();
                let message = (length >= min_size, text.clone().into_bytes());
                assert_eq!(
                    take(&mut listener, &mut connection),
                    vec![message.clone(); 3]
                );
                // A shared message is also compressed only if that makes it shorter.
                if length > 100 {
                    let shared = SharedMessage::text(&text);
                    connection.send_shared(&shared).unwrap();
                    assert_eq!(take(&mut listener, &mut connection), [message]);
                }
            }
            connection.send_text_fragment("a", false).unwrap();
            connection.send_text_fragment("", true).unwrap();
            assert_eq!(
                take(&mut listener, &mut connection),
                [(true, b"a".to_vec())]
            );
        });
    }
    // The default.
    both(&with(Deflate::default()), |mut connection| {
        for (length, first) in [(127, 0x82), (128, 0xc2)] {
            connection.send_binary(&vec![0; length]).unwrap();
            assert_eq!(take_frame(&mut connection).0, first);
        }
    });
}

/// The choice counts from the next message. Messages without compression are not in the window.
#[test]
fn compression_can_be_left_out() {
    for takeover in [true, false] {
        let deflate = Deflate::new()
            .with_min_size(0)
            .with_context_takeover(takeover);
        both(&with(deflate), |mut connection| {
            let mut listener = Listener::new(15, takeover);
            let text = |i: i32| format!("message {i} and {i} again").into_bytes();
            for i in 0..30 {
                let compress = i % 3 != 1;
                connection.compress_messages(compress);
                if i % 2 == 0 {
                    connection.send_binary(&text(i)).unwrap();
                } else {
                    let text = text(i);
                    let (left, right) = text.split_at(4);
                    connection.send_binary_fragment(left, false).unwrap();
                    // Counts only for the next message.
                    connection.compress_messages(!compress);
                    connection.send_binary_fragment(b"", false).unwrap();
                    connection.send_ping(b"").unwrap();
                    connection.send_binary_fragment(right, true).unwrap();
                }
                // The listener fails if the window holds other data.
                assert_eq!(take(&mut listener, &mut connection), [(compress, text(i))]);
            }
        });
    }
    // Without the extension, the choice changes nothing.
    let mut plain = Connection::server(&everything());
    for compress in [true, false] {
        plain.compress_messages(compress);
        plain.send_text("Hello").unwrap();
    }
    assert_eq!(plain.output(), b"\x81\x05Hello\x81\x05Hello");
}

#[test]
fn fragments() {
    let data = [noise(500, 5), b"and some text, and some text".repeat(20)].concat();
    for takeover in [true, false] {
        let deflate = Deflate::new().with_context_takeover(takeover);
        both(&with(deflate), |mut connection| {
            let mut listener = Listener::new(15, takeover);
            for sizes in [
                &[0][..],
                &[0, 0, 0],
                &[0, 3],
                &[3, 0],
                &[0, 1, 0, 0, 2, 0],
                &[1; 50],
                &[500, 560],
                &[1060, 0],
                &[0, 700, 0, 300, 0, 0],
            ] {
                let mut rest = &data[..];
                let mut whole = Vec::new();
                for (i, size) in sizes.iter().enumerate() {
                    let (piece, tail) = rest.split_at(*size);
                    rest = tail;
                    whole.extend(piece);
                    connection
                        .send_binary_fragment(piece, i + 1 == sizes.len())
                        .unwrap();
                    if i == 1 {
                        connection.send_ping(b"between").unwrap();
                    }
                }
                let frames = sent(connection.output());
                let data_frames = frames.iter().filter(|(first, _)| first & 8 == 0);
                assert_eq!(data_frames.count(), sizes.len());
                // One fragment alone is a whole message, and a short one.
                let compressed = sizes.len() > 1;
                assert_eq!(take(&mut listener, &mut connection), [(compressed, whole)]);
            }
        });
    }
    // The peer can decompress each fragment when it arrives.
    let config = everything().with_delivery(Delivery::Chunks);
    for role in Role::BOTH {
        let mut connection = agreed(role, &everything());
        let mut other = agreed_peer(role.other(), &config);
        for (text, fin) in [("Hel", false), ("lo, wor", false), ("ld", true)] {
            connection.send_text_fragment(text, fin).unwrap();
            other.receive(connection.output());
            connection.advance_output(connection.output_len());
            let part = if fin {
                OwnedEvent::text(text)
            } else {
                OwnedEvent::TextPart(text.into())
            };
            assert_eq!(other.events(), [part]);
        }
    }
}

/// A refused send does not change the window.
#[test]
fn refused_sends() {
    let config = everything().with_max_output(200);
    both(&config, |mut connection| {
        let mut listener = Listener::new(15, true);
        let messages: Vec<_> = (0..10).map(|i| vec![b'a' + i; 20]).collect();
        for message in &messages {
            // Inside another message.
            connection.send_text_fragment("open", false).unwrap();
            for _ in 0..2 {
                let again = connection.send_binary(message);
                assert_eq!(again, Err(SendError::MessageOpen));
                let again = connection.send_binary_fragment(message, true);
                assert_eq!(again, Err(SendError::MessageOpen));
            }
            connection.send_text_fragment(" and shut", true).unwrap();
            connection.send_binary(message).unwrap();
            let expected = [(true, b"open and shut".to_vec()), (true, message.clone())];
            assert_eq!(take(&mut listener, &mut connection), expected);
            // The output is full.
            let full = noise(200, message[0].into());
            connection.send_binary(&full).unwrap();
            assert_eq!(connection.send_binary(message), Err(SendError::Full));
            assert_eq!(
                connection.send_text_fragment("f", false),
                Err(SendError::Full)
            );
            assert_eq!(take(&mut listener, &mut connection), [(true, full)]);
        }
        connection.send_text_fragment("given up", false).unwrap();
        connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(connection.send_text("late"), Err(SendError::Closed));
        let frames = sent(connection.output());
        assert_eq!((frames.len(), frames[1].0), (2, 0x88));
    });
}

/// Many sizes of output, with data that compresses and data that does not.
#[test]
fn sizes() {
    for (level, memory_level) in [(1, 1), (6, 8), (9, 1)] {
        let deflate = Deflate::new()
            .with_min_size(0)
            .with_level(level)
            .with_memory_level(memory_level);
        both(&with(deflate), |mut connection| {
            let mut listener = Listener::new(15, true);
            let lengths = (0..40).chain((100..3000).step_by(577)).chain([40_000]);
            for length in lengths {
                for data in [noise(length, length as u32), vec![b'z'; length]] {
                    connection.send_binary(&data).unwrap();
                    // The fastest level needs at most 9 bits for a byte.
                    assert!(connection.output().len() <= length + length / 8 + 40);
                    assert!(
                        take(&mut listener, &mut connection) == [(true, data)],
                        "{length}"
                    );
                }
            }
        });
    }
}

#[test]
fn levels_beyond_the_range_count_as_the_nearest() {
    let text = b"some words to look for, some words to find, and more of some words. ".repeat(300);
    let output = |level, memory_level| {
        let deflate = Deflate::new()
            .with_level(level)
            .with_memory_level(memory_level);
        let mut connection = agreed(Role::Server, &with(deflate));
        connection.send_binary(&text).unwrap();
        let output = connection.output().to_vec();
        assert_eq!(
            take(&mut Listener::new(15, true), &mut connection),
            [(true, text.clone())]
        );
        output
    };
    assert_eq!(output(0, 8), output(1, 8));
    assert_eq!(output(255, 8), output(9, 8));
    assert_eq!(output(6, 0), output(6, 1));
    assert_eq!(output(6, 255), output(6, 9));
    assert!(output(9, 9).len() <= output(1, 9).len());
    assert!(output(1, 8).len() < text.len() / 10);
}

/// Compression makes a copy in any case.
#[test]
fn messages_without_copies_are_compressed_too() {
    let data = "the same again and again, ".repeat(1000);
    let message = SharedMessage::text(&data);
    let mut servers = [(); 3].map(|()| pair(&everything(), &everything()).server.connection);
    for compress in [true, false] {
        for server in &mut servers {
            server.compress_messages(compress);
        }
        servers[0].send_text(&data).unwrap();
        servers[1].send_shared(&message).unwrap();
        drop(servers[2].send_text_borrowed(&data).unwrap());
        let expected = written(&servers[0]);
        assert_eq!(expected.len() < 1000, compress);
        assert!(compress || expected.len() > data.len());
        for server in &mut servers {
            assert_eq!(server.output(), expected);
            assert!(!compress || server.output_parts().count() == 1);
            server.advance_output(expected.len());
        }
    }
}
