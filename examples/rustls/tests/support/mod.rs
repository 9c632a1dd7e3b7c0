//! A server with TLS as a process, and TLS that ends without `close_notify`. The tests of example-http2 include this
//! file, too.

#[path = "../../../tokio/tests/support/program.rs"]
pub mod program;

use std::path::{Path, PathBuf};

use example_rustls::connector;
use rustls_pki_types::ServerName;
use sockless::test_util::{Frame, OPENING_REQUEST, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use self::program::Program;

/// A server that has made its own certificate.
pub struct Server {
    pub program: Program,
    certificate: PathBuf,
}

impl Server {
    /// Starts the program at `path`. Each test has its own certificate file.
    pub fn start(path: &str, test: &str) -> Self {
        let certificate = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.pem"));
        let arguments = ["--write-cert", certificate.to_str().unwrap()];
        Self {
            program: Program::start(path, "https", &arguments),
            certificate,
        }
    }

    /// A TLS client that offers these application protocols.
    pub async fn tls(&self, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
        let connector = connector(&self.certificate, protocols).unwrap();
        let transport = TcpStream::connect(&self.program.address).await.unwrap();
        transport.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, transport).await.unwrap()
    }

    /// Ends the server. It must still run, and must not have written to stderr.
    pub fn finish(mut self) {
        self.program.signal("TERM");
        self.program.wait();
    }
}

/// Sends the FIN of TCP without `close_notify`. Then reads until the server ends the stream, with or without an error.
pub async fn cut(tls: &mut TlsStream<TcpStream>) -> Vec<u8> {
    tls.flush().await.unwrap();
    tls.get_mut().0.shutdown().await.unwrap();
    let mut received = Vec::new();
    _ = tls.read_to_end(&mut received).await;
    received
}

/// Ends TLS without `close_notify` at each place of a WebSocket over HTTP/1.1. The server answers each complete
/// message, and continues to serve other clients.
pub async fn cut_http1(server: Server) {
    let upgrade = OPENING_REQUEST;
    let message = &Frame::new(0x81, "Hello").encode(Role::Server)[..];
    let close = &Frame::close(1000, "").encode(Role::Server)[..];
    let connect = || server.tls(&[b"http/1.1"]);

    let mut stays = connect().await;
    stays.write_all(upgrade).await.unwrap();
    read_until(&mut stays, b"\r\n\r\n").await;
    for _ in 0..3 {
        for (sent, expected_end) in [
            (&[][..], &b""[..]),
            (&[&upgrade[..40]], b""),
            // In the middle of the second message.
            (&[upgrade, message, &message[..7]], b"\r\n\r\n\x81\x05Hello"),
            (
                &[upgrade, message, close],
                b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe8",
            ),
        ] {
            let mut tls = connect().await;
            tls.write_all(&sent.concat()).await.unwrap();
            let received = cut(&mut tls).await;
            let accepted = received.starts_with(b"HTTP/1.1 101 ");
            assert_eq!(accepted, !expected_end.is_empty());
            assert!(received.ends_with(expected_end));
            assert!(!sent.is_empty() || received.is_empty());
        }
        // After both Close frames.
        let mut tls = connect().await;
        tls.write_all(&[upgrade, close].concat()).await.unwrap();
        read_until(&mut tls, b"\r\n\r\n\x88\x02\x03\xe8").await;
        assert_eq!(cut(&mut tls).await, b"");

        stays.write_all(message).await.unwrap();
        read_until(&mut stays, b"\x81\x05Hello").await;
    }
    drop(stays);
    server.finish();
}

async fn read_until(tls: &mut TlsStream<TcpStream>, end: &[u8]) {
    let mut received = Vec::new();
    while !received.ends_with(end) {
        received.push(tls.read_u8().await.unwrap());
    }
}
