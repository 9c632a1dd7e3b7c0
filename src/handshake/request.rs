//! The request of a client, as a server reads it (RFC 6455 section 4.2.1).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::{fmt, str};

use crate::connection::{Config, Connection, ReadBuffer};
use crate::handshake::agreement::Agreement;
use crate::handshake::bootstrap::{Bootstrap, Scheme, Source, Version, authority, host};
use crate::handshake::head::{self, Search};
use crate::handshake::head_error::HeadError;
use crate::handshake::headers::{Header, Single, contains_token, elements, single};
use crate::handshake::input_error::InputError;
use crate::handshake::options::ServerOptions;
use crate::handshake::request_error::RequestError;
use crate::handshake::response::{Response, write_response};
use crate::handshake::uri::Authority;
use crate::wire::Bytes;

/// A request that a server has received: for a WebSocket, or for anything else on the same port.
///
/// [`ServerHandshake::read_request`](crate::handshake::ServerHandshake::read_request) reads it from a [`ReadBuffer`].
/// Where an HTTP library has read it, [`new`](Self::new) takes it over HTTP/1.1 and
/// [`extended_connect`](Self::extended_connect) over HTTP/2 and HTTP/3. Then [`accept`](Self::accept) or
/// [`negotiate`](Self::negotiate) makes a [`Connection`] of it, or [`respond`](Self::respond) gives a plain HTTP answer. What
/// the client sent after the request stays in the buffer for the connection.
///
/// # Example
///
/// ```
/// use sockless::{Config, ReadBuffer};
/// use sockless::handshake::{RequestError, ServerHandshake, ServerOptions};
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(
///     b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
/// );
/// let mut handshake = ServerHandshake::new(&Config::default());
/// let request = handshake.read_request(&mut buffer)?.expect("the head is whole");
/// assert_eq!(request.target(), "/chat");
/// let connection = request.accept(&ServerOptions::default())?;
/// assert!(connection.output().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request<'b> {
    pub(super) method: &'b str,
    /// The path and query. A target of another form is here as received; no WebSocket has one.
    pub(super) target: Cow<'b, str>,
    pub(super) source: Source,
    /// The host of an absolute target is the `Host` here.
    pub(super) headers: Vec<Header<'b>>,
}

/// Shows the names of the headers, and how long the rest is.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &Bytes(self.target.len()))
            .field("source", &self.source)
            .field("headers", &self.headers)
            .finish()
    }
}

/// # From an HTTP library
impl<'b> Request<'b> {
    /// An HTTP/1.1 request that an HTTP library has read.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{Header, Request, ServerOptions};
    ///
    /// let request = Request::new("GET", "/chat", vec![
    ///     Header { name: "host", value: b"example.com" },
    ///     Header { name: "upgrade", value: b"websocket" },
    ///     Header { name: "connection", value: b"Upgrade" },
    ///     Header { name: "sec-websocket-key", value: b"dGhlIHNhbXBsZSBub25jZQ==" },
    ///     Header { name: "sec-websocket-version", value: b"13" },
    /// ]);
    /// let options = ServerOptions::default();
    /// let (response, connection) = request.negotiate(&options)?;
    /// // Let the library answer with this status and these headers. Then the transport is this connection's.
    /// assert_eq!(response.status(), 101);
    /// assert_eq!(response.single_header("Sec-WebSocket-Accept"), Some(&b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..]));
    /// # Ok::<(), sockless::handshake::RequestError>(())
    /// ```
    #[must_use]
    pub fn new(method: &'b str, target: &'b str, headers: Vec<Header<'b>>) -> Self {
        Self {
            method,
            target: Cow::Borrowed(target),
            source: Source::Library(Version::Http11),
            headers,
        }
        .with_path()
    }

