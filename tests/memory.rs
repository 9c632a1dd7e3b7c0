//! Memory, counted: what a connection owns, what a message allocates, what a hostile peer can cost.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "tests stop at the first surprise, and reckon with sizes"
)]

use sockless::handshake::{RequestError, ServerHandshake, ServerOptions};
use sockless::{
    CloseCode, Config, Connection, Delivery, Event, FrameHeader, Opcode, ReadBuffer, Seed,
    apply_mask,
};

use heap::{NOTHING, measure};

#[path = "support/heap.rs"]
mod heap;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame, as a client sends it.
fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        fin,
        rsv: 0,
        opcode,
        masking_key: Some(KEY),
        payload_length: payload.len() as u64,
    };
    let mut bytes = header.write(&mut [0; FrameHeader::MAX_SIZE]).to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    apply_mask(&mut bytes[start..], KEY, 0);
    bytes
}

fn server() -> Connection {
    Connection::server(&Config::default())
}

#[test]
fn a_connection_is_small_and_owns_no_heap() {
    assert!(
        size_of::<Connection>() <= 192,
        "{} bytes",
        size_of::<Connection>()
    );

    let (mut server, heap) = measure(server);
    assert_eq!(heap, NOTHING);

    // Nor does it after use, once its output is given back.
    let mut buffer = ReadBuffer::with_capacity(4096);
    let ((), heap) = measure(|| {
        buffer.extend_from_slice(&frame(Opcode::Text, true, b"Hello"));
        buffer.extend_from_slice(&frame(Opcode::Ping, true, b"Hello"));
        while let Some(event) = server.next_event(&mut buffer).expect("legal") {
            if let Event::Text { text, .. } = event {
                server.send_text(text).expect("open");
            }
        }
        assert!(!server.output().is_empty());
        server.swap_output(&mut Vec::new());
    });
    assert_eq!(heap.kept, 0);
    assert!(buffer.is_empty());

    // A client owns the generator of its masking keys and nothing else.
    let (_client, heap) = measure(|| Connection::client(&Config::default(), Seed::new([1; 32])));
    assert_eq!(heap.allocations, 1);
    assert!(heap.kept <= 400, "{heap:?}");
}

/// The answer to the opening handshake is written once, and so is what is queued behind it.
#[test]
fn an_accepted_connection_owns_no_heap_once_its_answer_is_written() {
    const REQUEST: &[u8] =
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for greeting in [None, Some(1), Some(125), Some(1000)] {
        let options = ServerOptions::default();
        let mut buffer = ReadBuffer::with_capacity(4096);
        buffer.extend_from_slice(REQUEST);
        let (mut server, heap) = measure(|| {
            let mut handshake = ServerHandshake::new(&options.config);
            let request = handshake.read_request(&mut buffer).expect("legal");
            request.expect("whole").accept(&options).expect("legal")
        });
        assert!(heap.kept > 0, "the answer: {heap:?}");
        let ((), written) = measure(|| {
            if let Some(size) = greeting {
                server.send_binary(&vec![b'x'; size]).expect("open");
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
                client.send_binary(&payload).expect("open");
                client.send_text(&text).expect("open");
                // In reads of 4 KiB, so that most frames come in pieces.
                for piece in client.output().chunks(4096) {
                    server_buffer.spare_mut(4096)[..piece.len()].copy_from_slice(piece);
                    server_buffer.advance_filled(piece.len());
                    while let Some(event) = server.next_event(&mut server_buffer).expect("legal") {
                        match event {
                            Event::Text { text, fin } => {
                                server.send_text_fragment(text, fin).expect("open");
                            }
                            Event::Binary { data, fin } => {
                                server.send_binary_fragment(data, fin).expect("open");
                            }
                            _ => {}
                        }
                    }
                }
                client.advance_output(client.output().len());
                client_buffer.extend_from_slice(server.output());
                server.advance_output(server.output().len());
                let mut received = 0;
                while let Some(event) = client.next_event(&mut client_buffer).expect("legal") {
                    match event {
                        Event::Text { text, .. } => received += text.len(),
                        Event::Binary { data, .. } => received += data.len(),
                        _ => {}
                    }
                }
                assert_eq!(received, 2 * size);
            };
            for _ in 0..4 {
                round();
            }
            let ((), heap) = measure(|| (0..100).for_each(|_| round()));
            assert_eq!(heap, NOTHING, "{size} bytes, {delivery:?}");
        }
    }
}

#[test]
fn announced_bytes_cost_nothing() {
    // 16 bytes that announce 15 MiB: a header of 14 and two of payload.
    let header = FrameHeader {
        fin: true,
        rsv: 0,
        opcode: Opcode::Binary,
        masking_key: Some(KEY),
        payload_length: 15 << 20,
    };
    let mut bytes = header.write(&mut [0; FrameHeader::MAX_SIZE]).to_vec();
    bytes.extend_from_slice(&[1, 2]);
    assert_eq!(bytes.len(), 16);
    let mut buffer = ReadBuffer::with_capacity(4096);
    let mut server = server();
    let (event, heap) = measure(|| {
        buffer.extend_from_slice(&bytes);
        server.next_event(&mut buffer).map(|event| event.is_some())
    });
    assert_eq!((event, heap), (Ok(false), NOTHING));

    // The same for a control frame that announces what it must not.
    let (error, heap) = measure(|| {
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&[0x89, 0xff, 0, 0, 0, 0, 0, 0xa0, 0, 0]);
        Connection::server(&Config::default())
            .next_event(&mut buffer)
            .map(|_| ())
            .unwrap_err()
    });
    assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    assert!(heap.moved < 256, "{heap:?}");
}

