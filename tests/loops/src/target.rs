//! Where the server is, and how to get there.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::http::Uri;

/// A server's address, from its URL, and whom to trust if it speaks TLS.
#[derive(Clone)]
pub struct Target {
    authority: String,
    path: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// A URL with the scheme http or ws; or https or wss, with the file of the authority that signed the server's
    /// certificate. With TLS the client asks for this protocol, `http/1.1` or `h2`.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL or the file.
    pub fn new(url: &str, ca: Option<&Path>, protocol: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let is_tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(format!("{url}: not http, https, ws or wss")),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| format!("{url}: no host"))?
            .to_string();
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = match (is_tls, ca) {
            (false, _) => None,
            (true, None) => return Err(format!("{url}: TLS needs --ca FILE")),
            (true, Some(ca)) => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|error| format!("{url}: {error}"))?;
                Some((connector(ca, protocol)?, name))
            }
        };
        Ok(Self {
            authority,
            path: uri
                .path_and_query()
                .map_or_else(|| String::from("/"), ToString::to_string),
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            tls,
        })
    }

    /// The same place for a WebSocket.
    pub(crate) fn web_socket_url(&self) -> String {
        let scheme = if self.is_tls() { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// The same place for HTTP/2.
    #[must_use]
    pub fn http_url(&self) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// Whether what is behind [`connect`](Self::connect) speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The host and the port, as in the URL.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path and the query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A TCP connection to the server.
    ///
    /// # Errors
    ///
    /// That it cannot be reached.
    pub async fn connect(&self) -> Result<TcpStream, String> {
        self.connect_with(None).await
    }

    /// A TCP connection whose receive buffer has this size, if one is given.
    pub(crate) async fn connect_with(
        &self,
        receive_buffer: Option<u32>,
    ) -> Result<TcpStream, String> {
        let host = (self.host.as_str(), self.port);
        let stream = match receive_buffer {
            None => TcpStream::connect(host).await,
            Some(size) => connect_small(host, size).await,
        };
        let stream =
            stream.map_err(|error| format!("cannot connect to {}: {error}", self.authority))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        Ok(stream)
    }

    /// TLS over that, if the server speaks it.
    ///
    /// # Errors
    ///
    /// That the handshake failed, or that the URL is for a server without TLS.
    pub async fn encrypt(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let (connector, name) = self.tls.as_ref().ok_or("the server speaks no TLS")?;
        connector
            .connect(name.clone(), stream)
            .await
            .map_err(|error| format!("no TLS with {}: {error}", self.authority))
    }
}

/// The size has to be there before the connection is: TCP agrees on the scale of windows then.
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
            assert!(!target.is_tls());
        }
        assert_eq!(Target::new("ws://[::1]/", None, "h2").unwrap().host, "::1");
        assert_eq!(Target::new("ws://[::1]/", None, "h2").unwrap().port, 80);
    }

    #[test]
    fn what_is_no_target() {
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
