//! What can go wrong in the opening handshake: a bad head or response from the peer, or bad input from
//! the application. What is wrong with a request has an answer, and a file of its own.

use core::fmt;

/// The head of a request or response breaks HTTP/1.1 (RFC 9112), or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadError {
    /// A start line or header line that does not fit the grammar (RFC 9112 sections 2 to 5): a bare CR or
    /// LF, NUL, a folded line, a space before the colon, an empty or impossible name.
    Malformed,
    /// The start line alone is over [`Config::max_head_size`](crate::Config::max_head_size).
    StartLineTooLong,
    /// The head is over [`Config::max_head_size`](crate::Config::max_head_size).
    TooLarge,
    /// There are more header lines than [`Config::max_headers`](crate::Config::max_headers).
    TooManyHeaders,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    UnsupportedVersion,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed head (RFC 9112 section 2)",
            Self::StartLineTooLong => "start line too long (RFC 9112 section 3)",
            Self::TooLarge => "head too large (RFC 6585 section 5)",
            Self::TooManyHeaders => "too many headers (RFC 6585 section 5)",
            Self::UnsupportedVersion => "not HTTP/1.1 (RFC 9110 section 2.5)",
        })
    }
}

impl core::error::Error for HeadError {}

/// A client refuses a response: the server does not speak WebSocket, or not as was agreed
/// (RFC 6455 section 4.1). Close the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseError {
    /// The head is not HTTP/1.1, or over a limit.
    Head(HeadError),
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
    /// stands twice or has a wrong or too large value, or one that the client asked for is missing.
    ExtensionParameters,
    /// A subprotocol that was not offered, or two (item 6).
    Subprotocol,
    /// No response within [`Deadlines::handshake`](crate::Deadlines::handshake).
    Timeout,
}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(error) => return error.fmt(f),
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

/// The application passed something that cannot stand in a request or response.
///
/// Nothing was written: no input can break the line structure of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputError {
    /// Not a `ws:` or `wss:` URI as RFC 6455 section 3 defines it.
    Uri,
    /// A [`ClientOptions::host`](crate::handshake::ClientOptions::host) that is not a host with or without a port
    /// (RFC 9110 section 7.2).
    Host,
    /// A header name that is not a token (RFC 9110 section 5.6.2), or over HTTP/2 and HTTP/3 not in lower case
    /// (RFC 9113 section 8.2).
    HeaderName,
    /// A header value with a control character or with white space at its ends (RFC 9110 section 5.5).
    HeaderValue,
    /// A header that the handshake writes by itself, or that would change where the head or body ends.
    ReservedHeader,
    /// A subprotocol that is not a token, or that stands twice (RFC 6455 section 4.1, item 10).
    Subprotocol,
    /// A status under 200 or over 599: it does not end the exchange.
    Status,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri => "not a WebSocket URI (RFC 6455 section 3)",
            Self::Host => "not a host with or without a port (RFC 9110 section 7.2)",
            Self::HeaderName => "header name is not a token (RFC 9110 section 5.6.2), or over HTTP/2 not in lower case (RFC 9113 section 8.2)",
            Self::HeaderValue => "header value has a forbidden character (RFC 9110 section 5.5)",
            Self::ReservedHeader => "header belongs to the handshake (RFC 6455 section 4)",
            Self::Subprotocol => {
                "subprotocol is not a token, or stands twice (RFC 6455 section 4.1)"
            }
            Self::Status => "not a final status (RFC 9110 section 15)",
        })
    }
}

impl core::error::Error for InputError {}
