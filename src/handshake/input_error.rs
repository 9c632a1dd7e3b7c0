//! What the application must not write.

use core::fmt;

/// The application passed something that cannot be in a request or response.
///
/// Nothing was written. No input can break the lines of a head.
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
    /// A header that the handshake writes itself, or that would change where the head or body ends.
    ReservedHeader,
    /// A subprotocol that is not a token, or that is given twice (RFC 6455 section 4.1, item 10).
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
                "subprotocol is not a token, or is given twice (RFC 6455 section 4.1)"
            }
            Self::Status => "not a final status (RFC 9110 section 15)",
        })
    }
}

impl core::error::Error for InputError {}
