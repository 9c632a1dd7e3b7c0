//! Attacks of a peer and mistakes of a caller. A test that names a CVE or RUSTSEC number repeats an incident of another
//! WebSocket library. The incidents of compression are in `deflate_memory.rs` and `deflate/negotiation.rs`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_wrap,
    reason = "a failed test stops, and sizes are compared with signed counters"
)]

#[path = "hostile/application.rs"]
mod application;
#[path = "hostile/frames.rs"]
mod frames;
#[path = "hostile/handshake.rs"]
mod handshake;
#[path = "hostile/heads.rs"]
mod heads;
#[path = "support/heap.rs"]
mod heap;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "support/receive.rs"]
mod receive;

use sockless::accept_key;
use sockless::handshake::{
    ClientHandshake, ClientOptions, RequestError, ServerHandshake, ServerOptions, Uri,
};
use sockless::{FrameHeader, ReadBuffer, Seed};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn buffer(bytes: &[u8]) -> ReadBuffer {
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(bytes);
    buffer
}

/// The request with more header lines at its end.
fn request(lines: &str) -> String {
    let head = REQUEST.strip_suffix("\r\n").unwrap();
    format!("{head}{lines}\r\n")
}

/// What a server answers to a whole head.
fn accept(head: &[u8], options: &ServerOptions<'_>) -> Result<(), RequestError> {
    let mut buffer = buffer(head);
    let mut handshake = ServerHandshake::new(&options.config);
    let request = handshake.read_request(&mut buffer)?;
    request.expect("the head is whole").accept(options)?;
    Ok(())
}

fn client(seed: u8) -> ClientHandshake {
    let uri = Uri::parse("ws://example.com").unwrap();
    ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([seed; 32])).unwrap()
}

/// The 101 that this client accepts, with more header lines at its end.
fn response(client: &ClientHandshake, lines: &str) -> String {
    let headers = client.headers();
    let key = headers.iter().find(|header| header.is("Sec-WebSocket-Key"));
    let accept = accept_key(key.unwrap().value);
    let accept = std::str::from_utf8(&accept).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
    )
}

/// The headers of the frames in an output, which ends with a whole frame.
fn frame_headers(mut output: &[u8]) -> Vec<FrameHeader> {
    let mut headers = Vec::new();
    while let Some((header, size)) = FrameHeader::parse(output).unwrap() {
        output = &output[size + usize::try_from(header.payload_length).unwrap()..];
        headers.push(header);
    }
    assert!(output.is_empty());
    headers
}
