//! The client's request, as a server reads it (RFC 6455, section 4.2.1).

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

/// A request that a server has received. It asks for a WebSocket, or for anything else on the same port.
///
/// [`ServerHandshake::read_request`](crate::handshake::ServerHandshake::read_request) reads it from a [`ReadBuffer`].
/// If an HTTP library reads the requests, use [`new`](Self::new) over HTTP/1.1, or
/// [`extended_connect`](Self::extended_connect) over HTTP/2 and HTTP/3.
///
/// Look at the request, then answer in one of these ways:
///
/// - [`accept`](Self::accept) opens the WebSocket, or says why the request must be refused.
/// - [`negotiate`](Self::negotiate) does the same and also returns the response, for instance for the subprotocol.
/// - [`respond`](Self::respond) writes a page, a redirect, or a refusal with your own status. Give its result to
///   [`Connection::refused`], which delivers it.
///
/// The bytes that follow the request stay in the buffer for the connection.
///
/// # Example: a page next to the WebSocket
///
/// ```
/// use sockless::Connection;
/// use sockless::handshake::{Header, InputError, Request, ServerOptions};
///
/// /// A page at `/`, and a WebSocket at `/chat` for clients with the right cookie.
/// fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, InputError> {
///     let html = Header { name: "Content-Type", value: b"text/html; charset=utf-8" };
///     let page = match request.target() {
///         "/" => request.respond(200, &[html], b"<h1>Hello</h1>")?,
///         "/chat" if request.single_header("Cookie") == Some(b"session=1") => {
///             let accepted = request.accept(options);
///             return Ok(accepted.unwrap_or_else(|error| error.refuse(&options.config)));
///         }
///         "/chat" => request.respond(403, &[html], b"<h1>Log in first</h1>")?,
///         _ => request.respond(404, &[html], b"<h1>Not found</h1>")?,
///     };
///     Ok(Connection::refused(page, &options.config))
/// }
/// # let host = Header { name: "Host", value: b"a" };
/// # let cookie = Header { name: "Cookie", value: b"session=1" };
/// # let options = ServerOptions::default();
/// # for (target, headers, start) in [
/// #     ("/", vec![host], "HTTP/1.1 200 "),
/// #     ("/chat", vec![host], "HTTP/1.1 403 "),
/// #     ("/chat", vec![host, cookie], "HTTP/1.1 426 "),
/// #     ("/a", vec![host], "HTTP/1.1 404 "),
/// # ] {
/// #     let connection = answer(&Request::new("GET", target, headers), &options)?;
/// #     assert!(connection.output().starts_with(start.as_bytes()), "{target}");
/// # }
/// # Ok::<(), InputError>(())
/// ```
///
/// # Example: from bytes to a connection
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
/// let request = handshake.read_request(&mut buffer)?.expect("the head is complete");
/// assert_eq!(request.target(), "/chat");
/// let connection = request.accept(&ServerOptions::default())?;
/// assert!(connection.output().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request<'b> {
    pub(super) method: &'b str,
    /// The path and query. Another form of target is here as received, and a WebSocket request cannot have one.
    pub(super) target: Cow<'b, str>,
    pub(super) source: Source,
    /// If the target is absolute, `Host` contains its host.
    pub(super) headers: Vec<Header<'b>>,
}

/// Shows the method, the length of the target, and the headers without their values.
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
    /// Takes an HTTP/1.1 request that an HTTP library has read.
    ///
    /// With the types of the crate `http`, use [`from_http`](Self#method.from_http).
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
    /// // Let the library write this status and these headers. The transport then belongs to the connection.
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

    /// Takes a request over HTTP/2 or HTTP/3 (RFC 8441, RFC 9220).
    ///
    /// The list contains the pseudo-header fields `:method`, `:protocol`, `:scheme`, `:authority` and `:path`. With the
    /// types of the crate `http`, use [`from_http_connect`](Self#method.from_http_connect).
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
    /// // Let the library write this status and these headers. The stream then belongs to the connection.
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

/// # What the client asks for
impl<'b> Request<'b> {
    /// Whether the request asks for a WebSocket. Only then can [`accept`](Self::accept) succeed.
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

