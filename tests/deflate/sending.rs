//! Compressed messages on their way out (RFC 7692 sections 6.1 and 7.2.1).

use flate2::Decompress;
use sockless::{CloseCode, Config, Connection, Deflate, SendError, SharedMessage};

use super::properties::decompress;
use super::reference::inflate;
use super::support::hex;
use super::{OFFER, agreed, ask, everything, noise, pair, sent, serve, with};
use sockless::test_util::{OwnedEvent, Role};

/// What the peer makes of output: the reference and another library agree on every message.
struct Reader {
    takeover: bool,
    before: Vec<u8>,
    stream: Decompress,
}

impl Reader {
    fn new(takeover: bool) -> Self {
        Self {
            takeover,
            before: Vec::new(),
            stream: Decompress::new(false),
        }
    }

    /// All messages in the output, and whether they were compressed.
    fn read(&mut self, connection: &mut Connection) -> Vec<(bool, Vec<u8>)> {
        let frames = sent(connection.output());
        connection.advance_output(connection.output().len());
        let mut messages = Vec::new();
        let (mut compressed, mut payload) = (false, Vec::new());
        for (first, part) in frames {
            if first & 0x08 != 0 {
                assert_eq!(first & 0x70, 0, "RSV1 on a control frame");
                continue;
            }
            if first % 16 == 0 {
                assert_eq!(first & 0x70, 0, "RSV1 on a continuation");
            } else {
                assert_eq!(first & 0x30, 0);
                compressed = first & 0x40 != 0;
            }
            payload.extend(part);
            if first & 0x80 != 0 {
                let payload = std::mem::take(&mut payload);
                let data = if compressed {
                    self.inflate(&payload)
                } else {
                    payload
                };
                messages.push((compressed, data));
            }
        }
        messages
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        // Section 7.2.3.6: an empty message has one byte, too.
        assert!(!payload.is_empty());
        if !self.takeover {
            self.before.clear();
            self.stream.reset(false);
        }
        let inflated = inflate(payload, &self.before);
        assert!(inflated.whole, "{payload:02x?}");
        self.before.extend(&inflated.data);
        assert_eq!(decompress(&mut self.stream, payload), inflated.data);
        inflated.data
    }
}

fn both(config: &Config, mut test: impl FnMut(Connection)) {
    for role in Role::BOTH {
        test(agreed(role, config));
    }
}

/// The examples of section 7.2.3.
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

/// Messages shorter than wished go out as they are; of fragmented ones nobody knows.
#[test]
fn short_messages_are_left_alone() {
    for min_size in [0, 1, 5, 128, 1000, usize::MAX] {
        let deflate = Deflate::new().with_min_size(min_size);
        both(&with(deflate), |mut connection| {
            let mut reader = Reader::new(true);
            for length in [0, 1, 4, 5, 6, 127, 128, 129, 999, 1000, 1001] {
                let text = "x".repeat(length);
                connection.send_text(&text).unwrap();
                connection.send_binary(text.as_bytes()).unwrap();
                // One fragment alone is known.
                connection.send_text_fragment(&text, true).unwrap();
                let message = (length >= min_size, text.into_bytes());
                assert_eq!(reader.read(&mut connection), vec![message; 3]);
            }
            connection.send_text_fragment("a", false).unwrap();
            connection.send_text_fragment("", true).unwrap();
            assert_eq!(reader.read(&mut connection), [(true, b"a".to_vec())]);
        });
    }
    // The default.
    both(&with(Deflate::default()), |mut connection| {
        for (length, first) in [(127, 0x82), (128, 0xc2)] {
            connection.send_binary(&vec![0; length]).unwrap();
            assert_eq!(sent(connection.output()).pop().unwrap().0, first);
        }
    });
}

