//! The connection after it: corners of delivery and of the output.

use sockless::test_util::{Frame, Role};
use sockless::{Config, Connection, Delivery, Event, ProtocolError, ReadBuffer};

/// However a bad chunk is cut, the good part of it is delivered and nothing behind it.
#[test]
fn the_good_part_of_a_bad_chunk_does_not_depend_on_the_cut() {
    let config = Config::new().with_delivery(Delivery::Chunks);
    for bad in [&b"abc\xff"[..], b"abc\xf4\x90d", b"abc\xe2\x82"] {
        let stream = [
            Frame::new(0x81, bad).encode(Role::Server),
            Frame::new(0x81, b"more").encode(Role::Server),
        ]
        .concat();
        for read in [1, 2, 3, 100] {
            let mut connection = Connection::server(&config);
            let mut buffer = ReadBuffer::new();
            let mut text = String::new();
            for piece in stream.chunks(read) {
                buffer.extend_from_slice(piece);
                loop {
                    match connection.next_event(&mut buffer) {
                        Ok(Some(Event::Text {
                            text: part,
                            fin: false,
                        })) => text.push_str(part),
                        Ok(None) | Err(ProtocolError::InvalidUtf8) => break,
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert_eq!(text, "abc", "{bad:x?} in reads of {read}");
            assert!(
                connection
                    .close_event()
                    .is_some_and(|ending| ending.error.is_some())
            );
        }
    }
}

/// Whatever the limit, a message fits into an empty output, and no second one behind it.
#[test]
fn an_output_limit_of_nothing_still_sends() {
    let config = Config::new().with_max_output(0);
    let mut connection = Connection::server(&config);
    assert_eq!(connection.send_text("one"), Ok(()));
    assert_eq!(connection.send_text("two"), Err(sockless::SendError::Full));
    connection.advance_output(connection.output().len());
    assert_eq!(connection.send_text("two"), Ok(()));
}
