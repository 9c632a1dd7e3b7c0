//! Connections through a proxy: HTTP CONNECT and SOCKS5.

use std::env;
use std::fmt;
use std::net::SocketAddr;

use http::uri::Scheme;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use sockless::handshake::Uri;
use tokio_socks::tcp::Socks5Stream;

use crate::connect::Connector;
use crate::connect::error::{ConnectError, ProxyError, Step};
use crate::connect::limit::Limit;
use crate::connect::tls::Tls;
use crate::connect::transport::BoxedStream;
use crate::connect::{tcp, tunnel};

/// Which proxy to use, if any. Default: [the proxy of the environment](Self::from_env).
///
/// # Example
///
/// ```
/// use sockless_tokio::{Connector, Proxy};
///
/// let proxy = Proxy::new("socks5h://user:password@127.0.0.1:1080")?.with_no_proxy("localhost, 10.0.0.0/8");
/// let connector = Connector::new().with_proxy(proxy);
/// # Ok::<(), sockless_tokio::ProxyError>(())
/// ```
#[derive(Clone, Default)]
pub struct Proxy(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    Environment,
    Direct,
    Url {
        url: String,
        no_proxy: String,
    },
}

/// Shows where the proxy is configured. Its URL may contain a password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Environment => "Proxy(environment)",
            Source::Direct => "Proxy(none)",
            Source::Url { .. } => "Proxy(URL)",
        })
    }
}

impl Proxy {
    /// The proxy that environment variables set. Each connection reads the environment.
    ///
    /// - `wss:` uses `HTTPS_PROXY`, and `ws:` uses `HTTP_PROXY`. If that variable is not set, both use `ALL_PROXY`.
    /// - If a name in upper case is not set, the name in lower case is used. An empty value means no proxy.
    /// - `NO_PROXY` lists the exceptions, see [`with_no_proxy`](Self::with_no_proxy).
    /// - In a CGI program, the client of the web server can set `HTTP_PROXY`. So this uses no proxy if
    ///   `REQUEST_METHOD` is set.
    ///
    /// A value that is not the URL of a proxy is an error, not a direct connection.
    #[must_use]
    pub const fn from_env() -> Self {
        Self(Source::Environment)
    }

    /// No proxy. Every connection is direct.
    #[must_use]
    pub const fn none() -> Self {
        Self(Source::Direct)
    }

    /// This proxy for all servers: `http://[USER:PASSWORD@]HOST[:PORT]`.
    ///
    /// | scheme | the connection |
    /// |---|---|
    /// | `http`, or none | HTTP CONNECT, on port 80 by default |
    /// | `https` | HTTP CONNECT over TLS, on port 443 by default |
    /// | `socks5h` | SOCKS5, on port 1080 by default. The proxy looks up names |
    /// | `socks5` | SOCKS5, on port 1080 by default. This side looks up names, and uses the first address |
    ///
    /// The user and the password may be percent-encoded. HTTP gets them as `Basic`.
    ///
    /// # Errors
    ///
    /// [`ProxyError::InvalidUrl`].
    pub fn new(url: &str) -> Result<Self, ProxyError> {
        if !is_proxy(url) {
            return Err(ProxyError::InvalidUrl);
        }
        Ok(Self(Source::Url {
            url: url.to_owned(),
            no_proxy: String::new(),
        }))
    }

    /// Sets the servers that a proxy of [`new`](Self::new) is not used for. Separate them by commas.
    ///
    /// An exception is a domain, which includes its subdomains, an address, a network such as `10.0.0.0/8`, or `*`.
    #[must_use]
    pub fn with_no_proxy(mut self, exceptions: &str) -> Self {
        if let Source::Url { no_proxy, .. } = &mut self.0 {
            exceptions.clone_into(no_proxy);
        }
        self
    }

    /// Connects to the server, through the proxy if there is one.
    pub(crate) async fn connect(
        &self,
        uri: &Uri,
        tls: &Tls,
        limit: Limit,
    ) -> Result<(BoxedStream, SocketAddr), ConnectError> {
        let failed = |proxy: String| {
            |source| ConnectError::Proxy {
                proxy,
                source: Box::new(source),
            }
        };
        let Some(proxy) = self.find(uri).map_err(failed(String::new()))? else {
            let (stream, address) = tcp::connect(uri.host(), uri.port(), limit).await?;
            return Ok((Box::new(stream), address));
        };
        let authority = proxy.uri().authority().map_or("", |it| it.as_str());
        let connected = through(&proxy, uri, tls, limit).await;
        connected.map_err(failed(authority.to_owned()))
    }

