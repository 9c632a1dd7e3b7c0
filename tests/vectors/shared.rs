//! Messages that are sent without a copy. The bytes and their order are the same as for messages that are copied.

use super::heard;
use sockless::test_util::{Frame, OwnedEvent, Role};
use sockless::{Config, Connection, ReadBuffer, SendError, SharedMessage};

/// A small generator. The same seed gives the same numbers, so a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// Writes `n` bytes of the output, from all its parts.
fn write(connection: &mut Connection, n: usize, written: &mut Vec<u8>) {
    let first = connection.output_parts().next().unwrap_or_default();
    assert_eq!(first, connection.output());
    let n = n.min(connection.output_len());
    let mut rest = n;
    for part in connection.output_parts() {
        let n = rest.min(part.len());
        written.extend_from_slice(&part[..n]);
        rest -= n;
    }
    assert_eq!(rest, 0);
    connection.advance_output(n);
}
/// Two connections send the same messages. One of them makes no copies. The peer's Pings arrive between the messages,
/// and only a few Pongs fit into the output.
#[test]
fn without_copies_the_same_bytes_go_out() {
    const SIZES: [usize; 7] = [0, 1, 125, 126, 4095, 4096, 70_000];
    for seed in 1..=300 {
        // Masking is slow in a debug build, so there are fewer clients.
        let role = if seed % 3 == 0 {
            Role::Client
        } else {
            Role::Server
        };
        let mut random = Random(seed);
        let config = Config::new()
            .with_max_output(200_000)
            .with_max_unsent_pongs(20);
        let (mut copying, mut sharing) = (role.connection(&config), role.connection(&config));
        let (mut copied, mut shared) = (Vec::new(), Vec::new());
        let mut buffers = [ReadBuffer::new(), ReadBuffer::new()];
        for i in 0..30_u8 {
            let payload = vec![b'a' + i % 26; SIZES[random.below(SIZES.len())]];
            let text = str::from_utf8(&payload).unwrap();
            let n = random.below(payload.len() + 200);
            match random.below(7) {
                0 => assert_eq!(copying.send_text(text), sharing.send_text(text)),
                1 => {
                    let message = SharedMessage::text(text);
                    assert_eq!(copying.send_text(text), sharing.send_shared(&message));
                }
                2 => {
                    let message = SharedMessage::binary(&payload);
                    assert_eq!(copying.send_binary(&payload), sharing.send_shared(&message));
                }
                kind @ (3 | 4) => {
                    let (plain, message) = if kind == 3 {
                        (copying.send_text(text), sharing.send_text_borrowed(text))
                    } else {
                        let message = sharing.send_binary_borrowed(&payload);
                        (copying.send_binary(&payload), message)
                    };
                    match message {
                        Ok(mut message) => {
                            assert_eq!(plain, Ok(()));
                            // Two writes. The rest goes into the output.
                            for n in [n / 2, n - n / 2] {
                                let all = message.parts().collect::<Vec<_>>().concat();
                                let n = n.min(all.len());
                                shared.extend_from_slice(&all[..n]);
                                message.advance(n);
                            }
                            drop(message);
                            write(&mut copying, n, &mut copied);
                        }
                        Err(error) => assert_eq!(plain, Err(error)),
                    }
                }
                5 => {
                    let ping = Frame::new(0x89, [b'p', i]).encode(role);
                    for (connection, buffer) in
                        [&mut copying, &mut sharing].into_iter().zip(&mut buffers)
                    {
                        buffer.extend_from_slice(&ping);
                        assert!(connection.next_event(buffer).unwrap().is_some());
                    }
                }
                _ => {
                    write(&mut copying, n, &mut copied);
                    write(&mut sharing, n, &mut shared);
                }
            }
            assert_eq!(copied.len(), shared.len(), "{role:?} {seed} {i}");
        }
        // `take_output` takes the rest, until no Pong waits.
        for (connection, written) in [(&mut copying, &mut copied), (&mut sharing, &mut shared)] {
            loop {
                let mut output = Vec::new();
                connection.take_output(&mut output);
                connection.advance_output(output.len());
                if output.is_empty() {
                    break;
                }
                written.extend(output);
            }
            assert_eq!(connection.output_parts().count(), 0);
        }
        assert!(copied == shared, "{role:?} {seed}");
    }
}

#[test]
fn a_server_does_not_copy_a_payload() {
    let mut server = Role::Server.connection(&Config::default());
    let data = vec![7; 10_000];
    server.send_text("first").unwrap();
    let message = server.send_binary_borrowed(&data).unwrap();
    let parts: Vec<_> = message.parts().collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1].as_ptr(), data.as_ptr());
    drop(message);

    // All connections share the memory of a shared message.
    let message = SharedMessage::binary(&data);
    let addresses = [(); 2].map(|()| {
        let mut server = Role::Server.connection(&Config::default());
        server.send_text("first").unwrap();
        server.send_shared(&message).unwrap();
        server.send_text("last").unwrap();
        assert_eq!(server.output(), b"\x81\x05first");
        let parts: Vec<_> = server.output_parts().collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(
            heard(Role::Server, &parts.concat()),
            [
                OwnedEvent::text("first"),
                OwnedEvent::binary(&data),
                OwnedEvent::text("last")
            ]
        );
        parts[1].as_ptr()
    });
    assert_eq!(addresses[0], addresses[1]);

    // A copy of a shorter message is faster than one more part.
    for (size, parts) in [(4095, 1), (4096, 2)] {
        let mut server = Role::Server.connection(&Config::default());
        server.send_text("first").unwrap();
        let message = SharedMessage::binary(&data[..size]);
        server.send_shared(&message).unwrap();
        assert_eq!(server.output_parts().count(), parts, "{size}");
    }
}

/// The errors are the same as for copied messages (section 5.4 and the limit of the output). A refused message leaves
/// no bytes in the output.
#[test]
fn without_copies_the_same_messages_are_refused() {
    let config = Config::new().with_max_output(10);
    let message = SharedMessage::binary(&[7; 5000]);
    for role in Role::BOTH {
        let refused = |connection: &mut Connection, error| {
            let length = connection.output_len();
            let borrowed = connection.send_binary_borrowed(&[7; 5000]).map(drop);
            assert_eq!(borrowed, Err(error));
            assert_eq!(connection.send_text_borrowed("x").map(drop), Err(error));
            assert_eq!(connection.send_shared(&message), Err(error));
            assert_eq!(connection.output_len(), length);
        };
        let mut connection = role.connection(&config);
        connection.send_text_fragment("", false).unwrap();
        refused(&mut connection, SendError::MessageOpen);
        connection
            .send_text_fragment("until it is full", true)
            .unwrap();
        refused(&mut connection, SendError::Full);
        connection.advance_output(connection.output().len());
        // A shared message counts for the limit, too.
        connection.send_shared(&message).unwrap();
        refused(&mut connection, SendError::Full);
        connection.handle_eof();
        refused(&mut connection, SendError::Closed);
    }
}

#[test]
#[should_panic(expected = "advanced by more than the parts")]
fn advancing_by_more_than_the_parts_panics() {
    let mut server = Role::Server.connection(&Config::default());
    server.send_binary_borrowed(&[1, 2]).unwrap().advance(5);
}
