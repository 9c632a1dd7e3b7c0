//! The request of a client, as a server reads it (RFC 6455 section 4.2.1).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::{fmt, str};

use crate::connection::{Config, ReadBuffer};
use crate::handshake::error::{HeadError, InputError};
use crate::handshake::head;
use crate::handshake::headers::{Header, Single, contains_token, elements, single};
use crate::handshake::request_error::RequestError;
use crate::handshake::response::write_response;
use crate::handshake::uri::Authority;
use crate::wire::Bytes;

/// A request that a server has received: for a WebSocket, or for anything else on the same port.
///
/// [`read`](Self::read) takes it from a [`ReadBuffer`], [`new`](Self::new) from an HTTP library. Then
/// [`accept`](Self::accept) makes a [`Connection`](crate::Connection) of it, or [`respond`](Self::respond) gives a plain HTTP
/// answer. What the client sent behind the request stays in the buffer for the connection.
///
/// # Example
///
/// ```
/// use sockless::{Config, ReadBuffer};
/// use sockless::handshake::{Request, RequestError, ServerOptions};
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(
///     b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
/// );
/// let request = Request::read(&mut buffer, &Config::default())?.expect("the head is whole");
/// assert_eq!(request.target(), "/chat");
/// let connection = request.accept(&ServerOptions::default())?;
/// assert!(connection.output().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request<'b> {
    method: &'b str,
    /// The path and query; as received if it is of another form, which no WebSocket has.
    target: Cow<'b, str>,
    version: Version,
    /// The host of an absolute target is the `Host` here.
    headers: Vec<Header<'b>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Shows the names of the headers, and how long the rest is.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &Bytes(self.target.len()))
            .field("version", &self.version)
            .field("headers", &self.headers)
            .finish()
    }
}

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
    /// let handshake = request.negotiate(&ServerOptions::default())?;
    /// // Answer with status 101 and these headers. Then the transport is this connection's.
    /// assert_eq!(handshake.headers()[2].value, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// let connection = handshake.connection();
    /// # Ok::<(), sockless::handshake::RequestError>(())
    /// ```
    #[must_use]
    pub fn new(method: &'b str, target: &'b str, headers: Vec<Header<'b>>) -> Self {
        Self {
            method,
            target: Cow::Borrowed(target),
            version: Version::Http11,
            headers,
        }
        .with_path()
    }

    /// A request whose target is its path already. Only HTTP/1.1 has an upgrade.
    #[cfg(feature = "http")]
    pub(crate) const fn with_target(
        method: &'b str,
        target: Cow<'b, str>,
        is_http11: bool,
        headers: Vec<Header<'b>>,
    ) -> Self {
        Self {
            method,
            target,
            version: if is_http11 {
                Version::Http11
            } else {
                Version::Http10
            },
            headers,
        }
    }

    /// Reads a request head, or `None` if it has not all come yet: read more and call again.
    ///
    /// Accepts any request that is valid HTTP/1.1 or 1.0. However small the pieces it comes in, the time
    /// is linear in its size. Limits: [`Config::max_head_size`] and [`Config::max_headers`].
    ///
    /// # Errors
    ///
    /// [`RequestError::Head`] or [`RequestError::Host`]. What breaks the line structure and what is over
    /// the size is refused at the byte, wrong names and values when the head is whole. Write
    /// [`RequestError::response`] as described there: [`Connection::refused`](crate::Connection::refused) drives it.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`size` unread bytes begin at `read`"
    )]
    pub fn read(buffer: &'b mut ReadBuffer, config: &Config) -> Result<Option<Self>, RequestError> {
        Self::skip_empty_lines(buffer);
        if buffer.unread() == b"\r" {
            return Ok(None);
        }
        let length = buffer.unread().len();
        let (request, size, read) = if head::may_be_whole(buffer, config) {
            let (bytes, read) = buffer.received_mut().front();
            if let Some(request) = Self::parse_at_once(bytes, config) {
                (request, length, read)
            } else {
                let (head, _) = head::split(bytes, config)?;
                (Self::parse(head)?, head.len(), read)
            }
        } else {
            let Some(size) = head::find_end(buffer, config)? else {
                return Ok(None);
            };
            let (bytes, read) = buffer.received_mut().front();
            let (head, _) = bytes.split_at(size);
            (Self::parse(head)?, size, read)
        };
        // The header must be there, even where the host of an absolute target then takes its place (section 3.2.2).
        if request.version == Version::Http11 {
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
            buffer.set_searched(0, 0);
        }
        buffer.unread().len() != before
    }

    /// A plain HTTP answer, for instance a page, a redirect, or a refusal of the application's own.
    ///
    /// `status` is from 200 to 599. The headers `Connection: close` and `Content-Length` are added; the
    /// body is left out if the method is HEAD. Write it, and end as for [`RequestError::response`].
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

    /// The method, such as `GET`.
    #[must_use]
    pub const fn method(&self) -> &'b str {
        self.method
    }

    /// The path, with the query if there is one, such as `/chat?room=1`.
    ///
    /// It is the same for an absolute target, such as `http://example.com/chat?room=1` (RFC 9112 section 3.2.2). An empty
    /// path is `/`. A target of another form is here as received, for instance `*`, and
    /// [`accept`](Self::accept) refuses it.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The host that the request is for, with the port if there is one, such as `example.com:8080`.
    ///
    /// It is the host in an absolute target, else that of the `Host` header (RFC 9112 section 3.2.2). `None` if there is
    /// none, or if it is not valid.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let host = host(single(&self.headers, "Host")).ok()?;
        str::from_utf8(host).ok()
    }

    /// All headers in their order.
    ///
    /// With an absolute target, `Host` has the host of the target in place of what was received: RFC 9112 section 3.2.2
    /// tells servers to ignore that.
    #[must_use]
    pub fn headers(&self) -> &[Header<'b>] {
        &self.headers
    }

    /// The value of the header with this name, if there is exactly one.
    ///
    /// For `Host` see [`headers`](Self::headers), and better use [`host`](Self::host).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
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

    /// Whether it asks for a WebSocket, so that [`accept`](Self::accept) is worth a try.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        contains_token(&self.headers, "Upgrade", "websocket")
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
            version: if version == 0 {
                Version::Http10
            } else {
                Version::Http11
            },
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

    /// Whether the version allows an upgrade (RFC 9110 section 7.8).
    pub(crate) fn is_http11(&self) -> bool {
        self.version == Version::Http11
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

/// Whether a target is a path (RFC 6455 section 4.2.1, item 1); it has no fragment (section 3).
pub(crate) fn is_path(target: &str) -> bool {
    target.starts_with('/') && !target.contains('#')
}

/// The only `Host` header, if it names a host.
pub(crate) fn host(host: Single<'_>) -> Result<&[u8], RequestError> {
    // RFC 9112 section 3.2: a server answers 400 to any request without exactly one valid value.
    match host {
        Single::One(host) if Authority::parse(host).is_some() => Ok(host),
        _ => Err(RequestError::Host),
    }
}
