//! What a peer with bad intentions, or a caller with bad luck, might try. What went wrong in other WebSocket
//! libraries is here, one test for each incident; `tests/README.md` has the table.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_wrap,
    reason = "tests stop at the first surprise, and reckon with sizes"
)]

#[path = "hostile/application.rs"]
mod application;
#[cfg(feature = "deflate")]
#[path = "hostile/compression.rs"]
mod compression;
#[path = "hostile/connection.rs"]
mod connection;
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

use sockless::accept_key;
use sockless::handshake::ClientHandshake;
use sockless::{FrameHeader, ReadBuffer};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn buffer(bytes: &[u8]) -> ReadBuffer {
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(bytes);
    buffer
}

/// The request with more header lines behind its own.
fn request(lines: &str) -> String {
    let head = REQUEST.strip_suffix("\r\n").unwrap();
    format!("{head}{lines}\r\n")
}

/// The 101 that this client waits for, with more header lines behind its own.
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
