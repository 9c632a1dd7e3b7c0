//! What a server demands of an extended CONNECT (RFC 8441 sections 4 and 5).

use alloc::vec::Vec;
use core::str;

use crate::connection::Connection;
use crate::handshake::error::InputError;
use crate::handshake::extended_connect::{EXTENSIONS, PROTOCOL, VERSION};
use crate::handshake::fields::Fields;
use crate::handshake::headers::{Header, Single, check_lower_case, elements, single};
use crate::handshake::negotiated::{Negotiated, check_version};
use crate::handshake::options::ServerOptions;
use crate::handshake::request_error::RequestError;
use crate::handshake::uri::Authority;

/// A request over HTTP/2 or HTTP/3: see the [module](super).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'b> {
    headers: Vec<Header<'b>>,
}

impl<'b> Request<'b> {
    /// A request of these fields, pseudo-header fields (`:method`, `:protocol`, `:scheme`, `:authority`, `:path`) included.
    #[must_use]
    pub const fn new(headers: Vec<Header<'b>>) -> Self {
        Self { headers }
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
        let scheme = self.header(":scheme").unwrap_or_default();
        let path = self.header(":path").unwrap_or_default();
        if !matches!(scheme, b"http" | b"https") || !path.starts_with(b"/") || path.contains(&b'#')
        {
            return Err(RequestError::Target);
        }
        let fields = Fields::new(&self.headers);
        let default_port = if scheme == b"https" { 443 } else { 80 };
        let authority = self.authority(&fields, default_port)?;
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
            negotiated: Negotiated::new(&fields, authority, options)?,
        })
    }

    /// Whom the request is for (RFC 9113 section 8.3.1): a Host beside it must say the same, if perhaps in other words.
    fn authority(&self, fields: &Fields<'_>, default_port: u16) -> Result<&[u8], RequestError> {
        let authority = self.header(":authority").ok_or(RequestError::Host)?;
        let parsed = Authority::parse(authority).ok_or(RequestError::Host)?;
        let agrees = match fields.host {
            Single::Missing => true,
            Single::One(host) => {
                Authority::parse(host).is_some_and(|host| host.is_same(&parsed, default_port))
            }
            Single::Several => false,
        };
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
