//! A server's side of the opening handshake (RFC 6455 section 4.2).

use core::time::Duration;

use crate::connection::{Config, Connection, HandshakeDeadline, ReadBuffer};
use crate::handshake::head::Search;
use crate::handshake::options::ServerOptions;
use crate::handshake::request::Request;
use crate::handshake::request_error::RequestError;

/// The server's side of the opening handshake over a transport of HTTP/1.1.
///
/// There are two ways to use it. [`accept`](Self::accept) does all in one step, and is what most loops need.
/// [`read_request`](Self::read_request) and [`handle_timeout`](Self::handle_timeout) do it in parts, for servers that look at
/// the request first.
///
/// # Example: one step
///
/// ```
/// use std::io::{self, Read};
/// use std::time::Duration;
/// use sockless::handshake::{ServerHandshake, ServerOptions};
/// use sockless::{Connection, ReadBuffer};
///
/// /// The connection to drive from here on. If the request is refused, its output is the refusal.
/// fn open(transport: &mut impl Read, buffer: &mut ReadBuffer) -> io::Result<Connection> {
///     let options = ServerOptions::default();
///     let mut handshake = ServerHandshake::new(&options.config);
///     loop {
///         let n = transport.read(buffer.spare_mut(4096))?;
///         buffer.advance_filled(n);
///         // Without deadlines the time does not matter.
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
/// # Example: in parts, with a deadline
///
/// ```
/// use std::time::Duration;
/// use sockless::{Config, Deadlines, ReadBuffer};
/// use sockless::handshake::{RequestError, ServerHandshake};
///
/// let mut config = Config::default();
/// config.deadlines = Some(Deadlines::default());
///
/// let mut handshake = ServerHandshake::new(&config);
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHo"); // and nothing more
/// assert_eq!(handshake.read_request(&mut buffer), Ok(None));
///
/// assert_eq!(handshake.handle_timeout(Duration::from_secs(100)), Ok(()));
/// assert_eq!(handshake.timeout_at(), Some(Duration::from_secs(110)));
///
/// // The deadline has passed. What arrived in time may still be unread, so look once more.
/// assert_eq!(handshake.handle_timeout(Duration::from_secs(110)), Ok(()));
/// assert_eq!(handshake.timeout_at(), Some(Duration::ZERO));
/// let error = handshake.handle_timeout(Duration::from_secs(110)).unwrap_err();
/// assert_eq!(error, RequestError::Timeout);
/// assert!(error.refuse(&config).output().starts_with(b"HTTP/1.1 408 "));
/// ```
#[doc(alias = "upgrade")]
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    config: Config,
    search: Search,
    deadline: HandshakeDeadline,
    /// An error is final.
    failed: Option<RequestError>,
}

impl ServerHandshake {
    /// A handshake that keeps to the limits and the deadline of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            search: Search::default(),
            deadline: HandshakeDeadline::new(config.deadlines.as_ref()),
            failed: None,
        }
    }

    /// Reads the request, passes the time and answers, in one step.
    ///
    /// Returns the connection to drive from here on, whatever the outcome. It is open if the request was accepted.
    /// Otherwise it is [refused](Connection::refused), and only delivers the answer. `None` means that the request has not all
    /// come yet.
    ///
    /// Call it after every read. When [`timeout_at`](Self::timeout_at) comes, try to read first. Once it has returned a
    /// connection, do not call it again.
    ///
    /// `now` is the time since an origin of your choice. Use the same origin for [`Connection::handle_timeout`] later. Without
    /// [`Config::deadlines`] it is not used.
    #[inline]
    pub fn accept(
        &mut self,
        buffer: &mut ReadBuffer,
        options: &ServerOptions<'_>,
        now: Duration,
    ) -> Option<Connection> {
        self.accept_by(buffer, options, Some(now))
    }

    /// As [`accept`](Self::accept). Without a time the deadline is left alone.
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
        // Connections are large: they are moved as seldom as possible.
        match accepted {
            Ok(connection) => Some(connection),
            Err(error) => Some(error.refuse(&self.config)),
        }
    }

    /// Reads the request, or `None` if it has not all come yet: read more and call again.
    ///
    /// Accepts any request that is valid HTTP/1.1 or 1.0. However small the pieces it comes in, the time
    /// is linear in its size. Limits: [`Config::max_head_size`] and [`Config::max_headers`].
    ///
    /// Call it after every read, and before [`handle_timeout`](Self::handle_timeout). After it has returned the request, do
    /// not call it again.
    ///
    /// # Errors
    ///
    /// What is wrong with the head or its `Host`, or [`RequestError::Timeout`]. What breaks the line structure and what is
    /// over the size is refused at the byte, wrong names and values when the head is whole. Every further call returns the
    /// same error. Answer with [`RequestError::refuse`].
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

    /// Passes the time, as a [`Duration`] since an origin of your choice. Use the same origin for
    /// [`Connection::handle_timeout`] later.
    ///
    /// A deadline that passes is no error at once, since the request may have arrived in time and still be unread. It makes
    /// [`timeout_at`](Self::timeout_at) zero: read what there is without waiting, call
    /// [`read_request`](Self::read_request), then this again. An earlier time counts as the latest so far.
    ///
    /// # Errors
    ///
    /// [`RequestError::Timeout`] when the deadline has passed and nothing came in that last turn, and what
    /// [`read_request`](Self::read_request) failed with before.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), RequestError> {
        if self.failed.is_none() && self.deadline.expired(now) {
            self.failed = Some(RequestError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline, the request has come,
    /// or it has failed.
    ///
    /// It is [`Duration::ZERO`], which is in the past, in two cases: at first, since the deadline counts from the first time
    /// that you pass, and when the deadline has passed and you have one more turn to read.
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
