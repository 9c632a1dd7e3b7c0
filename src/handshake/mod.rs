//! The opening handshake (RFC 6455 section 4): one HTTP/1.1 request, one response.
//!
//! A server reads a [`Request`] and accepts it under its [`ServerOptions`], or answers it as plain HTTP. A
//! client writes the request of a [`ClientHandshake`] and reads what the server makes of it. Either way
//! the outcome is a [`Connection`](crate::Connection), or an error that says what to do.
//!
//! A server's answer is the beginning of its connection's output, written like everything after it. A
//! client has no connection before the server has answered, so it writes
//! [`ClientHandshake::output`] first.
//!
//! Where an HTTP library reads and writes the heads, the same rules apply to lists of headers: see
//! [`Request::new`] and [`Request::negotiate`], [`Response::new`] and [`ClientHandshake::establish`]. Over HTTP/2 and HTTP/3
//! that is the only way: see [`extended_connect`].

mod key;

#[cfg(feature = "alloc")]
mod attempt;
#[cfg(feature = "alloc")]
mod client;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "alloc")]
mod error;
#[cfg(feature = "alloc")]
pub mod extended_connect;
#[cfg(feature = "alloc")]
mod extensions;
#[cfg(feature = "alloc")]
mod fields;
#[cfg(feature = "alloc")]
mod head;
#[cfg(feature = "alloc")]
mod headers;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "alloc")]
mod negotiated;
#[cfg(feature = "alloc")]
mod options;
#[cfg(feature = "alloc")]
mod origin;
#[cfg(feature = "alloc")]
mod request;
#[cfg(feature = "alloc")]
mod request_error;
#[cfg(feature = "alloc")]
mod request_reader;
#[cfg(feature = "alloc")]
mod response;
#[cfg(feature = "alloc")]
mod server;
#[cfg(feature = "alloc")]
mod uri;

pub use key::accept_key;

#[cfg(feature = "alloc")]
pub use {
    client::{ClientHandshake, Opening},
    error::{HeadError, InputError, ResponseError},
    headers::Header,
    options::{ClientOptions, ServerOptions},
    origin::Origins,
    request::Request,
    request_error::RequestError,
    request_reader::RequestReader,
    response::Response,
    server::ServerHandshake,
    uri::Uri,
};