    /// The path and the query, such as `/chat?room=1`.
    ///
    /// For the path alone, write `request.target().split('?').next()`.
    ///
    /// An absolute target, such as `http://example.com/chat?room=1`, gives the same result (RFC 9112, section 3.2.2).
    /// An empty path is `/`. Another form, such as `*`, is here as received, and [`accept`](Self::accept) refuses it.
    /// Over HTTP/2 and HTTP/3 this is the `:path`. It is empty if there is not exactly one.
    #[doc(alias = "path")]
    #[doc(alias = "uri")]
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The host that the request is for, such as `example.com` or `example.com:8080`.
    ///
    /// It is the host of an absolute target, or the `Host` header (RFC 9112, section 3.2.2). Over HTTP/2 and HTTP/3 it
    /// is the `:authority`, or the `host` field if there is no `:authority` (RFC 9113, section 8.3.1; RFC 9114, section
    /// 4.3.1).
    ///
    /// `None` means that it is missing, repeated or not valid, or that `:authority` and `host` differ.
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

    /// All headers in their order. Over HTTP/2 and HTTP/3 the list contains the pseudo-header fields.
    ///
    /// If the target is absolute, `Host` contains the target's host. RFC 9112, section 3.2.2, tells servers to ignore
    /// the host that was received.
    #[must_use]
    pub fn headers(&self) -> &[Header<'b>] {
        &self.headers
    }

    /// The value of the header with this name, such as `Cookie` or `Authorization`. `None` if it is missing or
    /// repeated.
    ///
    /// The name may be in upper or lower case. For `Host`, use [`host`](Self::host).
    ///
    /// Over HTTP/2 and HTTP/3, a client may split `Cookie` into several fields (RFC 9113, section 8.2.3). Then join the
    /// values from [`headers`](Self::headers) with `; `.
    #[doc(alias = "cookie")]
    #[doc(alias = "authorization")]
    #[must_use]
    pub fn single_header(&self, name: &str) -> Option<&'b [u8]> {
        match single(&self.headers, name) {
            Single::One(value) => Some(value),
            Single::Missing | Single::Several => None,
        }
    }

    /// The subprotocols that the client offers, the preferred one first (RFC 6455, section 4.1).
    ///
    /// You need not choose one: give your list to [`ServerOptions::subprotocols`].
    #[doc(alias = "Sec-WebSocket-Protocol")]
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        elements(&self.headers, "Sec-WebSocket-Protocol")
            .filter_map(|element| str::from_utf8(element).ok())
    }
}

