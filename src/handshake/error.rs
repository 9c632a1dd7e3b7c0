//! What can go wrong in the opening handshake: a bad head, request or response from the peer, or bad
//! input from the application.

use alloc::vec::Vec;
use core::fmt;

use crate::handshake::headers::Header;
use crate::handshake::response::write_response;

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

/// A server refuses a request: what is wrong with it, and the answer that says so.
///
/// # Example
///
/// ```
/// use sockless::{Config, ReadBuffer, Request, RequestError, ServerOptions};
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n");
/// let request = Request::read(&mut buffer, &Config::default())?.expect("the head is whole");
/// let error = request.accept(&ServerOptions::default()).unwrap_err();
/// assert_eq!(error, RequestError::NotAnUpgrade);
/// assert_eq!(error.status(), 426);
/// assert!(error.response().starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestError {
    /// The head is not HTTP/1.1, or over a limit.
    Head(HeadError),
    /// HTTP/1.0: an upgrade needs HTTP/1.1 (RFC 6455 section 4.1, item 2).
    Http10,
    /// No `Host` header, or two (RFC 9112 section 3.2).
    Host,
    /// A method other than GET (RFC 6455 section 4.1, item 2).
    Method,
    /// The `Upgrade` header lacks `websocket`, or the `Connection` header lacks `upgrade`
    /// (RFC 6455 section 4.2.1, items 3 and 4).
    NotAnUpgrade,
    /// The request announces a body, which could be taken for frames.
    Body,
    /// No `Sec-WebSocket-Version` header, or two (RFC 6455 section 4.2.1, item 6).
    MissingVersion,
    /// A `Sec-WebSocket-Version` other than 13 (RFC 6455 section 4.4).
    UnsupportedVersion,
    /// No `Sec-WebSocket-Key` header, two, or one that is not 16 bytes in base64
    /// (RFC 6455 section 4.2.1, item 5).
    Key,
    /// Two `Origin` headers (RFC 6454 section 7.3).
    DuplicateOrigin,
    /// The `Origin` is not among those [`ServerOptions::origins`](crate::ServerOptions::origins) allows
    /// (RFC 6455 section 10.2).
    Origin,
    /// A `Sec-WebSocket-Protocol` header that is not a list of different tokens
    /// (RFC 6455 section 4.1, item 10).
    Subprotocols,
    /// No subprotocol in common, where one is required (RFC 6455 section 4.2.2, item 5).
    NoCommonSubprotocol,
    /// A `Sec-WebSocket-Extensions` header that does not fit its grammar (RFC 6455 section 9.1).
    Extensions,
}

impl RequestError {
    /// The HTTP status that tells the client: 400, 403, 405, 414, 426, 431 or 505.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Head(HeadError::Malformed)
            | Self::Host
            | Self::Body
            | Self::MissingVersion
            | Self::Key
            | Self::DuplicateOrigin
            | Self::Subprotocols
            | Self::NoCommonSubprotocol
            | Self::Extensions => 400,
            Self::Origin => 403,
            Self::Method => 405,
            Self::Head(HeadError::StartLineTooLong) => 414,
            Self::NotAnUpgrade | Self::UnsupportedVersion => 426,
            Self::Head(HeadError::TooLarge | HeadError::TooManyHeaders) => 431,
            Self::Head(HeadError::UnsupportedVersion) | Self::Http10 => 505,
        }
    }

    /// The headers that the answer must have beside the usual ones.
    #[must_use]
    pub const fn headers(self) -> &'static [Header<'static>] {
        match self {
            // RFC 9110 section 15.5.6.
            Self::Method => &[Header {
                name: "Allow",
                value: b"GET",
            }],
            // RFC 9110 section 15.5.22.
            Self::NotAnUpgrade => &[Header {
                name: "Upgrade",
                value: b"websocket",
            }],
            // RFC 6455 section 4.4.
            Self::UnsupportedVersion => &[
                Header {
                    name: "Upgrade",
                    value: b"websocket",
                },
                Header {
                    name: "Sec-WebSocket-Version",
                    value: b"13",
                },
            ],
            _ => &[],
        }
    }

    /// The whole answer to write before the transport is closed.
    #[must_use]
    pub fn response(self) -> Vec<u8> {
        let body = alloc::format!("{self}\n");
        let text = Header {
            name: "Content-Type",
            value: b"text/plain; charset=utf-8",
        };
        let headers: Vec<_> = self.headers().iter().copied().chain([text]).collect();
        write_response(self.status(), &headers, body.as_bytes())
    }
}

impl From<HeadError> for RequestError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(error) => return error.fmt(f),
            Self::Http10 => "WebSocket needs HTTP/1.1 (RFC 6455 section 4.1)",
            Self::Host => "not exactly one Host (RFC 9112 section 3.2)",
            Self::Method => "WebSocket needs the method GET (RFC 6455 section 4.1)",
            Self::NotAnUpgrade => "no upgrade to websocket (RFC 6455 section 4.2.1)",
            Self::Body => "body in a WebSocket request (RFC 6455 section 4.1)",
            Self::MissingVersion => {
                "not exactly one Sec-WebSocket-Version (RFC 6455 section 4.2.1)"
            }
            Self::UnsupportedVersion => "WebSocket version not supported (RFC 6455 section 4.4)",
            Self::Key => "not exactly one valid Sec-WebSocket-Key (RFC 6455 section 4.2.1)",
            Self::DuplicateOrigin => "two Origins (RFC 6454 section 7.3)",
            Self::Origin => "Origin not allowed (RFC 6455 section 10.2)",
            Self::Subprotocols => "malformed Sec-WebSocket-Protocol (RFC 6455 section 4.1)",
            Self::NoCommonSubprotocol => "no common subprotocol (RFC 6455 section 4.2.2)",
            Self::Extensions => "malformed Sec-WebSocket-Extensions (RFC 6455 section 9.1)",
        })
    }
}

impl core::error::Error for RequestError {}

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
    /// An extension that was not offered, or a header that is not a list of extensions (item 5).
    Extensions,
    /// A subprotocol that was not offered, or two (item 6).
    Subprotocol,
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
            Self::Extensions => "extension that was not offered (RFC 6455 section 4.1)",
            Self::Subprotocol => "subprotocol that was not offered (RFC 6455 section 4.1)",
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
    /// A header name that is not a token (RFC 9110 section 5.6.2).
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
            Self::HeaderName => "header name is not a token (RFC 9110 section 5.6.2)",
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
