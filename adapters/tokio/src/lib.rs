//! WebSocket connections on tokio, over any transport that implements [`AsyncRead`] and [`AsyncWrite`].
//!
//! - [`WebSocket`] is a connection in one task. [`accept`](WebSocket::accept) and [`connect`](WebSocket::connect)
//!   make the opening handshake. [`new`](WebSocket::new) takes a connection after an upgrade that was made elsewhere.
//! - [`split`](WebSocket::split) divides a connection into two halves, for two tasks.
//!
//! All futures are cancel-safe: you can drop them in `select!` or `timeout`. Received bytes stay in the read buffer
//! and sent bytes in the output. The next call continues there.
//!
//! [`AsyncRead`]: tokio::io::AsyncRead
//! [`AsyncWrite`]: tokio::io::AsyncWrite

mod clock;
mod driver;
mod message;
mod opening;
mod split;
mod websocket;

pub use clock::within;
pub use message::{Closed, Message};
pub use split::{Receiver, Sender};
pub use websocket::WebSocket;
