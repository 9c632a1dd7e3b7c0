//! The bodies of the fuzz targets: each takes any bytes and panics when a promise of sockless is broken.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a fuzz target says what it found"
)]

use sockless::handshake::ClientOptions;
use sockless::{Config, Connection, Deflate};

pub mod close_frame;
pub mod deflate_round_trip;
pub mod frame_header;
pub mod inflate_limit;
mod input;
pub mod mask;
mod memory;
pub mod negotiation;
mod offers;
mod opening;
pub mod operations;
mod receive;
pub mod receive_client;
pub mod receive_server;
pub mod request_head;
pub mod response_head;
#[cfg(test)]
mod tests;
pub mod two_peers;
pub mod utf8;

/// The `Sec-WebSocket-Key` that the client of these targets sends, the same every time.
#[must_use]
pub fn key() -> Vec<u8> {
    let client = opening::client(&ClientOptions::new());
    let client = client.expect("nothing is wrong with the options");
    let headers = client.headers();
    let key = headers.iter().find(|header| header.is("Sec-WebSocket-Key"));
    key.expect("a client sends it").value.to_vec()
}

/// A server that has agreed on compression, and compresses whatever it sends.
#[must_use]
pub fn compressing_server() -> Connection {
    let config = Config::new().with_deflate(Deflate::new().with_min_size(0));
    opening::pair(config.clone(), config).0
}

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("close_frame", close_frame::run),
    ("deflate_round_trip", deflate_round_trip::run),
    ("frame_header", frame_header::run),
    ("inflate_limit", inflate_limit::run),
    ("mask", mask::run),
    ("negotiation", negotiation::run),
    ("receive_client", receive_client::run),
    ("receive_server", receive_server::run),
    ("request_head", request_head::run),
    ("response_head", response_head::run),
    ("two_peers", two_peers::run),
    ("utf8", utf8::run),
];
