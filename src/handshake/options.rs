//! What the application wants of an opening handshake, over whatever version of HTTP.

use core::fmt;

use crate::connection::Config;
use crate::handshake::headers::Header;
use crate::handshake::origin::Origins;

/// What a server agrees to in the opening handshake.
///
/// # Example
///
/// ```
/// use sockless::handshake::{Origins, ServerOptions};
///
/// let options = ServerOptions::new()
///     .with_subprotocols(&["chat", "superchat"])
///     .with_origins(Origins::Only(&["https://example.com"]))
///     .with_hosts(&["example.com", "localhost:8080"]);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerOptions<'a> {
    /// Limits and choices of the connection.
    pub config: Config,
    /// The subprotocols the server speaks, each a token. The first one in the client's list
    /// that is also in this one is chosen (RFC 6455 section 4.1, item 10).
    /// [`Response::subprotocol`](crate::handshake::Response::subprotocol) tells which it was.
    /// One that is no token is never chosen.
    #[doc(alias = "subprotocol")]
    pub subprotocols: &'a [&'a str],
    /// Whether to refuse a client that offers none of them, or none at all. Default: it is accepted without a
    /// subprotocol.
    pub require_subprotocol: bool,
    /// Which web pages may connect. Default: those from the same host.
    pub origins: Origins<'a>,
    /// The hosts that the server answers for, such as `example.com`, `example.com:8080` or `[::1]`. Empty, which is the
    /// default: every host.
    ///
    /// A request for another host is refused with status 421 ([`RequestError::Misdirected`]), whatever
    /// [`origins`](Self::origins) says and whether it has an `Origin` or not. This protects [`Origins::SameHost`] from DNS
    /// rebinding.
    ///
    /// An entry without a port matches every port. An entry with a port matches that port only. A request without a port
    /// means port 80 or 443, by its scheme. HTTP/1.1 does not tell the scheme, so there such a request matches an entry with
    /// `:80` and one with `:443`.
    ///
    /// Hosts are compared as text, except for upper and lower case: `example.com.` and `[0::1]` are other hosts than
    /// `example.com` and `[::1]`. There are no wildcards. An entry that is no host, such as `https://example.com` or `::1`
    /// without brackets, matches no request.
    ///
    /// [`RequestError::Misdirected`]: crate::handshake::RequestError::Misdirected
    pub hosts: &'a [&'a str],
    /// Further headers for the answer, such as a cookie. Over HTTP/2 and HTTP/3 their names are in lower case (RFC 9113
    /// section 8.2).
    ///
    /// With a header that must not be written, every request that would be accepted fails with [`RequestError::Input`] and
    /// status 500.
    ///
    /// [`RequestError::Input`]: crate::handshake::RequestError::Input
    #[doc(alias = "cookie")]
    pub headers: &'a [Header<'a>],
}

impl<'a> ServerOptions<'a> {
    /// The default options, as each field states them.
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

/// What a client asks for in the opening handshake.
///
/// # Example
///
/// ```
/// use sockless::handshake::{ClientOptions, Header};
///
/// let options = ClientOptions::new()
///     .with_subprotocols(&["chat"])
///     .with_headers(&[Header { name: "Authorization", value: b"Bearer 1234" }]);
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ClientOptions<'a> {
    /// Limits and choices of the connection.
    pub config: Config,
    /// The subprotocols the client speaks, each a token, the preferred first.
    #[doc(alias = "subprotocol")]
    pub subprotocols: &'a [&'a str],
    /// The value of the `Host` header, in place of the host and port of the URI. Over HTTP/2 and HTTP/3 it is the
    /// `:authority` (RFC 9113 section 8.3.1).
    ///
    /// Set it if you connect to another address than the one the server knows itself by, for instance through a
    /// tunnel. It is a name, an address or an IPv6 address in brackets, and a port unless that is the default.
    pub host: Option<&'a str>,
    /// The `Origin` header: sent by browsers always, by other clients if they speak for a web page.
    pub origin: Option<&'a str>,
    /// Further headers, such as cookies or credentials; over HTTP/2 and HTTP/3 their names are in lower case
    /// (RFC 9113 section 8.2).
    #[doc(alias = "cookie")]
    pub headers: &'a [Header<'a>],
}

impl<'a> ClientOptions<'a> {
    /// The default options, as each field states them.
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

/// Shows how many subprotocols there are, and no value of a header: either may be a credential.
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
