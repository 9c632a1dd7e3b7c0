//! Why a client refuses a response.

use core::fmt;

use crate::handshake::head_error::HeadError;

/// Why a client refuses a response: the server does not speak WebSocket, or breaks RFC 6455, section 4.1.
///
/// Close the transport, or reset the stream of HTTP/2 or HTTP/3. Section 4.1 has a numbered list of checks for the
/// response. The variants below give the number of their item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseError {
    /// A status line or header line breaks the grammar (RFC 9112, sections 2 to 5). Examples are a bare CR or LF, NUL,
    /// a folded line, a space before the colon, and an empty or invalid name.
    ///
    /// One cause is a port that does not speak HTTP, for instance because it expects TLS.
    MalformedHead,
    /// The status line alone exceeds [`Config::max_head_size`](crate::Config::max_head_size).
    StartLineTooLong,
    /// The head exceeds [`Config::max_head_size`](crate::Config::max_head_size).
    HeadTooLarge,
    /// The head has more header lines than [`Config::max_headers`](crate::Config::max_headers).
    TooManyHeaders,
    /// The version is neither HTTP/1.1 nor HTTP/1.0, or status 101 comes over HTTP/1.0 (RFC 9110, section 7.8).
    UnsupportedHttpVersion,
    /// The status is 101, but `Upgrade` does not contain `websocket`, or `Connection` does not contain `upgrade` (items
    /// 2 and 3).
    ///
    /// Also a call of [`ClientHandshake::read_response`](crate::handshake::ClientHandshake::read_response) for a
    /// handshake over HTTP/2 or HTTP/3.
    NotAnUpgrade,
    /// `Sec-WebSocket-Accept` is missing, repeated, or does not answer the key (item 4).
    Accept,
    /// `Sec-WebSocket-Extensions` breaks its grammar (RFC 6455, section 9.1).
    MalformedExtensions,
    /// The server chose an extension that the client did not offer, or chose one twice (item 5).
    ExtensionNotOffered,
    /// The parameters of an extension do not fit the offer (RFC 7692, section 7.1).
    ///
    /// A parameter is unknown, was not offered, occurs twice, or has a wrong or too large value. Or a parameter is
    /// missing that the client asked for.
    ExtensionParameters,
    /// The server chose a subprotocol that the client did not offer, or chose two (item 6).
    Subprotocol,
    /// The server answered with this status, which does not open a connection.
    ///
    /// [`ClientHandshake::connect_on`](crate::handshake::ClientHandshake#method.connect_on) returns this error.
    /// [`read_response`](crate::handshake::ClientHandshake::read_response) returns the response instead.
    Refused(u16),
    /// The response was not complete within [`Deadlines::handshake`](crate::Deadlines::handshake).
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
                return write!(
                    f,
                    "the server answers with status {status} instead of 101 (RFC 6455 section 4.1)"
                );
            }
            Self::MalformedHead => "malformed response head (RFC 9112 section 2)",
            Self::StartLineTooLong => "status line too long (RFC 9112 section 4)",
            Self::HeadTooLarge => "response head too large (RFC 9110 section 5.4)",
            Self::TooManyHeaders => "too many response headers (RFC 9110 section 5.4)",
            Self::UnsupportedHttpVersion => "neither HTTP/1.1 nor HTTP/1.0, or an upgrade over HTTP/1.0 (RFC 9110 section 2.5)",
            Self::NotAnUpgrade => {
                "the response does not upgrade to websocket (RFC 6455 section 4.1)"
            }
            Self::Accept => "wrong Sec-WebSocket-Accept (RFC 6455 section 4.1)",
            Self::MalformedExtensions => {
                "malformed Sec-WebSocket-Extensions (RFC 6455 section 9.1)"
            }
            Self::ExtensionNotOffered => {
                "the server chose an extension that was not offered, or one twice (RFC 6455 section 4.1)"
            }
            Self::ExtensionParameters => {
                "the extension parameters do not fit the offer (RFC 7692 section 7.1)"
            }
            Self::Subprotocol => {
                "the server chose a subprotocol that was not offered, or two (RFC 6455 section 4.1)"
            }
            Self::Timeout => "the response did not arrive in time (RFC 6455 section 4.1)",
        })
    }
}

impl core::error::Error for ResponseError {}
