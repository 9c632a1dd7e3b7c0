//! The server, in this process and as a program.

#[path = "support/ending.rs"]
mod ending;
#[path = "support/program.rs"]
mod program;

use std::time::Duration;

use example_tokio::server::{echo, serve};
use sockless_tokio::{
    ClientOptions, CloseCode, Config, Deadlines, Message, ServerOptions, WebSocket, accept_with,
};
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

async fn connect(address: &str) -> WebSocket<TcpStream> {
    let transport = TcpStream::connect(address).await.unwrap();
    let uri = format!("ws://{address}/").parse().unwrap();
    let connected = WebSocket::connect(transport, &uri, &ClientOptions::new()).await;
    connected.unwrap()
}

async fn exchange(client: &mut WebSocket<TcpStream>) {
    client.send("hello").await.unwrap();
    let answer = client.recv().await.unwrap().unwrap();
    assert_eq!(answer, Message::from("hello"));
}

#[tokio::test]
async fn the_server_ends_after_its_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let end = async { _ = ended.await };
        serve(listener, end, async |transport, shutdown| {
            let options = options();
            let accepted = accept_with(transport, &options, async |request, options| {
                request.accept(options)
            });
            let websocket = accepted.await.unwrap().unwrap();
            echo(websocket, &shutdown).await;
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
    let flood = Message::from(vec![0; 1 << 20]);
    while timeout(CLOSE, flooding.send(flood.clone())).await.is_ok() {}

    let start = Instant::now();
    end.send(()).unwrap();
    for mut client in clients {
        assert!(client.recv().await.unwrap().is_none());
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
