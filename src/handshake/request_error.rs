//! Why a server refuses a request, and the response that says so (RFC 6455, section 4.2.2).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::connection::{Config, Connection};
use crate::handshake::head_error::HeadError;
use crate::handshake::headers::Header;
use crate::handshake::input_error::InputError;
use crate::handshake::response::write_response;

/// Why a server refuses a request.
///
/// [`refuse`](Self::refuse) makes a [`Connection`] that delivers the response to the client. With an HTTP library, let
/// the library write the [`status`](Self::status) and the [`headers`](Self::headers). Over HTTP/2 and HTTP/3, it writes
/// those of [`over_http2`](Self::over_http2).
///
/// The text of the error names the RFC section of the rule. It is also the body of the response over HTTP/1.1, except
/// for [`Host`](Self::Host) and [`Method`](Self::Method): the request may be a HEAD, so their responses have no body.
///
/// # Example
///
/// ```
/// use sockless::{Config, ReadBuffer};
/// use sockless::handshake::{RequestError, ServerHandshake, ServerOptions};
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n");
/// let mut handshake = ServerHandshake::new(&Config::default());
/// let request = handshake.read_request(&mut buffer)?.expect("the head is complete");
/// let error = request.accept(&ServerOptions::default()).unwrap_err();
/// assert_eq!(error, RequestError::NotAnUpgrade);
/// assert_eq!(error.status(), 426);
/// assert!(error.response().starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestError {
    /// A request line or header line breaks the grammar (RFC 9112, sections 2 to 5). Examples are a bare CR or LF, NUL,
    /// a folded line, a space before the colon, and an empty or invalid name. Status 400.
    MalformedHead,
    /// The request line alone exceeds [`Config::max_head_size`](crate::Config::max_head_size). Status 414.
    StartLineTooLong,
    /// The head exceeds [`Config::max_head_size`](crate::Config::max_head_size). Status 431.
    HeadTooLarge,
    /// The head has more header lines than [`Config::max_headers`](crate::Config::max_headers). Status 431.
    TooManyHeaders,
    /// The version is neither HTTP/1.1 nor HTTP/1.0 (RFC 9110, section 2.5). Status 505.
    UnsupportedHttpVersion,
    /// The version is HTTP/1.0, but a WebSocket needs HTTP/1.1 (RFC 6455, section 4.1). From an HTTP library, it may
    /// be any other version than HTTP/1.1. Status 505.
    Http10,
    /// The `Host` header is missing, repeated or not valid (RFC 9112, section 3.2). Status 400.
    ///
    /// Over HTTP/2 and HTTP/3: neither `:authority` nor `host` is there, one of them is repeated or not valid, or they
    /// differ (RFC 9113, section 8.3.1).
    Host,
    /// [`ServerOptions::hosts`](crate::handshake::ServerOptions::hosts) does not contain the host of the request (RFC
    /// 9110, section 15.5.20). Status 421.
    Misdirected,
    /// The target is neither a path nor an absolute `http:` or `https:` URI (RFC 6455, section 4.2.1). Status 400.
    ///
    /// Over HTTP/2 and HTTP/3: `:scheme` or `:path` is missing, repeated or not valid (RFC 8441, section 4).
    Target,
    /// The method is not GET (RFC 6455, section 4.1). Over HTTP/2 and HTTP/3: it is not CONNECT (RFC 8441, section 4).
    /// Status 405.
    Method,
    /// `Upgrade` does not contain `websocket`, or `Connection` does not contain `upgrade` (RFC 6455, section 4.2.1).
    /// Status 426.
    ///
    /// A plain HTTP request, for instance for a page, gets this error. Over HTTP/2 and HTTP/3: `:protocol` is not
    /// `websocket`, and the status is 501 (RFC 9220, section 3).
    NotAnUpgrade,
    /// The request has a header that HTTP/2 and HTTP/3 forbid, such as `Upgrade` or `Connection` (RFC 9113, section
    /// 8.2.2). Status 400.
    ConnectionHeader,
    /// The request announces a body. Its bytes could be taken for frames. Status 400.
    Body,
    /// `Sec-WebSocket-Version` is missing or repeated (RFC 6455, section 4.2.1). Status 400.
    MissingVersion,
    /// `Sec-WebSocket-Version` is not 13 (RFC 6455, section 4.4). Status 426, or 400 over HTTP/2 and HTTP/3.
    UnsupportedVersion,
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64 (RFC 6455, section 4.2.1). Status 400.
    Key,
    /// `Origin` is repeated (RFC 6454, section 7.3). Status 400.
    DuplicateOrigin,
    /// [`ServerOptions::origins`](crate::handshake::ServerOptions::origins) does not allow the `Origin` (RFC 6455,
    /// section 10.2). Status 403.
    ///
    /// With the default policy, a proxy that changes `Host` causes this error: see [`Origins`].
    ///
    /// [`Origins`]: crate::handshake::Origins#samehost-trusts-the-host-of-the-request
    #[doc(alias = "CORS")]
    Origin,
    /// `Sec-WebSocket-Protocol` is not a list of different tokens (RFC 6455, section 4.1). Status 400.
    Subprotocols,
    /// The client offers no subprotocol that the server speaks, and
    /// [`ServerOptions::require_subprotocol`](crate::handshake::ServerOptions::require_subprotocol) is set. Status 400.
    NoCommonSubprotocol,
    /// `Sec-WebSocket-Extensions` breaks its grammar (RFC 6455, section 9.1). Status 400.
    Extensions,
    /// The request was not complete within [`Deadlines::handshake`](crate::Deadlines::handshake) (RFC 9110, section
    /// 15.5.9). Status 408.
    Timeout,
    /// The server's own mistake: a header in [`ServerOptions::headers`](crate::handshake::ServerOptions::headers) must
    /// not be written. Status 500. The client does not learn the reason.
    Input(InputError),
}

