//! What the application wants of an opening handshake, for every version of HTTP.

use core::fmt;

use crate::connection::Config;
use crate::handshake::headers::Header;
use crate::handshake::origin::Origins;

/// What a server accepts in the opening handshake, and the settings of the connection.
///
/// By default a server accepts every host and path, web pages from the same host only, and no subprotocol. To choose by
/// path, read the request first: see [`Request`](crate::handshake::Request#example-a-page-next-to-the-websocket).
///
/// These options do not describe other responses. To serve a page, or to refuse with your own status, use
/// [`Request::respond`](crate::handshake::Request::respond) and [`Connection::refused`](crate::Connection::refused).
///
/// # Example
///
/// ```
/// use sockless::handshake::{Header, Origins, ServerOptions};
///
/// let options = ServerOptions::new()
///     .with_subprotocols(&["chat", "superchat"])
///     .with_origins(Origins::Only(&["https://example.com"]))
///     .with_hosts(&["example.com", "localhost:8080"])
///     .with_headers(&[Header { name: "Set-Cookie", value: b"session=1; Secure; HttpOnly" }]);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerOptions<'a> {
    /// The limits and settings of the connection.
    pub config: Config,
    /// The subprotocols that the server speaks. Default: none.
    ///
    /// The server chooses the first one in the client's list that is also in this list (RFC 6455, section 4.2.2). The
    /// order of this list does not matter. To learn which one it chose, call
    /// [`Request::negotiate`](crate::handshake::Request::negotiate) and
    /// [`Response::subprotocol`](crate::handshake::Response::subprotocol). If no subprotocol matches, the server
    /// accepts without one, unless [`require_subprotocol`](Self::require_subprotocol) is set.
    ///
    /// Each entry must be a token (RFC 9110, section 5.6.2), and upper and lower case differ. An entry that is not a
    /// token is never chosen.
    #[doc(alias = "subprotocol")]
    #[doc(alias = "Sec-WebSocket-Protocol")]
    pub subprotocols: &'a [&'a str],
    /// Whether to refuse a client that offers none of the [`subprotocols`](Self::subprotocols). Default: no.
    ///
    /// If this is set, such a client gets status 400 ([`RequestError::NoCommonSubprotocol`]).
    ///
    /// [`RequestError::NoCommonSubprotocol`]: crate::handshake::RequestError::NoCommonSubprotocol
    pub require_subprotocol: bool,
    /// Which web pages may connect. Default: [`Origins::SameHost`], pages from the same host.
    ///
    /// The server refuses other pages with status 403 ([`RequestError::Origin`]).
    ///
    /// [`RequestError::Origin`]: crate::handshake::RequestError::Origin
    #[doc(alias = "CORS")]
    pub origins: Origins<'a>,
    /// The hosts that the server answers for, such as `example.com`, `example.com:8080` or `[::1]`. Default: empty,
    /// which means every host.
    ///
    /// The server refuses a request for another host with status 421 ([`RequestError::Misdirected`]). The `Origin`
    /// header and [`origins`](Self::origins) have no influence on this check. A list of hosts protects
    /// [`Origins::SameHost`] from DNS rebinding.
    ///
    /// An entry without a port matches every port. An entry with a port matches that port only. If a request names no
    /// port, the scheme decides: 80 or 443. HTTP/1.1 does not tell the scheme, so there the request matches both `:80`
    /// and `:443`.
    ///
    /// The server compares hosts as text and ignores upper and lower case. So `example.com.` is not `example.com`, and
    /// `[0::1]` is not `[::1]`. Wildcards do not exist. An entry that is not a host matches no request. Examples are
    /// `https://example.com`, and `::1` without brackets.
    ///
    /// [`RequestError::Misdirected`]: crate::handshake::RequestError::Misdirected
    pub hosts: &'a [&'a str],
    /// More headers for the response that accepts, for instance `Set-Cookie`. Default: none.
    ///
    /// To send several cookies, give several `Set-Cookie` headers. Over HTTP/2 and HTTP/3, write the names in lower
    /// case (RFC 9113, section 8.2.1).
    ///
    /// A refusal does not contain these headers. If one of them is not allowed, the server accepts nothing:
    /// requests that are otherwise good fail with [`RequestError::Input`] and status 500. [`InputError`] lists the
    /// reasons.
    ///
    /// [`InputError`]: crate::handshake::InputError
    ///
    /// [`RequestError::Input`]: crate::handshake::RequestError::Input
    #[doc(alias = "cookie")]
    #[doc(alias = "Set-Cookie")]
    pub headers: &'a [Header<'a>],
}

