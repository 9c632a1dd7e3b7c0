//! Large messages with the memory that they were received in.

use super::{DELIVERIES, config};
use sockless::test_util::{Frame, OwnedEvent, Role, encode};
use sockless::{Connection, Delivery, Event, ProtocolError, ReadBuffer, TakenEvent};

/// The documented shortest message that is taken.
const MIN: usize = 64 << 10;

/// Which events `take_event` takes. The others come from `next_event`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Taken {
    None,
    All,
    EverySecond,
}

/// The events of a stream in reads of this size, and the sizes of the messages that came with their memory. `largest`
/// is the size of the largest message before.
fn receive(
    connection: &mut Connection,
    buffer: &mut ReadBuffer,
    stream: &[u8],
    read: usize,
    taken: Taken,
    mut largest: usize,
) -> (Vec<OwnedEvent>, Option<ProtocolError>, Vec<usize>) {
    let (mut events, mut moved, mut calls) = (Vec::new(), Vec::new(), 0);
    let (mut open, mut most_open) = (0, 0);
    for piece in stream.chunks(read) {
        buffer.spare_mut(read)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        open += piece.len();
        most_open = most_open.max(open);
        loop {
            calls += 1;
            let take = match taken {
                Taken::None => false,
                Taken::All => true,
                Taken::EverySecond => calls % 2 == 0,
            };
            let event = if take {
                connection.take_event(buffer)
            } else {
                connection
                    .next_event(buffer)
                    .map(|it| it.map(TakenEvent::Borrowed))
            };
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(
                        connection.take_event(buffer),
                        Err(error),
                        "an error is final"
                    );
                    return (events, Some(error), moved);
                }
            };
            match &event {
                TakenEvent::Binary { memory, payload } => {
                    assert!(payload.len() >= MIN && memory.capacity() <= 2 * payload.len() + 1);
                    moved.push(payload.len());
                }
                TakenEvent::Text(text) => {
                    assert!(text.len() >= MIN && text.capacity() <= 2 * text.len() + 1);
                    moved.push(text.len());
                }
                TakenEvent::Borrowed(_) => {}
            }
            events.push(event.into_owned());
            if let Some(OwnedEvent::Text(_) | OwnedEvent::Binary(_)) = events.last() {
                largest = largest.max(events[events.len() - 1].data().len());
                open = buffer.unread().len();
            }
            // The documented bound, with text that arrives in several reads.
            let bound = 2 * (largest + most_open) + read + 2 * largest;
            assert!(
                buffer.capacity() <= bound,
                "{} of {bound}",
                buffer.capacity()
            );
        }
    }
    (events, None, moved)
}

/// A shorter message after a longer one need not be taken: the buffer has memory for a longer one then.
const SIZES: [usize; 9] = [0, 125, MIN - 1, MIN, 5, MIN + 1, 65_535, 65_536, 150_000];

fn payload(first: u8, size: usize) -> Vec<u8> {
    match first {
        0x82 => (0..size).map(|i| (i % 251).to_le_bytes()[0]).collect(),
        _ if size.is_multiple_of(2) => "\u{e9}".repeat(size / 2).into_bytes(),
        _ => vec![b'x'; size],
    }
}

/// Messages of all sizes, whole and in fragments, with Pings between them.
fn stream(first: u8, fragments: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    for size in SIZES {
        let data = payload(first, size);
        let pieces: Vec<_> = data.chunks(size / fragments + 1).collect();
        for (i, piece) in pieces.iter().enumerate() {
            let opcode = if i == 0 { first & 0xf } else { 0 };
            let fin = if i + 1 == pieces.len() { 0x80 } else { 0 };
            frames.push(Frame::new(fin | opcode, *piece));
            frames.push(Frame::new(0x89, "ping"));
        }
    }
    frames
}