    /// A request over HTTP/2 or HTTP/3 (RFC 8441, RFC 9220). The pseudo-header fields `:method`, `:protocol`, `:scheme`,
    /// `:authority` and `:path` are in the list like the others.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{Header, Request, ServerOptions};
    ///
    /// let request = Request::extended_connect(vec![
    ///     Header { name: ":method", value: b"CONNECT" },
    ///     Header { name: ":protocol", value: b"websocket" },
    ///     Header { name: ":scheme", value: b"https" },
    ///     Header { name: ":authority", value: b"example.com" },
    ///     Header { name: ":path", value: b"/chat" },
    ///     Header { name: "sec-websocket-version", value: b"13" },
    /// ]);
    /// assert!(request.is_websocket());
    /// let options = ServerOptions::default();
    /// let (response, connection) = request.negotiate(&options)?;
    /// // Let the library answer with this status and these headers. Then the stream is this connection's.
    /// assert_eq!(response.status(), 200);
    /// # Ok::<(), sockless::handshake::RequestError>(())
    /// ```
    #[must_use]
    pub fn extended_connect(headers: Vec<Header<'b>>) -> Self {
        Self::from_stream(headers, Scheme::Listed)
    }

    pub(super) fn from_stream(headers: Vec<Header<'b>>, scheme: Scheme) -> Self {
        let text = |name| match single(&headers, name) {
            Single::One(value) => str::from_utf8(value).unwrap_or_default(),
            Single::Missing | Single::Several => "",
        };
        Self {
            method: text(":method"),
            target: Cow::Borrowed(text(":path")),
            source: Source::Stream(scheme),
            headers,
        }
    }
}

/// # What it asks for
impl<'b> Request<'b> {
    /// Whether it asks for a WebSocket, so that [`accept`](Self::accept) is worth a try.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        match self.source.bootstrap() {
            Bootstrap::Upgrade => contains_token(&self.headers, "Upgrade", "websocket"),
            Bootstrap::ExtendedConnect => {
                self.method == "CONNECT" && self.single_header(":protocol") == Some(b"websocket")
            }
        }
    }

    /// The method, such as `GET`.
    #[must_use]
    pub const fn method(&self) -> &'b str {
        self.method
    }

    /// The path, with the query if there is one, such as `/chat?room=1`.
    ///
    /// It is the same for an absolute target, such as `http://example.com/chat?room=1` (RFC 9112 section 3.2.2). An empty
    /// path is `/`. A target of another form is here as received, for instance `*`, and
    /// [`accept`](Self::accept) refuses it. Over HTTP/2 and HTTP/3 it is the `:path`, or empty if there is not exactly one.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The host that the request is for, with the port if there is one, such as `example.com:8080`.
    ///
    /// It is the host in an absolute target, else that of the `Host` header (RFC 9112 section 3.2.2). Over HTTP/2 and HTTP/3
    /// it is the `:authority`, or the `host` field of a request without one (RFC 9113 section 8.3.1, RFC 9114
    /// section 4.3.1). `None` if there is none, if it is not valid, or if two are there and differ.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let listed = single(&self.headers, "Host");
        let host = match self.source.bootstrap() {
            Bootstrap::Upgrade => host(listed),
            Bootstrap::ExtendedConnect => {
                let is_secure = self.single_header(":scheme") == Some(b"https");
                let default_port = if is_secure { 443 } else { 80 };
                authority(&self.headers, listed, default_port)
            }
        };
        str::from_utf8(host.ok()?).ok()
    }

    /// All headers in their order. Over HTTP/2 and HTTP/3 the pseudo-header fields are among them.
    ///
    /// With an absolute target, `Host` has the host of the target in place of what was received: RFC 9112 section 3.2.2
    /// tells servers to ignore that.
    #[must_use]
    pub fn headers(&self) -> &[Header<'b>] {
        &self.headers
    }

    /// The value of the header with this name. `None` if there is none, or more than one.
    ///
    /// For the host, use [`host`](Self::host).
    #[must_use]
    pub fn single_header(&self, name: &str) -> Option<&'b [u8]> {
        match single(&self.headers, name) {
            Single::One(value) => Some(value),
            Single::Missing | Single::Several => None,
        }
    }

    /// The subprotocols the client offers, in the order it prefers them (RFC 6455 section 1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        elements(&self.headers, "Sec-WebSocket-Protocol")
            .filter_map(|element| str::from_utf8(element).ok())
    }
}

