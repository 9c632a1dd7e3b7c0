//! What a server demands of an extended CONNECT (RFC 8441 sections 4 and 5).

use alloc::vec::Vec;
use core::str;

use crate::connection::Connection;
use crate::handshake::error::InputError;
use crate::handshake::extended_connect::{EXTENSIONS, PROTOCOL, VERSION};
use crate::handshake::fields::Fields;
use crate::handshake::headers::{Header, Single, check_lower_case, elements, single};
use crate::handshake::negotiated::{EITHER, Negotiated, check_version};
use crate::handshake::options::ServerOptions;
use crate::handshake::request_error::RequestError;
use crate::handshake::uri::Authority;

/// A request over HTTP/2 or HTTP/3: see the [module](super).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'b> {
    headers: Vec<Header<'b>>,
    /// Whether an HTTP library has dropped the scheme.
    is_scheme_unknown: bool,
}

impl<'b> Request<'b> {
    /// A request of these fields, pseudo-header fields (`:method`, `:protocol`, `:scheme`, `:authority`, `:path`) included.
    #[must_use]
    pub const fn new(headers: Vec<Header<'b>>) -> Self {
        Self {
            headers,
            is_scheme_unknown: false,
        }
    }

    /// The same from an HTTP library that has dropped the scheme.
    #[cfg(feature = "http")]
    pub(crate) const fn without_scheme(headers: Vec<Header<'b>>) -> Self {
        Self {
            headers,
            is_scheme_unknown: true,
        }
    }

    /// Whether it asks for a WebSocket, so that [`negotiate`](Self::negotiate) is worth a try.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.header(":method") == Some(b"CONNECT") && self.header(":protocol") == Some(b"websocket")
    }

    /// The path with the query if there is one, such as `/chat?room=1`.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        str::from_utf8(self.header(":path")?).ok()
    }

    /// The host that the request is for, with the port if there is one, such as `example.com:8080`.
    ///
    /// It is the `:authority`, or the `host` field of a request without one (RFC 9113 section 8.3.1, RFC 9114
    /// section 4.3.1). `None` if there is neither, if it is not valid, or if both are there and differ.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let default_port = match self.header(":scheme") {
            Some(b"https") => 443,
            _ => 80,
        };
        let host = self.authority(single(&self.headers, "host"), default_port);
        str::from_utf8(host.ok()?).ok()
    }

    /// All fields in their order.
    #[must_use]
    pub fn headers(&self) -> &[Header<'b>] {
        &self.headers
    }

    /// The value of the field with this name, if there is exactly one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        match single(&self.headers, name) {
            Single::One(value) => Some(value),
            Single::Missing | Single::Several => None,
        }
    }

    /// The subprotocols the client offers, in the order it prefers them (RFC 6455 section 1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        elements(&self.headers, PROTOCOL).filter_map(|element| str::from_utf8(element).ok())
    }

    /// Agrees on a WebSocket connection, or refuses.
    ///
    /// # Errors
    ///
    /// What is wrong with the request, or why `options` do not allow it: answer with [`refusal`].
    pub fn negotiate<'a>(
        &self,
        options: &ServerOptions<'a>,
    ) -> Result<ServerHandshake<'a>, RequestError> {
        if self.header(":method") != Some(b"CONNECT") {
            return Err(RequestError::Method);
        }
        if self.header(":protocol") != Some(b"websocket") {
            return Err(RequestError::NotAnUpgrade);
        }
        // RFC 8441 section 4: both must be there; section 5: the target is made of them.
        let default_ports: &[u16] = match single(&self.headers, ":scheme") {
            Single::One(b"https") => &[443],
            Single::One(b"http") => &[80],
            Single::Missing if self.is_scheme_unknown => &EITHER,
            _ => return Err(RequestError::Target),
        };
        let path = self.header(":path").unwrap_or_default();
        if !path.starts_with(b"/") || path.contains(&b'#') {
            return Err(RequestError::Target);
        }
        let fields = Fields::new(&self.headers);
        // A library that drops the scheme does so because there is no `:authority`, and nothing to compare.
        let default_port = default_ports.first().copied().unwrap_or_default();
        let authority = self.authority(fields.host, default_port)?;
        // RFC 9113 section 8.2.2: there is no connection they could be about, so a request with one is malformed.
        let of_a_connection = |header: &Header<'_>| {
            ["connection", "upgrade", "keep-alive", "proxy-connection"]
                .iter()
                .any(|name| header.is(name))
        };
        if self.headers.iter().any(of_a_connection) {
            return Err(RequestError::ConnectionHeader);
        }
        // What follows are frames, and no content whose length would be known.
        if fields.body {
            return Err(RequestError::Body);
        }
        check_version(&fields)?;
        Ok(ServerHandshake {
            negotiated: Negotiated::new(&fields, authority, default_ports, options)?,
        })
    }

    /// Whom the request is for (RFC 9113 section 8.3.1, RFC 9114 section 4.3.1): the `:authority`, or Host where there
    /// is none. Both must say the same, if perhaps in other words.
    fn authority<'h>(
        &'h self,
        host: Single<'h>,
        default_port: u16,
    ) -> Result<&'h [u8], RequestError> {
        let (authority, other) = match (single(&self.headers, ":authority"), host) {
            (Single::One(authority), Single::One(host)) => (authority, Some(host)),
            (Single::One(value), Single::Missing) | (Single::Missing, Single::One(value)) => {
                (value, None)
            }
            _ => return Err(RequestError::Host),
        };
        let parsed = Authority::parse(authority).ok_or(RequestError::Host)?;
        let agrees = other.is_none_or(|host| {
            Authority::parse(host).is_some_and(|host| host.is_same(&parsed, default_port))
        });
        agrees.then_some(authority).ok_or(RequestError::Host)
    }
}

