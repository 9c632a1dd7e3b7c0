//! What a server demands and answers (RFC 6455 section 4.2).

use alloc::vec::Vec;
use core::iter;

use crate::connection::Connection;
use crate::handshake::error::InputError;
use crate::handshake::extensions;
use crate::handshake::fields::Fields;
use crate::handshake::headers::{Header, Single};
use crate::handshake::key::is_valid_key;
use crate::handshake::negotiated::{EITHER, Negotiated, check_version};
use crate::handshake::options::ServerOptions;
use crate::handshake::request::{Request, host, is_path};
use crate::handshake::request_error::RequestError;
use crate::handshake::response::write_header;
use crate::wire::accept_key;

/// # Accepting
impl Request<'_> {
    /// Agrees on a WebSocket connection, or refuses (RFC 6455 section 4.2.2).
    ///
    /// The connection's output begins with the answer to the client. For what was agreed on, and for headers in the
    /// answer, see [`negotiate`](Self::negotiate).
    ///
    /// The answer is final, also to a request with `Expect: 100-continue`: it is the 101 or a refusal, never a 100
    /// (RFC 9110 section 10.1.1).
    ///
    /// # Errors
    ///
    /// What is wrong with the request, or why `options` do not allow it. Give
    /// [`RequestError::response`], or an answer of your own from [`respond`](Self::respond), to
    /// [`Connection::refused`].
    pub fn accept(&self, options: &ServerOptions<'_>) -> Result<Connection, RequestError> {
        Ok(self.negotiate(options)?.accept())
    }

    /// As [`accept`](Self::accept), with a look at what was agreed on before the answer is written.
    ///
    /// # Errors
    ///
    /// As of [`accept`](Self::accept).
    pub fn negotiate<'a>(
        &self,
        options: &ServerOptions<'a>,
    ) -> Result<ServerHandshake<'a>, RequestError> {
        ServerHandshake::negotiate(self, options)
    }
}

/// The headers that every answer begins with (section 4.2.2, step 5).
const UPGRADE: [Header<'static>; 2] = [
    Header {
        name: "Upgrade",
        value: b"websocket",
    },
    Header {
        name: "Connection",
        value: b"Upgrade",
    },
];

/// The beginning of every answer: the status line and [`UPGRADE`].
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/// An agreed opening handshake, not answered yet: see [`Request::negotiate`].
#[derive(Clone, Debug)]
pub struct ServerHandshake<'a> {
    accept: [u8; 28],
    negotiated: Negotiated<'a>,
}

impl<'a> ServerHandshake<'a> {
    /// Checks the request against section 4.2.1 and the options.
    pub(crate) fn negotiate(
        request: &Request<'_>,
        options: &ServerOptions<'a>,
    ) -> Result<Self, RequestError> {
        let fields = Fields::new(request.headers());
        if !request.is_http11() {
            return Err(RequestError::Http10);
        }
        // Section 4.2.1, items 1 and 2.
        if !is_path(request.target()) {
            return Err(RequestError::Target);
        }
        let host = host(fields.host)?;
        if request.method() != "GET" {
            return Err(RequestError::Method);
        }
        // Items 3 and 4.
        if !fields.upgrade {
            return Err(RequestError::NotAnUpgrade);
        }
        // A body would lie where the first frames are expected, so that a proxy and this server could
        // disagree on what is what.
        if fields.body {
            return Err(RequestError::Body);
        }
        check_version(&fields)?;
        // Item 5.
        let key = match fields.key {
            Single::One(key) if is_valid_key(key) => key,
            _ => return Err(RequestError::Key),
        };
        Ok(Self {
            accept: accept_key(key),
            // No header says whether TLS is in use, here or at a proxy.
            negotiated: Negotiated::new(&fields, host, &EITHER, options)?,
        })
    }

