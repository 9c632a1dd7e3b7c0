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

mod attempt;
mod client;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "no_deflate.rs"]
mod deflate;
mod error;
pub mod extended_connect;
mod extensions;
mod fields;
mod head;
mod headers;
#[cfg(feature = "http")]
mod http;
mod key;
mod negotiated;
mod options;
mod origin;
mod request;
mod request_error;
mod request_reader;
mod response;
mod server;
mod uri;

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
