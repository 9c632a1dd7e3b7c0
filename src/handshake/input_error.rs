//! Errors in what the application wants to write.

use core::fmt;

/// The application gave something that must not be in a request or response.
///
/// The crate checks all input before it writes any of it. So header injection is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputError {
    /// The text is not a `ws:` or `wss:` URI (RFC 6455, section 3).
    Uri,
    /// [`ClientOptions::host`](crate::handshake::ClientOptions::host) is not a host with an optional port (RFC 9110,
    /// section 7.2).
    Host,
    /// A header name is not a token (RFC 9110, section 5.6.2). Over HTTP/2 and HTTP/3, a name with an upper-case letter
    /// is also this error (RFC 9113, section 8.2.1).
    HeaderName,
    /// A header value has a control character, or white space at its ends (RFC 9110, section 5.5).
    HeaderValue,
    /// The crate writes this header itself, like `Host` or `Sec-WebSocket-Key`. Or the header would change where the
    /// message ends, like `Transfer-Encoding`. Over HTTP/2 and HTTP/3, headers about an HTTP/1.1 connection are
    /// reserved, too, like `Keep-Alive`.
    ReservedHeader,
    /// A subprotocol is not a token, or occurs twice (RFC 6455, section 4.1).
    Subprotocol,
    /// The status of a response is not from 200 to 599. Other statuses do not end the exchange (RFC 9110, section 15).
    Status,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri => "not a ws: or wss: URI (RFC 6455 section 3)",
            Self::Host => "not a host with an optional port (RFC 9110 section 7.2)",
            Self::HeaderName => {
                "header name is not a token, or has upper case over HTTP/2 \
                 (RFC 9110 section 5.6.2, RFC 9113 section 8.2.1)"
            }
            Self::HeaderValue => {
                "header value has a control character, or white space at its ends (RFC 9110 section 5.5)"
            }
            Self::ReservedHeader => "reserved header: the crate writes it, or the message would end elsewhere (RFC 6455 section 4)",
            Self::Subprotocol => {
                "subprotocol is not a token, or occurs twice (RFC 6455 section 4.1)"
            }
            Self::Status => "status is not from 200 to 599 (RFC 9110 section 15)",
        })
    }
}

impl core::error::Error for InputError {}