/// Receives `stream` in reads of `read` bytes and returns the size of the messages.
fn receive(
    server: &mut Connection,
    buffer: &mut ReadBuffer,
    stream: &[u8],
    read: usize,
) -> Vec<usize> {
    let mut messages = Vec::with_capacity(16);
    for piece in stream.chunks(read) {
        buffer.spare_mut(read)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        while let Some(event) = server.next_event(buffer).expect("legal") {
            match event {
                Event::Text { text, .. } => messages.push(text.len()),
                Event::Binary { data, .. } => messages.push(data.len()),
                _ => {}
            }
        }
    }
    messages
}

/// The documented bound: twice what is in the buffer, beyond the space asked for; and the vector it grew
/// out of, while it moves.
const fn bound(message: usize, read: usize) -> isize {
    (3 * (message + FrameHeader::MAX_SIZE + read) + read) as isize
}

#[test]
fn a_message_byte_by_byte() {
    for opcode in [Opcode::Text, Opcode::Binary] {
        let stream = frame(opcode, true, &vec![b'x'; 1 << 20]);
        let (mut server, mut buffer) = (server(), ReadBuffer::new());
        let (messages, heap) = measure(|| receive(&mut server, &mut buffer, &stream, 1));
        assert_eq!(messages, [1 << 20]);
        assert!(heap.moved <= bound(1 << 20, 1) + 128, "{heap:?}");
        // Growing by half: the logarithm of the size, and a few.
        assert!(heap.allocations <= 36, "{heap:?}");
        assert!(buffer.capacity() <= 2 * stream.len() + 1);
    }
}

#[test]
fn many_small_fragments() {
    let mut stream = frame(Opcode::Binary, false, &[7; 64]);
    for _ in 0..65_534 {
        stream.extend_from_slice(&frame(Opcode::Continuation, false, &[7; 64]));
    }
    stream.extend_from_slice(&frame(Opcode::Continuation, true, &[7; 64]));
    for read in [1, 100, 4096, stream.len()] {
        let (mut server, mut buffer) = (server(), ReadBuffer::new());
        let (messages, heap) = measure(|| receive(&mut server, &mut buffer, &stream, read));
        assert_eq!(messages, [65_536 * 64]);
        assert!(
            heap.moved <= bound(65_536 * 64, read) + 128,
            "reads of {read}: {heap:?}"
        );
        assert!(heap.allocations <= 40, "reads of {read}: {heap:?}");
    }
}