impl<'a> ServerOptions<'a> {
    /// The default options. Each field states its default.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            config: Config::new(),
            subprotocols: &[],
            require_subprotocol: false,
            origins: Origins::SameHost,
            hosts: &[],
            headers: &[],
        }
    }

    setters! {
        with_config(config: Config);
        with_subprotocols(subprotocols: &'a [&'a str]);
        with_require_subprotocol(require_subprotocol: bool);
        with_origins(origins: Origins<'a>);
        with_hosts(hosts: &'a [&'a str]);
        with_headers(headers: &'a [Header<'a>]);
    }
}

/// What a client asks for in the opening handshake, and the settings of the connection.
///
/// # Example
///
/// ```
/// use sockless::handshake::{ClientOptions, Header};
///
/// let options = ClientOptions::new()
///     .with_subprotocols(&["chat"])
///     .with_headers(&[
///         Header { name: "Authorization", value: b"Bearer 1234" },
///         Header { name: "Cookie", value: b"session=1; theme=dark" },
///     ]);
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ClientOptions<'a> {
    /// The limits and settings of the connection.
    pub config: Config,
    /// The subprotocols that the client offers, the preferred one first. Default: none.
    ///
    /// [`Response::subprotocol`](crate::handshake::Response::subprotocol) says which one the server chose. A server may
    /// choose none. Each entry must be a token, and no entry may occur twice (RFC 6455, section 4.1). Otherwise the
    /// handshake fails with [`InputError::Subprotocol`](crate::handshake::InputError::Subprotocol).
    #[doc(alias = "subprotocol")]
    #[doc(alias = "Sec-WebSocket-Protocol")]
    pub subprotocols: &'a [&'a str],
    /// The value of the `Host` header, in place of the host and port of the URI. Over HTTP/2 and HTTP/3 it is the
    /// `:authority` (RFC 9113, section 8.3.1). Default: the host and port of the URI.
    ///
    /// Set it if the server knows itself under another name, for instance when you connect through an SSH tunnel. Give
    /// a name, an IPv4 address, or an IPv6 address in brackets. Add the port unless it is the default. Anything else
    /// fails with [`InputError::Host`](crate::handshake::InputError::Host).
    pub host: Option<&'a str>,
    /// The `Origin` header. Default: none.
    ///
    /// Browsers always send it (RFC 6455, section 10.2). Another client needs it only if it acts for a web page, or if
    /// the server demands it. An invalid value fails with
    /// [`InputError::HeaderValue`](crate::handshake::InputError::HeaderValue).
    pub origin: Option<&'a str>,
    /// More headers for the request, for instance `Cookie` or `Authorization`. Default: none.
    ///
    /// Write all cookies into one `Cookie` header, separated by `; ` (RFC 6265, section 4.2.1). Over HTTP/2 and HTTP/3,
    /// write the names in lower case (RFC 9113, section 8.2.1). If a header is not allowed, the handshake fails
    /// with an [`InputError`](crate::handshake::InputError).
    #[doc(alias = "cookie")]
    #[doc(alias = "authorization")]
    pub headers: &'a [Header<'a>],
}

impl<'a> ClientOptions<'a> {
    /// The default options. Each field states its default.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            config: Config::new(),
            subprotocols: &[],
            host: None,
            origin: None,
            headers: &[],
        }
    }

    setters! {
        with_config(config: Config);
        with_subprotocols(subprotocols: &'a [&'a str]);
        with_host(Some(host): &'a str);
        with_origin(Some(origin): &'a str);
        with_headers(headers: &'a [Header<'a>]);
    }
}

/// Shows the number of subprotocols and no header values, because both may contain credentials.
impl fmt::Debug for ClientOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("config", &self.config)
            .field("subprotocols", &self.subprotocols.len())
            .field("origin", &self.origin)
            .field("host", &self.host)
            .field("headers", &self.headers)
            .finish()
    }
}
