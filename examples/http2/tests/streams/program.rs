//! The server as it is started.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::peer::Peer;

/// The server and the certificate that it has made. It is ended with its test.
pub(crate) struct Server {
    child: Child,
    address: String,
    certificate: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start(test: &str) -> Self {
        let certificate = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.pem"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_example-http2"))
            .args(["127.0.0.1:0", "--write-cert"])
            .arg(&certificate)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        // The rest is read, so that the server is never in trouble with it.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let address = line.strip_prefix("listening on https://").unwrap();
        let address = address.strip_suffix("/\n").unwrap().to_owned();
        Self {
            child,
            address,
            certificate,
        }
    }

    /// TLS with this application protocol.
    pub(crate) async fn tls(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(&self.certificate).unwrap();
        roots.add(certificate).unwrap();
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let transport = TcpStream::connect(&self.address).await.unwrap();
        transport.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, transport).await.unwrap()
    }

    /// A client of HTTP/2 that gives each stream this window.
    pub(crate) async fn http2(&self, window: u32) -> Peer<TlsStream<TcpStream>> {
        Peer::client(self.tls("h2").await, window).await
    }

    /// Begins its end, which is a graceful one.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(killed.unwrap().success());
    }

    /// Ends it. It must not have ended before, nor have said anything on stderr.
    pub(crate) fn finish(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None);
        self.terminate();
        self.wait();
    }

    /// Waits until it has ended without a complaint.
    pub(crate) fn wait(mut self) {
        let status = self.child.wait().unwrap();
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        assert_eq!((status.code(), &*stderr), (Some(0), ""));
    }
}
