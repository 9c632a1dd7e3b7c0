//! A server's side of the opening handshake (RFC 6455, section 4.2).

use core::time::Duration;

use crate::connection::{Config, Connection, HandshakeDeadline, ReadBuffer};
use crate::handshake::head::Search;
use crate::handshake::options::ServerOptions;
use crate::handshake::request::Request;
use crate::handshake::request_error::RequestError;

/// The server's side of the opening handshake over HTTP/1.1 (RFC 6455, section 4.2).
///
/// Make one for each transport. With TLS, complete the TLS handshake first and give this type the decrypted bytes.
/// There are two ways to use it:
///
/// - [`accept`](Self::accept) does everything in one step. Most servers need only this.
/// - [`read_request`](Self::read_request) gives you the [`Request`]. You look at its path, headers or cookies, and
///   decide: [`Request::accept`] opens the WebSocket, and [`Request::respond`] answers with a page or with your own
///   status.
///
/// Both ways end with a [`Connection`]. Drive it until [`Connection::transport_action`] says to close the transport,
/// also if it is refused. Its output begins with the response.
///
/// You read from the transport, with tokio, mio or threads, and call this type after each read: see
/// [`guide::event_loop`](crate::guide::event_loop). For transports of `std::io`,
/// [`accept_on`](Self#method.accept_on) reads for you. If an HTTP library reads the request, you do not need this type:
/// see [`Request::new`].
///
/// # Example: one step
///
/// ```
/// use std::io::{self, Read};
/// use std::time::Duration;
/// use sockless::handshake::{ServerHandshake, ServerOptions};
/// use sockless::{Connection, ReadBuffer};
///
/// /// Returns the connection to drive. If the request is refused, its output is the refusal.
/// fn open(transport: &mut impl Read, buffer: &mut ReadBuffer) -> io::Result<Connection> {
///     let options = ServerOptions::default();
///     let mut handshake = ServerHandshake::new(&options.config);
///     loop {
///         let n = transport.read(buffer.spare_mut(4096))?;
///         buffer.advance_filled(n);
///         // The time is not used, because the options have no deadlines.
///         if let Some(connection) = handshake.accept(buffer, &options, Duration::ZERO) {
///             return Ok(connection);
///         }
///         if n == 0 {
///             return Err(io::ErrorKind::UnexpectedEof.into());
///         }
///     }
/// }
/// # let mut transport = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
/// # let connection = open(&mut transport, &mut ReadBuffer::new())?;
/// # assert!(connection.output().starts_with(b"HTTP/1.1 426 "));
/// # Ok::<(), io::Error>(())
/// ```
///
/// # Example: a page at `/` next to the WebSocket
///
/// ```
/// use sockless::{Connection, ReadBuffer};
/// use sockless::handshake::{Header, InputError, Request, ServerHandshake, ServerOptions};
///
/// /// Call this after every read. `None` means: read more.
/// fn answer(
///     handshake: &mut ServerHandshake,
///     buffer: &mut ReadBuffer,
///     options: &ServerOptions<'_>,
/// ) -> Result<Option<Connection>, InputError> {
///     let request = match handshake.read_request(buffer) {
///         Ok(Some(request)) => request,
///         Ok(None) => return Ok(None),
///         Err(error) => return Ok(Some(error.refuse(&options.config))),
///     };
///     let html = Header { name: "Content-Type", value: b"text/html; charset=utf-8" };
///     let page = match request.target() {
///         "/" => request.respond(200, &[html], b"<h1>Hello</h1>")?,
///         "/chat" => {
///             let accepted = request.accept(options);
///             return Ok(Some(accepted.unwrap_or_else(|error| error.refuse(&options.config))));
///         }
///         _ => request.respond(404, &[html], b"<h1>Not found</h1>")?,
///     };
///     Ok(Some(Connection::refused(page, &options.config)))
/// }
/// # let options = ServerOptions::default();
/// # for (head, start) in [
/// #     ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "),
/// #     ("GET /chat HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 "),
/// #     ("GET /b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 "),
/// #     ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
/// # ] {
/// #     let mut buffer = ReadBuffer::new();
/// #     let mut handshake = ServerHandshake::new(&options.config);
/// #     assert!(answer(&mut handshake, &mut buffer, &options)?.is_none());
/// #     buffer.extend_from_slice(head.as_bytes());
/// #     let connection = answer(&mut handshake, &mut buffer, &options)?.expect("the head is complete");
/// #     assert!(connection.output().starts_with(start.as_bytes()));
/// # }
/// # Ok::<(), InputError>(())
/// ```
///
/// # Example: a deadline
///
/// Set [`Config::deadlines`]. Wait for the transport until [`timeout_at`](Self::timeout_at), then read, then pass the
/// time to [`accept`](Self::accept) or to [`handle_timeout`](Self::handle_timeout).
///
/// ```
/// use std::time::Duration;
/// use sockless::{Config, Deadlines, ReadBuffer};
/// use sockless::handshake::{RequestError, ServerHandshake};
///
/// let config = Config::new().with_deadlines(Deadlines::new()); // 10 seconds for the handshake
///
/// let mut handshake = ServerHandshake::new(&config);
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHo"); // The client sends no more.
/// assert_eq!(handshake.read_request(&mut buffer), Ok(None));
///
/// // The deadline starts with the first call.
/// assert_eq!(handshake.handle_timeout(Duration::from_secs(100)), Ok(()));
/// assert_eq!(handshake.timeout_at(), Some(Duration::from_secs(110)));
///
/// // The deadline has passed. Bytes that arrived in time may still be unread, so you read once more.
/// assert_eq!(handshake.handle_timeout(Duration::from_secs(110)), Ok(()));
/// assert_eq!(handshake.timeout_at(), Some(Duration::ZERO));
/// let error = handshake.handle_timeout(Duration::from_secs(110)).unwrap_err();
/// assert_eq!(error, RequestError::Timeout);
/// assert!(error.refuse(&config).output().starts_with(b"HTTP/1.1 408 "));
/// ```
#[doc(alias = "upgrade")]
#[doc(alias = "tokio")]
#[doc(alias = "wss")]
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    config: Config,
    search: Search,
    deadline: HandshakeDeadline,
    /// Set by the first error, which every later call repeats.
    failed: Option<RequestError>,
}

