//! permessage-deflate (RFC 7692) through the opening handshake and over the wire.

// A test that cannot go on has failed; a table has as many rows as the rule has cases; bytes are made up
// from numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::too_many_lines, clippy::type_complexity)]
#![allow(clippy::cast_possible_truncation)]

mod support;

#[path = "deflate/codecs.rs"]
mod codecs;
#[path = "deflate/keepalive.rs"]
mod keepalive;
#[path = "deflate/limits.rs"]
mod limits;
#[path = "deflate/negotiation.rs"]
mod negotiation;
#[path = "deflate/properties.rs"]
mod properties;
#[path = "deflate/receiving.rs"]
mod receiving;
#[path = "deflate/reference.rs"]
mod reference;
#[path = "deflate/sending.rs"]
mod sending;
#[path = "deflate/shared.rs"]
mod shared;

use sockless::accept_key;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, RequestError, Response, ResponseError, ServerHandshake,
    ServerOptions, Uri,
};
use sockless::test_util::{
    Frame, Outcome, OwnedEvent, Pair, Peer, Role, encode, every_cut, run_peer,
};
use sockless::{
    Config, Connection, Deflate, Delivery, FrameHeader, ProtocolError, ReadBuffer, Seed, apply_mask,
};

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// The whole offer of a client with default wishes.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn with(deflate: Deflate) -> Config {
    Config::new().with_deflate(deflate)
}

/// Default limits and wishes, but with nothing left uncompressed for being short.
fn everything() -> Config {
    with(Deflate::new().with_min_size(0))
}

/// A server that is offered the headers `offers`, and its answer, taken off the output.
fn serve(offers: &[&str], config: &Config) -> Result<(Connection, Option<String>), RequestError> {
    let mut request = String::from(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    );
    for offer in offers {
        request.extend([EXTENSIONS, ": ", offer, "\r\n"]);
    }
    request += "\r\n";
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(request.as_bytes());
    let options = ServerOptions::new().with_config(config.clone());
    let mut connection = ServerHandshake::new(config)
        .read_request(&mut buffer)
        .expect("well-formed")
        .expect("whole")
        .accept(&options)?;
    let output = String::from_utf8(connection.output().to_vec()).unwrap();
    connection.advance_output(output.len());
    let answers: Vec<_> = output
        .lines()
        .filter_map(|line| line.strip_prefix(EXTENSIONS)?.strip_prefix(": "))
        .collect();
    assert!(answers.len() < 2, "{answers:?}");
    Ok((connection, answers.first().map(ToString::to_string)))
}

/// A client that is answered with the headers `answers`, and its offer.
fn ask(answers: &[&str], config: &Config) -> (Result<Connection, ResponseError>, Option<String>) {
    let options = ClientOptions::new().with_config(config.clone());
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut handshake = ClientHandshake::new(&uri, &options, Seed::new([3; 32])).unwrap();
    let request = String::from_utf8(handshake.request().to_vec()).unwrap();
    let values = |name: &str| {
        let name = format!("{name}: ");
        let lines = request.lines();
        let found: Vec<_> = lines.filter_map(|line| line.strip_prefix(&name)).collect();
        assert!(found.len() < 2, "{found:?}");
        found.first().map(ToString::to_string)
    };
    let accept = accept_key(values("Sec-WebSocket-Key").unwrap().as_bytes());
    let header = |name, value| Header { name, value };
    let mut headers = vec![
        header("Upgrade", b"websocket"),
        header("Connection", b"Upgrade"),
        header("Sec-WebSocket-Accept", &accept[..]),
    ];
    headers.extend(
        answers
            .iter()
            .map(|answer| header(EXTENSIONS, answer.as_bytes())),
    );
    let outcome = handshake.establish(Response::new(101, headers));
    let connection = outcome.map(|(_, connection)| connection.expect("a 101 refuses nothing"));
    (connection, values(EXTENSIONS))
}

/// A role that has agreed with a peer of default wishes.
fn agreed(role: Role, config: &Config) -> Connection {
    let connection = match role {
        Role::Server => serve(&[OFFER], config).unwrap().0,
        Role::Client => ask(&["permessage-deflate"], config).0.unwrap(),
    };
    assert!(connection.uses_deflate());
    connection
}

