//! The heap of a connection: what it owns when idle, what a message allocates, and the documented bounds.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    reason = "a failed test stops, and sizes are compared with signed counters"
)]

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::test_util::{Frame, OPENING_REQUEST, Role, encode};
use sockless::{Config, Connection, Delivery, Event, FrameHeader, ReadBuffer, Seed};

use heap::{NOTHING, measure};
use receive::receive;

#[path = "support/heap.rs"]
mod heap;
#[path = "support/receive.rs"]
mod receive;

fn server() -> Connection {
    Connection::server(&Config::default())
}

#[test]
fn a_connection_is_small_and_owns_no_heap() {
    let size = size_of::<Connection>();
    assert!(size <= 192, "{size} bytes");

    let (mut server, heap) = measure(server);
    assert_eq!(heap, NOTHING);

    // The same after use, when its output is given back.
    let frames = [Frame::new(0x81, "Hello"), Frame::new(0x89, "Hello")];
    let bytes = encode(&frames, Role::Server);
    let mut buffer = ReadBuffer::with_capacity(4096);
    let ((), heap) = measure(|| {
        buffer.extend_from_slice(&bytes);
        while let Some(event) = server.next_event(&mut buffer).unwrap() {
            if let Event::Text { text, .. } = event {
                server.send_text(text).unwrap();
            }
        }
        assert!(!server.output().is_empty());
        server.take_output(&mut Vec::new());
    });
    assert_eq!(heap.kept, 0);
    assert!(buffer.is_empty());

    // A client owns the generator of its masking keys and nothing else.
    let (_client, heap) = measure(|| Connection::client(&Config::default(), Seed::new([1; 32])));
    assert_eq!(heap.allocations, 1);
    assert!(heap.kept <= 400, "{heap:?}");
}

/// Messages queued after the answer of the handshake change nothing.
#[test]
fn an_accepted_connection_owns_no_heap_once_its_answer_is_written() {
    for greeting in [None, Some(1), Some(125), Some(1000)] {
        let options = ServerOptions::default();
        let mut buffer = ReadBuffer::with_capacity(4096);
        buffer.extend_from_slice(OPENING_REQUEST);
        let (mut server, heap) = measure(|| {
            let mut handshake = ServerHandshake::new(&options.config);
            let request = handshake.read_request(&mut buffer).unwrap();
            request.unwrap().accept(&options).unwrap()
        });
        assert!(heap.kept > 0, "the answer: {heap:?}");
        let ((), written) = measure(|| {
            if let Some(size) = greeting {
                server.send_binary(&vec![b'x'; size]).unwrap();
            }
            server.advance_output(server.output().len());
        });
        assert_eq!(heap.kept + written.kept, 0, "{greeting:?}");
    }
}

#[test]
fn the_steady_state_allocates_nothing() {
    for size in [16, 1 << 10, 16 << 10] {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            let config = Config::new().with_delivery(delivery);
            let mut server = Connection::server(&config);
            let mut client = Connection::client(&config, Seed::new([1; 32]));
            let (mut server_buffer, mut client_buffer) = (ReadBuffer::new(), ReadBuffer::new());
            let payload = vec![b'x'; size];
            let text = "x".repeat(size);
            let mut round = || {
                client.send_binary(&payload).unwrap();
                client.send_text(&text).unwrap();
                // Reads of 4 KiB cut most frames.
                for piece in client.output().chunks(4096) {
                    server_buffer.spare_mut(4096)[..piece.len()].copy_from_slice(piece);
                    server_buffer.advance_filled(piece.len());
                    while let Some(event) = server.next_event(&mut server_buffer).unwrap() {
                        match event {
                            Event::Text { text, fin } => server.send_text_fragment(text, fin),
                            Event::Binary { data, fin } => server.send_binary_fragment(data, fin),
                            _ => Ok(()),
                        }
                        .unwrap();
                    }
                }
                client.advance_output(client.output().len());
                let output = server.output();
                let received = receive(&mut client, &mut client_buffer, output, output.len());
                server.advance_output(server.output().len());
                assert_eq!((received.bytes, received.error), (2 * size, None));
            };
            for _ in 0..4 {
                round();
            }
            let ((), heap) = measure(|| (0..100).for_each(|_| round()));
            assert_eq!(heap, NOTHING, "{size} bytes, {delivery:?}");
        }
    }
}

/// The documented bound: twice what is in the buffer, plus the space asked for. While a vector moves, the old one
/// exists too.
const fn bound(message: usize, read: usize) -> isize {
    (3 * (message + FrameHeader::MAX_SIZE + read) + read) as isize
}

#[test]
fn a_message_in_any_reads_and_fragments_keeps_the_documented_bound() {
    let mut fragments = vec![Frame::new(0x00, [7; 64]); 65_536];
    fragments[0].first = 0x02;
    fragments[65_535].first = 0x80;
    let whole = |first| vec![Frame::new(first, vec![b'x'; 1 << 20])];
    // The frames, the reads, and how often the buffer may grow: by half each time.
    let table = [
        (whole(0x81), vec![1], 36),
        (whole(0x82), vec![1], 36),
        (fragments, vec![1, 100, 4096, usize::MAX], 40),
    ];
    for (frames, reads, growths) in table {
        let stream = encode(&frames, Role::Server);
        let size: usize = frames.iter().map(|frame| frame.payload.len()).sum();
        for read in reads {
            let read = read.min(stream.len());
            let (mut server, mut buffer) = (server(), ReadBuffer::new());
            let (received, heap) = measure(|| receive(&mut server, &mut buffer, &stream, read));
            assert_eq!((received.events, received.bytes), (1, size));
            assert_eq!(received.error, None);
            let what = format!("{} frames in reads of {read}: {heap:?}", frames.len());
            assert!(heap.moved <= bound(size, read) + 128, "{what}");
            assert!(heap.allocations <= growths, "{what}");
            assert!(buffer.capacity() <= 2 * stream.len() + read, "{what}");
        }
    }
}

