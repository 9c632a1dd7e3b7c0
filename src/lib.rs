#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "The pure layer of the WebSocket protocol (RFC 6455), without an allocator."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::cast_possible_truncation,
        clippy::large_stack_arrays,
        reason = "tests stop at the first surprise, and make up bytes from numbers"
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
// What derives Arbitrary needs it.
#[cfg(feature = "arbitrary")]
extern crate std;

mod close;
mod close_code;
mod error;
mod frame;
mod handshake;
mod mask;
mod utf8;

#[cfg(feature = "alloc")]
mod closing;
#[cfg(feature = "alloc")]
mod config;
#[cfg(feature = "alloc")]
mod connection;
#[cfg(feature = "alloc")]
mod event;
#[cfg(feature = "alloc")]
mod masking_keys;
#[cfg(feature = "alloc")]
mod output;
#[cfg(feature = "alloc")]
mod pongs;
#[cfg(feature = "alloc")]
mod read_buffer;
#[cfg(feature = "alloc")]
mod receiver;
#[cfg(feature = "alloc")]
mod role;
#[cfg(feature = "alloc")]
mod sender;

pub use close::CloseFrame;
pub use close_code::CloseCode;
pub use error::{ProtocolError, SendError};
pub use frame::{FrameHeader, Opcode};
pub use handshake::key::accept_key;
pub use mask::apply_mask;
pub use utf8::Utf8Validator;

#[cfg(feature = "alloc")]
pub use {
    closing::{CloseEvent, Initiator, TransportAction},
    config::{Config, Delivery, Reply},
    connection::Connection,
    event::Event,
    handshake::client::{ClientHandshake, ClientOptions, Opening},
    handshake::error::{HeadError, InputError, ResponseError},
    handshake::headers::Header,
    handshake::origin::Origins,
    handshake::request::Request,
    handshake::request_error::RequestError,
    handshake::response::Response,
    handshake::server::{ServerHandshake, ServerOptions},
    handshake::uri::Uri,
    masking_keys::Seed,
    read_buffer::ReadBuffer,
};

#[cfg(feature = "getrandom")]
pub use masking_keys::SeedError;