/// # The answer
impl Request<'_> {
    /// Agrees on a WebSocket connection, or refuses (RFC 6455 section 4.2.2).
    ///
    /// If the request was read from a transport, the connection's output begins with the answer to the client. If it comes
    /// from an HTTP library, that library writes the answer: use [`negotiate`](Self::negotiate).
    ///
    /// The answer is final, also to a request with `Expect: 100-continue`: it is never a 100 (RFC 9110 section 10.1.1).
    ///
    /// # Errors
    ///
    /// What is wrong with the request, or why `options` do not allow it. Give the client
    /// [`RequestError::refuse`], or an answer of your own with [`respond`](Self::respond) and [`Connection::refused`].
    pub fn accept(&self, options: &ServerOptions<'_>) -> Result<Connection, RequestError> {
        Ok(self.open(&self.agree(options)?))
    }

    /// As [`accept`](Self::accept), with the response: what was agreed on, such as the subprotocol.
    ///
    /// If the request was read from a transport, the response is already in the connection's output, and you only look at
    /// it. If it comes from an HTTP library, let the library write the response's status and headers.
    ///
    /// # Errors
    ///
    /// As of [`accept`](Self::accept). Over HTTP/2 and HTTP/3, answer with [`RequestError::over_http2`].
    pub fn negotiate(
        &self,
        options: &ServerOptions<'_>,
    ) -> Result<(Response<'static>, Connection), RequestError> {
        let agreement = self.agree(options)?;
        let bootstrap = self.source.bootstrap();
        let mut lines = bootstrap.answer().to_vec();
        agreement.write_headers(&mut lines);
        let response = Response::written(bootstrap.status(), lines);
        Ok((response, self.open(&agreement)))
    }

    fn agree<'a>(&self, options: &'a ServerOptions<'a>) -> Result<Agreement<'a>, RequestError> {
        Agreement::new(
            self.source,
            self.method,
            &self.target,
            &self.headers,
            options,
        )
    }

    fn open(&self, agreement: &Agreement<'_>) -> Connection {
        match self.source {
            Source::Transport(_) => {
                // There is room for a subprotocol and an extension.
                let mut answer = Vec::with_capacity(256);
                answer.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
                answer.extend_from_slice(Bootstrap::Upgrade.answer());
                agreement.write_headers(&mut answer);
                answer.extend_from_slice(b"\r\n");
                agreement.connection(answer)
            }
            Source::Library(_) | Source::Stream(_) => agreement.connection(Vec::new()),
        }
    }

    /// A plain HTTP answer, for instance a page, a redirect, or a refusal of the application's own.
    ///
    /// `status` is from 200 to 599. The headers `Connection: close` and `Content-Length` are added. The
    /// body is left out if the method is HEAD. Give the response to [`Connection::refused`].
    ///
    /// # Errors
    ///
    /// [`InputError`] for a status or header that must not be written; nothing else can break the
    /// structure of the response.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{Header, Request};
    ///
    /// let request = Request::new("GET", "/", vec![Header { name: "Host", value: b"localhost" }]);
    /// let html = Header { name: "Content-Type", value: b"text/html; charset=utf-8" };
    /// let answer = request.respond(200, &[html], b"<h1>Hello</h1>")?;
    /// assert!(answer.ends_with(b"Content-Length: 14\r\n\r\n<h1>Hello</h1>"));
    /// # Ok::<(), sockless::handshake::InputError>(())
    /// ```
    pub fn respond(
        &self,
        status: u16,
        headers: &[Header<'_>],
        body: &[u8],
    ) -> Result<Vec<u8>, InputError> {
        if !(200..600).contains(&status) {
            return Err(InputError::Status);
        }
        for header in headers {
            // They decide where the response ends.
            header.check(&["Connection", "Content-Length", "Transfer-Encoding"])?;
        }
        // RFC 9110 section 15.3.6: a 205 has a body of length 0.
        let body = if status == 205 { &[] } else { body };
        let mut response = write_response(status, headers, body);
        // RFC 9110 section 9.3.2, section 15.3.5 and section 15.4.5: no content, though perhaps its length.
        if self.method == "HEAD" || matches!(status, 204 | 304) {
            response.truncate(response.len().saturating_sub(body.len()));
        }
        Ok(response)
    }
}