/// The choice is made where a message begins, and plain messages are not in the window.
#[test]
fn compression_can_be_left_out() {
    for takeover in [true, false] {
        let deflate = Deflate::new()
            .with_min_size(0)
            .with_context_takeover(takeover);
        both(&with(deflate), |mut connection| {
            let mut reader = Reader::new(takeover);
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
                    // Too late for this message.
                    connection.compress_messages(!compress);
                    connection.send_binary_fragment(b"", false).unwrap();
                    connection.send_ping(b"").unwrap();
                    connection.send_binary_fragment(right, true).unwrap();
                }
                // The reader would notice a reference to what it has not seen.
                assert_eq!(reader.read(&mut connection), [(compress, text(i))]);
            }
        });
    }
    // Without the extension it changes nothing.
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
            let mut reader = Reader::new(takeover);
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
                // One fragment alone is as good as a message, and short.
                let compressed = sizes.len() > 1;
                assert_eq!(reader.read(&mut connection), [(compressed, whole)]);
            }
        });
    }
    // What a fragment says is there when it arrives, before the next one.
    let mut pair = pair(&everything(), &everything());
    let config = everything().with_delivery(sockless::Delivery::Chunks);
    for role in Role::BOTH {
        pair.peer(role.other()).connection = agreed(role.other(), &config);
        for (text, fin) in [("Hel", false), ("lo, wor", false), ("ld", true)] {
            let peer = pair.peer(role);
            peer.connection.send_text_fragment(text, fin).unwrap();
            let output = peer.write_all();
            let other = pair.peer(role.other());
            other.receive(&output);
            let part = if fin {
                OwnedEvent::text(text)
            } else {
                OwnedEvent::TextPart(text.into())
            };
            assert_eq!(other.events(), [part]);
        }
    }
}

/// A send that is refused leaves no trace in the window.
#[test]
fn refused_sends() {
    let config = everything().with_max_output(200);
    both(&config, |mut connection| {
        let mut reader = Reader::new(true);
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
            assert_eq!(reader.read(&mut connection), expected);
            // Into a full output.
            let full = noise(200, message[0].into());
            connection.send_binary(&full).unwrap();
            assert_eq!(connection.send_binary(message), Err(SendError::Full));
            assert_eq!(
                connection.send_text_fragment("f", false),
                Err(SendError::Full)
            );
            assert_eq!(reader.read(&mut connection), [(true, full)]);
        }
        connection.send_text_fragment("given up", false).unwrap();
        connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(connection.send_text("late"), Err(SendError::Closed));
        let frames = sent(connection.output());
        assert_eq!((frames.len(), frames[1].0), (2, 0x88));
    });
}

/// Every size in which output may grow, with data that does not compress and data that does.
#[test]
fn sizes() {
    for (level, memory_level) in [(1, 1), (6, 8), (9, 1)] {
        let deflate = Deflate::new()
            .with_min_size(0)
            .with_level(level)
            .with_memory_level(memory_level);
        both(&with(deflate), |mut connection| {
            let mut reader = Reader::new(true);
            let lengths = (0..40).chain((100..3000).step_by(577)).chain([40_000]);
            for length in lengths {
                for data in [noise(length, length as u32), vec![b'z'; length]] {
                    connection.send_binary(&data).unwrap();
                    // The fastest level encodes a byte in 9 bits at worst.
                    assert!(connection.output().len() <= length + length / 8 + 40);
                    assert!(reader.read(&mut connection) == [(true, data)], "{length}");
                }
            }
        });
    }
}

