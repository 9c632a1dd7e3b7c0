//! The program: how it serves clients over TLS, and how it ends.

#[path = "../../tokio/tests/support/ending.rs"]
mod ending;
mod support;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use sockless::test_util::OPENING_REQUEST;
use sockless_tokio::{ClientOptions, Message, Uri, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::{Server, cut_http1, program};

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

/// Clients that do not use TLS do not disturb other clients.
#[tokio::test]
async fn clients_without_tls() {
    let server = start("plain");
    let mut client = connect(&server).await;
    for _ in 0..20 {
        let mut plain = TcpStream::connect(&server.program.address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        // The answer is an alert or a reset.
        let mut answer = Vec::new();
        match plain.read_to_end(&mut answer).await {
            Ok(_) => assert!(!answer.starts_with(b"HTTP")),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let hello = Message::from("hello");
        client.send(hello.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(hello));
    }
}

#[tokio::test]
async fn an_end_without_close_notify() {
    cut_http1(start("cut")).await;
}

#[tokio::test]
async fn a_signal_ends_the_program() {
    let server = start("signal");
    let client = connect(&server).await;
    ending::end(server.program, "TERM", vec![client]).await;
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
    let generate = || rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let (made, unrelated) = (generate(), generate());
    let cert = &*file("own-cert.pem", &made.cert.pem());
    let key = &*file("own-key.pem", &made.signing_key.serialize_pem());
    let other = &*file("other-key.pem", &unrelated.signing_key.serialize_pem());
    let empty = &*file("empty.pem", "");
    let missing = folder.join("missing.pem");
    let missing = missing.to_str().unwrap();
    let unwritable = folder.join("no/such/folder.pem");
    let unwritable = unwritable.to_str().unwrap();
    drop(program::Program::start(
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
    ] {
        let output = Command::new(PATH).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        for named in named {
            assert!(stderr.contains(named), "{arguments:?}: {stderr}");
        }
    }
}