    /// Adds a header to the answer, such as a cookie.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a header that must not be written; the handshake is as it was.
    pub fn add_header(&mut self, header: Header<'a>) -> Result<(), InputError> {
        self.negotiated.add_header(header)
    }

    /// The connection, its output beginning with the answer to the client. Where an HTTP library answers, that would be
    /// a second answer: see [`connection`](Self::connection).
    #[must_use]
    #[inline]
    pub fn accept(&self) -> Connection {
        // There is room for a subprotocol and an extension.
        let mut response = Vec::with_capacity(256);
        response.extend_from_slice(SWITCHING);
        self.fields()
            .for_each(|header| write_header(&mut response, &header));
        response.extend_from_slice(b"\r\n");
        let connection = Connection::opened(self.negotiated.config(), None, response);
        self.negotiated.agreed(connection)
    }

    /// The connection, its output empty, where an HTTP library answers the client with status 101 and
    /// [`headers`](Self::headers). Where none does, the client waits for ever: that is [`accept`](Self::accept).
    #[must_use]
    pub fn connection(&self) -> Connection {
        let connection = Connection::server(*self.negotiated.config());
        self.negotiated.agreed(connection)
    }

    /// The headers of the answer, whose status is 101.
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        UPGRADE.into_iter().chain(self.fields()).collect()
    }

    /// The headers of the answer that follow those of every upgrade.
    fn fields(&self) -> impl Iterator<Item = Header<'_>> {
        let accept = Header {
            name: "Sec-WebSocket-Accept",
            value: &self.accept,
        };
        let names = ["Sec-WebSocket-Protocol", extensions::NAME];
        iter::once(accept).chain(self.negotiated.headers(names))
    }

    /// The subprotocol agreed on, if any: one of [`ServerOptions::subprotocols`].
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'a str> {
        self.negotiated.subprotocol()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::headers::work;
    use crate::handshake::response::write_head;

    #[test]
    fn every_answer_begins_with_an_upgrade() {
        assert_eq!(write_head(101, &UPGRADE), SWITCHING);
    }

    /// However a header is made up, judging it costs time linear in its length. Elsewhere a run of white space
    /// or an unfinished list was searched again from each of its bytes (CVE-2021-32640).
    #[test]
    fn headers_are_judged_in_linear_time() {
        let fills = [
            " ",
            "\t",
            ",",
            ", ",
            "a",
            "a,",
            "a, ",
            "a ",
            ";",
            "a;",
            "a; b; ",
            "a=b; ",
            "a=\"b\"; ",
            "\"",
            "\\a",
            "a\"",
            "=",
            "permessage-deflate,",
            "permessage-deflate; x, ",
        ];
        let ends = [
            ("", ""),
            ("a", "b"),
            ("a,", ",b"),
            ("a; ", "b"),
            ("a; b=", ""),
            ("a; b=\"", "\""),
            ("a; b=\"", ""),
        ];
        let names = [
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
        ];
        let options = ServerOptions {
            subprotocols: &["chat", "superchat"],
            ..ServerOptions::default()
        };
        work::take();
        let mut most = 0;
        for name in names {
            for fill in fills {
                for (begin, end) in ends {
                    let fill = fill.repeat(20_000 / fill.len());
                    let value = alloc::format!("{begin}{fill}{end}");
                    let header = |name, value| Header { name, value };
                    let request = Request::new(
                        "GET",
                        "/",
                        alloc::vec![
                            header("Host", b"a"),
                            header("Upgrade", b"websocket"),
                            header("Connection", b"upgrade"),
                            header("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
                            header("Sec-WebSocket-Version", b"13"),
                            header(name, value.as_bytes()),
                        ],
                    );
                    _ = request.negotiate(&options);
                    let work = work::take();
                    assert!(
                        work <= 4 * value.len(),
                        "{work} for {name}: {begin}{fill:.9}"
                    );
                    most = most.max(work);
                }
            }
        }
        assert!(most >= 20_000, "nothing was looked at");
    }
}
