//! WebSocket URIs (RFC 6455, section 3).

use alloc::string::String;
use core::net::Ipv6Addr;
use core::str::FromStr;
use core::{fmt, str};

use crate::handshake::headers::Class;
use crate::handshake::input_error::InputError;
use crate::wire::Bytes;

/// The server and the resource to connect to: a `ws:` or `wss:` URI (RFC 6455, section 3).
///
/// `wss:` means TLS on port 443 unless the URI names another port. sockless does not connect or encrypt. You connect to
/// [`host`](Self::host) and [`port`](Self::port), and use TLS if [`is_secure`](Self::is_secure) is true.
///
/// # Example
///
/// ```
/// use sockless::handshake::Uri;
///
/// let uri: Uri = "wss://[::1]:9000/chat?room=1".parse()?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("::1", 9000));
/// assert_eq!((uri.path(), uri.query()), ("/chat", Some("room=1")));
/// assert_eq!(uri.to_string(), "wss://[::1]:9000/chat?room=1");
/// assert_eq!(Uri::parse("ws://example.com")?.port(), 80);
/// # Ok::<(), sockless::handshake::InputError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    secure: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    ipv6: bool,
    port: Option<u16>,
    /// As written; may be empty.
    path: String,
    query: Option<String>,
}

/// Shows the host, the port, and the lengths of the path and the query. The path and the query may contain a token, so
/// they stay hidden.
impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("secure", &self.secure)
            .field("host", &self.host)
            .field("port", &self.port())
            .field("path", &Bytes(self.path.len()))
            .field(
                "query",
                &self.query.as_ref().map(|query| Bytes(query.len())),
            )
            .finish_non_exhaustive()
    }
}

/// Writes the URI with its scheme in lower case, and without an empty port.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "wss://" } else { "ws://" })?;
        let Self { host, path, .. } = self;
        if self.ipv6 {
            write!(f, "[{host}]")?;
        } else {
            f.write_str(host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(path)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// Does the same as [`Uri::parse`].
impl FromStr for Uri {
    type Err = InputError;

    fn from_str(uri: &str) -> Result<Self, InputError> {
        Self::parse(uri)
    }
}

impl Uri {
    /// Parses a URI. The scheme may be in upper or lower case.
    ///
    /// # Errors
    ///
    /// [`InputError::Uri`] in these cases:
    ///
    /// - The scheme is neither `ws` nor `wss`.
    /// - The host is empty, or the port is over 65535.
    /// - The URI has user information or a fragment. RFC 6455, section 3, excludes both.
    /// - A character is illegal there (RFC 3986). Percent-encode it, for instance a space as `%20`. Write a host that
    ///   is not ASCII in its `xn--` form.
    pub fn parse(uri: &str) -> Result<Self, InputError> {
        Self::parse_parts(uri).ok_or(InputError::Uri)
    }

    fn parse_parts(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return None;
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let Authority { host, ipv6, port } = Authority::parse(authority.as_bytes())?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (target, None),
        };
        let host = str::from_utf8(host).ok()?;
        is_legal(target.as_bytes(), b":@/?").then(|| Self {
            secure,
            host: host.into(),
            ipv6,
            port,
            path: path.into(),
            query,
        })
    }

    /// Whether the connection must use TLS, because the scheme is `wss` (RFC 6455, section 3).
    ///
    /// sockless does not encrypt. Before the opening handshake, complete a TLS handshake that checks the server's
    /// certificate for [`host`](Self::host). Then use the TLS stream as the transport. Some TLS streams do their
    /// handshake during the first write.
    #[must_use]
    #[doc(alias = "wss")]
    #[doc(alias = "tls")]
    #[doc(alias = "ssl")]
    #[doc(alias = "https")]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host's name or address, without the brackets of an IPv6 address. It is never empty.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port in the URI. Without one it is 443 for `wss:` and 80 for `ws:`.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self.port {
            Some(port) => port,
            None => self.default_port(),
        }
    }

    /// The path as written, such as `/chat`. An empty path is `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        if self.path.is_empty() {
            "/"
        } else {
            &self.path
        }
    }

    /// The query as written, without the question mark. `None` if the URI has no question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The path with the query, as in a request. RFC 6455, section 3, calls it the resource name.
    pub(crate) fn target(&self) -> String {
        let (mark, query) = self.query().map_or(("", ""), |query| ("?", query));
        alloc::format!("{}{mark}{query}", self.path())
    }

    /// The value of the `Host` header: the host, and the port unless it is the default (section 4.1, item 4).
    pub(crate) fn authority(&self) -> String {
        let host = &self.host;
        let host = if self.ipv6 {
            alloc::format!("[{host}]")
        } else {
            host.clone()
        };
        if self.port() == self.default_port() {
            host
        } else {
            alloc::format!("{host}:{}", self.port())
        }
    }

    const fn default_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }
}

