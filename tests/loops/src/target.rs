//! The address of a server, and how to connect to it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::http::Uri;

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// TCP, or TLS over TCP.
pub trait Transport: Stream {
    /// The TCP connection.
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A server's address, from its URL. If the server speaks TLS, also the certificate authority to trust.
#[derive(Clone)]
pub struct Target {
    authority: String,
    path: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Parses a URL with the scheme http, ws, https or wss. The last two need `ca`, the file of the authority that
    /// signed the server's certificate. The TLS handshake offers `protocol`, which is `http/1.1` or `h2`.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL or the file.
    pub fn new(url: &str, ca: Option<&Path>, protocol: &str) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{url}: {error}");
        let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
        let is_tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong(&"not http, https, ws or wss")),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| wrong(&"no host"))?
            .to_string();
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = match (is_tls, ca) {
            (false, _) => None,
            (true, None) => return Err(wrong(&"TLS needs --ca FILE")),
            (true, Some(ca)) => {
                let name = ServerName::try_from(host.clone()).map_err(|error| wrong(&error))?;
                Some((connector(ca, protocol)?, name))
            }
        };
        let path = uri.path_and_query();
        Ok(Self {
            authority,
            path: path.map_or_else(|| String::from("/"), ToString::to_string),
            host,
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            tls,
        })
    }

    /// The URL with the scheme ws or wss.
    pub(crate) fn web_socket_url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// The URL with the scheme http or https.
    #[must_use]
    pub fn http_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// The host and the port, as in the URL.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path and the query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Connects to the server, with TLS if the URL says so.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or the TLS handshake fails.
    pub async fn connect(&self) -> Result<Box<dyn Transport>, String> {
        self.connect_with(None).await
    }

    /// As [`connect`](Self::connect), with a TCP receive buffer of this size.
    pub(crate) async fn connect_with(
        &self,
        receive_buffer: Option<u32>,
    ) -> Result<Box<dyn Transport>, String> {
        let host = (self.host.as_str(), self.port);
        let tcp = match receive_buffer {
            None => TcpStream::connect(host).await,
            Some(size) => connect_small(host, size).await,
        };
        let to = &self.authority;
        let tcp = tcp.map_err(|error| format!("cannot connect to {to}: {error}"))?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let encrypted = connector.connect(name.clone(), tcp).await;
        Ok(Box::new(
            encrypted.map_err(|error| format!("no TLS with {to}: {error}"))?,
        ))
    }
}

/// Sets the size before TCP connects, because the peers agree on the scale of their windows then.
async fn connect_small(host: (&str, u16), size: u32) -> io::Result<TcpStream> {
    let mut addresses = lookup_host(host).await?;
    let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_recv_buffer_size(size)?;
    socket.connect(address).await
}

fn connector(ca: &Path, protocol: &str) -> Result<TlsConnector, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", ca.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"no certificate"));
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),
            ("ws://localhost:1/a?b=c", "ws://localhost:1/a?b=c"),
            ("http://[::1]:8080", "ws://[::1]:8080/"),
        ] {
            let target = Target::new(url, None, "h2").unwrap();
            assert_eq!(target.web_socket_url(), expected);
            assert!(target.tls.is_none());
        }
        assert_eq!(Target::new("ws://[::1]/", None, "h2").unwrap().host, "::1");
        assert_eq!(Target::new("ws://[::1]/", None, "h2").unwrap().port, 80);
    }

    #[test]
    fn wrong_urls_and_files() {
        for (url, ca, expected) in [
            ("ftp://localhost/", None, "ftp://localhost/: not http"),
            ("/", None, "/: not http"),
            (
                "https://localhost/",
                None,
                "https://localhost/: TLS needs --ca",
            ),
            ("wss://localhost/", Some("/no/file.pem"), "/no/file.pem: "),
            ("wss://localhost/", Some("/dev/null"), "/dev/null: "),
        ] {
            let error = Target::new(url, ca.map(Path::new), "h2").err().unwrap();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