impl ServerHandshake {
    /// Creates a handshake with the limits and the deadline of `config`.
    ///
    /// It uses [`Config::max_head_size`], [`Config::max_headers`] and
    /// [`Deadlines::handshake`](crate::Deadlines::handshake). A refusal uses
    /// [`Deadlines::close`](crate::Deadlines::close).
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            search: Search::default(),
            deadline: HandshakeDeadline::new(config.deadlines.as_ref()),
            failed: None,
        }
    }

    /// Reads the request, passes the time and answers, all in one step.
    ///
    /// Returns the connection to drive, or `None` if the request is not complete. If the request is good, the
    /// connection is open. Otherwise it is [refused](Connection::refused): its output is the refusal, and it has no
    /// events.
    ///
    /// Call this after every read, and at [`timeout_at`](Self::timeout_at) after one more try to read. Do not call it
    /// again after it has returned a connection.
    ///
    /// `now` is the time since an origin that you choose. Use the same origin for [`Connection::handle_timeout`] later.
    /// If [`Config::deadlines`] is `None`, `now` has no effect.
    #[inline]
    pub fn accept(
        &mut self,
        buffer: &mut ReadBuffer,
        options: &ServerOptions<'_>,
        now: Duration,
    ) -> Option<Connection> {
        self.accept_by(buffer, options, Some(now))
    }

    /// Like [`accept`](Self::accept). `None` as the time leaves the deadline alone.
    #[inline]
    pub(super) fn accept_by(
        &mut self,
        buffer: &mut ReadBuffer,
        options: &ServerOptions<'_>,
        now: Option<Duration>,
    ) -> Option<Connection> {
        let accepted = match self.read_request(buffer) {
            Ok(Some(request)) => request.accept(options),
            Ok(None) => Err(self.handle_timeout(now?).err()?),
            Err(error) => Err(error),
        };
        // A connection is large. This arrangement saves a move.
        match accepted {
            Ok(connection) => Some(connection),
            Err(error) => Some(error.refuse(&self.config)),
        }
    }

    /// Reads the request, or returns `None` if it is not complete. Then read more and call again.
    ///
    /// This returns every valid request over HTTP/1.1 or HTTP/1.0, also one that does not ask for a WebSocket. The head
    /// may arrive in pieces of any size, and the total time is linear in its size. The limits are
    /// [`Config::max_head_size`] and [`Config::max_headers`].
    ///
    /// Call this after every read, and before [`handle_timeout`](Self::handle_timeout). Do not call it again after it
    /// has returned the request.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the head is malformed or over a limit, or if a request over HTTP/1.1 does not have exactly
    /// one valid `Host`. [`RequestError::Timeout`] if [`handle_timeout`](Self::handle_timeout) returned it before.
    /// Every later call returns the same error. Answer with [`RequestError::refuse`].
    ///
    /// Wrong line ends, NUL, and a head over the size limit fail at that byte. A wrong header name or version fails at
    /// the end of its line. The rest fails when the head is complete.
    pub fn read_request<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Request<'b>>, RequestError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let before = Request::skip_empty_lines(buffer);
        self.deadline.received(buffer.unread().len(), before);
        let request = Request::read(buffer, &mut self.search, &self.config)
            .inspect_err(|error| self.failed = Some(*error))?;
        if request.is_some() {
            self.deadline.stop();
        }
        Ok(request)
    }

    /// Passes the time to the deadline of the handshake.
    ///
    /// `now` is the time since an origin that you choose. Use the same origin for [`Connection::handle_timeout`] later.
    /// If `now` is earlier than a time that you passed before, the latest time counts.
    ///
    /// The deadline counts from the first call. When it passes, this call returns `Ok` once more, because the request
    /// may have arrived in time and still be unread. [`timeout_at`](Self::timeout_at) is then zero. Read without
    /// waiting, call [`read_request`](Self::read_request), and call this again. If bytes keep arriving, this repeats.
    /// The handshake takes at most twice its deadline.
    ///
    /// # Errors
    ///
    /// [`RequestError::Timeout`] if the deadline has passed and nothing arrived in the last turn. If
    /// [`read_request`](Self::read_request) failed before, its error. Answer with [`RequestError::refuse`].
    #[doc(alias = "deadline")]
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), RequestError> {
        if self.failed.is_none() && self.deadline.expired(now) {
            self.failed = Some(RequestError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    ///
    /// `None` means that the handshake has no deadline, that the request is complete, or that the handshake has failed.
    ///
    /// [`Duration::ZERO`] means at once. It occurs before the first call, because the deadline counts from that call.
    /// It also occurs when the deadline has passed and you have one more turn to read.
    #[must_use]
    pub const fn timeout_at(&self) -> Option<Duration> {
        match self.failed {
            None => self.deadline.next(),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::headers::Header;
    use crate::handshake::headers::work;

    /// Checking a header takes time linear in its length, whatever it contains. In other implementations, a run of
    /// white space or an unfinished list was searched again from each of its bytes (CVE-2021-32640).
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
