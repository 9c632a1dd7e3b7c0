//! The heap of a connection with permessage-deflate: what a message that inflates much can cost, what a codec owns, and
//! what stays between messages.
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
    reason = "a failed test stops, and sizes are compared with signed counters"
)]

use sockless::test_util::{Frame, OwnedEvent, Role, assert_legal, encode};
use sockless::{
    Codecs, Config, Connection, Deflate, Delivery, Event, ProtocolError, ReadBuffer, SharedMessage,
};
use zlib_rs::{DeflateConfig, DeflateFlush};

use data::json;
use heap::{NOTHING, measure};
use receive::receive;

#[path = "support/data.rs"]
mod data;
#[path = "support/extension.rs"]
mod extension;
#[path = "support/heap.rs"]
mod heap;
#[path = "support/receive.rs"]
mod receive;

const READ: usize = 4096;
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A server and a client that agreed on what both wish.
fn pair(wishes: &Deflate, config: Config) -> (Connection, Connection) {
    let config = config.with_deflate(wishes.clone());
    let pair = extension::pair(&config, &config);
    (pair.server.connection, pair.client.connection)
}

/// A connection in this role, with default wishes.
fn agreed(role: Role, delivery: Delivery, max_message_size: usize) -> Connection {
    let config = Config::new()
        .with_delivery(delivery)
        .with_max_message_size(max_message_size as u64);
    let (server, client) = pair(&Deflate::default(), config);
    match role {
        Role::Server => server,
        Role::Client => client,
    }
}

fn no_takeover() -> Deflate {
    Deflate::new()
        .with_context_takeover(false)
        .with_peer_context_takeover(false)
}

/// A compressed message to `to` in fragments of `size` bytes. `opcode` is 1 for text and 2 for binary.
fn frames(to: Role, opcode: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let pieces = payload.chunks(size);
    let mut frames: Vec<_> = pieces.map(|piece| Frame::new(0x00, piece)).collect();
    frames[0].first = 0x40 | opcode;
    frames.last_mut().unwrap().first |= 0x80;
    encode(&frames, to)
}

/// The payload of a message of `size` zeros, compressed in pieces of 1 MiB.
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
    // The compressed piece refers to nothing before it and ends at a byte, so copies of it can follow each other.
    let mut payload = compress(PIECE).repeat(size / PIECE);
    if !size.is_multiple_of(PIECE) {
        payload.extend(compress(size % PIECE));
    }
    assert!(payload.ends_with(&TAIL));
    payload.truncate(payload.len() - TAIL.len());
    payload
}

/// Bytes that a decompressor with a full window owns.
fn decompressor(wishes: &Deflate) -> isize {
    let (mut server, _) = pair(wishes, Config::default());
    let wire = frames(Role::Server, 2, &zeros(64 << 10), usize::MAX);
    let ((), heap) = measure(|| {
        let received = receive(&mut server, &mut ReadBuffer::new(), &wire, READ);
        assert_eq!(received.error, None);
    });
    heap.kept
}

/// Bytes that a compressor owns.
fn compressor(wishes: &Deflate) -> isize {
    let (mut server, _) = pair(wishes, Config::default());
    let ((), heap) = measure(|| {
        server.send_binary(&vec![0; 64 << 10]).expect("open");
        server.take_output(&mut Vec::new());
    });
    heap.kept
}

/// The allowance beyond the codec and the message: the reads, and what one step inflates.
const SLACK: isize = 64 << 10;
/// The allowance beyond the codec when messages are delivered in chunks: what is inflated and not yet delivered.
const CHUNK: isize = 96 << 10;