impl RequestError {
    /// The HTTP status of the response over HTTP/1.1: 400, 403, 405, 408, 414, 421, 426, 431, 500 or 505.
    ///
    /// Over HTTP/2 and HTTP/3 use [`over_http2`](Self::over_http2).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedHead
            | Self::Host
            | Self::Target
            | Self::ConnectionHeader
            | Self::Body
            | Self::MissingVersion
            | Self::Key
            | Self::DuplicateOrigin
            | Self::Subprotocols
            | Self::NoCommonSubprotocol
            | Self::Extensions => 400,
            Self::Origin => 403,
            Self::Method => 405,
            Self::Timeout => 408,
            Self::StartLineTooLong => 414,
            Self::Misdirected => 421,
            Self::NotAnUpgrade | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::Input(_) => 500,
            Self::UnsupportedHttpVersion | Self::Http10 => 505,
        }
    }

    /// The headers that this error needs in the response over HTTP/1.1. [`response`](Self::response) contains them.
    #[must_use]
    pub const fn headers(self) -> &'static [Header<'static>] {
        match self {
            // RFC 9110, section 15.5.6.
            Self::Method => &[Header {
                name: "Allow",
                value: b"GET",
            }],
            // RFC 9110, section 15.5.22.
            Self::NotAnUpgrade => &[Header {
                name: "Upgrade",
                value: b"websocket",
            }],
            // RFC 6455, section 4.4.
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

    /// The whole response over HTTP/1.1, as bytes to write.
    ///
    /// Usually you need [`refuse`](Self::refuse) instead, which delivers it. If you write it yourself, then shut down
    /// the writing side. After that, read and drop bytes until the stream ends or a time limit passes. A transport that
    /// you close with unread bytes can reset, and the client then loses the response.
    #[must_use]
    pub fn response(self) -> Vec<u8> {
        let headers: Vec<_> = self.headers().iter().copied().chain([TEXT]).collect();
        write_response(self.status(), &headers, self.body().as_bytes())
    }

    /// A connection that delivers the [`response`](Self::response) and has no events.
    ///
    /// Drive it like any other connection, until [`transport_action`](Connection::transport_action) says to close the
    /// transport. Of `config` only [`Config::deadlines`] has an effect. See [`Connection::refused`].
    #[must_use]
    pub fn refuse(self, config: &Config) -> Connection {
        Connection::refused(self.response(), config)
    }

    /// The status and headers of the response over HTTP/2 or HTTP/3.
    ///
    /// They differ from HTTP/1.1 in three cases. Status 426 needs the `Upgrade` header, which HTTP/2 forbids (RFC 9113,
    /// section 8.2.2). So [`NotAnUpgrade`](Self::NotAnUpgrade) becomes 501, and
    /// [`UnsupportedVersion`](Self::UnsupportedVersion) becomes 400. For [`Method`](Self::Method), `allow` is CONNECT.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::RequestError;
    ///
    /// let (status, headers) = RequestError::UnsupportedVersion.over_http2();
    /// assert_eq!((status, headers[0].name), (400, "sec-websocket-version"));
    /// ```
    #[must_use]
    pub const fn over_http2(self) -> (u16, &'static [Header<'static>]) {
        match self {
            // RFC 9220, section 3: 501 if the server does not support the protocol.
            Self::NotAnUpgrade => (501, &[]),
            Self::Method => (
                405,
                &[Header {
                    name: "allow",
                    value: b"CONNECT",
                }],
            ),
            // RFC 6455, section 4.4.
            Self::UnsupportedVersion => (
                400,
                &[Header {
                    name: "sec-websocket-version",
                    value: b"13",
                }],
            ),
            _ => (self.status(), &[]),
        }
    }

    /// The body of the response over HTTP/1.1: one line of text, or nothing.
    pub(crate) fn body(self) -> String {
        // RFC 9110, section 9.3.2: the response to a HEAD has no body. A HEAD with a well-formed head fails with one of
        // these two, because the host and the method are checked first.
        match self {
            Self::Method | Self::Host => String::new(),
            _ => alloc::format!("{self}\n"),
        }
    }
}

