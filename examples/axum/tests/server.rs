//! The program: how it serves clients, and how it ends.

#[path = "../../tokio/tests/support/ending.rs"]
mod ending;
#[path = "../../tokio/tests/support/program.rs"]
mod program;

use sockless_tokio::{ClientOptions, ConnectError, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::Program;

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn start() -> Program {
    Program::start(env!("CARGO_BIN_EXE_example-axum"), "http", &[])
}

async fn connect(server: &Program, path: &str) -> Result<WebSocket<TcpStream>, ConnectError> {
    let transport = TcpStream::connect(&server.address).await.unwrap();
    let uri = format!("ws://{}{path}", server.address).parse().unwrap();
    WebSocket::connect(transport, &uri, &ClientOptions::new()).await
}

/// Sends this, and reads until the server closes.
async fn ask(server: &Program, request: &[u8]) -> Vec<u8> {
    let mut transport = TcpStream::connect(&server.address).await.unwrap();
    transport.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    transport.read_to_end(&mut answer).await.unwrap();
    answer
}

/// hyper reads these frames together with the request.
#[tokio::test]
async fn frames_in_the_packet_of_the_request() {
    let server = start();
    let frames = b"\x81\x82\0\0\0\0Hi\x88\x80\0\0\0\0";
    let answer = ask(&server, &[UPGRADE.as_bytes(), frames].concat()).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02Hi\x88\x00"), "{text}");
}

#[tokio::test]
async fn other_routes_and_refusals() {
    let server = start();
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let old = UPGRADE.replace("Version: 13", "Version: 8");
    let old = old.replace("Connection: Upgrade", "Connection: Upgrade, close");
    for (request, status, contained) in [
        (get("/"), "HTTP/1.1 200 ", "echo"),
        (get("/about"), "HTTP/1.1 200 ", "axum application\n"),
        (get("/nowhere"), "HTTP/1.1 404 ", ""),
        (old, "HTTP/1.1 426 ", "\r\nsec-websocket-version: 13\r\n"),
    ] {
        let answer = String::from_utf8(ask(&server, request.as_bytes()).await).unwrap();
        assert!(answer.starts_with(status), "{answer}");
        assert!(answer.to_ascii_lowercase().contains(contained), "{answer}");
    }
    let refused = connect(&server, "/nowhere").await.unwrap_err();
    match refused {
        ConnectError::Refused(response) => assert_eq!(response.status, 404),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_signal_ends_the_program() {
    let server = start();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(connect(&server, "/").await.unwrap());
    }
    ending::end(server, "TERM", clients).await;
}
