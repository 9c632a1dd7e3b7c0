//! The opening handshake (RFC 6455 section 4).

pub(crate) mod key;

#[cfg(feature = "alloc")]
pub(crate) mod client;
#[cfg(feature = "alloc")]
pub(crate) mod error;
#[cfg(feature = "alloc")]
pub(crate) mod extensions;
#[cfg(feature = "alloc")]
pub(crate) mod head;
#[cfg(feature = "alloc")]
pub(crate) mod headers;
#[cfg(feature = "alloc")]
pub(crate) mod origin;
#[cfg(feature = "alloc")]
pub(crate) mod request;
#[cfg(feature = "alloc")]
pub(crate) mod request_error;
#[cfg(feature = "alloc")]
pub(crate) mod response;
#[cfg(feature = "alloc")]
pub(crate) mod server;
#[cfg(feature = "alloc")]
pub(crate) mod uri;