#[test]
fn a_million_empty_fragments_cost_nothing() {
    let (mut server, mut buffer) = (server(), ReadBuffer::with_capacity(4096));
    let begin = frame(Opcode::Text, false, b"");
    let empty = frame(Opcode::Continuation, false, b"").repeat(100);
    let end = frame(Opcode::Continuation, true, b"");
    let (messages, heap) = measure(|| {
        let mut messages = receive(&mut server, &mut buffer, &begin, 4096).len();
        for _ in 0..10_000 {
            messages += receive(&mut server, &mut buffer, &empty, 4096).len();
            assert!(buffer.is_empty());
        }
        messages + receive(&mut server, &mut buffer, &end, 4096).len()
    });
    assert_eq!(messages, 1);
    // The list of messages that `receive` returns, freed each time; nothing for the fragments.
    assert_eq!((heap.allocations, heap.kept), (10_002, 0));
    assert_eq!(buffer.capacity(), 4096);
}

#[test]
fn a_million_pings_to_a_server_whose_output_is_not_drained() {
    let (mut server, mut buffer) = (server(), ReadBuffer::with_capacity(4096));
    let mut newest = Vec::new();
    let ((), heap) = measure(|| {
        for i in 0..1_000_000_u32 {
            newest = i.to_be_bytes().to_vec();
            buffer.extend_from_slice(&frame(Opcode::Ping, true, &newest));
            while server.next_event(&mut buffer).expect("legal").is_some() {}
        }
    });
    let limit = Config::default().max_unsent_pongs;
    assert!(
        server.output().len() <= limit,
        "{} bytes of output",
        server.output().len()
    );
    assert!(heap.kept <= 2 * limit as isize + 256, "{heap:?}");

    // Those that found room are answered in order, and at the end the newest.
    let mut payloads = Vec::new();
    for _ in 0..2 {
        let output = server.output().to_vec();
        server.advance_output(output.len());
        payloads.extend(output.chunks(6).map(|pong| pong[2..].to_vec()));
    }
    let last = payloads.pop().expect("a pong");
    assert_eq!(last, newest);
    let expected: Vec<_> = (0..payloads.len() as u32)
        .map(|i| i.to_be_bytes().to_vec())
        .collect();
    assert_eq!(payloads, expected);
    assert!(server.output().is_empty());
}

#[test]
fn a_head_without_an_end_in_single_bytes() {
    // Refused at the limit.
    let mut buffer = ReadBuffer::new();
    let config = Config::default();
    let mut handshake = ServerHandshake::new(&config);
    // Lines long enough for their number to stay in its limit.
    let header = [&b"a: "[..], &[b'x'; 400], b"\r\n"].concat();
    let ((), heap) = measure(|| {
        let line = b"GET / HTTP/1.1\r\n".iter().chain(header.iter().cycle());
        for (i, byte) in line.enumerate() {
            buffer.extend_from_slice(&[*byte]);
            match handshake.read_request(&mut buffer) {
                Ok(None) => assert!(i + 1 < config.max_head_size),
                Ok(Some(_)) => unreachable!("the head has no end"),
                Err(error) => {
                    assert_eq!(
                        (error, i + 1),
                        (RequestError::HeadTooLarge, config.max_head_size)
                    );
                    break;
                }
            }
        }
    });
    assert!(heap.moved <= bound(config.max_head_size, 1), "{heap:?}");

    // And linear where the limit is raised; a quadratic search would look at 32 tebibytes.
    let config = Config::new().with_max_head_size(16 << 20);
    let mut handshake = ServerHandshake::new(&config);
    let mut buffer = ReadBuffer::new();
    let ((), heap) = measure(|| {
        buffer.extend_from_slice(b"GET / HTTP/1.1\r\na: ");
        for _ in 0..8 << 20 {
            buffer.extend_from_slice(b"x");
            let request = handshake.read_request(&mut buffer);
            assert!(request.expect("no fault yet").is_none());
        }
    });
    assert!(heap.moved <= bound(8 << 20, 1), "{heap:?}");
    assert!(heap.allocations <= 36, "{heap:?}");
}
