//! Memory with permessage-deflate, counted: what a small message that inflates much can cost, what a
//! codec takes, what is kept between messages.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "tests stop at the first surprise, and reckon with sizes"
)]

use std::fmt::Write;

use sockless::handshake::{ClientHandshake, ClientOptions, ServerHandshake, ServerOptions, Uri};
use sockless::{
    CloseCode, Codecs, Config, Connection, Deflate, Delivery, Event, FrameHeader, Opcode,
    ProtocolError, ReadBuffer, Seed, SharedMessage, apply_mask,
};
use zlib_rs::{DeflateConfig, DeflateFlush};

use heap::{NOTHING, measure};

#[path = "support/heap.rs"]
mod heap;

const READ: usize = 4096;
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A server and a client that agreed on what both wish.
fn pair(wishes: &Deflate, config: Config) -> (Connection, Connection) {
    let config = config.with_deflate(wishes.clone());
    let server_options = ServerOptions::new().with_config(config.clone());
    let client_options = ClientOptions::new().with_config(config);
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut handshake = ClientHandshake::new(&uri, &client_options, Seed::new([3; 32])).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(handshake.request());
    let request = ServerHandshake::new(&server_options.config)
        .read_request(&mut buffer)
        .unwrap()
        .unwrap();
    let mut server = request.accept(&server_options).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(server.output());
    server.swap_output(&mut Vec::new());
    let (_, client) = handshake.read_response(&mut buffer).unwrap().unwrap();
    let client = client.expect("accepted");
    assert!(server.uses_deflate() && client.uses_deflate());
    (server, client)
}

fn server(config: Config) -> Connection {
    pair(&Deflate::default(), config).0
}

fn with_delivery(delivery: Delivery, max_message_size: usize) -> Config {
    Config::new()
        .with_delivery(delivery)
        .with_max_message_size(max_message_size as u64)
}

/// Adds a masked frame to `wire`, as a client sends it.
fn frame(wire: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8]) {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let header = FrameHeader {
        fin,
        rsv: if opcode == Opcode::Continuation { 0 } else { 4 },
        opcode,
        masking_key: Some(key),
        payload_length: payload.len() as u64,
    };
    wire.extend_from_slice(header.write(&mut [0; FrameHeader::MAX_SIZE]));
    let start = wire.len();
    wire.extend_from_slice(payload);
    apply_mask(&mut wire[start..], key, 0);
}

/// A compressed message in fragments of `size` bytes.
fn frames(opcode: Opcode, payload: &[u8], size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    let count = payload.len().div_ceil(size);
    for (i, piece) in payload.chunks(size).enumerate() {
        let opcode = if i == 0 { opcode } else { Opcode::Continuation };
        frame(&mut wire, opcode, i + 1 == count, piece);
    }
    wire
}

/// The payload of a message of `size` zeros, compressed in pieces of at most 1 MiB, so that a gibibyte
/// of them never exists.
fn zeros(size: usize) -> Vec<u8> {
    const PIECE: usize = 1 << 20;
    let compress = |size: usize| {
        let mut compressor = zlib_rs::Deflate::new_with_config(DeflateConfig {
            window_bits: -15,
            ..DeflateConfig::default()
        });
        let mut output = vec![0; size / 500 + 64];
        compressor
            .compress(&vec![0; size], &mut output, DeflateFlush::SyncFlush)
            .unwrap();
        assert_eq!(compressor.total_in(), size as u64);
        output.truncate(compressor.total_out() as usize);
        output
    };
    // What a compressor makes of a piece refers to nothing before it, and ends at a byte.
    let mut payload = compress(PIECE).repeat(size / PIECE);
    if !size.is_multiple_of(PIECE) {
        payload.extend(compress(size % PIECE));
    }
    assert!(payload.ends_with(&TAIL));
    payload.truncate(payload.len() - TAIL.len());
    payload
}

/// Receives `wire` in reads of 4 KiB and returns how many bytes came in how many events.
fn receive(
    connection: &mut Connection,
    buffer: &mut ReadBuffer,
    wire: &[u8],
) -> Result<(usize, usize), ProtocolError> {
    let (mut bytes, mut events) = (0, 0);
    for piece in wire.chunks(READ) {
        buffer.spare_mut(READ)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        while let Some(event) = connection.next_event(buffer)? {
            bytes += match event {
                Event::Text { text, .. } => text.len(),
                Event::Binary { data, .. } => data.len(),
                _ => 0,
            };
            events += 1;
        }
    }
    Ok((bytes, events))
}

