//! Messages that are sent without a copy are the same bytes in the same order as those that are queued.

use super::heard;
use sockless::test_util::{Frame, OwnedEvent, Role};
use sockless::{Config, Connection, ReadBuffer, SendError, SharedMessage};

/// A small generator, so that a failing case comes back.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// Writes `n` bytes of the output, wherever they lie.
fn write(connection: &mut Connection, n: usize, written: &mut Vec<u8>) {
    let all: Vec<_> = connection.output_parts().flatten().copied().collect();
    assert!(all.starts_with(connection.output()));
    assert_eq!(all.is_empty(), connection.output().is_empty());
    let n = n.min(all.len());
    written.extend_from_slice(&all[..n]);
    connection.advance_output(n);
}

/// Two connections do the same, one of them without copies; Pings come in between, and few answers may wait.
#[test]
fn without_copies_the_same_bytes_go_out() {
    const SIZES: [usize; 7] = [0, 1, 125, 126, 4095, 4096, 70_000];
    for (role, seed) in Role::BOTH
        .into_iter()
        .flat_map(|role| (1..200).map(move |seed| (role, seed)))
    {
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
                            // In two writes, and the rest is left to the output.
                            for n in [n / 2, n - n / 2] {
                                let all: Vec<_> = message.parts().flatten().copied().collect();
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
        // The last of it through vectors of the caller's, until no answer waits.
        for (connection, written) in [(&mut copying, &mut copied), (&mut sharing, &mut shared)] {
            loop {
                let mut output = Vec::new();
                connection.swap_output(&mut output);
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
fn a_servers_payload_is_not_copied() {
    let mut server = Role::Server.connection(&Config::default());
    let data = vec![7; 10_000];
    server.send_text("first").unwrap();
    let message = server.send_binary_borrowed(&data).unwrap();
    let parts: Vec<_> = message.parts().collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1].as_ptr(), data.as_ptr());
    drop(message);

    // A shared message is the same memory on all connections.
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
}

/// Section 5.4, and the limit: the same refusals as for what is queued, and nothing is left behind.
#[test]
fn without_copies_the_same_is_refused() {
    let config = Config::new().with_max_output(10);
    let message = SharedMessage::binary(&[7; 5000]);
    for role in Role::BOTH {
        let mut connection = role.connection(&config);
        connection.send_text_fragment("", false).unwrap();
        let before = connection.output().to_vec();
        let refused = connection.send_binary_borrowed(&[7; 5000]).map(drop);
        assert_eq!(refused, Err(SendError::MessageOpen));
        assert_eq!(
            connection.send_shared(&message),
            Err(SendError::MessageOpen)
        );
        connection
            .send_text_fragment("until it is full", true)
            .unwrap();
        assert_eq!(
            connection.send_text_borrowed("x").map(drop),
            Err(SendError::Full)
        );
        assert_eq!(connection.send_shared(&message), Err(SendError::Full));
        assert!(connection.output().starts_with(&before));
        connection.advance_output(connection.output().len());

        // What is shared counts, too.
        connection.send_shared(&message).unwrap();
        assert_eq!(connection.send_shared(&message), Err(SendError::Full));
        connection.handle_eof();
        assert_eq!(connection.send_shared(&message), Err(SendError::Closed));
        assert_eq!(
            connection.send_text_borrowed("x").map(drop),
            Err(SendError::Closed)
        );
    }
}

#[test]
#[should_panic(expected = "advanced by more than the parts")]
fn more_than_all_parts_cannot_have_been_written() {
    let mut server = Role::Server.connection(&Config::default());
    server.send_binary_borrowed(&[1, 2]).unwrap().advance(5);
}
