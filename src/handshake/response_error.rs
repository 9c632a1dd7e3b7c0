//! Why a client refuses a response.

use core::fmt;

use crate::handshake::head_error::HeadError;

/// A client refuses a response: the server does not speak WebSocket, or not as was agreed
/// (RFC 6455 section 4.1). Close the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseError {
    /// A status line or header line that does not fit the grammar (RFC 9112 sections 2 to 5): a bare CR or
    /// LF, NUL, a folded line, a space before the colon, an empty or impossible name.
    MalformedHead,
    /// The status line alone is over [`Config::max_head_size`](crate::Config::max_head_size).
    StartLineTooLong,
    /// The head is over [`Config::max_head_size`](crate::Config::max_head_size).
    HeadTooLarge,
    /// There are more header lines than [`Config::max_headers`](crate::Config::max_headers).
    TooManyHeaders,
    /// Neither HTTP/1.1 nor HTTP/1.0, or an upgrade over HTTP/1.0 (RFC 9110 section 7.8).
    UnsupportedHttpVersion,
    /// Status 101 without `websocket` in the `Upgrade` header or without `upgrade` in the `Connection`
    /// header (items 2 and 3).
    NotAnUpgrade,
    /// No `Sec-WebSocket-Accept` header, two, or one that does not answer the key (item 4).
    Accept,
    /// A `Sec-WebSocket-Extensions` header that does not fit its grammar (RFC 6455 section 9.1).
    MalformedExtensions,
    /// An extension that was not offered, or the same extension twice (item 5).
    ExtensionNotOffered,
    /// The parameters of an extension do not fit the offer (RFC 7692 section 7.1): one is unknown, was not offered,
    /// is given twice or has a wrong or too large value, or one that the client asked for is missing.
    ExtensionParameters,
    /// A subprotocol that was not offered, or two (item 6).
    Subprotocol,
    /// The server answered with this status, which opens no connection. Only
    /// [`ClientHandshake::connect_on`](crate::handshake::ClientHandshake#method.connect_on) reports it so.
    Refused(u16),
    /// No response within [`Deadlines::handshake`](crate::Deadlines::handshake).
    Timeout,
}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Malformed => Self::MalformedHead,
            HeadError::StartLineTooLong => Self::StartLineTooLong,
            HeadError::TooLarge => Self::HeadTooLarge,
            HeadError::TooManyHeaders => Self::TooManyHeaders,
            HeadError::UnsupportedVersion => Self::UnsupportedHttpVersion,
        }
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(status) => {
                return write!(f, "the server answers {status} (RFC 6455 section 4.1)");
            }
            Self::MalformedHead => "malformed head (RFC 9112 section 2)",
            Self::StartLineTooLong => "status line too long (RFC 9112 section 4)",
            Self::HeadTooLarge => "head too large (RFC 9110 section 5.4)",
            Self::TooManyHeaders => "too many headers (RFC 9110 section 5.4)",
            Self::UnsupportedHttpVersion => "not HTTP/1.1 (RFC 9110 section 2.5)",
            Self::NotAnUpgrade => "101 without an upgrade to websocket (RFC 6455 section 4.1)",
            Self::Accept => "wrong Sec-WebSocket-Accept (RFC 6455 section 4.1)",
            Self::MalformedExtensions => {
                "malformed Sec-WebSocket-Extensions (RFC 6455 section 9.1)"
            }
            Self::ExtensionNotOffered => {
                "extension that was not offered, or the same twice (RFC 6455 section 4.1)"
            }
            Self::ExtensionParameters => {
                "extension parameters that do not fit the offer (RFC 7692 section 7.1)"
            }
            Self::Subprotocol => "subprotocol that was not offered (RFC 6455 section 4.1)",
            Self::Timeout => "no response in time (RFC 6455 section 4.1)",
        })
    }
}

impl core::error::Error for ResponseError {}
