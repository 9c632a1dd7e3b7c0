//! WebSocket connections on tokio, over any transport that implements [`AsyncRead`] and [`AsyncWrite`].
//!
//! - [`WebSocket`] is a connection in one task. [`accept`](WebSocket::accept) and [`connect`](WebSocket::connect)
//!   make the opening handshake. [`new`](WebSocket::new) takes a connection after an upgrade that was made elsewhere.
//! - [`split`](WebSocket::split) divides a connection into two halves, for two tasks.
//! - [`server`] accepts clients and ends gracefully.
//! - [`command_line`] and [`advice`] read arguments and explain errors.
//!
//! All futures are cancel-safe: you can drop them in `select!` or `timeout`. Received bytes stay in the read buffer
//! and sent bytes in the output. The next call continues there.
//!
//! [`AsyncRead`]: tokio::io::AsyncRead
//! [`AsyncWrite`]: tokio::io::AsyncWrite

#[path = "../../common/advice.rs"]
pub mod advice;
mod clock;
pub mod command_line;
mod driver;
mod handshake;
mod message;
pub mod server;
mod split;
mod websocket;

pub use clock::within;
pub use message::{Closed, Message};
pub use split::{Receiver, Sender};
pub use websocket::WebSocket;