/// Bytes that a connection owns on behalf of its decompressor, its window full.
fn decompressor(wishes: &Deflate) -> isize {
    let (mut server, _) = pair(wishes, Config::default());
    let wire = frames(Opcode::Binary, &zeros(64 << 10), usize::MAX);
    let ((), heap) = measure(|| {
        receive(&mut server, &mut ReadBuffer::new(), &wire).expect("legal");
    });
    heap.kept
}

/// Bytes that a connection owns on behalf of its compressor.
fn compressor(wishes: &Deflate) -> isize {
    let (mut server, _) = pair(wishes, Config::default());
    let ((), heap) = measure(|| {
        server.send_binary(&vec![0; 64 << 10]).expect("open");
        server.swap_output(&mut Vec::new());
    });
    heap.kept
}

/// Beyond the codec: the reads, and what is inflated at a time.
const SLACK: isize = 64 << 10;
/// The same where a message is delivered as it comes: what is inflated before it is delivered.
const CHUNK: isize = 96 << 10;

#[test]
fn a_message_costs_its_limit_and_never_more() {
    const N: usize = 1 << 20;
    let own = decompressor(&Deflate::default());
    for delivery in [Delivery::Messages, Delivery::Chunks] {
        for (size, limit) in [
            (N - 1, N),
            (N, N),
            (N + 1, N),
            (N, N / 3),
            (N, 1000),
            (N, 1),
            (1 << 30, 16 << 20),
        ] {
            let payload = zeros(size);
            for opcode in [Opcode::Text, Opcode::Binary] {
                for fragments in [usize::MAX, 64] {
                    let wire = frames(opcode, &payload, fragments);
                    let mut server = server(with_delivery(delivery, limit));
                    let mut buffer = ReadBuffer::new();
                    let (result, heap) =
                        measure(|| receive(&mut server, &mut buffer, &wire).map(|(n, _)| n));
                    let whole = if fragments == 64 {
                        "fragments"
                    } else {
                        "whole"
                    };
                    let what = format!("{size} for {limit}, {whole}, {opcode:?}, {delivery:?}");
                    if size <= limit {
                        assert_eq!(result, Ok(size), "{what}");
                    } else {
                        let error = result.expect_err(&what);
                        assert_eq!(error.close_code(), CloseCode::MESSAGE_TOO_BIG, "{what}");
                    }
                    let limit = limit as isize;
                    let (bound, moved) = if delivery == Delivery::Messages {
                        (limit + SLACK, 2 * limit + SLACK)
                    } else {
                        (CHUNK, 2 * CHUNK)
                    };
                    println!(
                        "{what}: {} KiB beyond the codec, {} if all that grows is copied",
                        (heap.peak - own) >> 10,
                        (heap.moved - own) >> 10
                    );
                    assert!(
                        heap.peak <= own + bound,
                        "{what}: {heap:?}, {own} + {bound}"
                    );
                    assert!(
                        heap.moved <= own + moved,
                        "{what}: {heap:?}, {own} + {moved}"
                    );
                }
            }
        }
    }
}

/// Each fragment of a few bytes makes as much as it can, each read holds dozens of them.
#[test]
fn fragments_that_inflate_a_thousandfold() {
    let own = decompressor(&Deflate::default());
    let payload = zeros(64 << 20);
    for fragments in [1, 7, 64] {
        let wire = frames(Opcode::Binary, &payload, fragments);
        for (delivery, bound) in [
            (Delivery::Messages, (16 << 20) + SLACK),
            (Delivery::Chunks, CHUNK),
        ] {
            let mut server = server(with_delivery(delivery, 16 << 20));
            let (result, heap) =
                measure(|| receive(&mut server, &mut ReadBuffer::new(), &wire).map(|(n, _)| n));
            assert_eq!(result, Err(ProtocolError::MessageTooLarge));
            assert!(heap.peak <= own + bound, "{delivery:?}: {heap:?}");
        }
    }

    // Where the limit lets all of it pass, it passes in chunks of bounded size.
    let wire = frames(Opcode::Binary, &payload, 64);
    let mut server = server(with_delivery(Delivery::Chunks, 64 << 20));
    let (result, heap) = measure(|| receive(&mut server, &mut ReadBuffer::new(), &wire));
    let (bytes, events) = result.expect("legal");
    assert_eq!(bytes, 64 << 20);
    assert!(bytes / events >= 16 << 10, "{events} chunks");
    assert!(heap.peak <= own + CHUNK, "{heap:?}");
}

