//! WebSocket URIs (RFC 6455 section 3).

use alloc::string::String;
use core::net::Ipv6Addr;
use core::str::FromStr;
use core::{fmt, str};

use crate::handshake::headers::Class;
use crate::handshake::input_error::InputError;
use crate::wire::Bytes;

/// Where to connect to: a `ws:` or `wss:` URI (RFC 6455 section 3).
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

/// Shows where it leads, and how long the path and query are: they may hold a token.
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

/// The URI, its scheme in lower case and without an empty port.
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

/// See [`Uri::parse`].
impl FromStr for Uri {
    type Err = InputError;

    fn from_str(uri: &str) -> Result<Self, InputError> {
        Self::parse(uri)
    }
}

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    ///
    /// [`InputError::Uri`] for another scheme, for user information or a fragment (which section 3
    /// excludes), for an empty host, a port over 65535, or any character that RFC 3986 does not allow there;
    /// other characters must be percent-encoded.
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

    /// Whether the connection goes over TLS: the scheme is `wss`.
    #[must_use]
    #[doc(alias = "wss")]
    #[doc(alias = "tls")]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host's name or address, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: the one in the URI, or 443 with TLS and 80 without.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self.port {
            Some(port) => port,
            None => self.default_port(),
        }
    }

    /// The path as written, such as `/chat`; at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        if self.path.is_empty() {
            "/"
        } else {
            &self.path
        }
    }

    /// The query as written, without its question mark, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The path with the query, as a request has it (RFC 6455 section 3: the resource name).
    pub(crate) fn target(&self) -> String {
        let (mark, query) = self.query().map_or(("", ""), |query| ("?", query));
        alloc::format!("{}{mark}{query}", self.path())
    }

    /// The value of the `Host` header: the host and, if it is not the default, the port (section 4.1, item 4).
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

/// A host with or without a port, as it stands in a URI, a `Host` header or an origin (RFC 3986 section
/// 3.2, without user information).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authority<'a> {
    /// Without the brackets of an IPv6 address; ASCII always.
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
            // RFC 3986 section 3.2.3: the port may be empty, and is then the default.
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return None,
        };
        Some(Self { host, ipv6, port })
    }

    /// Whether both mean the same host and port, which is `default` unless it is given (RFC 3986 section 6.2).
    pub(crate) fn is_same(&self, other: &Authority<'_>, default: u16) -> bool {
        // No name looks like an IPv6 address: that has a colon.
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

/// Whether all characters are legal, or one of `others`.
fn is_legal(part: &[u8], others: &[u8]) -> bool {
    legal_length(part, others) == part.len()
}

/// How many bytes come before the first character that is neither unreserved, a sub-delimiter or
/// percent-encoded (RFC 3986 section 2), nor one of `others`.
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