    fn find(&self, uri: &Uri) -> Result<Option<Intercept>, ProxyError> {
        let (url, no_proxy) = match &self.0 {
            Source::Direct => return Ok(None),
            Source::Url { url, no_proxy } => (url.clone(), no_proxy.clone()),
            Source::Environment => {
                let Some((name, value)) = variable(uri) else {
                    return Ok(None);
                };
                if !is_proxy(&value) {
                    return Err(ProxyError::InvalidVariable(name));
                }
                let no_proxy = first(&["NO_PROXY", "no_proxy"]);
                (value, no_proxy.map_or(String::new(), |(_, value)| value))
            }
        };
        let matcher = Matcher::builder().all(url).no(no_proxy).build();
        // The port has no influence.
        let server = http::Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(bracketed(uri.host()))
            .path_and_query("/")
            .build()
            .map_err(|error| ProxyError::Protocol(error.into()))?;
        Ok(matcher.intercept(&server))
    }
}

/// # With the feature `proxy`
impl Connector<'_> {
    /// Sets the proxy. Default: [the proxy of the environment](Proxy::from_env).
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }
}

/// The variable for this scheme and its value. `None` without a proxy.
fn variable(uri: &Uri) -> Option<(&'static str, String)> {
    if env::var_os("REQUEST_METHOD").is_some() {
        return None;
    }
    let names = if uri.is_secure() {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let found = first(&names).or_else(|| first(&["ALL_PROXY", "all_proxy"]));
    found.filter(|(_, value)| !value.is_empty())
}

/// The first of the variables that is set.
fn first(names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| {
        let value = env::var_os(name)?;
        Some((*name, value.to_string_lossy().into_owned()))
    })
}

/// Whether [`Matcher`] knows the URL, and this module knows its scheme. The matcher ignores other URLs.
fn is_proxy(url: &str) -> bool {
    let any = http::Uri::from_static("http://any/");
    let found = Matcher::builder()
        .all(url.to_owned())
        .build()
        .intercept(&any);
    let schemes = ["http", "https", "socks5", "socks5h"];
    found.is_some_and(|proxy| {
        let scheme = proxy.uri().scheme_str();
        scheme.is_some_and(|scheme| schemes.contains(&scheme)) && !host(&proxy).is_empty()
    })
}

fn host(proxy: &Intercept) -> &str {
    let host = proxy.uri().host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

async fn through(
    proxy: &Intercept,
    uri: &Uri,
    tls: &Tls,
    limit: Limit,
) -> Result<(BoxedStream, SocketAddr), ProxyError> {
    let scheme = proxy.uri().scheme_str().unwrap_or_default();
    let default_port = match scheme {
        "https" => 443,
        "socks5" | "socks5h" => 1080,
        _ => 80,
    };
    let port = proxy.uri().port_u16().unwrap_or(default_port);
    let (stream, address) = tcp::connect(host(proxy), port, limit)
        .await
        .map_err(ProxyError::Connect)?;
    let stream: BoxedStream = Box::new(stream);
    let stream = match scheme {
        "socks5" => {
            let addresses = tcp::resolve(uri.host(), uri.port(), limit).await;
            let addresses = addresses.map_err(ProxyError::Target)?;
            let server = addresses[0].ip().to_string();
            timely(limit, socks(stream, proxy, &server, uri.port())).await?
        }
        "socks5h" => timely(limit, socks(stream, proxy, uri.host(), uri.port())).await?,
        _ => {
            let stream = if scheme == "https" {
                let protocols: &[&[u8]] = &[b"http/1.1"];
                let encrypted = tls.connect(stream, host(proxy), protocols, limit).await;
                encrypted.map_err(ProxyError::Connect)?.0
            } else {
                stream
            };
            let server = format!("{}:{}", bracketed(uri.host()), uri.port());
            timely(limit, tunnel::open(stream, &server, proxy.basic_auth())).await?
        }
    };
    Ok((stream, address))
}

async fn timely(
    limit: Limit,
    connecting: impl Future<Output = Result<BoxedStream, ProxyError>>,
) -> Result<BoxedStream, ProxyError> {
    let connected = limit.run(Step::Proxy, async { Ok(connecting.await) }).await;
    connected.unwrap_or_else(|error| Err(ProxyError::Connect(error)))
}

async fn socks(
    stream: BoxedStream,
    proxy: &Intercept,
    host: &str,
    port: u16,
) -> Result<BoxedStream, ProxyError> {
    use tokio_socks::Error;

    let server = (host, port);
    let connected = match proxy.raw_auth() {
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(stream, server, user, password).await
        }
        None => Socks5Stream::connect_with_socket(stream, server).await,
    };
    match connected {
        Ok(stream) => Ok(stream.into_inner()),
        Err(
            Error::NoAcceptableAuthMethods
            | Error::UnknownAuthMethod
            | Error::InvalidAuthValues(_)
            | Error::PasswordAuthFailure(_)
            | Error::AuthorizationRequired,
        ) => Err(ProxyError::Authentication),
        Err(
            error @ (Error::GeneralSocksServerFailure
            | Error::ConnectionNotAllowedByRuleset
            | Error::NetworkUnreachable
            | Error::HostUnreachable
            | Error::ConnectionRefused
            | Error::TtlExpired
            | Error::AddressTypeNotSupported),
        ) => Err(ProxyError::Unreachable(error.into())),
        Err(error) => Err(ProxyError::Protocol(error.into())),
    }
}