/// An agreed opening handshake, not answered yet: see [`Request::negotiate`].
#[derive(Clone, Debug)]
pub struct ServerHandshake<'a> {
    negotiated: Negotiated<'a>,
}

impl<'a> ServerHandshake<'a> {
    /// Adds a header to the answer, such as a cookie. Its name must be in lower case.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a header that must not be written; the handshake is as it was.
    pub fn add_header(&mut self, header: Header<'a>) -> Result<(), InputError> {
        check_lower_case(&header)?;
        self.negotiated.add_header(header)
    }

    /// The headers of the answer, whose status is 200.
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        self.negotiated.headers([PROTOCOL, EXTENSIONS]).collect()
    }

    /// The connection, for when the answer has been sent; the stream is its transport.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let connection = Connection::server(*self.negotiated.config());
        self.negotiated.agreed(connection)
    }

    /// The subprotocol agreed on, if any: one of [`ServerOptions::subprotocols`].
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'a str> {
        self.negotiated.subprotocol()
    }
}

/// The status and headers that refuse a request over HTTP/2 or HTTP/3.
///
/// They differ from those of HTTP/1.1 where that speaks of an upgrade: 426 needs the Upgrade header, which there is none of
/// (RFC 9113 section 8.2.2).
///
/// # Example
///
/// ```
/// use sockless::handshake::RequestError;
/// use sockless::handshake::extended_connect::refusal;
///
/// let (status, headers) = refusal(RequestError::UnsupportedVersion);
/// assert_eq!((status, headers[0].name), (400, "sec-websocket-version"));
/// ```
#[must_use]
pub const fn refusal(error: RequestError) -> (u16, &'static [Header<'static>]) {
    match error {
        // RFC 9220 section 3 asks for it where the protocol is not supported.
        RequestError::NotAnUpgrade => (501, &[]),
        RequestError::Method => (
            405,
            &[Header {
                name: "allow",
                value: b"CONNECT",
            }],
        ),
        // RFC 6455 section 4.4.
        RequestError::UnsupportedVersion => (
            400,
            &[Header {
                name: VERSION,
                value: b"13",
            }],
        ),
        _ => (error.status(), &[]),
    }
}