/// A host with an optional port, as in a URI, a `Host` header or an origin (RFC 3986, section 3.2). It has no user
/// information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authority<'a> {
    /// Without the brackets of an IPv6 address. Always ASCII.
    pub(crate) host: &'a [u8],
    pub(crate) ipv6: bool,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(authority: &'a [u8]) -> Option<Self> {
        let (host, ipv6, rest) = if let Some(bracketed) = authority.strip_prefix(b"[") {
            let end = bracketed.iter().position(|byte| *byte == b']')?;
            let (host, rest) = bracketed.split_at_checked(end)?;
            str::from_utf8(host).ok()?.parse::<Ipv6Addr>().ok()?;
            (host, true, rest.strip_prefix(b"]")?)
        } else {
            let (host, rest) = authority.split_at_checked(legal_length(authority, b""))?;
            (host, false, rest)
        };
        if host.is_empty() {
            return None;
        }
        let port = match rest {
            // RFC 3986, section 3.2.3: an empty port means the default.
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return None,
        };
        Some(Self { host, ipv6, port })
    }

    /// Whether both have the same host and port. A missing port counts as `default` (RFC 3986, section 6.2).
    pub(crate) fn is_same(&self, other: &Authority<'_>, default: u16) -> bool {
        // An IPv6 address contains a colon and a name does not, so they never compare as equal.
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

fn parse_port(port: &[u8]) -> Option<u16> {
    if port.iter().all(u8::is_ascii_digit) {
        str::from_utf8(port).ok()?.parse().ok()
    } else {
        None
    }
}

/// Whether all characters are legal or among `others`.
fn is_legal(part: &[u8], others: &[u8]) -> bool {
    legal_length(part, others) == part.len()
}

/// The number of bytes before the first illegal character. Legal are unreserved characters, sub-delimiters,
/// percent-encoded characters (RFC 3986, section 2) and `others`.
fn legal_length(part: &[u8], others: &[u8]) -> usize {
    const LEGAL: Class = Class::new(b"-._~!$&'()*+,;=");
    let mut rest = part;
    loop {
        let Some(legal) = rest.iter().position(|byte| !LEGAL.has(*byte)) else {
            return part.len();
        };
        rest = rest.get(legal..).unwrap_or_default();
        rest = match rest {
            [b'%', a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => tail,
            [byte, tail @ ..] if others.contains(byte) => tail,
            _ => return part.len().saturating_sub(rest.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_section_3_allows() {
        let table = [
            (
                "ws://example.com",
                false,
                "example.com",
                80,
                "/",
                None,
                "example.com",
            ),
            (
                "WSS://Example.com/",
                true,
                "Example.com",
                443,
                "/",
                None,
                "Example.com",
            ),
            (
                "ws://example.com:8080/a?b=1",
                false,
                "example.com",
                8080,
                "/a",
                Some("b=1"),
                "example.com:8080",
            ),
            (
                "ws://example.com?b",
                false,
                "example.com",
                80,
                "/",
                Some("b"),
                "example.com",
            ),
            (
                "ws://example.com:80/?",
                false,
                "example.com",
                80,
                "/",
                Some(""),
                "example.com",
            ),
            (
                "wss://example.com:80",
                true,
                "example.com",
                80,
                "/",
                None,
                "example.com:80",
            ),
            (
                "ws://example.com:",
                false,
                "example.com",
                80,
                "/",
                None,
                "example.com",
            ),
            (
                "ws://127.0.0.1:1/%20:@",
                false,
                "127.0.0.1",
                1,
                "/%20:@",
                None,
                "127.0.0.1:1",
            ),
            (
                "wss://[2001:db8::1]",
                true,
                "2001:db8::1",
                443,
                "/",
                None,
                "[2001:db8::1]",
            ),
            ("ws://[::1]:9", false, "::1", 9, "/", None, "[::1]:9"),
        ];
        for (text, secure, host, port, path, query, authority) in table {
            let uri = Uri::parse(text).expect(text);
            assert_eq!(
                (uri.is_secure(), uri.host(), uri.port()),
                (secure, host, port),
                "{text}"
            );
            assert_eq!((uri.path(), uri.query()), (path, query), "{text}");
            assert_eq!(uri.authority(), authority);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "example.com",
            "http://example.com",
            "ws:example.com",
            "ws://",
            "ws:///path",
            "ws://:80",
            "ws://user@example.com",
            "ws://user:password@example.com",
            "ws://example.com/#fragment",
            "ws://example.com#",
            "ws://example.com:65536",
            "ws://example.com:+80",
            "ws://example.com:8 0",
            "ws://[::1",
            "ws://[::1]80",
            "ws://[example.com]",
            "ws://::1",
            "ws://exa mple.com",
            "ws://example.com/a b",
            "ws://example.com/\r\nX: y",
            "ws://example.com\r\n",
            "ws://example.com/\0",
            "ws://example.com/%2",
            "ws://example.com/%zz",
            "ws://ex\u{e4}mple.com",
            "ws://example.com/\u{e4}",
        ] {
            assert_eq!(Uri::parse(text), Err(InputError::Uri), "{text:?}");
        }
    }
}