/// CVE-2018-1000518, CVE-2026-1526: other libraries inflated a small message as a whole, and looked at its size
/// afterwards. sockless checks the limit while it inflates: the last allowed byte passes, and the next one does not.
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
            (64 << 20, 4 << 20),
        ] {
            let payload = zeros(size);
            for (role, opcode) in [(Role::Server, 1), (Role::Server, 2), (Role::Client, 2)] {
                for fragments in [usize::MAX, 64, 7, 1] {
                    let wire = frames(role, opcode, &payload, fragments);
                    let mut connection = agreed(role, delivery, limit);
                    let mut buffer = ReadBuffer::new();
                    let (received, heap) =
                        measure(|| receive(&mut connection, &mut buffer, &wire, READ));
                    let what = format!(
                        "{size} for {limit} in {fragments}, {opcode}, {role:?}, {delivery:?}"
                    );
                    if size <= limit {
                        assert_eq!((received.bytes, received.error), (size, None), "{what}");
                        // Fragments of 64 bytes and more inflate to whole chunks.
                        assert!(
                            fragments < 64 || size / received.events >= 16 << 10,
                            "{what}: {received:?}"
                        );
                    } else {
                        let error = Some(ProtocolError::MessageTooLarge);
                        assert_eq!(received.error, error, "{what}");
                        assert!(received.bytes <= limit, "{what}");
                        let told = assert_legal(role, connection.output());
                        assert!(matches!(told[..], [OwnedEvent::Close(1009, _)]), "{what}");
                    }
                    let limit = limit as isize;
                    let (bound, moved) = if delivery == Delivery::Messages {
                        (limit + SLACK, 2 * limit + SLACK)
                    } else {
                        (CHUNK, 2 * CHUNK)
                    };
                    assert!(heap.peak <= own + bound, "{what}: {heap:?}, {own} owned");
                    assert!(heap.moved <= own + moved, "{what}: {heap:?}, {own} owned");
                    // The buffer holds the message, or what is inflated and not yet delivered.
                    let most = if delivery == Delivery::Chunks {
                        CHUNK / 2
                    } else if opcode == 1 {
                        limit + CHUNK / 2
                    } else {
                        limit + 1 + 2 * READ as isize
                    };
                    let capacity = buffer.capacity() as isize;
                    assert!(capacity <= most, "{what}: {capacity}");
                }
            }
        }
    }
}

/// RUSTSEC-2026-0258: frames without payload cost memory or time in another library. A fragment of a compressed message
/// costs nothing if it is empty, and no decompressor exists before the first byte of payload.
#[test]
fn empty_fragments_of_a_compressed_message_cost_nothing() {
    for role in Role::BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            for begin in [&[][..], &[0xf2, 0x48, 0xcd]] {
                let mut connection = agreed(role, delivery, 1 << 20);
                let mut buffer = ReadBuffer::with_capacity(4096);
                let mut take = |bytes: &[u8]| {
                    let received = receive(&mut connection, &mut buffer, bytes, bytes.len());
                    assert_eq!(received.error, None);
                };
                let empty = Frame::new(0x00, "").encode(role).repeat(100);
                let first = Frame::new(0x41, begin).encode(role);
                let ((), heap) = measure(|| take(&first));
                if begin.is_empty() {
                    assert!(heap.kept <= 1024, "{heap:?}");
                } else {
                    // Allocates once what the payload could inflate to.
                    take(&empty);
                }
                let ((), heap) = measure(|| (0..1000).for_each(|_| take(&empty)));
                assert_eq!(heap, NOTHING);
            }
        }
    }
}

/// Blocks without content take no memory. A message may have any number of stored blocks. It may have only 4096 blocks
/// with BFINAL, because each one costs time. A full window, which the next block may refer to, changes nothing.
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
                // A frame for each byte: fewer blocks make enough frames.
                let most = if fragments == 1 { 40_000 } else { usize::MAX };
                payload.extend(block.repeat(count.min(most)));
                // The header of the last block. The receiver appends the rest of it.
                payload.push(0);
                let wire = frames(Role::Server, 2, &payload, fragments);
                let mut server = agreed(Role::Server, delivery, 16 << 20);
                let mut buffer = ReadBuffer::new();
                let (received, heap) = measure(|| receive(&mut server, &mut buffer, &wire, READ));
                let what =
                    format!("{block:?} {count} times after {first}, {delivery:?}, {fragments}");
                let error = (!passes).then_some(ProtocolError::CorruptCompression);
                assert_eq!(received.error, error, "{what}");
                assert!(!passes || received.bytes == first, "{what}");
                // A growing buffer has room for twice its content.
                let most = own + 2 * first as isize + SLACK;
                assert!(heap.peak <= most, "{what}: {heap:?}");
            }
        }
    }
}

