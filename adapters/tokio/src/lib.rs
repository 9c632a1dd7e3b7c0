// These definitions take precedence over those of the README, which lead to files.
//! [`accept`]: accept()
//! [`accept_with`]: accept_with
//! [`broadcast`]: mod@broadcast
//! [`connect`]: connect()
//! [`ConnectError`]: ConnectError
//! [`Connector`]: Connector
//! [from_tokio_tungstenite]: guide::from_tokio_tungstenite
//! [`MessageReader`]: MessageReader
//! [`MessageWriter`]: MessageWriter
//! [`Receiver`]: Receiver
//! [`Sender`]: Sender
//! [`server`]: mod@server
//! [`WebSocket`]: WebSocket
#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a failed test may panic"
    )
)]

mod accept;
mod assembly;
#[cfg(feature = "axum")]
pub mod axum;
pub mod broadcast;
mod clock;
mod close_event;
mod connect;
mod driver;
mod error;
pub mod guide;
mod handle;
#[cfg(feature = "http2")]
pub mod http2;
#[cfg(feature = "hyper")]
pub mod hyper;
mod message;
mod message_reader;
mod message_writer;
mod pool;
pub mod server;
mod split;
mod text;
#[cfg(feature = "tracing")]
mod trace;
#[cfg(not(feature = "tracing"))]
#[path = "trace/disabled.rs"]
mod trace;
mod websocket;

pub use accept::{AcceptError, accept, accept_with};
pub use clock::within;
pub use close_event::CloseEvent;
pub use connect::error::{ConnectError, ProxyError, RedirectError, Step, TcpError};
pub use connect::handshake::connect_over;
#[cfg(feature = "http2")]
pub use connect::http2::HttpVersions;
#[cfg(feature = "proxy")]
pub use connect::proxy::Proxy;
pub use connect::response::Response;
pub use connect::transport::{HttpVersion, Transport};
pub use connect::{Connector, connect};
pub use error::Error;
pub use message::Message;
pub use message_reader::MessageReader;
pub use message_writer::{MessageType, MessageWriter};
#[cfg(feature = "deflate")]
pub use sockless::Deflate;
pub use sockless::handshake::{
    ClientOptions, Header, InputError, Origins, Request, RequestError, ResponseError,
    ServerOptions, Uri,
};
pub use sockless::{
    CloseCode, Config, Connection, Deadlines, Delivery, Initiator, ProtocolError, ReadBuffer,
    Reply, SendError, SharedMessage, Timeout,
};
pub use text::Text;
#[cfg(feature = "rustls")]
pub use tokio_rustls::rustls;
pub use websocket::{Receiver, Sender, WebSocket};