/// Blocks without content: of stored ones a message may have any number, of those that end a stream only so
/// many, since each costs time. Neither takes memory, also after a whole window that the next stream may
/// refer to.
#[test]
fn input_without_output_costs_no_memory() {
    let own = decompressor(&Deflate::default());
    let stored = &[0, 0, 0, 0xff, 0xff][..];
    let last_stored = &[1, 0, 0, 0xff, 0xff][..];
    let last_fixed = &[3, 0][..];
    for begin in [vec![], zeros(64 << 10)] {
        let first = if begin.is_empty() { 0 } else { 64 << 10 };
        for (block, count, passes) in [
            (stored, 200_000, true),
            (last_stored, 4096, true),
            (last_stored, 4097, false),
            (last_fixed, 4096, true),
            (last_fixed, 200_000, false),
        ] {
            for (delivery, fragments) in [
                (Delivery::Messages, usize::MAX),
                (Delivery::Messages, 64),
                (Delivery::Chunks, usize::MAX),
                (Delivery::Chunks, 1),
            ] {
                let mut payload = begin.clone();
                if !begin.is_empty() {
                    payload.extend(TAIL);
                }
                payload.extend(block.repeat(count));
                // The byte that the receiver completes.
                payload.push(0);
                let wire = frames(Opcode::Binary, &payload, fragments);
                let mut server = server(with_delivery(delivery, 16 << 20));
                let mut buffer = ReadBuffer::new();
                let (result, heap) = measure(|| receive(&mut server, &mut buffer, &wire));
                let what =
                    format!("{block:?} {count} times after {first}, {delivery:?}, {fragments}");
                match result {
                    Ok((bytes, _)) => assert!(passes && bytes == first, "{what}"),
                    Err(error) => assert!(
                        !passes && error == ProtocolError::CorruptCompression,
                        "{what}"
                    ),
                }
                // Twice what came out, as a buffer grows.
                assert!(
                    heap.peak <= own + 2 * first as isize + SLACK,
                    "{what}: {heap:?}"
                );
            }
        }
    }
}

/// Something that compresses about as well as real messages do, `size` bytes of it.
fn text(size: usize, number: usize) -> String {
    let mut text = String::new();
    let mut i = number * 7919;
    while text.len() < size {
        i += 1;
        let noise = i.wrapping_mul(0x9e37_79b9) >> 7 & 0xff_ffff;
        write!(text, "{{\"id\":{i},\"value\":\"{noise:x}\"}},").unwrap();
    }
    text.truncate(size);
    text
}

/// Sends `text` from one role to the other, through memory that is there already.
fn transfer(from: &mut Connection, to: &mut Connection, buffer: &mut ReadBuffer, text: &str) {
    from.send_text(text).expect("open");
    for piece in from.output().chunks(READ) {
        buffer.spare_mut(READ)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        while let Some(event) = to.next_event(buffer).expect("legal") {
            assert_eq!(event, Event::Text { text, fin: true });
        }
    }
    from.advance_output(from.output().len());
    assert!(buffer.is_empty());
}

#[test]
fn with_context_takeover_the_steady_state_allocates_nothing() {
    for size in [200, 1 << 10, 16 << 10, 100 << 10] {
        let texts: Vec<_> = (0..16).map(|i| text(size, i)).collect();
        let (mut server, mut client) = pair(&Deflate::default(), Config::default());
        let mut buffer = ReadBuffer::new();
        let mut round = || {
            for text in &texts {
                transfer(&mut client, &mut server, &mut buffer, text);
                transfer(&mut server, &mut client, &mut buffer, text);
            }
        };
        // Until the windows are full.
        (0..=(64 << 10) / (16 * size)).for_each(|_| round());
        let ((), heap) = measure(|| (0..10).for_each(|_| round()));
        assert_eq!(heap, NOTHING, "{size} bytes");
    }
}

