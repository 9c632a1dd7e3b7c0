//! The program: how it serves clients over TLS, and how it ends.

mod support;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use example_tokio::{Message, WebSocket};
use sockless::CloseCode;
use sockless::handshake::{ClientOptions, Uri};
use sockless::test_util::OPENING_REQUEST;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::program::Program;
use crate::support::{Server, cut_http1};

const PATH: &str = env!("CARGO_BIN_EXE_example-rustls");

fn start(test: &str) -> Server {
    Server::start(PATH, test)
}

async fn connect(server: &Server) -> WebSocket<TlsStream<TcpStream>> {
    let uri = Uri::parse("wss://localhost/").unwrap();
    let tls = server.tls(&[b"h2", b"http/1.1"]).await;
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let connected = WebSocket::connect(tls, &uri, &ClientOptions::new()).await;
    connected.unwrap()
}

#[tokio::test]
async fn echoes() {
    let server = start("echoes");
    let mut client = connect(&server).await;
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

/// The server sends `close_notify` at the end of each answer. Without it, `read_to_end` would fail.
#[tokio::test]
async fn the_server_sends_close_notify() {
    let server = start("close-notify");
    let request = OPENING_REQUEST;
    for (sent, start, end) in [
        // A closing handshake.
        (
            [request, b"\x81\x82\0\0\0\0Hi\x88\x80\0\0\0\0"].concat(),
            "HTTP/1.1 101 ",
            &b"\r\n\r\n\x81\x02Hi\x88\x00"[..],
        ),
        // A page.
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            "HTTP/1.1 200 ",
            b"",
        ),
        // A protocol error. The close code is 1002.
        ([request, b"\x7f\x7f"].concat(), "HTTP/1.1 101 ", b""),
    ] {
        let mut tls = server.tls(&[b"http/1.1"]).await;
        tls.write_all(&sent).await.unwrap();
        let mut answer = Vec::new();
        tls.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(start.as_bytes()) && answer.ends_with(end));
        if sent.ends_with(b"\x7f\x7f") {
            let head = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
            let close = &answer[head + 4..];
            assert_eq!((close[0], &close[2..4]), (0x88, &[0x03, 0xea][..]));
        }
        if end.is_empty() {
            // The server shuts down only its own side, and reads until this side ends.
            tls.write_all(b"more").await.unwrap();
            tls.shutdown().await.unwrap();
        }
    }
}

/// Clients that cut TCP or do not use TLS do not disturb other clients.
#[tokio::test]
async fn rude_clients() {
    let server = start("rude");
    for _ in 0..20 {
        let mut client = connect(&server).await;
        client.send(&Message::Text("hello".into())).await.unwrap();
        client.recv().await.unwrap();
        // Without close_notify.
        drop(client);
        let mut plain = TcpStream::connect(&server.program.address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        // The answer is an alert or a reset.
        let mut answer = Vec::new();
        match plain.read_to_end(&mut answer).await {
            Ok(_) => assert!(!answer.starts_with(b"HTTP")),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    let mut client = connect(&server).await;
    client.send(&Message::Text("still".into())).await.unwrap();
    assert!(client.recv().await.is_some());
}

#[tokio::test]
async fn an_end_without_close_notify() {
    cut_http1(start("cut")).await;
}

#[tokio::test]
async fn a_signal_ends_the_program() {
    let mut server = start("signal");
    let mut client = connect(&server).await;
    // This client never starts the TLS handshake.
    let idle = TcpStream::connect(&server.program.address).await.unwrap();
    server.program.signal("TERM");
    assert_eq!(client.recv().await, None);
    let ending = client.close_event().unwrap();
    assert_eq!(ending.code, CloseCode::GOING_AWAY);
    server.program.wait();
    drop(idle);
}

/// The files of `--cert` and `--key`. The error text names each file that is wrong.
#[test]
fn certificate_files() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let make = || rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let (made, unrelated) = (make(), make());
    let cert = &*file("own-cert.pem", &made.cert.pem());
    let key = &*file("own-key.pem", &made.signing_key.serialize_pem());
    let other = &*file("other-key.pem", &unrelated.signing_key.serialize_pem());
    let empty = &*file("empty.pem", "");
    let missing = folder.join("missing.pem");
    let missing = missing.to_str().unwrap();
    let unwritable = folder.join("no/such/folder.pem");
    let unwritable = unwritable.to_str().unwrap();
    drop(Program::start(
        PATH,
        "https",
        &["--cert", cert, "--key", key],
    ));

    for (arguments, named) in [
        (&["--cert", missing, "--key", key][..], &[missing][..]),
        (&["--cert", empty, "--key", key], &[empty]),
        (
            &["--cert", folder.to_str().unwrap(), "--key", key],
            &[folder.to_str().unwrap()],
        ),
        (&["--cert", key, "--key", key], &[key]),
        (&["--cert", cert, "--key", missing], &[missing]),
        (&["--cert", cert, "--key", empty], &[empty]),
        (&["--cert", cert, "--key", cert], &[cert]),
        (&["--cert", cert, "--key", other], &[cert, other]),
        (&["--write-cert", unwritable], &[unwritable]),
        (&["--cert", cert], &["--key"]),
        (&["--key", key], &["--cert"]),
        (&["--cert"], &["option '--cert'"]),
        (&["--nonsense"], &["--nonsense"]),
        (&["127.0.0.1:0", "more"], &["more"]),
    ] {
        let output = Command::new(PATH).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        for named in named {
            assert!(stderr.contains(named), "{arguments:?}: {stderr}");
        }
    }
    let help = Command::new(PATH).arg("--help").status().unwrap();
    assert_eq!(help.code(), Some(0));
}
