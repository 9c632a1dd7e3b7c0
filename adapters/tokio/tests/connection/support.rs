//! Connections in memory, and ways to poll their futures.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sockless::test_util::{Frame, Role};
use sockless::{Config, Deadlines, ReadBuffer};
use sockless_tokio::{Message, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, duplex};

/// A Close frame with code 1000, as a server sends it.
pub(crate) const CLOSE: &[u8] = b"\x88\x02\x03\xe8";

/// The configuration of the examples.
pub(crate) fn config() -> Config {
    Config::new().with_deadlines(Deadlines::new())
}

/// A client and a server over a transport that holds `capacity` bytes each way.
pub(crate) fn pair(config: &Config, capacity: usize) -> [WebSocket<DuplexStream>; 2] {
    let (server, theirs) = server(config, capacity);
    let client = Role::Client.connection(config);
    [WebSocket::new(theirs, client, ReadBuffer::new()), server]
}

/// A server, and the transport of its peer.
pub(crate) fn server(config: &Config, capacity: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    server_over(config, capacity, |transport| transport)
}

/// The same, over what `wrap` makes of the server's transport.
pub(crate) fn server_over<S: AsyncRead + AsyncWrite + Unpin>(
    config: &Config,
    capacity: usize,
    wrap: impl FnOnce(DuplexStream) -> S,
) -> (WebSocket<S>, DuplexStream) {
    let (ours, theirs) = duplex(capacity);
    let connection = Role::Server.connection(config);
    let server = WebSocket::new(wrap(ours), connection, ReadBuffer::new());
    (server, theirs)
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    Frame::new(first, payload).encode(Role::Server)
}

/// A client's Close frame with code 1000.
pub(crate) fn close() -> Vec<u8> {
    Frame::close(1000, "").encode(Role::Server)
}

/// Polls a future once and drops it.
pub(crate) fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future and counts its polls.
pub(crate) async fn polls<T>(future: impl Future<Output = T>) -> (T, usize) {
    let mut future = pin!(future);
    let mut count = 0;
    let value = poll_fn(|cx| {
        count += 1;
        future.as_mut().poll(cx)
    });
    (value.await, count)
}

/// Sends every message back until the connection ends.
pub(crate) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(server: &mut WebSocket<S>) {
    while let Ok(Some(message)) = server.recv().await {
        _ = server.send(message).await;
    }
}

/// Reads `n` bytes.
pub(crate) async fn read(transport: &mut DuplexStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    transport.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// A text message.
pub(crate) fn text(text: &str) -> Message {
    text.into()
}

/// The message of this number. The messages cover both types and all forms of the payload length.
pub(crate) fn message(number: usize) -> Message {
    let length = match number % 7 {
        0 => 0,
        1 => 125,
        2 => 126,
        3 => 4000,
        4 => 70_000,
        _ => number % 50,
    };
    if number.is_multiple_of(2) {
        let text = number.to_string() + " Grüße ";
        text.chars().cycle().take(length).collect::<String>().into()
    } else {
        let data = (number..number + length).map(|i| (i % 251).to_le_bytes()[0]);
        data.collect::<Vec<_>>().into()
    }
}