/// The type of the body.
pub(crate) const TEXT: Header<'_> = Header {
    name: "Content-Type",
    value: b"text/plain; charset=utf-8",
};

impl From<HeadError> for RequestError {
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

impl From<InputError> for RequestError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedHead => "malformed request head (RFC 9112 section 2)",
            Self::StartLineTooLong => "request line too long (RFC 9112 section 3)",
            Self::HeadTooLarge => "request head too large (RFC 6585 section 5)",
            Self::TooManyHeaders => "too many request headers (RFC 6585 section 5)",
            Self::UnsupportedHttpVersion => "neither HTTP/1.1 nor HTTP/1.0 (RFC 9110 section 2.5)",
            // The client reads this text, so it does not tell the reason. The operator finds it in `source`.
            Self::Input(_) => "the server is misconfigured (RFC 9110 section 15.6.1)",
            Self::Http10 => "WebSocket needs HTTP/1.1 (RFC 6455 section 4.1)",
            Self::Host => "the request needs exactly one valid Host (RFC 9112 section 3.2)",
            Self::Misdirected => {
                "this server does not answer for that host (RFC 9110 section 15.5.20)"
            }
            Self::Target => "the request target is not a path (RFC 6455 section 4.2.1)",
            Self::Method => {
                "the method must be GET, or CONNECT over HTTP/2 and HTTP/3 (RFC 6455 section 4.1)"
            }
            Self::NotAnUpgrade => {
                "the request does not ask for an upgrade to websocket (RFC 6455 section 4.2.1)"
            }
            Self::ConnectionHeader => {
                "HTTP/2 and HTTP/3 forbid headers about the connection (RFC 9113 section 8.2.2)"
            }
            Self::Body => "a WebSocket request must not have a body (RFC 6455 section 4.1)",
            Self::MissingVersion => {
                "the request needs exactly one Sec-WebSocket-Version (RFC 6455 section 4.2.1)"
            }
            Self::UnsupportedVersion => "Sec-WebSocket-Version must be 13 (RFC 6455 section 4.4)",
            Self::Key => {
                "the request needs exactly one valid Sec-WebSocket-Key (RFC 6455 section 4.2.1)"
            }
            Self::DuplicateOrigin => "more than one Origin (RFC 6454 section 7.3)",
            Self::Origin => "the server does not allow this Origin (RFC 6455 section 10.2)",
            Self::Subprotocols => "malformed Sec-WebSocket-Protocol (RFC 6455 section 4.1)",
            Self::NoCommonSubprotocol => {
                "the server speaks none of the offered subprotocols (RFC 6455 section 4.2.2)"
            }
            Self::Extensions => "malformed Sec-WebSocket-Extensions (RFC 6455 section 9.1)",
            Self::Timeout => "the request did not arrive in time (RFC 9110 section 15.5.9)",
        })
    }
}

impl core::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Input(error) => Some(error),
            _ => None,
        }
    }
}