/// Law: cuts change nothing, and neither does the way in which the events are taken.
#[test]
fn taken_messages_are_the_same_however_the_stream_is_cut() {
    for role in Role::BOTH {
        for (first, fragments) in [(0x81, 1), (0x82, 1), (0x81, 3), (0x82, 7)] {
            let bytes = encode(&stream(first, fragments), role);
            for delivery in DELIVERIES {
                for read in [997, 4096, 16 << 10, 64 << 10, 100_000, bytes.len()] {
                    let what = format!("{role:?} {first:x} {fragments} {delivery:?} {read}");
                    let outcomes = [Taken::None, Taken::All, Taken::EverySecond].map(|taken| {
                        let mut connection = role.connection(&config(delivery));
                        let mut buffer = ReadBuffer::new();
                        let (events, error, moved) =
                            receive(&mut connection, &mut buffer, &bytes, read, taken, 0);
                        assert_eq!(error, None, "{what}");
                        assert!(buffer.is_empty(), "{what}");
                        (events, connection.output().to_vec(), moved)
                    });
                    let [(events, output, moved), all, some] = outcomes;
                    assert!(moved.is_empty());
                    for (taken_events, taken_output, _) in [&all, &some] {
                        assert!(*taken_events == events, "{what}");
                        assert!(*taken_output == output, "{what}");
                    }
                    let large = SIZES.into_iter().filter(|&size| size >= MIN);
                    if delivery == Delivery::Chunks {
                        assert_eq!((all.2.len(), some.2.len()), (0, 0), "{what}");
                    } else if read <= 16 << 10 {
                        assert_eq!(all.2, large.collect::<Vec<_>>(), "{what}");
                    }
                }
            }
        }
    }
}

/// A single large message, at every cut near its ends.
#[test]
fn every_cut_near_the_ends_of_a_taken_message() {
    for role in Role::BOTH {
        for first in [0x81, 0x82] {
            let [long, short] = [MIN, 2].map(|size| payload(first, size));
            let frames = [
                Frame::new(0x89, "a"),
                Frame::new(first, &long[..]),
                Frame::new(first, &short[..]),
            ];
            let bytes = encode(&frames, role);
            let message = |data: Vec<u8>| match first {
                0x81 => OwnedEvent::Text(String::from_utf8(data).unwrap()),
                _ => OwnedEvent::Binary(data),
            };
            let expected = [OwnedEvent::ping(b"a"), message(long), message(short)];
            let cuts = (0..30).chain(bytes.len() - 30..bytes.len());
            for cut in cuts {
                for size in [1000, usize::MAX] {
                    let mut connection = role.connection(&config(Delivery::Messages));
                    let mut buffer = ReadBuffer::new();
                    let mut events = Vec::new();
                    for piece in [&bytes[..cut], &bytes[cut..]] {
                        for piece in piece.chunks(size) {
                            buffer.extend_from_slice(piece);
                            while let Some(event) = connection.take_event(&mut buffer).unwrap() {
                                events.push(event.into_owned());
                            }
                        }
                    }
                    assert!(events == expected, "{role:?} {first:x} {cut} {size}");
                    assert!(buffer.is_empty());
                }
            }
        }
    }
}

/// Unread bytes that follow a taken message stay in the buffer, and may be a violation.
#[test]
fn the_bytes_after_a_taken_message_stay() {
    for role in Role::BOTH {
        let mut bytes = Frame::new(0x82, payload(0x82, 100_000)).encode(role);
        bytes.extend(Frame::new(0x81, "after").encode(role));
        bytes.extend(Frame::new(0x83, "").encode(role));
        let mut connection = role.connection(&config(Delivery::Messages));
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&bytes);
        let taken = connection.take_event(&mut buffer).unwrap();
        let Some(TakenEvent::Binary { memory, payload }) = taken else {
            panic!("{taken:?}")
        };
        assert_eq!(memory[payload], self::payload(0x82, 100_000));
        assert_eq!(
            buffer.unread(),
            &bytes[bytes.len() - buffer.unread().len()..]
        );
        assert!(buffer.capacity() < 100);
        let after = Event::Text {
            text: "after",
            fin: true,
        };
        let event = connection.take_event(&mut buffer).unwrap();
        assert_eq!(event, Some(TakenEvent::Borrowed(after)));
        let error = Err(ProtocolError::ReservedOpcode(3));
        for _ in 0..2 {
            assert_eq!(connection.take_event(&mut buffer), error);
        }
    }
}

