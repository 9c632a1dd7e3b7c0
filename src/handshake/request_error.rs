//! Why a server refuses a request, and the answer that says so (RFC 6455 section 4.2.2).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::connection::{Config, Connection};
use crate::handshake::head_error::HeadError;
use crate::handshake::headers::Header;
use crate::handshake::input_error::InputError;
use crate::handshake::response::write_response;

/// A server refuses a request: what is wrong with it, and the answer that says so.
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
/// let request = handshake.read_request(&mut buffer)?.expect("the head is whole");
/// let error = request.accept(&ServerOptions::default()).unwrap_err();
/// assert_eq!(error, RequestError::NotAnUpgrade);
/// assert_eq!(error.status(), 426);
/// assert!(error.response().starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestError {
    /// A request line or header line that does not fit the grammar (RFC 9112 sections 2 to 5): a bare CR or
    /// LF, NUL, a folded line, a space before the colon, an empty or impossible name.
    MalformedHead,
    /// The request line alone is over [`Config::max_head_size`](crate::Config::max_head_size).
    StartLineTooLong,
    /// The head is over [`Config::max_head_size`](crate::Config::max_head_size).
    HeadTooLarge,
    /// There are more header lines than [`Config::max_headers`](crate::Config::max_headers).
    TooManyHeaders,
    /// Neither HTTP/1.1 nor HTTP/1.0 (RFC 9110 section 2.5).
    UnsupportedHttpVersion,
    /// HTTP/1.0: an upgrade needs HTTP/1.1 (RFC 6455 section 4.1, item 2).
    Http10,
    /// No `Host` header, two, or one that names no host (RFC 9112 section 3.2). Over HTTP/2 and HTTP/3: neither
    /// `:authority` nor `Host`, or both with different hosts (RFC 9113 section 8.3.1).
    Host,
    /// The request is for none of the hosts that [`ServerOptions::hosts`](crate::handshake::ServerOptions::hosts) names
    /// (RFC 9110 section 15.5.20).
    Misdirected,
    /// A target that is neither a path nor an absolute `http:` or `https:` URI (RFC 6455 section 4.2.1,
    /// item 1). Over HTTP/2 and HTTP/3: not exactly one good `:scheme` and `:path` (RFC 8441 section 4).
    Target,
    /// A method other than GET (RFC 6455 section 4.1, item 2), or than CONNECT over HTTP/2 and HTTP/3
    /// (RFC 8441 section 4).
    Method,
    /// The `Upgrade` header lacks `websocket`, or the `Connection` header lacks `upgrade`
    /// (RFC 6455 section 4.2.1, items 3 and 4).
    NotAnUpgrade,
    /// A header that HTTP/2 and HTTP/3 do not have, such as `Upgrade` or `Connection` (RFC 9113 section 8.2.2).
    ConnectionHeader,
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
    /// The `Origin` is not among those [`ServerOptions::origins`](crate::handshake::ServerOptions::origins) allows
    /// (RFC 6455 section 10.2).
    Origin,
    /// A `Sec-WebSocket-Protocol` header that is not a list of different tokens
    /// (RFC 6455 section 4.1, item 10).
    Subprotocols,
    /// No subprotocol in common, where one is required (RFC 6455 section 4.2.2, item 5).
    NoCommonSubprotocol,
    /// A `Sec-WebSocket-Extensions` header that does not fit its grammar (RFC 6455 section 9.1).
    Extensions,
    /// No whole request within [`Deadlines::handshake`](crate::Deadlines::handshake) (RFC 9110 section 15.5.9).
    Timeout,
    /// The server's own fault: a header in [`ServerOptions::headers`](crate::handshake::ServerOptions::headers) must not
    /// be written. The client gets status 500.
    Input(InputError),
}

impl RequestError {
    /// The HTTP status that tells the client: 400, 403, 405, 408, 414, 421, 426, 431, 500 or
    /// 505.
    ///
    /// For a request over HTTP/2 or HTTP/3 use [`over_http2`](Self::over_http2).
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

    /// The headers that the answer over HTTP/1.1 must have beside the usual ones.
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

    /// The whole answer to write.
    ///
    /// Then shut down the writing side, and read and drop until the peer ends the stream or patience does:
    /// closing a transport with unread bytes can reset it and destroy the answer on its way.
    #[must_use]
    pub fn response(self) -> Vec<u8> {
        let headers: Vec<_> = self.headers().iter().copied().chain([TEXT]).collect();
        write_response(self.status(), &headers, self.body().as_bytes())
    }

    /// The rest of a transport whose opening handshake failed: its output is the [`response`](Self::response).
    ///
    /// Drive it like any other connection, until [`transport_action`](Connection::transport_action) says to close. See
    /// [`Connection::refused`].
    #[must_use]
    pub fn refuse(self, config: &Config) -> Connection {
        Connection::refused(self.response(), config)
    }

    /// The status and headers that refuse a request over HTTP/2 or HTTP/3.
    ///
    /// They differ from those of HTTP/1.1 where that speaks of an upgrade: 426 needs the Upgrade header, which does not
    /// exist there (RFC 9113 section 8.2.2).
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
            // RFC 9220 section 3 asks for it where the protocol is not supported.
            Self::NotAnUpgrade => (501, &[]),
            Self::Method => (
                405,
                &[Header {
                    name: "allow",
                    value: b"CONNECT",
                }],
            ),
            // RFC 6455 section 4.4.
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

    /// What the answer tells a human.
    pub(crate) fn body(self) -> String {
        // RFC 9110 section 9.3.2: the answer to a HEAD has no body. A HEAD fails for its Host or for its method, since
        // these are checked first.
        match self {
            Self::Method | Self::Host => String::new(),
            _ => alloc::format!("{self}\n"),
        }
    }
}

/// What the body of a refusal is.
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
            Self::MalformedHead => "malformed head (RFC 9112 section 2)",
            Self::StartLineTooLong => "request line too long (RFC 9112 section 3)",
            Self::HeadTooLarge => "head too large (RFC 6585 section 5)",
            Self::TooManyHeaders => "too many headers (RFC 6585 section 5)",
            Self::UnsupportedHttpVersion => "not HTTP/1.1 (RFC 9110 section 2.5)",
            // What is wrong is for the server's operator, and not for the client that reads this.
            Self::Input(_) => "the server is misconfigured (RFC 9110 section 15.6.1)",
            Self::Http10 => "WebSocket needs HTTP/1.1 (RFC 6455 section 4.1)",
            Self::Host => "not exactly one valid Host (RFC 9112 section 3.2)",
            Self::Misdirected => {
                "this server does not answer for that host (RFC 9110 section 15.5.20)"
            }
            Self::Target => "target is no path (RFC 6455 section 4.2.1)",
            Self::Method => "the method opens no WebSocket: that is GET, or CONNECT over HTTP/2 and HTTP/3 (RFC 6455 section 4.1)",
            Self::NotAnUpgrade => "no upgrade to websocket (RFC 6455 section 4.2.1)",
            Self::ConnectionHeader => {
                "header of a connection in HTTP/2 or HTTP/3 (RFC 9113 section 8.2.2)"
            }
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
            Self::Timeout => "no whole request in time (RFC 9110 section 15.5.9)",
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