/// Sends `text` from one role to the other, through a buffer that exists already.
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
        let texts: Vec<_> = (0..16).map(|i| json(size, i)).collect();
        let (mut server, mut client) = pair(&Deflate::default(), Config::default());
        let mut buffer = ReadBuffer::new();
        let mut round = || {
            for text in &texts {
                transfer(&mut client, &mut server, &mut buffer, text);
                transfer(&mut server, &mut client, &mut buffer, text);
            }
        };
        // Fills the windows.
        (0..=(64 << 10) / (16 * size)).for_each(|_| round());
        // At least 16 messages each way, and up to 1 MiB.
        let rounds = ((1 << 20) / (16 * size)).clamp(1, 10);
        let ((), heap) = measure(|| (0..rounds).for_each(|_| round()));
        assert_eq!(heap, NOTHING, "{size} bytes");
    }
}

#[test]
fn without_context_takeover_nothing_is_kept() {
    let wishes = no_takeover();
    let text = json(100 << 10, 0);
    let (mut server, mut client) = pair(&wishes, Config::default());
    let ((), heap) = measure(|| {
        let mut buffer = ReadBuffer::new();
        let mut round = || {
            transfer(&mut client, &mut server, &mut buffer, &text);
            transfer(&mut server, &mut client, &mut buffer, &text);
        };
        // Both outputs and the read buffer grow to the message.
        let ((), grown) = measure(&mut round);
        assert!(grown.kept < 800 << 10, "{grown:?}");
        let ((), steady) = measure(|| (0..10).for_each(|_| round()));
        assert_eq!(steady.kept, 0);
        assert!(steady.allocations > 0);
        buffer.shrink_to(0);
        assert_eq!(buffer.capacity(), 0);
        server.take_output(&mut Vec::new());
        client.take_output(&mut Vec::new());
    });
    assert_eq!(heap.kept, 0, "{heap:?}");
}

#[test]
fn a_thousand_connections_share_one_pair_of_codecs() {
    let wishes = no_takeover();
    let [large, small] = [40 << 10, 2 << 10].map(|size| {
        let (_, mut client) = pair(&wishes, Config::default());
        let text = json(size, 0);
        client.send_text(&text).expect("open");
        (client.output().to_vec(), text)
    });
    let own = decompressor(&Deflate::default()) + compressor(&Deflate::default());

    let mut servers: Vec<_> = (0..1000)
        .map(|_| pair(&wishes, Config::default()).0)
        .collect();
    let mut codecs = Codecs::new();
    let mut buffer = ReadBuffer::new();
    let mut output = Vec::new();
    let mut echo = |server: &mut Connection, (wire, text): &(Vec<u8>, String)| {
        server.lend_codecs(&mut codecs);
        // All connections use the memory of one output.
        server.take_output(&mut output);
        buffer.extend_from_slice(wire);
        while let Some(event) = server.next_event(&mut buffer).expect("legal") {
            let Event::Text { text: echo, .. } = event else {
                panic!("{event:?}")
            };
            assert_eq!(echo, text);
            server.send_text(echo).expect("open");
        }
        server.take_output(&mut output);
        assert!(!output.is_empty());
        server.advance_output(output.len());
        server.reclaim_codecs(&mut codecs);
    };
    let ((), heap) = measure(|| echo(&mut servers[0], &large));
    // The codecs with full windows, the read buffer, the message and the output.
    assert!(heap.kept >= own, "{heap:?}");
    assert!(heap.kept <= own + (256 << 10), "{heap:?}");
    let ((), heap) = measure(|| {
        for (i, server) in servers.iter_mut().enumerate() {
            let large_now = i % 50 == 0;
            echo(server, if large_now { &large } else { &small });
        }
    });
    assert_eq!(heap, NOTHING);
}

