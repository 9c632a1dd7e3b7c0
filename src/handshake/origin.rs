//! Which web pages may connect (RFC 6455 section 10.2).

use crate::handshake::uri::Authority;

/// Which web pages a server accepts connections from.
///
/// Browsers send the cookies of a site with every WebSocket to it, whatever page opens it, and tell the
/// page's origin in the `Origin` header. A server that relies on cookies must look at it, or any page
/// can speak in its visitor's name. Other programs send no `Origin`; a request without one is accepted
/// under every policy.
///
/// # `SameHost` trusts the `Host` of the request
///
/// `SameHost` compares the page's origin with the host that the request itself names. This fails in two cases:
///
/// - **DNS rebinding.** An attacker lets the name `evil.example` point to your server's address, for instance
///   127.0.0.1. For the browser, the page from `evil.example` and your server then have the same host. Origin and
///   `Host` both say `evil.example`, so the check passes. Servers on a local or private network without a login are
///   the usual victims. Name the hosts of your server in [`ServerOptions::hosts`], or use [`Origins::Only`].
/// - **A proxy that changes `Host`.** The server sees an internal name, and the browser tells the public one. The check
///   then refuses every browser with status 403. Let the proxy pass `Host` on unchanged, or use
///   [`Origins::Only`] with the public origins.
///
/// If you know your public origins, [`Origins::Only`] depends on nothing else and is the safest choice.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins<'a> {
    /// Pages from the host and port that the request itself is for, over `http:` or `https:`: a server
    /// behind a proxy cannot tell which of the two it is reached by. See [above](Self#samehost-trusts-the-host-of-the-request)
    /// for its limits.
    #[default]
    SameHost,
    /// Pages with one of these origins, each written as browsers do: the scheme, the host, and the port if it is not the
    /// default, such as `https://example.com`. With a slash at the end, a default port or no scheme it matches nobody. Upper
    /// and lower case are the same. `null` stands for every page without an origin of its own, anybody's among them.
    Only(&'a [&'a str]),
    /// All pages. Only where whoever can reach the server may use it.
    Any,
}

impl Origins<'_> {
    /// Whether a page with this `Origin` may connect to this `Host`, both as in the request's headers.
    #[must_use]
    pub fn allow(&self, origin: &[u8], host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            // RFC 6454 section 5: scheme and host are compared without regard to case.
            Self::Only(origins) => origins
                .iter()
                .any(|allowed| origin.eq_ignore_ascii_case(allowed.as_bytes())),
            Self::SameHost => same_host(origin, host),
        }
    }

    /// As [`allow`](Self::allow), for a `Host` that is known to name a host.
    pub(crate) fn allow_at(&self, origin: &[u8], host: &[u8]) -> bool {
        // Mostly a page talks to the very host it came from, and then nothing needs to be taken apart.
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

/// The default port of the scheme, and what follows it.
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