#[test]
fn without_context_takeover_nothing_is_kept() {
    let wishes = Deflate::new()
        .with_context_takeover(false)
        .with_peer_context_takeover(false);
    let (mut server, mut client) = pair(&wishes, Config::default());
    let text = text(100 << 10, 0);
    let mut buffer = ReadBuffer::new();
    let mut round = || {
        transfer(&mut client, &mut server, &mut buffer, &text);
        transfer(&mut server, &mut client, &mut buffer, &text);
    };
    let ((), heap) = measure(|| (0..10).for_each(|_| round()));
    // The output of both and the read buffer, which have grown to the message once.
    assert!(heap.kept < 800 << 10, "{heap:?}");
    let ((), heap) = measure(|| (0..10).for_each(|_| round()));
    assert_eq!(heap.kept, 0);
    assert!(heap.allocations > 0);

    // And nothing at all once those are given back.
    let (mut server, mut client) = pair(&wishes, Config::default());
    let ((), heap) = measure(|| {
        let mut buffer = ReadBuffer::new();
        transfer(&mut client, &mut server, &mut buffer, &text);
        transfer(&mut server, &mut client, &mut buffer, &text);
        buffer.shrink_to(0);
        assert_eq!(buffer.capacity(), 0);
        server.swap_output(&mut Vec::new());
        client.swap_output(&mut Vec::new());
    });
    assert_eq!(heap.kept, 0, "{heap:?}");
}

#[test]
fn a_thousand_connections_share_one_pair_of_codecs() {
    let wishes = Deflate::new()
        .with_context_takeover(false)
        .with_peer_context_takeover(false);
    let text = text(40 << 10, 0);
    let mut wire = Vec::new();
    let (_, mut client) = pair(&wishes, Config::default());
    client.send_text(&text).expect("open");
    client.swap_output(&mut wire);
    let own = decompressor(&Deflate::default()) + compressor(&Deflate::default());

    let mut servers: Vec<_> = (0..1000)
        .map(|_| pair(&wishes, Config::default()).0)
        .collect();
    let mut codecs = Codecs::new();
    let mut buffer = ReadBuffer::new();
    let mut output = Vec::new();
    let mut echo = |server: &mut Connection| {
        server.lend_codecs(&mut codecs);
        // The memory of one output serves all connections, too.
        server.swap_output(&mut output);
        for piece in wire.chunks(READ) {
            buffer.spare_mut(READ)[..piece.len()].copy_from_slice(piece);
            buffer.advance_filled(piece.len());
            while let Some(event) = server.next_event(&mut buffer).expect("legal") {
                let Event::Text { text: echo, .. } = event else {
                    panic!("{event:?}")
                };
                assert_eq!(echo, text);
                server.send_text(echo).expect("open");
            }
        }
        server.swap_output(&mut output);
        assert!(!output.is_empty());
        server.reclaim_codecs(&mut codecs);
    };
    let ((), heap) = measure(|| echo(&mut servers[0]));
    // The codecs, the read buffer, the text and the output.
    assert!(heap.kept >= own, "{heap:?}");
    assert!(heap.kept <= own + (256 << 10), "{heap:?}");
    let ((), heap) = measure(|| servers.iter_mut().for_each(&mut echo));
    assert_eq!(heap, NOTHING);
}

/// A message for all is compressed for the first connection; to each further one it costs its place in a queue, and no
/// compressor even with context takeover.
#[test]
fn a_shared_message_costs_one_compression() {
    const SIZE: usize = 1 << 20;
    const PLACE: isize = 512;
    let text = text(SIZE, 0);
    let mut servers: Vec<_> = (0..100)
        .map(|_| pair(&Deflate::default(), Config::default()).0)
        .collect();
    let message = SharedMessage::text(&text);
    let send = |server: &mut Connection| {
        server.send_text("short").expect("open");
        server.send_shared(&message).expect("open");
        server.output_parts().map(<[u8]>::len).sum::<usize>()
    };
    let (first, rest) = servers.split_first_mut().expect("some");
    let (size, heap) = measure(|| send(first));
    assert!((100_000..SIZE / 2).contains(&size), "{size}");
    // What is kept is the frame; on the way there was the compressor, and room for all that may come out of it.
    println!("{size} bytes kept as {heap:?}");
    let kept = size as isize;
    assert!((kept..kept + PLACE).contains(&heap.kept), "{heap:?}");
    let own = compressor(&Deflate::default());
    let most = own + (SIZE + SIZE / 500) as isize + kept;
    assert!(heap.peak <= most, "{heap:?}");
    for server in &mut *rest {
        let (again, heap) = measure(|| send(server));
        assert_eq!(again, size);
        assert!(heap.peak <= PLACE, "{heap:?}");
    }
    // With the last connection that has it to write goes nothing: the message keeps it.
    let written = |server: &mut Connection| {
        for size in [7, size - 7] {
            server.advance_output(size);
        }
        assert!(server.output().is_empty());
    };
    let ((), heap) = measure(|| servers.iter_mut().for_each(written));
    assert!(heap.kept.abs() <= PLACE * 100 && heap.allocations == 0);
    let ((), heap) = measure(|| servers.iter_mut().for_each(|server| _ = send(server)));
    assert_eq!(heap, NOTHING);
    servers.iter_mut().for_each(written);
    let ((), heap) = measure(|| drop(message));
    assert!(heap.kept < -(kept + SIZE as isize));
}

