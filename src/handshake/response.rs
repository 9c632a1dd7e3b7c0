//! Responses: a client reads one, and a server writes one (RFC 6455, sections 4.1 and 4.2.2).

use alloc::vec::Vec;
use core::{fmt, str};

use crate::connection::{Config, ReadBuffer};
use crate::handshake::head::{self, Search};
use crate::handshake::head_error::HeadError;
use crate::handshake::headers::{Header, Single, parse_lines, single, trim};
use crate::wire::Bytes;

/// A server's response: its status, its headers, and what has arrived of its body.
///
/// A client gets one from [`ClientHandshake::read_response`](crate::handshake::ClientHandshake::read_response). A
/// server gets one from [`Request::negotiate`](crate::handshake::Request::negotiate).
///
/// # Example
///
/// ```
/// use sockless::handshake::{Header, Response};
///
/// // A redirect that an HTTP library has read.
/// let location = Header { name: "location", value: b"wss://example.com/chat" };
/// let response = Response::new(307, vec![location]);
/// assert_eq!(response.status(), 307);
/// assert_eq!(response.single_header("Location"), Some(&b"wss://example.com/chat"[..]));
/// ```
#[derive(Clone)]
pub struct Response<'b> {
    status: u16,
    headers: Headers<'b>,
    body: &'b [u8],
}

#[derive(Clone)]
enum Headers<'b> {
    List(Vec<Header<'b>>),
    /// Header lines, ready to write.
    Lines(Vec<u8>),
}

/// Compares statuses, headers and bodies.
impl PartialEq for Response<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.status, self.headers(), self.body) == (other.status, other.headers(), other.body)
    }
}

impl Eq for Response<'_> {}

/// Shows the status, the headers without their values, and the length of the body.
impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers())
            .field("body", &Bytes(self.body.len()))
            .finish()
    }
}

impl<'b> Response<'b> {
    /// Takes a response that an HTTP library has read.
    ///
    /// Give it to [`ClientHandshake::establish`](crate::handshake::ClientHandshake::establish). With the types of the
    /// crate `http`, use [`from_http`](Self#method.from_http).
    #[must_use]
    pub const fn new(status: u16, headers: Vec<Header<'b>>) -> Self {
        Self {
            status,
            headers: Headers::List(headers),
            body: &[],
        }
    }

    /// The response of a server. `lines` are its headers.
    pub(crate) const fn written(status: u16, lines: Vec<u8>) -> Self {
        Self {
            status,
            headers: Headers::Lines(lines),
            body: &[],
        }
    }

