//! Why a WebSocket could not be opened.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use sockless::handshake::{InputError, ResponseError};

use crate::connect::response::Response;

/// Why a WebSocket could not be opened.
///
/// The texts name hosts, addresses and statuses. Neither `Display` nor `Debug` shows credentials, path or query.
/// [`source`](Error::source) is the cause. [`is_temporary`](Self::is_temporary) says whether to try again.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is not a `ws:` or `wss:` URI, or the options are invalid.
    ///
    /// [`Connector`](crate::Connector) checks both before it connects. The error does not name the invalid header.
    Input(InputError),
    /// The system has no randomness.
    Random(io::Error),
    /// The name of the server has no address.
    Dns {
        /// The name.
        host: String,
        /// The cause.
        source: io::Error,
    },
    /// No address of the server accepts a TCP connection. [`TcpError::attempts`] says why, for each address.
    Tcp(TcpError),
    /// The proxy is unreachable, or does not connect to the server.
    Proxy {
        /// The host and the port of the proxy. Empty if the URL of the proxy is invalid.
        proxy: String,
        /// The cause.
        source: Box<ProxyError>,
    },
    /// The TLS handshake failed, for instance because the certificate is not trusted.
    ///
    /// If the transport failed, the inner error is that of the transport. Otherwise it is a `rustls::Error`, and
    /// `error.get_ref()?.downcast_ref()` returns it.
    Tls(io::Error),
    /// The URI is `wss:`, but TLS is not possible. The text names one of three causes:
    ///
    /// - The feature `rustls` is off. Enable it.
    /// - TLS has no `CryptoProvider`. Enable the feature `ring`, or install a provider.
    /// - TLS has no trusted certificates. Enable the feature `rustls-platform-verifier` or `rustls-webpki-roots`.
    ///
    /// With a configuration of your own ([`Connector::with_tls`](crate::Connector)), the last two causes do not occur.
    NoTls(&'static str),
    /// The connection over HTTP/2 failed. The inner error is an `h2::Error`.
    Http2(io::Error),
    /// The server answered with an HTTP status that opens no WebSocket, such as 401, 404 or a redirect.
    ///
    /// A server that refuses the TCP connection is [`Tcp`](Self::Tcp).
    Refused(Box<Response>),
    /// The server redirects to a URI that must not be followed.
    Redirect(RedirectError),
    /// The response breaks RFC 6455, section 4.1, or is not HTTP.
    Handshake(ResponseError),
    /// The transport failed during the opening handshake.
    Transport(io::Error),
    /// The server ended the stream before its response was complete.
    Eof,
    /// This step was not complete in time.
    ///
    /// Either the step took longer than [`Deadlines::handshake`](crate::Deadlines::handshake), or all steps together
    /// took longer than [`Connector::timeout`](crate::Connector::timeout). Each limit has one more second, for bytes
    /// that arrived in time. So a timeout of 5 s may take 6 s.
    Timeout(Step),
}

/// The steps of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Looking up the addresses of a host.
    Dns,
    /// Connecting to one of the addresses.
    Tcp,
    /// Asking the proxy to connect to the server.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The first frames of HTTP/2.
    Http2,
    /// The opening handshake of the WebSocket.
    Handshake,
}

/// No address accepts a TCP connection.
///
/// The kind of the error of each [attempt](Self::attempts) tells a server that is down from a host that is unreachable:
///
/// - [`ConnectionRefused`](io::ErrorKind::ConnectionRefused): the host answers, but no program listens at the port.
/// - [`HostUnreachable`](io::ErrorKind::HostUnreachable) or
///   [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable): no way leads to the host.
///
/// If an address does not answer at all, the error is usually [`ConnectError::Timeout`] with [`Step::Tcp`].
#[derive(Debug)]
pub struct TcpError {
    /// Never empty.
    attempts: Vec<(SocketAddr, io::Error)>,
}

