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

mod accept;
mod assembly;
#[cfg(feature = "axum")]
pub mod axum;
pub mod broadcast;
mod clock;
mod close_event;
mod driver;
mod error;
mod handle;
#[cfg(feature = "hyper")]
pub mod hyper;
mod message;
mod message_reader;
mod message_writer;
mod opening;
mod pool;
pub mod server;
mod split;
mod text;
mod websocket;

pub use accept::{AcceptError, accept, accept_with};
pub use clock::within;
pub use close_event::CloseEvent;
pub use error::Error;
pub use message::Message;
pub use message_reader::MessageReader;
pub use message_writer::{MessageType, MessageWriter};
pub use sockless::handshake::{ClientOptions, Origins, ServerOptions, Uri};
pub use sockless::{
    CloseCode, Config, Deadlines, Delivery, Initiator, ProtocolError, SharedMessage, Timeout,
};
pub use text::Text;
pub use websocket::{Receiver, Sender, WebSocket};
