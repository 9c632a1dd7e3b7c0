//! Both sides of a connection, and futures that are dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use example_tokio::{Message, WebSocket};
use sockless::handshake::{Request, ServerOptions};
use sockless::{Config, Connection, Deadlines, ReadBuffer, Seed};
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};

/// The configuration of the examples.
pub fn config() -> Config {
    Config::new().with_deadlines(Deadlines::new())
}

pub fn client(config: &Config) -> Connection {
    Connection::client(config, Seed::new([7; 32]))
}

/// The answer of a server with this configuration.
pub fn accept(request: &Request<'_>) -> Connection {
    let options = ServerOptions::new().with_config(config());
    request.accept(&options).expect("a good request")
}

/// A client and a server over a transport that holds `capacity` bytes each way.
pub fn pair(config: &Config, capacity: usize) -> [WebSocket<DuplexStream>; 2] {
    let (a, b) = duplex(capacity);
    [
        WebSocket::new(a, client(config), ReadBuffer::new()),
        WebSocket::new(b, Connection::server(config), ReadBuffer::new()),
    ]
}

/// A server, and a peer of which only the transport is there.
pub fn server(config: &Config, capacity: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(capacity);
    let server = WebSocket::new(ours, Connection::server(config), ReadBuffer::new());
    (server, theirs)
}

/// The frames that a client sends for what `queue` does.
pub fn frames(queue: impl FnOnce(&mut Connection)) -> Vec<u8> {
    let mut client = client(&Config::new());
    queue(&mut client);
    client.output().to_vec()
}

/// Polls a future once and drops it.
pub async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// Runs a future and counts how often it is polled.
pub async fn polls<T>(future: impl Future<Output = T>) -> (T, usize) {
    let mut future = pin!(future);
    let mut count = 0;
    let value = poll_fn(|cx| {
        count += 1;
        future.as_mut().poll(cx)
    });
    (value.await, count)
}

/// Reads so many bytes.
pub async fn read(transport: &mut DuplexStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    transport
        .read_exact(&mut bytes)
        .await
        .expect("enough bytes");
    bytes
}

/// The message of this number: all lengths of the length field, both types.
pub fn message(number: usize) -> Message {
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
        Message::Text(text.chars().cycle().take(length).collect())
    } else {
        let data = (number..number + length).map(|i| (i % 251).to_le_bytes()[0]);
        Message::Binary(data.collect())
    }
}