/// The memory of a message that is sent without compression, or not at all.
#[test]
fn a_shared_message_has_no_compressed_form_before_it_is_needed() {
    for size in [10, 1 << 10, 100 << 10] {
        let text = text(size, 0);
        let (message, heap) = measure(|| SharedMessage::text(&text));
        let most = size as isize + 400;
        assert!(heap.kept <= most, "{heap:?}");
        let (clone, heap) = measure(|| message.clone());
        assert_eq!(heap, NOTHING);
        let mut server = pair(&Deflate::default(), Config::default()).0;
        server.compress_messages(false);
        let ((), heap) = measure(|| {
            server.send_shared(&clone).expect("open");
            server.swap_output(&mut Vec::new());
        });
        assert_eq!(heap.kept, 0);
    }
}

#[test]
fn an_idle_connection_owns_two_small_boxes() {
    let size = size_of::<Connection>();
    assert!(size <= 192, "{size} bytes");
    for takeover in [true, false] {
        let wishes = Deflate::new()
            .with_context_takeover(takeover)
            .with_peer_context_takeover(takeover);
        let (idle, heap) = measure(|| pair(&wishes, Config::default()).0);
        println!("a connection of {size} bytes owns {} bytes", heap.kept);
        assert!(heap.kept <= 96, "{heap:?}");
        drop(idle);

        // Nor more after messages that are not compressed.
        let (mut server, _) = pair(&wishes, Config::default());
        let ((), heap) = measure(|| {
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(&[0x82, 0x81, 0, 0, 0, 0, 1]);
            assert!(server.next_event(&mut buffer).expect("legal").is_some());
            server.send_text("short").expect("open");
            server.swap_output(&mut Vec::new());
        });
        assert_eq!(heap.kept, 0);
    }
}

/// The memory levels of the table's columns; and of each line the bits of the window, the compressors and
/// the decompressor in KiB.
fn documented() -> (Vec<u8>, Vec<Vec<f64>>) {
    let lines: Vec<Vec<&str>> = include_str!("../src/deflate/options.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("/// |")?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let levels = lines[0].iter().filter_map(|head| {
        let level = head.strip_prefix("memory level ")?;
        Some(level.parse().expect("a level"))
    });
    let figures = lines[2..].iter().map(|line| {
        line.iter()
            .map(|figure| figure.parse().expect("a figure"))
            .collect()
    });
    (levels.collect(), figures.collect())
}

/// What [`Deflate`] documents about the memory for each connection is what it is.
#[test]
fn the_documented_cost_of_the_codecs() {
    let cost = |wishes: &Deflate| {
        let mut compressors = Vec::new();
        for level in 1..=9 {
            let wishes = wishes.clone().with_memory_level(level);
            compressors.push(compressor(&wishes) as f64 / 1024.0);
        }
        (compressors, decompressor(wishes) as f64 / 1024.0)
    };
    println!("window bits; compressor in KiB at memory level 1 to 9; decompressor in KiB");
    let mut measured = Vec::new();
    for bits in 9..=15 {
        let wishes = Deflate::new()
            .with_max_window_bits(bits)
            .with_peer_max_window_bits(bits);
        let (compressors, decompressor) = cost(&wishes);
        print!("{bits:2}; ");
        for cost in &compressors {
            print!("{cost:6.1}");
        }
        println!("; {decompressor:5.1}");
        measured.push((bits, compressors, decompressor));
    }

    let (levels, figures) = documented();
    assert_eq!(figures.len(), measured.len());
    for (figures, (bits, compressors, decompressor)) in figures.iter().zip(&measured) {
        let mut expected = vec![f64::from(*bits)];
        expected.extend(
            levels
                .iter()
                .map(|level| compressors[usize::from(*level) - 1]),
        );
        expected.push(*decompressor);
        assert_eq!(figures.len(), expected.len());
        for (figure, expected) in figures.iter().zip(&expected) {
            assert!(
                (figure - expected).abs() <= 0.02 * expected,
                "{figure} is documented, {expected:.1} measured, for {bits} bits"
            );
        }
    }

    // Looking harder takes no more memory.
    for level in 1..=9 {
        let wishes = Deflate::new().with_level(level);
        assert_eq!(compressor(&wishes), compressor(&Deflate::default()));
    }
}
