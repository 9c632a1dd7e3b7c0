//! The program as it is started, behind TLS, and as it ends.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use example_tokio::{Message, WebSocket};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use sockless::CloseCode;
use sockless::handshake::{ClientOptions, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The program, ended when the test is.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Program {
    fn new(arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_example-rustls"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("it starts"))
    }

    /// Starts it and says where it listens.
    fn listening(arguments: &[&str]) -> (Self, String) {
        let mut program = Self::new(&[&["127.0.0.1:0"], arguments].concat());
        let mut line = String::new();
        let stdout = program.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on https://");
        let address = address.and_then(|it| it.strip_suffix("/\n"));
        let address = address.expect("it says where").to_owned();
        (program, address)
    }

    /// Its status and stderr.
    fn finish(mut self) -> (Option<i32>, String) {
        let status = self.0.wait().unwrap();
        let mut stderr = String::new();
        let mut pipe = self.0.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        (status.code(), stderr)
    }
}

/// A server and the certificate that it has made.
struct Server {
    program: Program,
    address: String,
    connector: TlsConnector,
}

/// A file for one test.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

impl Server {
    fn start(test: &str) -> Self {
        let certificate = file(&format!("{test}.pem"));
        let (program, address) =
            Program::listening(&["--write-cert", certificate.to_str().unwrap()]);
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(certificate).unwrap())
            .unwrap();
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            program,
            address,
            connector: TlsConnector::from(Arc::new(config)),
        }
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        let transport = TcpStream::connect(&self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        self.connector.connect(name, transport).await.unwrap()
    }

    async fn connect(&self) -> WebSocket<TlsStream<TcpStream>> {
        let uri = Uri::parse("wss://localhost/").unwrap();
        WebSocket::connect(self.tls().await, &uri, &ClientOptions::new())
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn echoes() {
    let server = Server::start("echoes");
    let tls = server.tls().await;
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut client = server.connect().await;
    for length in [0, 1, 125, 126, 70_000, 3_000_000] {
        for message in [
            Message::Text("x".repeat(length)),
            Message::Binary(vec![7; length]),
        ] {
            client.send(&message).await.unwrap();
            assert!(client.recv().await == Some(message), "{length}");
        }
    }
    client.close(CloseCode::NORMAL, "enough").await.unwrap();
    assert!(client.close_event().unwrap().was_clean);
}

/// `TransportAction::Close` sends `close_notify`: without it the client's last read would fail.
#[tokio::test]
async fn the_end_is_not_a_truncation() {
    let server = Server::start("end");
    let mut transport = server.tls().await;
    let mut all = UPGRADE.as_bytes().to_vec();
    all.extend(b"\x81\x82\0\0\0\0Hi\x88\x80\0\0\0\0");
    transport.write_all(&all).await.unwrap();
    let mut answer = Vec::new();
    transport.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02Hi\x88\x00"));
}

/// `TransportAction::ShutdownWrite` does, too, and goes on reading.
#[tokio::test]
async fn neither_is_that_of_a_refusal_or_a_failure() {
    let server = Server::start("refusal");
    let mut transport = server.tls().await;
    transport
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    transport.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // It is still read from, until this side ends, too.
    transport.write_all(b"more").await.unwrap();
    transport.shutdown().await.unwrap();

    let mut transport = server.tls().await;
    let failing = UPGRADE.to_owned() + "\u{7f}\u{7f}";
    transport.write_all(failing.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    transport.read_to_end(&mut answer).await.unwrap();
    let close = &answer[answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4..];
    assert_eq!((close[0], &close[2..4]), (0x88, &[0x03, 0xea][..]), "1002");
    transport.shutdown().await.unwrap();
}

/// Clients that cut TCP, or never speak TLS, do no harm.
#[tokio::test]
async fn truncation_by_the_client() {
    let mut server = Server::start("truncation");
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.send(&Message::Text("hello".into())).await.unwrap();
        client.recv().await.unwrap();
        // Without close_notify.
        drop(client);
        let mut plain = TcpStream::connect(&server.address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        // An alert, or nothing.
        let mut answer = Vec::new();
        match plain.read_to_end(&mut answer).await {
            Ok(_) => assert!(!answer.starts_with(b"HTTP")),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    let mut client = server.connect().await;
    client.send(&Message::Text("still".into())).await.unwrap();
    assert!(client.recv().await.is_some());
    assert_eq!(server.program.0.try_wait().unwrap(), None);
}

/// Writes this, ends TCP without `close_notify`, and reads what still comes.
async fn cut_after(server: &Server, sent: &[u8]) -> Vec<u8> {
    let mut transport = server.tls().await;
    transport.write_all(sent).await.unwrap();
    let mut received = Vec::new();
    cut(transport, &mut received).await;
    received
}

/// FIN of TCP under TLS, after all that was written. Then reads until the server has ended, however it does.
async fn cut(mut transport: TlsStream<TcpStream>, received: &mut Vec<u8>) {
    transport.flush().await.unwrap();
    transport.get_mut().0.shutdown().await.unwrap();
    _ = transport.read_to_end(received).await;
}

/// Wherever TLS is cut, what came whole before is answered, nothing is said on stderr, and others are served.
#[tokio::test]
async fn an_end_without_close_notify() {
    const MESSAGE: &[u8] = b"\x81\x85\0\0\0\0Hello";
    const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";
    let server = Server::start("cut");
    let mut stays = server.connect().await;
    let upgrade = UPGRADE.as_bytes();
    for _ in 0..3 {
        // Before the request, and within it.
        assert_eq!(cut_after(&server, b"").await, b"");
        let received = cut_after(&server, &upgrade[..40]).await;
        assert!(!received.starts_with(b"HTTP/1.1 101 "));
        // In mid-message, after one that is whole.
        let received = cut_after(&server, &[upgrade, MESSAGE, &MESSAGE[..8]].concat()).await;
        assert!(received.starts_with(b"HTTP/1.1 101 "));
        assert!(received.ends_with(b"\r\n\r\n\x81\x05Hello"));
        // After the client's Close frame.
        let received = cut_after(&server, &[upgrade, MESSAGE, CLOSE].concat()).await;
        assert!(received.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe8"));
        // After both.
        let mut transport = server.tls().await;
        transport
            .write_all(&[upgrade, CLOSE].concat())
            .await
            .unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n\x88\x02\x03\xe8") {
            received.push(transport.read_u8().await.unwrap());
        }
        let length = received.len();
        cut(transport, &mut received).await;
        assert_eq!(received.len(), length);
        let message = Message::Text("Hello".into());
        stays.send(&message).await.unwrap();
        assert_eq!(stays.recv().await, Some(message));
    }
    drop(stays);
    let killed = Command::new("kill")
        .arg(server.program.0.id().to_string())
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(server.program.finish(), (Some(0), String::new()));
}

#[tokio::test]
async fn a_signal_ends_it() {
    let server = Server::start("signal");
    let mut client = server.connect().await;
    // One that never begins the TLS handshake.
    let idle = TcpStream::connect(&server.address).await.unwrap();
    let killed = Command::new("kill")
        .arg(server.program.0.id().to_string())
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(client.recv().await, None);
    let ending = client.close_event().unwrap();
    assert_eq!(ending.code, CloseCode::GOING_AWAY);
    assert_eq!(server.program.finish(), (Some(0), String::new()));
    drop(idle);
}

#[test]
fn its_own_files() {
    let (certificate, key) = (file("own-cert.pem"), file("own-key.pem"));
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let (_program, _) = Program::listening(&["--cert", certificate, "--key", key]);

    // Each problem names the file.
    let missing = file("missing.pem");
    let missing = missing.to_str().unwrap();
    let empty = file("empty.pem");
    fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    let folder = env!("CARGO_TARGET_TMPDIR");
    let unwritable = file("no/such/folder.pem");
    let unwritable = unwritable.to_str().unwrap();
    for (arguments, names) in [
        (vec!["--cert", missing, "--key", key], missing),
        (vec!["--cert", empty, "--key", key], empty),
        (vec!["--cert", folder, "--key", key], folder),
        (vec!["--cert", key, "--key", key], key),
        (vec!["--cert", certificate, "--key", missing], missing),
        (vec!["--cert", certificate, "--key", empty], empty),
        (
            vec!["--cert", certificate, "--key", certificate],
            certificate,
        ),
        (vec!["--write-cert", unwritable], unwritable),
        (vec!["--cert", certificate], "--key"),
        (vec!["--key", key], "--cert"),
        (vec!["--cert"], "option '--cert'"),
        (vec!["--nonsense"], "--nonsense"),
        (vec!["127.0.0.1:0", "more"], "more"),
    ] {
        let (status, stderr) = Program::new(&arguments).finish();
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains(names), "{arguments:?}: {stderr}");
    }
    // Of two files that do not belong together both are named.
    let other = file("other-key.pem");
    let unrelated = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    fs::write(&other, unrelated.signing_key.serialize_pem()).unwrap();
    let other = other.to_str().unwrap();
    let arguments = ["--cert", certificate, "--key", other];
    let (status, stderr) = Program::new(&arguments).finish();
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains(certificate) && stderr.contains(other),
        "{stderr}"
    );
    assert_eq!(Program::new(&["--help"]).finish().0, Some(0));
}
