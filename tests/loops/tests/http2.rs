//! A WebSocket in a stream of HTTP/2, directly and from programs without it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use h2::server;
use loops::{Failure, Http2Stream, Plan, Summary, Target, load};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::http::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::Role;

/// What the server is like.
#[derive(Clone, Copy)]
struct Server {
    takes_web_sockets: bool,
    streams: u32,
    /// Answers with this status.
    status: u16,
    /// Ends streams with `END_STREAM`, and not with a reset.
    polite: bool,
}

const GOOD: Server = Server {
    takes_web_sockets: true,
    streams: 8,
    status: 200,
    polite: true,
};

async fn serve(transport: TcpStream, server: Server) {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(server.streams);
    if server.takes_web_sockets {
        builder.enable_connect_protocol();
    }
    let mut connection = builder.handshake::<_, Bytes>(transport).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(echo(request, respond, server));
    }
}

async fn echo(
    request: Request<h2::RecvStream>,
    mut respond: server::SendResponse<Bytes>,
    server: Server,
) {
    let protocol = request.extensions().get::<h2::ext::Protocol>();
    assert_eq!(protocol.unwrap().as_str(), "websocket");
    let response = Response::builder().status(server.status).body(()).unwrap();
    let send = respond
        .send_response(response, server.status != 200)
        .unwrap();
    if server.status != 200 {
        return;
    }
    let stream = Http2Stream::new(send, request.into_body());
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            _ = socket.send(message).await;
        } else if message.is_close() {
            break;
        }
    }
    _ = socket.flush().await;
    if server.polite {
        _ = socket.get_mut().shutdown().await;
        // Until the client has ended its stream as well.
        _ = socket.next().await;
    }
}

async fn listening(server: Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (transport, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(transport, server));
        }
    });
    url
}

async fn loaded(url: &str, http2: Option<usize>) -> Result<Summary, Failure> {
    load::run(Plan {
        target: Target::new(url, None, "h2").unwrap(),
        connections: 20,
        messages: 10,
        size: 4096,
        http2,
        server: None,
        limit: Duration::from_mins(1),
    })
    .await
}

#[tokio::test]
async fn streams_pass() {
    let summary = loaded(&listening(GOOD).await, Some(8)).await.unwrap();
    assert_eq!((summary.messages, summary.pings), (200, 40));
    assert!(summary.bytes > 20 * 65_536, "{summary}");
}

#[tokio::test]
async fn what_is_wrong_is_found() {
    let mut deaf = GOOD;
    deaf.takes_web_sockets = false;
    let mut narrow = GOOD;
    narrow.streams = 7;
    let mut forbidding = GOOD;
    forbidding.status = 403;
    let mut impolite = GOOD;
    impolite.polite = false;
    for (server, expected) in [
        (deaf, ": no WebSockets over HTTP/2: "),
        (
            narrow,
            ": the server allows 7 streams on a connection, and not 8",
        ),
        (forbidding, ": no opening handshake: 403 Forbidden"),
        (
            impolite,
            ": closing: IO error: stream error received: stream no longer needed",
        ),
    ] {
        let Err(Failure::Lost(why)) = loaded(&listening(server).await, Some(8)).await else {
            panic!("not found: {expected}");
        };
        assert!(why.starts_with("20 of 20 connections failed"), "{why}");
        assert!(why.contains(expected), "{why}");
    }
}

/// A program that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::test]
async fn through_the_forwarder_without_http2() {
    let url = listening(GOOD).await;
    let forwarder = Command::new(env!("CARGO_BIN_EXE_forward"))
        .args(["127.0.0.1:0", &url, "--http2"])
        .stdout(Stdio::piped())
        .spawn();
    let mut forwarder = Running(forwarder.unwrap());
    let mut line = String::new();
    let mut said = BufReader::new(forwarder.0.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let plain = line.trim_end().strip_prefix("listening on ").unwrap();
    assert_eq!(loaded(plain, None).await.unwrap().messages, 200);
}
