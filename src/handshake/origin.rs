//! Which web pages may connect (RFC 6455, section 10.2).

use crate::handshake::uri::Authority;

/// The web pages whose connections a server accepts.
///
/// Any web page may open a WebSocket to any server: the rules of CORS do not apply to WebSocket. The browser sends your
/// site's cookies with it, and names the page's origin in the `Origin` header. If your server relies on cookies, it
/// must check that origin. Otherwise any page can act in its visitor's name (RFC 6455, section 10.2).
///
/// Programs other than browsers usually send no `Origin`. Every policy accepts a request without one.
///
/// # `SameHost` trusts the `Host` of the request
///
/// `SameHost` compares the page's origin with the host that the request names. Two cases need your care:
///
/// - **DNS rebinding.** An attacker points the name `evil.example` to your server's address, for instance 127.0.0.1.
///   The browser then treats the attacker's page and your server as the same host. `Origin` and `Host` both say
///   `evil.example`, so the check passes. Servers without a login on a local or private network are the usual victims.
///   Name your server's hosts in [`ServerOptions::hosts`], or use [`Origins::Only`].
/// - **A proxy that changes `Host`.** The server sees an internal name, but the browser sends the public one. The check
///   then refuses every browser with status 403. Let the proxy forward `Host` unchanged, or use [`Origins::Only`] with
///   the public origins.
///
/// If you know your public origins, use [`Origins::Only`]. It is the safest choice, because it does not trust the
/// `Host` header.
///
/// [`ServerOptions::hosts`]: crate::handshake::ServerOptions::hosts
///
/// # Example
///
/// ```
/// use sockless::handshake::Origins;
///
/// let origins = Origins::Only(&["https://example.com", "https://www.example.com"]);
/// assert!(origins.allow(b"https://example.com", b"api.example.com"));
/// assert!(!origins.allow(b"https://example.org", b"api.example.com"));
///
/// assert!(Origins::SameHost.allow(b"http://localhost:8080", b"localhost:8080"));
/// assert!(!Origins::SameHost.allow(b"http://localhost:8080", b"localhost:8081"));
/// ```
#[doc(alias = "CORS")]
#[doc(alias = "CSRF")]
#[doc(alias = "cross-site")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins<'a> {
    /// Pages whose host and port are those of the request.
    ///
    /// The scheme may be `http:` or `https:`, because a server at a proxy does not know which one the browser uses. See
    /// [above](Self#samehost-trusts-the-host-of-the-request) for the limits.
    #[default]
    SameHost,
    /// Pages with one of these origins.
    ///
    /// Write an origin as browsers do: the scheme, the host, and the port unless it is the default. An example is
    /// `https://example.com`. The comparison ignores upper and lower case. An entry with a slash at the end, with a
    /// default port or without a scheme matches no page.
    ///
    /// `null` is the origin of pages without their own, such as local files and sandboxed frames. Anybody can make such
    /// a page.
    Only(&'a [&'a str]),
    /// All pages. Use it only if everybody that reaches the server may use it.
    Any,
}

impl Origins<'_> {
    /// Whether a page with this `Origin` may connect to this `Host`. Both are header values of the request.
    #[must_use]
    pub fn allow(&self, origin: &[u8], host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            // RFC 6454, section 5: scheme and host are compared without regard to case.
            Self::Only(origins) => origins
                .iter()
                .any(|allowed| origin.eq_ignore_ascii_case(allowed.as_bytes())),
            Self::SameHost => same_host(origin, host),
        }
    }

    /// Like [`allow`](Self::allow), for a `Host` that is known to be valid.
    pub(crate) fn allow_at(&self, origin: &[u8], host: &[u8]) -> bool {
        // Most pages connect to their own host. Then no parsing is needed.
        let same = || split_scheme(origin).is_some_and(|(_, origin)| origin == host);
        (matches!(self, Self::SameHost) && same()) || self.allow(origin, host)
    }
}

fn same_host(origin: &[u8], host: &[u8]) -> bool {
    let Some((default, origin)) = split_scheme(origin) else {
        return false;
    };
    let (Some(origin), Some(host)) = (Authority::parse(origin), Authority::parse(host)) else {
        return false;
    };
    origin.is_same(&host, default)
}

/// The default port of the scheme, and the rest of the origin after `://`.
fn split_scheme(origin: &[u8]) -> Option<(u16, &[u8])> {
    let follows = |scheme: &[u8]| {
        let (start, rest) = origin.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    match follows(b"http://") {
        Some(rest) => Some((80, rest)),
        None => follows(b"https://").map(|rest| (443, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_host_compares_host_and_port() {
        let table = [
            ("http://example.com", "example.com", true),
            ("https://example.com", "EXAMPLE.com", true),
            ("HTTPS://example.com", "example.com:443", true),
            ("http://example.com:80", "example.com", true),
            ("http://example.com:8080", "example.com:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://[::1]", "[::1]", true),
            ("http://example.com:8080", "example.com", false),
            ("http://example.com", "example.com:443", false),
            ("http://example.com.evil.test", "example.com", false),
            ("http://evil.test/example.com", "example.com", false),
            ("file://", "", false),
            ("http://", "", false),
            ("null", "example.com", false),
            ("example.com", "example.com", false),
            ("", "", false),
        ];
        assert!(!Origins::SameHost.allow(b"http://\xff", b"example.com"));
        assert!(!Origins::SameHost.allow(b"http://example.com", b"\xff"));
        for (origin, host, allowed) in table {
            assert_eq!(
                Origins::SameHost.allow(origin.as_bytes(), host.as_bytes()),
                allowed,
                "{origin} for {host}"
            );
        }
    }
}