/// Values out of their range count as the nearest.
#[test]
fn levels() {
    let text = b"some words to look for, some words to find, and more of some words. ".repeat(300);
    let output = |level, memory_level| {
        let deflate = Deflate::new()
            .with_level(level)
            .with_memory_level(memory_level);
        let mut connection = agreed(Role::Server, &with(deflate));
        connection.send_binary(&text).unwrap();
        let output = connection.output().to_vec();
        assert_eq!(
            Reader::new(true).read(&mut connection),
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

/// The output's window is the one agreed on, and it is used.
#[test]
fn windows() {
    for bits in 9..=15_u8 {
        // The compressor looks 262 bytes less far than the window is wide.
        let periods: Vec<_> = (9..=15).map(|bits: u8| 100 << (bits - 8)).collect();
        let data: Vec<_> = periods
            .iter()
            .flat_map(|period| noise(*period, 77).repeat(2))
            .collect();
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        let answer = format!("permessage-deflate; client_max_window_bits={bits}");
        for mut connection in [
            serve(&[&offer], &everything()).unwrap().0,
            ask(&[&answer], &everything()).0.unwrap(),
        ] {
            let mut before = Vec::new();
            for _ in 0..2 {
                connection.send_binary(&data).unwrap();
                let (_, payload) = sent(connection.output()).pop().unwrap();
                connection.advance_output(connection.output().len());
                let inflated = inflate(&payload, &before);
                assert!(inflated.whole && inflated.data == data);
                assert!(inflated.reach <= 1 << bits, "{} {bits}", inflated.reach);
                assert!(
                    inflated.reach >= 100 << (bits - 8),
                    "{} {bits}",
                    inflated.reach
                );
                before.extend(inflated.data);
            }
        }
    }
    // A window of 256 bytes can be demanded of a client, which then never compresses.
    let answer = "permessage-deflate; client_max_window_bits=8";
    let mut client = ask(&[answer], &everything()).0.unwrap();
    client.send_text("Hello").unwrap();
    client.send_text_fragment("Hello", false).unwrap();
    client.send_text_fragment("", true).unwrap();
    let firsts: Vec<_> = sent(client.output()).iter().map(|frame| frame.0).collect();
    assert_eq!(firsts, [0x81, 0x01, 0x80]);
}

/// The other direction of everything: a pair talks through all of it.
#[test]
fn a_pair_talks() {
    let (server, answer) = serve(&[OFFER], &everything()).unwrap();
    assert!(server.uses_deflate());
    assert_eq!(answer.as_deref(), Some("permessage-deflate"));
    let mut pair = pair(&everything(), &everything());
    for i in 0..50 {
        let text = format!("{{\"id\":{i},\"name\":\"value of the thing\"}}").repeat(i * 20);
        for role in Role::BOTH {
            let peer = pair.peer(role);
            peer.connection.send_text(&text).unwrap();
            peer.connection.send_text_fragment(&text, false).unwrap();
            peer.connection.send_text_fragment("", false).unwrap();
            peer.connection.send_text_fragment(&text, false).unwrap();
            peer.connection.send_text_fragment("", true).unwrap();
        }
        pair.exchange(&mut [1, 3000, 7].into_iter().cycle());
        for role in Role::BOTH {
            let peer = pair.peer(role);
            let expected = [OwnedEvent::text(&text), OwnedEvent::text(&text.repeat(2))];
            assert!(peer.events() == expected);
            assert_eq!(peer.error, None);
            assert!(peer.buffer.is_empty());
        }
    }
}

/// A message that could be sent without a copy is compressed as any other.
#[test]
fn messages_without_copies_are_compressed_too() {
    let data = "the same again and again, ".repeat(1000);
    let message = SharedMessage::text(&data);
    let mut servers = [(); 3].map(|()| pair(&everything(), &everything()).server.connection);
    servers[0].send_text(&data).unwrap();
    servers[1].send_shared(&message).unwrap();
    drop(servers[2].send_text_borrowed(&data).unwrap());
    for server in &servers {
        assert!(server.output().len() < 1000);
        assert_eq!(server.output(), servers[0].output());
        assert_eq!(server.output_parts().count(), 1);
    }
    // And as it is where the application says so.
    for server in &mut servers {
        server.advance_output(server.output().len());
        server.compress_messages(false);
    }
    servers[0].send_text(&data).unwrap();
    servers[1].send_shared(&message).unwrap();
    drop(servers[2].send_text_borrowed(&data).unwrap());
    for server in &servers {
        assert_eq!(server.output(), servers[0].output());
        assert!(server.output().len() > data.len());
    }
}