/// # The answer
impl Request<'_> {
    /// Checks the request, and opens the connection (RFC 6455, section 4.2.2).
    ///
    /// If the request was read from a transport, the connection's output begins with the response. If an HTTP library
    /// read it, use [`negotiate`](Self::negotiate), because the library must write the response.
    ///
    /// The response is always final, also if the client sends `Expect: 100-continue` (RFC 9110, section 10.1.1).
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the request is wrong, or if `options` do not allow it. Answer with [`RequestError::refuse`].
    /// For your own answer, use [`respond`](Self::respond) and [`Connection::refused`].
    #[doc(alias = "upgrade")]
    pub fn accept(&self, options: &ServerOptions<'_>) -> Result<Connection, RequestError> {
        Ok(self.open(&self.agree(options)?))
    }

    /// Like [`accept`](Self::accept), and also returns the response.
    ///
    /// [`Response::subprotocol`] says which subprotocol was chosen.
    ///
    /// If the request was read from a transport, the response is already in the connection's output. Do not write it
    /// again. If an HTTP library read the request, let the library write the response's status and headers.
    ///
    /// # Errors
    ///
    /// The same as those of [`accept`](Self::accept). Over HTTP/2 and HTTP/3, answer with [`RequestError::over_http2`].
    ///
    /// # Example: choose a subprotocol
    ///
    /// ```
    /// # use sockless::handshake::{Header, Request, RequestError, ServerOptions};
    /// # let request = Request::new("GET", "/chat", vec![
    /// #     Header { name: "Host", value: b"example.com" },
    /// #     Header { name: "Upgrade", value: b"websocket" },
    /// #     Header { name: "Connection", value: b"Upgrade" },
    /// #     Header { name: "Sec-WebSocket-Key", value: b"dGhlIHNhbXBsZSBub25jZQ==" },
    /// #     Header { name: "Sec-WebSocket-Version", value: b"13" },
    /// #     Header { name: "Sec-WebSocket-Protocol", value: b"chat.v3, chat.v2, chat.v1" },
    /// # ]);
    /// // The client offers `chat.v3, chat.v2, chat.v1`.
    /// let options = ServerOptions::new().with_subprotocols(&["chat.v1", "chat.v2"]);
    /// let (response, connection) = request.negotiate(&options)?;
    /// assert_eq!(response.subprotocol(), Some("chat.v2")); // the first in the client's list
    /// # Ok::<(), RequestError>(())
    /// ```
    #[doc(alias = "subprotocol")]
    #[doc(alias = "upgrade")]
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
                // This is enough for a subprotocol and an extension.
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

    /// Writes a plain HTTP/1.1 response: a page, a redirect, or a refusal with your own status.
    ///
    /// Give the result to [`Connection::refused`], which delivers it. Each transport
    /// serves one request. If an HTTP library read the request, answer with the library instead.
    ///
    /// `status` is from 200 to 599. The response also gets `Connection: close` and `Content-Length`. The body is left
    /// out if the method is HEAD, or if the status is 204, 205 or 304.
    ///
    /// # Errors
    ///
    /// - [`InputError::Status`] if the status is out of range.
    /// - [`InputError::HeaderName`] or [`InputError::HeaderValue`] if a header is not valid.
    /// - [`InputError::ReservedHeader`] for `Connection`, `Content-Length` or `Transfer-Encoding`.
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
    #[doc(alias = "page")]
    #[doc(alias = "html")]
    #[doc(alias = "redirect")]
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
            // These headers decide where the response ends.
            header.check(&["Connection", "Content-Length", "Transfer-Encoding"])?;
        }
        // RFC 9110, section 15.3.6: a 205 has no content.
        let body = if status == 205 { &[] } else { body };
        let mut response = write_response(status, headers, body);
        // RFC 9110, sections 9.3.2, 15.3.5 and 15.4.5: no content. A response to HEAD keeps its Content-Length.
        if self.method == "HEAD" || matches!(status, 204 | 304) {
            response.truncate(response.len().saturating_sub(body.len()));
        }
        Ok(response)
    }
}

/// # Reading
impl<'b> Request<'b> {
    /// Reads a request head. `None` if it is not complete.
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
        // RFC 9112, section 3.2.2: `Host` is required, even if the host of an absolute target replaces it.
        if request.source.is_http11() {
            host(single(&request.headers, "Host"))?;
        }
        *read += size;
        Ok(Some(request.with_path()))
    }

    /// Skips empty lines before a request (RFC 9112, section 2.2). Returns whether there were any.
    pub(crate) fn skip_empty_lines(buffer: &mut ReadBuffer) -> bool {
        let before = buffer.unread().len();
        while buffer.unread().starts_with(b"\r\n") {
            buffer.received_mut().consume(2);
        }
        buffer.unread().len() != before
    }

    /// Parses a complete head, after the search has checked it.
    fn parse(head: &'b [u8]) -> Result<Self, HeadError> {
        let mut lines = head::lines(head);
        let mut parsed = httparse::Request::new(&mut lines);
        head::check(parsed.parse(head), head.len())?;
        Self::parsed(&parsed).ok_or(HeadError::Malformed)
    }

    /// Parses `bytes` in one pass if they are exactly one request. Otherwise returns `None`, and the search decides.
    ///
    /// This saves the search. It also applies the two checks that only the search makes: bare LFs and the number of
    /// headers.
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

    /// Splits an absolute target, as [`target`](Self::target) and [`headers`](Self::headers) describe.
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

/// The host and the rest of an absolute `http:` or `https:` URI (RFC 9112, section 3.2.2).
fn split_absolute(target: &str) -> Option<(&str, &str)> {
    // RFC 6455, section 3: no fragment.
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

/// The rest of a URI after its host, in the form of a path (RFC 9112, section 3.2.1).
pub(crate) fn origin_form(path: &str) -> Cow<'_, str> {
    match path {
        "" => Cow::Borrowed("/"),
        path if path.starts_with('/') => Cow::Borrowed(path),
        query => Cow::Owned(alloc::format!("/{query}")),
    }
}

/// Replaces the `Host` header by the host of an absolute target (RFC 9112, section 3.2.2).
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