/// Why a proxy does not connect to the server.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// The argument is not an `http:`, `https:`, `socks5:` or `socks5h:` URL of a proxy.
    InvalidUrl,
    /// The value of this environment variable is not the URL of a proxy.
    InvalidVariable(&'static str),
    /// The URL of the proxy is `socks5:`, and the name of the server has no address. The inner error is
    /// [`ConnectError::Dns`] or a timeout.
    Target(ConnectError),
    /// The proxy is unreachable, or too slow. The inner error says at which [step](Step).
    Connect(ConnectError),
    /// The proxy answered CONNECT with this HTTP response. The status 407 asks for a user and a password.
    Refused(Box<Response>),
    /// A SOCKS5 proxy does not accept the user and the password, or demands them.
    Authentication,
    /// A SOCKS5 proxy cannot connect to the server.
    Unreachable(Box<dyn Error + Send + Sync>),
    /// The proxy speaks another protocol, or the transport failed.
    Protocol(Box<dyn Error + Send + Sync>),
}

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectError {
    /// More redirects than [`Connector::max_redirects`](crate::Connector::max_redirects).
    TooMany,
    /// `Location` is not a URI, or its scheme is not `ws`, `wss`, `http` or `https`.
    Location,
    /// The redirect leads from `wss:` to `ws:`, which is not encrypted.
    Insecure,
    /// `Location` contains a user or a password.
    Credentials,
}

impl ConnectError {
    /// Whether a later attempt may succeed.
    ///
    /// `true`:
    ///
    /// - The server or the proxy is unreachable or too slow.
    /// - The transport or the HTTP/2 connection failed.
    /// - The server or the proxy answered with a status from 500.
    /// - The system has no randomness.
    ///
    /// `false`:
    ///
    /// - The URI, the options or the URL of the proxy are invalid.
    /// - TLS is not possible, or rustls reported an error, for example about a certificate.
    /// - The server or the proxy answered with a status below 500, or the proxy does not accept the user. A status 429
    ///   (too many requests) is also `false`. If your server uses it, wait and try again.
    /// - The response breaks RFC 6455, or a redirect must not be followed.
    #[doc(alias = "retry")]
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::Tcp(_)
            | Self::Timeout(_)
            | Self::Eof
            | Self::Transport(_)
            | Self::Http2(_)
            | Self::Random(_) => true,
            Self::Input(_) | Self::NoTls(_) | Self::Redirect(_) | Self::Handshake(_) => false,
            Self::Refused(response) => response.status.is_server_error(),
            // tokio-rustls gives this kind to all errors of rustls. A host that is no name for TLS is invalid input.
            Self::Tls(error) => !matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            ),
            Self::Proxy { source, .. } => match &**source {
                ProxyError::Target(error) | ProxyError::Connect(error) => error.is_temporary(),
                ProxyError::Refused(response) => response.status.is_server_error(),
                ProxyError::Unreachable(_) | ProxyError::Protocol(_) => true,
                ProxyError::InvalidUrl
                | ProxyError::InvalidVariable(_)
                | ProxyError::Authentication => false,
            },
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => write!(f, "{error}"),
            Self::Random(error) => write!(f, "the system has no randomness: {error}"),
            Self::Dns { host, source } => write!(f, "cannot look up {host}: {source}"),
            Self::Tcp(error) => write!(f, "{error}"),
            Self::Proxy { proxy, source } if proxy.is_empty() => write!(f, "proxy: {source}"),
            Self::Proxy { proxy, source } => write!(f, "proxy {proxy}: {source}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::NoTls(missing) => write!(f, "no TLS: {missing}"),
            Self::Http2(error) => write!(f, "HTTP/2: {error}"),
            Self::Refused(response) => write!(f, "the server answers {}", response.status),
            Self::Redirect(error) => write!(f, "{error}"),
            Self::Handshake(error) => write!(f, "{error}"),
            Self::Transport(error) => write!(f, "the transport failed: {error}"),
            Self::Eof => f.write_str("the server ended the stream before its response"),
            Self::Timeout(step) => write!(f, "{step} was not complete in time"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Input(error) => Some(error),
            Self::Dns { source, .. } => Some(source),
            Self::Tcp(error) => Some(error),
            Self::Proxy { source, .. } => Some(source),
            Self::Random(error)
            | Self::Tls(error)
            | Self::Http2(error)
            | Self::Transport(error) => Some(error),
            Self::Redirect(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::NoTls(_) | Self::Refused(_) | Self::Eof | Self::Timeout(_) => None,
        }
    }
}

