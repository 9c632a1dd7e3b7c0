//! A WebSocket in a stream of HTTP/2 (RFC 8441), frame by frame, and TLS that ends without `close_notify`.

mod client;
mod ending;
mod flow_control;
mod frames;
mod peer;
#[path = "../../../rustls/tests/support/mod.rs"]
mod support;
mod truncation;

use sockless::test_util::{Frame, Role};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::peer::Peer;
use crate::support::Server;

fn start(test: &str) -> Server {
    Server::start(env!("CARGO_BIN_EXE_example-http2"), test)
}

/// A client of the server. Each of its streams has this window.
async fn connect(server: &Server, window: u32) -> Peer<TlsStream<TcpStream>> {
    Peer::client(server.tls(&[b"h2"]).await, window).await
}

/// A server, a client, and its streams, each with a WebSocket and this window.
async fn open<const N: usize>(
    test: &str,
    window: u32,
) -> (Server, Peer<TlsStream<TcpStream>>, [u32; N]) {
    let server = start(test);
    let mut peer = connect(&server, window).await;
    let mut streams = [0; N];
    for stream in &mut streams {
        *stream = peer.open().await;
    }
    (server, peer, streams)
}

/// Drops a client and ends its server.
fn finish(server: Server, peer: Peer<TlsStream<TcpStream>>) {
    drop(peer);
    server.finish();
}

/// A frame with this first byte, from a client and from a server.
fn frames(first: u8, payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (masked(first, payload), plain(first, payload))
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    Frame::new(first, payload).encode(Role::Server)
}

fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    Frame::new(first, payload).encode(Role::Client)
}

/// Bytes that depend on their place and on the seed. Any loss and any exchange changes them.
fn pattern(seed: usize, length: usize) -> Vec<u8> {
    let byte = |i: usize| u8::try_from((seed * 31 + i * 7 + i / 251) % 251).unwrap();
    (0..length).map(byte).collect()
}
