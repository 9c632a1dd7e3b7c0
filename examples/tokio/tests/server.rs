//! The server, in this process and as a program.

#[path = "support/ending.rs"]
mod ending;
#[path = "support/program.rs"]
mod program;

use std::io::ErrorKind;
use std::time::Duration;

use example_tokio::server::{echo, serve};
use example_tokio::{Message, WebSocket};
use sockless::handshake::{ClientOptions, Request, ServerOptions};
use sockless::{CloseCode, Config, Connection, Deadlines, ReadBuffer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::program::Program;

const CLOSE: Duration = Duration::from_millis(500);

fn start() -> Program {
    Program::start(env!("CARGO_BIN_EXE_example-tokio"), "http", &[])
}

fn options() -> ServerOptions<'static> {
    let deadlines = Deadlines::new().with_close(CLOSE);
    ServerOptions::new().with_config(Config::new().with_deadlines(deadlines))
}

fn accept(request: &Request<'_>) -> Connection {
    request.accept(&options()).unwrap()
}

async fn connect(address: &str) -> WebSocket<TcpStream> {
    let transport = TcpStream::connect(address).await.unwrap();
    let uri = format!("ws://{address}/").parse().unwrap();
    let connected = WebSocket::connect(transport, &uri, &ClientOptions::new()).await;
    connected.unwrap()
}

async fn exchange(client: &mut WebSocket<TcpStream>) {
    let hello = Message::Text("hello".into());
    client.send(&hello).await.unwrap();
    assert_eq!(client.recv().await, Some(hello));
}

#[tokio::test]
async fn the_server_ends_after_its_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let end = async { _ = ended.await };
        serve(listener, end, async |transport, ending| {
            let accepted = WebSocket::accept(transport, &options().config, accept).await;
            if let Ok(Some(websocket)) = accepted {
                echo(websocket, ending).await;
            }
        })
        .await;
    });

    // Twenty clients answer, one does not answer, and one does not even read.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connect(&address).await);
    }
    for client in &mut clients {
        exchange(client).await;
    }
    let silent = connect(&address).await;
    let mut flooding = connect(&address).await;
    let flood = Message::Binary(vec![0; 1 << 20]);
    while timeout(CLOSE, flooding.send(&flood)).await.is_ok() {}

    let start = Instant::now();
    end.send(()).unwrap();
    for mut client in clients {
        assert_eq!(client.recv().await, None);
        let ending = client.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::GOING_AWAY);
        assert!(ending.was_clean);
    }
    assert!(!serving.is_finished(), "two clients have not answered");
    let refused = TcpStream::connect(&address).await;
    refused.expect_err("the server has stopped listening");
    timeout(CLOSE * 20, serving).await.unwrap().unwrap();
    assert!(start.elapsed() >= CLOSE);
    drop((silent, flooding));
}

/// Bytes that were read together with the opening handshake are not lost.
#[tokio::test]
async fn a_connection_made_elsewhere() {
    let (transport, _peer) = tokio::io::duplex(100);
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\x81\x82\0\0\0\0Hi");
    let mut server = WebSocket::new(transport, Connection::server(&options().config), buffer);
    assert_eq!(server.recv().await, Some(Message::Text("Hi".into())));
}

#[tokio::test]
async fn a_client_that_leaves_during_its_request() {
    let (transport, mut peer) = tokio::io::duplex(100);
    peer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    drop(peer);
    let accepted = WebSocket::accept(transport, &options().config, accept).await;
    assert_eq!(accepted.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_signal_ends_the_program() {
    for signal in ["TERM", "INT"] {
        let program = start();
        let mut client = connect(&program.address).await;
        exchange(&mut client).await;
        ending::end(program, signal, vec![client]).await;
    }
}

#[tokio::test]
async fn plain_http() {
    let program = start();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "),
        ("nonsense\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let mut transport = TcpStream::connect(&program.address).await.unwrap();
        transport.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        transport.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status), "{answer}");
    }
}