/// The memory is much larger than the message, so the message stays in it.
#[test]
fn a_message_in_a_large_buffer_is_borrowed() {
    for role in Role::BOTH {
        for first in [0x81, 0x82] {
            let bytes = Frame::new(first, payload(first, MIN)).encode(role);
            let mut connection = role.connection(&config(Delivery::Messages));
            let mut buffer = ReadBuffer::with_capacity(3 * MIN);
            let mut count = 0;
            for _ in 0..3 {
                buffer.extend_from_slice(&bytes);
                while let Some(event) = connection.take_event(&mut buffer).unwrap() {
                    assert!(matches!(event, TakenEvent::Borrowed(_)), "{event:?}");
                    assert!(event.into_owned().data() == payload(first, MIN));
                    count += 1;
                }
            }
            assert_eq!((count, buffer.capacity()), (3, 3 * MIN));
        }
    }
}

/// The memory of a text that was much longer stays with the buffer.
#[test]
fn a_text_in_the_memory_of_a_longer_one_is_borrowed() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config(Delivery::Messages));
        let mut buffer = ReadBuffer::new();
        let mut send = |connection: &mut Connection, size| {
            let bytes = Frame::new(0x81, payload(0x81, size)).encode(role);
            receive(connection, &mut buffer, &bytes, 4096, Taken::None, 0)
                .0
                .len()
        };
        assert_eq!(send(&mut connection, 10 * MIN), 1);
        let bytes = Frame::new(0x81, payload(0x81, MIN)).encode(role);
        let (events, _, moved) = receive(
            &mut connection,
            &mut buffer,
            &bytes,
            4096,
            Taken::All,
            10 * MIN,
        );
        assert_eq!((events.len(), moved), (1, vec![]));
        // It is taken if it is long enough.
        let bytes = Frame::new(0x81, payload(0x81, 9 * MIN)).encode(role);
        let (events, _, moved) = receive(
            &mut connection,
            &mut buffer,
            &bytes,
            4096,
            Taken::All,
            10 * MIN,
        );
        assert_eq!((events.len(), moved), (1, vec![9 * MIN]));
    }
}

/// After its memory was taken, a buffer serves another connection.
#[test]
fn another_connection_continues_with_the_buffer() {
    let mut buffer = ReadBuffer::new();
    for i in 0..6 {
        let role = Role::BOTH[i % 2];
        let first = [0x81, 0x82, 0x82][i % 3];
        let mut connection = role.connection(&config(Delivery::Messages));
        let frames = [
            Frame::new(first, payload(first, 2 * MIN)),
            Frame::new(0x81, "short"),
        ];
        let bytes = encode(&frames, role);
        let (events, error, moved) = receive(
            &mut connection,
            &mut buffer,
            &bytes,
            5000,
            Taken::All,
            2 * MIN,
        );
        assert_eq!((events.len(), error, moved), (2, None, vec![2 * MIN]));
        assert_eq!(events[1], OwnedEvent::text("short"));
        assert!(buffer.is_empty() && buffer.unread().is_empty());
    }
    buffer.shrink_to(0);
    assert_eq!(buffer.capacity(), 0);
}

#[test]
fn debug_shows_lengths() {
    let events = [
        (
            TakenEvent::Borrowed(Event::Binary {
                data: b"secret",
                fin: true,
            }),
            "Borrowed(Binary { length: 6 B, fin: true })",
        ),
        (TakenEvent::Text("secret".to_owned()), "Text(6 B)"),
        (
            TakenEvent::Binary {
                memory: b"secret".to_vec(),
                payload: 2..6,
            },
            "Binary { memory: 6 B, payload: 2..6 }",
        ),
    ];
    for (event, shown) in events {
        assert_eq!(format!("{event:?}"), shown);
    }
}
