//! WebSocket connections on tokio, over any transport that can be read and written.
//!
//! - [`WebSocket`]: one connection: receive, send, close. Made by [`accept`](WebSocket::accept),
//!   [`connect`](WebSocket::connect), or [`new`](WebSocket::new) after an upgrade made elsewhere.
//! - [`split`](WebSocket::split): its two halves, for two tasks.
//! - [`server`]: accepts clients, and ends gracefully.
//! - [`command_line`], [`advice`]: what the programs say before they begin, and why they cannot.
//!
//! Every method of a connection can be dropped while it waits, as `select!` and `timeout` do, and nothing is lost: what was received waits in
//! the buffer, what was sent in the output, and the next call goes on.

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
pub use handshake::{AcceptError, ConnectError};
pub use message::{Closed, Message};
pub use split::{Receiver, Sender};
pub use websocket::WebSocket;