/// The first connection compresses the shared message. Each further one pays only for a place in its queue, and has no
/// compressor, even with context takeover.
#[test]
fn a_shared_message_costs_one_compression() {
    const SIZE: usize = 1 << 20;
    const PLACE: isize = 512;
    let text = json(SIZE, 0);
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
    // The frame stays. The compressor and room for the largest output existed for a moment.
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
    // The message still owns the frame after the last connection has written it.
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

#[test]
fn a_shared_message_has_no_compressed_form_before_it_is_needed() {
    for size in [10, 1 << 10, 100 << 10] {
        let text = json(size, 0);
        let (message, heap) = measure(|| SharedMessage::text(&text));
        let most = size as isize + 400;
        assert!(heap.kept <= most, "{heap:?}");
        let (clone, heap) = measure(|| message.clone());
        assert_eq!(heap, NOTHING);
        let mut server = pair(&Deflate::default(), Config::default()).0;
        server.compress_messages(false);
        let ((), heap) = measure(|| {
            server.send_shared(&clone).expect("open");
            server.take_output(&mut Vec::new());
        });
        assert_eq!(heap.kept, 0);
    }
}

#[test]
fn an_idle_connection_owns_two_small_boxes() {
    let size = size_of::<Connection>();
    assert!(size <= 192, "{size} bytes");
    for wishes in [Deflate::new(), no_takeover()] {
        let (idle, heap) = measure(|| pair(&wishes, Config::default()).0);
        assert!(heap.kept <= 96, "{heap:?}");
        drop(idle);

        // Messages without compression change nothing.
        let (mut server, _) = pair(&wishes, Config::default());
        let ((), heap) = measure(|| {
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(&Frame::new(0x82, [1]).encode(Role::Server));
            assert!(server.next_event(&mut buffer).expect("legal").is_some());
            server.send_text("short").expect("open");
            server.take_output(&mut Vec::new());
        });
        assert_eq!(heap.kept, 0);
    }
}

/// The table in the docs of [`Deflate`] has the measured sizes.
#[test]
fn the_documented_cost_of_the_codecs() {
    let table: Vec<Vec<&str>> = include_str!("../src/deflate/options.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("/// |")?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    // The memory level of each column of compressors.
    let levels = table[0].iter();
    let levels: Vec<u8> = levels
        .filter_map(|head| Some(head.strip_prefix("memory level ")?.parse().unwrap()))
        .collect();
    assert_eq!((levels.len(), table.len()), (4, 2 + 7));
    println!("window bits; compressor in KiB at memory levels {levels:?}; decompressor in KiB");
    for (line, bits) in table[2..].iter().zip(9..=15) {
        let wishes = Deflate::new()
            .with_max_window_bits(bits)
            .with_peer_max_window_bits(bits);
        let kib = |bytes: isize| bytes as f64 / 1024.0;
        let mut measured = vec![f64::from(bits)];
        for level in &levels {
            let wishes = wishes.clone().with_memory_level(*level);
            measured.push(kib(compressor(&wishes)));
        }
        measured.push(kib(decompressor(&wishes)));
        println!("{measured:6.1?}");
        assert_eq!(line.len(), measured.len());
        for (figure, measured) in line.iter().zip(measured) {
            let figure: f64 = figure.parse().unwrap();
            assert!(
                (figure - measured).abs() <= 0.02 * measured,
                "{figure} is documented, {measured:.1} measured, for {bits} bits"
            );
        }
    }

    // A higher level takes no more memory.
    for level in 1..=9 {
        let wishes = Deflate::new().with_level(level);
        assert_eq!(compressor(&wishes), compressor(&Deflate::default()));
    }
}