/// # Reading
impl<'b> Request<'b> {
    /// Reads a request head, or `None` if it has not all come yet.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`size` unread bytes begin at `read`"
    )]
    pub(crate) fn read(
        buffer: &'b mut ReadBuffer,
        search: &mut Search,
        config: &Config,
    ) -> Result<Option<Self>, RequestError> {
        if buffer.unread() == b"\r" {
            return Ok(None);
        }
        let (bytes, read) = buffer.received_mut().front();
        let whole = if search.may_be_whole(bytes, config) {
            Self::parse_at_once(bytes, config)
        } else {
            None
        };
        let (request, size) = if let Some(request) = whole {
            (request, bytes.len())
        } else {
            let Some(size) = search.find_end(bytes, config)? else {
                return Ok(None);
            };
            let (head, _) = bytes.split_at(size);
            (Self::parse(head)?, size)
        };
        // The header must be there, even where the host of an absolute target then takes its place (section 3.2.2).
        if request.source.is_http11() {
            host(single(&request.headers, "Host"))?;
        }
        *read += size;
        Ok(Some(request.with_path()))
    }

    /// Skips empty lines before a request, and says whether there were any (RFC 9112 section 2.2).
    pub(crate) fn skip_empty_lines(buffer: &mut ReadBuffer) -> bool {
        let before = buffer.unread().len();
        while buffer.unread().starts_with(b"\r\n") {
            buffer.received_mut().consume(2);
        }
        buffer.unread().len() != before
    }

    /// What the parser makes of a whole head that was searched already.
    fn parse(head: &'b [u8]) -> Result<Self, HeadError> {
        let mut lines = head::lines(head);
        let mut parsed = httparse::Request::new(&mut lines);
        head::check(parsed.parse(head), head.len())?;
        Self::parsed(&parsed).ok_or(HeadError::Malformed)
    }

    /// The request that `bytes` are, if they are one and nothing else; `None` leaves it to the search to say
    /// what they are.
    ///
    /// The parser alone judges them, once. Besides what it refuses itself, the search refuses bare LFs and too
    /// many headers.
    fn parse_at_once(bytes: &'b [u8], config: &Config) -> Option<Self> {
        let mut lines = [const { MaybeUninit::uninit() }; head::FEW];
        let mut parsed = httparse::Request::new(&mut []);
        let verdict = parsed.parse_with_uninit_headers(bytes, &mut lines);
        head::check(verdict, bytes.len()).ok()?;
        let headers = parsed.headers.len();
        if headers > config.max_headers || !head::has_lines(bytes, headers) {
            return None;
        }
        Self::parsed(&parsed)
    }

    fn parsed(parsed: &httparse::Request<'_, 'b>) -> Option<Self> {
        let (Some(method), Some(target), Some(version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return None;
        };
        Some(Self {
            method,
            target: Cow::Borrowed(target),
            source: Source::Transport(if version == 0 {
                Version::Http10
            } else {
                Version::Http11
            }),
            headers: head::headers(parsed.headers),
        })
    }

    /// Takes an absolute target apart, as [`target`](Self::target) and [`headers`](Self::headers) describe.
    fn with_path(mut self) -> Self {
        if let Cow::Borrowed(target) = self.target
            && let Some((host, path)) = split_absolute(target)
        {
            set_host(&mut self.headers, host);
            self.target = origin_form(path);
        }
        self
    }
}

/// The host and the rest of an absolute `http:` or `https:` URI (RFC 9112 section 3.2.2).
fn split_absolute(target: &str) -> Option<(&str, &str)> {
    // RFC 6455 section 3: no fragment.
    if target.starts_with('/') || target.contains('#') {
        return None;
    }
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Authority::parse(host.as_bytes())?;
    Some((host, path))
}

/// What follows the host in a URI, in the form of a target that is a path (RFC 9112 section 3.2.1).
pub(crate) fn origin_form(path: &str) -> Cow<'_, str> {
    match path {
        "" => Cow::Borrowed("/"),
        path if path.starts_with('/') => Cow::Borrowed(path),
        query => Cow::Owned(alloc::format!("/{query}")),
    }
}

/// Puts the host of an absolute target in place of what the `Host` header says (RFC 9112 section 3.2.2).
pub(crate) fn set_host<'b>(headers: &mut Vec<Header<'b>>, host: &'b str) {
    let value = host.as_bytes();
    let mut is_set = false;
    headers.retain_mut(|header| {
        if !header.is("Host") {
            return true;
        }
        header.value = value;
        !core::mem::replace(&mut is_set, true)
    });
    if !is_set {
        let name = "host";
        headers.push(Header { name, value });
    }
}