/// A head of 1 MiB without an end. A search from its beginning for every byte would look at 512 GiB.
#[test]
fn a_head_in_single_bytes_keeps_the_documented_bound() {
    let config = Config::new().with_max_head_size(16 << 20);
    let mut handshake = ServerHandshake::new(&config);
    let mut buffer = ReadBuffer::new();
    let ((), heap) = measure(|| {
        buffer.extend_from_slice(b"GET / HTTP/1.1\r\na: ");
        for _ in 0..1 << 20 {
            buffer.extend_from_slice(b"x");
            assert_eq!(handshake.read_request(&mut buffer), Ok(None));
        }
    });
    assert!(heap.moved <= bound(1 << 20, 1), "{heap:?}");
    assert!(heap.allocations <= 32, "{heap:?}");
}

/// The application gets the memory itself. The next message grows its memory in few steps.
#[test]
fn a_taken_message_costs_no_copy() {
    const SIZE: usize = 200_000;
    for (first, byte) in [(0x81, b'x'), (0x82, 7)] {
        let bytes = Frame::new(first, vec![byte; SIZE]).encode(Role::Server);
        let (mut server, mut buffer) = (server(), ReadBuffer::new());
        let mut round = || {
            let ((), heap) = measure(|| {
                for piece in bytes.chunks(4096) {
                    assert!(server.next_event(&mut buffer).unwrap().is_none());
                    buffer.extend_from_slice(piece);
                }
            });
            assert!(heap.kept <= 3 * SIZE as isize, "{heap:?}");
            let capacity = buffer.capacity();
            let (owned, heap) = measure(|| {
                let event = server.take_event(&mut buffer).unwrap().unwrap();
                event.into_owned()
            });
            // The last piece of a text may need more memory.
            assert!(heap.allocations <= usize::from(first == 0x81), "{heap:?}");
            assert!(buffer.is_empty() && buffer.capacity() < capacity - SIZE + 8192);
            assert!(owned.data().len() == SIZE && owned.data()[SIZE - 1] == byte);
        };
        round();
        let ((), heap) = measure(round);
        assert!(heap.allocations <= 8, "{heap:?}");
        assert!(heap.kept <= 3 * SIZE as isize, "{heap:?}");
    }
}

/// A transport lends its memory and gets the same memory back. Nothing is copied, cleared or allocated.
#[test]
fn memory_of_a_transport_goes_in_and_out() {
    let frames = [Frame::new(0x81, "Hello"), Frame::new(0x82, vec![7; 1000])];
    let bytes = encode(&frames, Role::Server);
    let mut server = server();
    let mut memory = Vec::with_capacity(bytes.len() + 1000);
    memory.resize(bytes.len() + 10, 0xaa);
    let (place, capacity) = (memory.as_ptr(), memory.capacity());
    for whole in [true, false, true] {
        memory[..bytes.len()].copy_from_slice(&bytes);
        let filled = if whole { bytes.len() } else { 20 };
        let ((), heap) = measure(|| {
            let mut buffer = ReadBuffer::from_filled(std::mem::take(&mut memory), filled);
            assert_eq!(buffer.unread().len(), filled);
            assert_eq!(buffer.capacity(), capacity);
            assert_eq!(buffer.take_memory(), None);
            let mut events = 0;
            loop {
                while server.next_event(&mut buffer).unwrap().is_some() {
                    events += 1;
                }
                if events == 2 {
                    break;
                }
                // The rest of the length is spare.
                assert_eq!(buffer.take_memory(), None);
                buffer.extend_from_slice(&bytes[filled..]);
            }
            memory = buffer.take_memory().unwrap();
            assert!(buffer.is_empty() && buffer.capacity() == 0);
        });
        assert_eq!(heap, NOTHING);
        assert_eq!((memory.as_ptr(), memory.len()), (place, bytes.len() + 10));
    }
}

/// Capacity after the length of a lent vector is used when the buffer grows.
#[test]
fn a_lent_vector_grows_within_its_capacity() {
    let mut memory = Vec::with_capacity(1000);
    memory.extend_from_slice(b"\x81\x85\0\0\0\0He");
    let mut buffer = ReadBuffer::from(memory);
    let ((), heap) = measure(|| {
        assert_eq!(buffer.unread().len(), 8);
        assert_eq!(buffer.spare_mut(100)[..100], [0; 100]);
        buffer.extend_from_slice(b"llo");
    });
    assert_eq!((heap, buffer.capacity()), (NOTHING, 1000));
    let text = Some(Event::Text {
        text: "Hello",
        fin: true,
    });
    assert_eq!(server().next_event(&mut buffer).unwrap(), text);
}

#[test]
#[should_panic = "filled more than the memory"]
fn a_lent_vector_has_all_filled_bytes() {
    let memory = Vec::with_capacity(10);
    _ = ReadBuffer::from_filled(memory, 1);
}