/// A server and a client that have agreed with each other.
fn pair(server: &Config, client: &Config) -> Pair {
    let (_, offer) = ask(&[], client);
    let offers: Vec<_> = offer.as_deref().into_iter().collect();
    let (server, answer) = serve(&offers, server).unwrap();
    let answers: Vec<_> = answer.as_deref().into_iter().collect();
    let client = ask(&answers, client).0.unwrap();
    assert_eq!(server.uses_deflate(), answer.is_some());
    assert_eq!(client.uses_deflate(), answer.is_some());
    Pair {
        server: Peer::with(server, ReadBuffer::new()),
        client: Peer::with(client, ReadBuffer::new()),
    }
}

/// What comes of a stream in pieces.
fn run(connection: Connection, bytes: &[u8], cuts: &[usize]) -> Outcome {
    run_peer(Peer::with(connection, ReadBuffer::new()), bytes, cuts)
}

/// What comes of the frames on either role and in either delivery mode, however they are cut: the same.
/// After an error, its Close frame is the last thing sent.
fn received(config: &Config, frames: &[Frame]) -> (Vec<OwnedEvent>, Option<ProtocolError>) {
    let mut results = Vec::new();
    for role in Role::BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            let config = config.clone().with_delivery(delivery);
            let bytes = encode(frames, role);
            let whole = run(agreed(role, &config), &bytes, &[]);
            for cuts in every_cut(bytes.len()) {
                let mut outcome = run(agreed(role, &config), &bytes, &cuts);
                // Of a message that fails, chunks of any number may have been delivered before.
                if delivery == Delivery::Chunks && whole.error.is_some() {
                    outcome.open.clone_from(&whole.open);
                }
                let what = format!("{role:?} {delivery:?} {frames:02x?} cut at {cuts:?}");
                assert_eq!(outcome, whole, "{what}");
            }
            if delivery == Delivery::Messages {
                assert_eq!(whole.open, None);
            }
            if let Some(error) = whole.error {
                let code = u16::from(error.close_code()).to_be_bytes();
                let (first, payload) = sent(&whole.output).pop().unwrap();
                assert_eq!((first, &payload[..2]), (0x88, &code[..]));
            }
            results.push((whole.events, whole.error));
        }
    }
    let first = results.swap_remove(0);
    for other in results {
        assert_eq!(other, first, "{frames:02x?}");
    }
    first
}

/// The frames in the output of a role, unmasked: first byte and payload.
fn sent(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((header, size)) = FrameHeader::parse(bytes).unwrap() {
        let end = size + usize::try_from(header.payload_length).unwrap();
        let mut payload = bytes[size..end].to_vec();
        apply_mask(&mut payload, header.masking_key.unwrap_or_default(), 0);
        frames.push((bytes[0], payload));
        bytes = &bytes[end..];
    }
    assert!(bytes.is_empty());
    frames
}

/// Bytes that do not compress, the same every time.
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        })
        .collect()
}

/// A payload that repeats three bytes from `distance` bytes before, in a block with fixed codes.
fn repeat(distance: usize) -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    let mut put = |value: usize, count: usize| {
        for i in 0..count {
            if at % 8 == 0 {
                bytes.push(0);
            }
            *bytes.last_mut().unwrap() |= ((value >> i & 1) as u8) << (at % 8);
            at += 1;
        }
    };
    // Huffman codes begin with their most significant bit, everything else with its least (RFC 1951
    // section 3.1.1).
    let code =
        |value: usize, count: usize| (0..count).fold(0, |code, i| code << 1 | value >> i & 1);
    put(0b010, 3);
    put(code(1, 7), 7);
    let d = distance - 1;
    if d < 4 {
        put(code(d, 5), 5);
    } else {
        let extra = d.ilog2() as usize - 1;
        put(code(2 * extra + (d >> extra), 5), 5);
        put(d, extra);
    }
    // The end of the block, and the header of the empty one.
    put(0, 7 + 3);
    bytes
}

/// A payload with the data as it is, in stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in data.chunks(0xffff) {
        let size = piece.len() as u16;
        bytes.push(0);
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&(!size).to_le_bytes());
        bytes.extend_from_slice(piece);
    }
    bytes.push(0);
    bytes
}
