//! Why a WebSocket could not be opened.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use sockless::handshake::{InputError, ResponseError};

use crate::connect::response::Response;

/// Why a WebSocket could not be opened.
///
/// The texts name hosts, addresses and statuses. They contain no credentials, no path and no query, also with `{:?}`.
/// [`source`](Error::source) is the cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is not a `ws:` or `wss:` URI, or the options are invalid.
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
    /// No address of the server accepts a connection.
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
    /// The inner error is a `rustls::Error` unless the transport failed: `error.get_ref()?.downcast_ref()`.
    Tls(io::Error),
    /// The URI is `wss:`, and this build has no TLS. Or TLS has no default cryptography or no default certificates.
    /// Enable the features `ring` and `rustls-platform-verifier`, or pass a configuration.
    NoTls(&'static str),
    /// The connection over HTTP/2 failed. The inner error is an `h2::Error`.
    Http2(io::Error),
    /// The server answered with a status that opens no WebSocket, such as 401, 404 or a redirect.
    Refused(Box<Response>),
    /// The server redirects to a URI that must not be followed.
    Redirect(RedirectError),
    /// The response breaks RFC 6455, section 4.1, or is not HTTP.
    Handshake(ResponseError),
    /// The transport failed during the opening handshake.
    Transport(io::Error),
    /// The server ended the stream before its response was complete.
    Eof,
    /// A step took too long.
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
    /// The proxy answered CONNECT with this response. The status 407 asks for a user and a password.
    Refused(Box<Response>),
    /// A SOCKS5 proxy does not accept the user and the password, or their absence.
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
            Self::Timeout(step) => write!(f, "{step} took too long"),
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