    /// Reads a 101 or a final response, after [`skip_interim`](Self::skip_interim). `None` if it is not complete.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`size` unread bytes begin at `read`"
    )]
    pub(crate) fn read(
        buffer: &'b mut ReadBuffer,
        search: &mut Search,
        config: &Config,
    ) -> Result<Option<Self>, HeadError> {
        let Some(size) = search.find_end(buffer.unread(), config)? else {
            return Ok(None);
        };
        let (bytes, read) = buffer.received_mut().front();
        let (head, rest) = bytes.split_at(size);
        let mut response = Self::parse(head)?;
        *read += size;
        // After a 101, the following bytes are frames.
        if response.status != 101 {
            response.body = rest;
        }
        Ok(Some(response))
    }

    /// Skips interim responses. Returns whether there were any.
    pub(crate) fn skip_interim(
        buffer: &mut ReadBuffer,
        search: &mut Search,
        config: &Config,
    ) -> Result<bool, HeadError> {
        let mut skipped = false;
        loop {
            let mut ahead = *search;
            let Some(size) = ahead.find_end(buffer.unread(), config)? else {
                // The next search continues here.
                *search = ahead;
                return Ok(skipped);
            };
            let (head, _) = buffer.unread().split_at(size);
            if !is_interim(head) {
                return Ok(skipped);
            }
            Response::parse(head)?;
            buffer.received_mut().consume(size);
            *search = ahead;
            skipped = true;
        }
    }

    /// The status code.
    ///
    /// 101 accepts over HTTP/1.1. 200 to 299 accept over HTTP/2 and HTTP/3. A response that was read over HTTP/1.1 may
    /// have any status from 101 to 999. Treat a status over 599 like 500, as a server error (RFC 9110, section 15).
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// All headers in their order. Each call makes a new list.
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        match &self.headers {
            Headers::List(headers) => headers.clone(),
            Headers::Lines(lines) => parse_lines(lines),
        }
    }

    /// The subprotocol that the server chose. `None` if it chose none (RFC 6455, section 4.2.2).
    ///
    /// A header with an empty value means none.
    #[doc(alias = "Sec-WebSocket-Protocol")]
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.single_header("Sec-WebSocket-Protocol")
            .filter(|name| !trim(name).is_empty())
            .and_then(|name| str::from_utf8(name).ok())
    }

    /// The part of the body that arrived together with the head. It may be all, some or nothing.
    ///
    /// `Content-Length` says how long the whole body is. After a 101, and with an HTTP library, this is empty.
    #[must_use]
    pub const fn body(&self) -> &'b [u8] {
        self.body
    }

    /// The value of the header with this name, such as `Location`. `None` if it is missing or repeated.
    ///
    /// The name may be in upper or lower case. For several `Set-Cookie` headers, use [`headers`](Self::headers).
    #[doc(alias = "cookie")]
    #[doc(alias = "Set-Cookie")]
    #[must_use]
    pub fn single_header(&self, name: &str) -> Option<&[u8]> {
        match single(&self.headers(), name) {
            Single::One(value) => Some(value),
            Single::Missing | Single::Several => None,
        }
    }

    fn parse(bytes: &'b [u8]) -> Result<Self, HeadError> {
        let mut lines = head::lines(bytes);
        let mut parsed = httparse::Response::new(&mut lines);
        head::check(parsed.parse(bytes), bytes.len())?;
        match (parsed.version, parsed.code) {
            // RFC 9110, section 7.8: HTTP/1.0 has no upgrade.
            (Some(0), Some(101)) => Err(HeadError::UnsupportedVersion),
            // RFC 9110, section 15: a client treats an invalid status from 600 to 999 as a server error.
            (Some(_), Some(status @ 100..=999)) => Ok(Self {
                status,
                headers: Headers::List(head::headers(parsed.headers)),
                body: &[],
            }),
            _ => Err(HeadError::Malformed),
        }
    }
}

/// RFC 9110, section 15.2: a client must be able to parse interim responses, and may ignore them. A 101 is different:
/// it is the last HTTP message on this transport.
fn is_interim(head: &[u8]) -> bool {
    matches!(head.get(8..12), Some([b' ', b'1', rest @ ..]) if rest != b"01")
}

/// A whole response that ends the exchange. The headers that frame the body come after `headers`.
pub(crate) fn write_response(status: u16, headers: &[Header<'_>], body: &[u8]) -> Vec<u8> {
    let mut bytes = write_head(status, headers);
    // RFC 9110, section 7.8: the sender of Upgrade must name it in Connection.
    let upgrade = headers.iter().any(|header| header.is("Upgrade"));
    bytes.extend_from_slice(if upgrade {
        b"Connection: Upgrade, close\r\n"
    } else {
        b"Connection: close\r\n"
    });
    // RFC 9110, section 8.6: a 204 must not have a Content-Length. In a 304, it would be the length of the content that
    // is not sent.
    if !matches!(status, 204 | 304) {
        bytes.extend_from_slice(alloc::format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// A status line and header lines, without the empty line at the end of the head.
pub(crate) fn write_head(status: u16, headers: &[Header<'_>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(192);
    bytes.extend_from_slice(alloc::format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
    for header in headers {
        write_header(&mut bytes, header);
    }
    bytes
}

/// Writes one header line. The caller has checked the header.
pub(crate) fn write_header(bytes: &mut Vec<u8>, header: &Header<'_>) {
    bytes.extend_from_slice(header.name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(header.value);
    bytes.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status that a WebSocket server may use. It may be empty (RFC 9112, section 4).
const fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