impl From<InputError> for ConnectError {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

impl From<RedirectError> for ConnectError {
    fn from(error: RedirectError) -> Self {
        Self::Redirect(error)
    }
}

impl From<ResponseError> for ConnectError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Timeout => Self::Timeout(Step::Handshake),
            error => Self::Handshake(error),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the DNS lookup",
            Self::Tcp => "the TCP connection",
            Self::Proxy => "the answer of the proxy",
            Self::Tls => "the TLS handshake",
            Self::Http2 => "the start of HTTP/2",
            Self::Handshake => "the opening handshake",
        })
    }
}

impl TcpError {
    /// `attempts` must not be empty.
    pub(crate) const fn new(attempts: Vec<(SocketAddr, io::Error)>) -> Self {
        Self { attempts }
    }

    /// The addresses in the order in which they failed, each with its error.
    pub fn attempts(&self) -> impl Iterator<Item = (SocketAddr, &io::Error)> {
        self.attempts
            .iter()
            .map(|(address, error)| (*address, error))
    }
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")?;
        for (i, (address, error)) in self.attempts().enumerate() {
            let before = if i == 0 { " to" } else { ", nor to" };
            write!(f, "{before} {address}: {error}")?;
        }
        Ok(())
    }
}

/// The source is the error of the last address.
impl Error for TcpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let (_, error) = self.attempts.last()?;
        Some(error)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl => {
                f.write_str("the URL is not http:, https:, socks5: or socks5h: with a host")
            }
            Self::InvalidVariable(name) => {
                write!(
                    f,
                    "the environment variable {name} is not the URL of a proxy"
                )
            }
            Self::Target(error) | Self::Connect(error) => write!(f, "{error}"),
            Self::Refused(response) => write!(f, "the proxy answers {}", response.status),
            Self::Authentication => {
                f.write_str("the proxy does not accept the user and the password")
            }
            Self::Unreachable(error) => write!(f, "no connection to the server: {error}"),
            Self::Protocol(error) => write!(f, "{error}"),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Target(error) | Self::Connect(error) => Some(error),
            Self::Unreachable(error) | Self::Protocol(error) => Some(&**error),
            Self::InvalidUrl
            | Self::InvalidVariable(_)
            | Self::Refused(_)
            | Self::Authentication => None,
        }
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many redirects",
            Self::Location => "the Location of the redirect is not a URI for a WebSocket",
            Self::Insecure => "the redirect leads from wss: to ws:",
            Self::Credentials => "the Location of the redirect contains a user or a password",
        })
    }
}

impl Error for RedirectError {}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[test]
    fn errors_that_a_later_attempt_may_avoid() {
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let response = |status| {
            Box::new(Response {
                status,
                headers: HeaderMap::new(),
                body: bytes::Bytes::new(),
            })
        };
        let proxy = |error| ConnectError::Proxy {
            proxy: String::new(),
            source: Box::new(error),
        };
        let table = [
            (ConnectError::Eof, true),
            (ConnectError::Timeout(Step::Tcp), true),
            (ConnectError::Transport(broken()), true),
            (ConnectError::Tls(broken()), true),
            (ConnectError::Tls(invalid()), false),
            (ConnectError::NoTls(""), false),
            (ConnectError::Handshake(ResponseError::Accept), false),
            (ConnectError::Redirect(RedirectError::TooMany), false),
            (proxy(ProxyError::InvalidUrl), false),
            (proxy(ProxyError::InvalidVariable("")), false),
            (proxy(ProxyError::Authentication), false),
            (proxy(ProxyError::Unreachable("".into())), true),
            (proxy(ProxyError::Protocol("".into())), true),
            (proxy(ProxyError::Connect(ConnectError::Eof)), true),
            (
                proxy(ProxyError::Connect(ConnectError::Tls(invalid()))),
                false,
            ),
            (
                proxy(ProxyError::Refused(response(
                    StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                ))),
                false,
            ),
            (
                proxy(ProxyError::Refused(response(
                    StatusCode::SERVICE_UNAVAILABLE,
                ))),
                true,
            ),
        ];
        for (error, expected) in table {
            assert_eq!(error.is_temporary(), expected, "{error:?}");
        }
    }
}
