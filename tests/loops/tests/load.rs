//! The load finds every fault of a server, over TCP, TLS and HTTP/2. It passes servers without faults.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use h2::server::SendResponse;
use loops::{Failure, Http2Stream, Plan, Summary, Target, load};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::tungstenite::http::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

mod support;

const LONG: Duration = Duration::from_mins(1);

/// What a server does wrong on one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Refuse,
    Greet,
    Lose,
    Swap,
    Change,
    Retype,
    Double,
    Append,
    Pong,
    CloseEarly,
    Break,
    Reset,
    KeepOpen,
}

/// Accepts connections and serves each in a task. Returns the URL.
async fn listen<F>(scheme: &str, serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (transport, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(number, transport));
        }
    });
    url
}

/// Echoes until the Close frame, with this fault.
async fn echo<S>(socket: &mut WebSocketStream<S>, fault: Fault)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if fault == Fault::Greet {
        _ = socket.send(Message::text("hello")).await;
    }
    let (mut number, mut held) = (0, None);
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() {
            break;
        }
        if !(message.is_text() || message.is_binary()) {
            continue;
        }
        for answer in answers(fault, number, message, &mut held) {
            _ = socket.send(answer).await;
        }
        if fault == Fault::Break && number == 5 {
            return;
        }
        number += 1;
    }
    _ = socket.flush().await;
}

/// The answers to a message.
fn answers(
    fault: Fault,
    number: usize,
    message: Message,
    held: &mut Option<Message>,
) -> Vec<Message> {
    let bytes = || message.clone().into_data().to_vec();
    match (fault, number) {
        (Fault::Lose, 4) => vec![],
        (Fault::Swap, 4) => {
            *held = Some(message);
            vec![]
        }
        (Fault::Swap, 5) => vec![message, held.take().unwrap()],
        // Only the longest message has this byte.
        (Fault::Change, 5) => {
            let mut bytes = bytes();
            bytes[40_000] ^= 1;
            vec![Message::binary(bytes)]
        }
        (Fault::Retype, 4) => vec![Message::binary(bytes())],
        (Fault::Double, 9) => vec![message.clone(), message],
        (Fault::Append, 5) => vec![Message::binary([bytes(), vec![0]].concat())],
        (Fault::Pong, 0) => vec![message, Message::Pong(Bytes::from("unasked"))],
        (Fault::CloseEarly, 5) => vec![Message::Close(Some(CloseFrame {
            code: 1001.into(),
            reason: "".into(),
        }))],
        _ => vec![message],
    }
}

async fn serve(transport: TcpStream, fault: Fault) {
    if fault == Fault::Refuse {
        return;
    }
    let mut socket = accept_async(transport).await.unwrap();
    echo(&mut socket, fault).await;
    match fault {
        Fault::Break => {}
        Fault::Reset => socket.get_ref().set_zero_linger().unwrap(),
        Fault::KeepOpen => std::future::pending().await,
        // Ends the stream.
        _ => while let Some(Ok(_)) = socket.next().await {},
    }
}

/// Drives the server at this target.
async fn drive(
    target: Target,
    connections: usize,
    http2: Option<usize>,
    limit: Duration,
) -> Result<Summary, Failure> {
    load::run(Plan {
        target,
        connections,
        messages: 10,
        size: 4096,
        http2,
        server: None,
        limit,
    })
    .await
}

async fn drive_plain(url: &str, connections: usize, limit: Duration) -> Result<Summary, Failure> {
    let target = Target::new(url, None, "http/1.1").unwrap();
    drive(target, connections, None, limit).await
}

/// Why the load failed.
fn lost(result: Result<Summary, Failure>) -> String {
    match result {
        Err(Failure::Lost(why)) => why,
        other => panic!("no loss, but {other:?}"),
    }
}

/// Drives 8 connections to a server. One of them has this fault.
async fn drive_faulty(fault: Fault, limit: Duration) -> Result<Summary, Failure> {
    let url = listen("http", move |number, transport| {
        serve(transport, if number == 3 { fault } else { Fault::None })
    });
    drive_plain(&url.await, 8, limit).await
}

#[tokio::test]
async fn a_server_without_fault_passes() {
    let summary = drive_faulty(Fault::None, LONG).await.unwrap();
    let counts = (summary.connections, summary.messages, summary.pings);
    assert_eq!(counts, (8, 80, 16));
    assert!(summary.bytes > 8 * 65_536, "{summary}");
}

#[tokio::test]
async fn every_fault_is_found() {
    for (fault, expected) in [
        (Fault::Refuse, "no opening handshake"),
        (Fault::Greet, "while idle: the server sent text of 5 bytes"),
        (Fault::Lose, "came back as message 5;"),
        (Fault::Swap, "came back as message 5;"),
        (Fault::Change, "; the first 40000 bytes are the same"),
        (Fault::Retype, "message 4, text of "),
        (Fault::Double, ": the server sent binary of "),
        (Fault::Append, "came back as binary of 65537 bytes"),
        (Fault::Pong, "the Pong for Ping 0 carries b\"unasked\""),
        (
            Fault::CloseEarly,
            "message 5 of 10: the server sent a Close frame, 1001",
        ),
        (Fault::Break, "message 6 of 10: "),
        (Fault::Reset, "closed, but then the stream broke"),
    ] {
        let why = lost(drive_faulty(fault, LONG).await);
        assert!(
            why.starts_with("1 of 8 connections failed"),
            "{fault:?}: {why}"
        );
        assert!(why.contains(expected), "{fault:?}: {why}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_found() {
    let why = lost(drive_faulty(Fault::KeepOpen, Duration::from_secs(8)).await);
    assert_eq!(
        why,
        "no end within 8 s, 8 of 8 connections were opened: \
        80 of 80 echoes, 16 of 16 Pongs and 7 of 8 endings were right"
    );
}

#[tokio::test]
async fn a_missing_server_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let why = lost(drive_plain(&url, 3, LONG).await);
    assert!(
        why.starts_with("3 of 3 connections failed, 0 of 30 echoes"),
        "{why}"
    );
    assert!(why.contains("cannot connect to 127.0.0.1:"), "{why}");
}

/// What the server does at the end of a connection after the closing handshake.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It sends `close_notify` or `END_STREAM`.
    Clean,
    /// It drops the transport.
    Drop,
}

/// Makes certificates in a folder for this test.
fn certificates(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_certificate"));
    assert!(command.arg(&folder).status().unwrap().success());
    folder
}

async fn listen_tls(folder: &Path, end: End) -> String {
    let certificates = CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    listen("https", move |_, transport| {
        let acceptor = acceptor.clone();
        async move {
            // A client that does not trust the certificate is gone.
            let Ok(encrypted) = acceptor.accept(transport).await else {
                return;
            };
            let mut socket = accept_async(encrypted).await.unwrap();
            echo(&mut socket, Fault::None).await;
            if end == End::Clean {
                _ = socket.get_mut().shutdown().await;
            }
        }
    })
    .await
}

async fn drive_tls(url: &str, folder: &Path) -> Result<Summary, Failure> {
    let target = Target::new(url, Some(&folder.join("ca.pem")), "http/1.1").unwrap();
    drive(target, 20, None, LONG).await
}

/// Also through the forwarder, which hides TLS from the load.
#[tokio::test]
async fn a_server_with_tls_passes() {
    let folder = certificates("passes");
    let url = listen_tls(&folder, End::Clean).await;
    assert_eq!(drive_tls(&url, &folder).await.unwrap().messages, 200);
    let ca = folder.join("ca.pem");
    let mut forward = Command::new(env!("CARGO_BIN_EXE_forward"));
    let (_forward, plain) = support::start(forward.args(["127.0.0.1:0", &url, "--ca"]).arg(ca));
    assert!(plain.starts_with("http://127.0.0.1:"), "{plain}");
    assert_eq!(drive_plain(&plain, 20, LONG).await.unwrap().messages, 200);
}

#[tokio::test]
async fn tls_without_trust_or_without_a_clean_end_is_found() {
    let (folder, other) = (certificates("faulty"), certificates("other"));
    for (end, trusted, start, expected) in [
        (End::Clean, &other, "0 of 200", "no TLS with 127.0.0.1:"),
        (
            End::Drop,
            &folder,
            "200 of 200",
            "without sending TLS close_notify",
        ),
    ] {
        let url = listen_tls(&folder, end).await;
        let why = lost(drive_tls(&url, trusted).await);
        let start = format!("20 of 20 connections failed, {start} echoes");
        assert!(why.starts_with(&start) && why.contains(expected), "{why}");
    }
}

/// An HTTP/2 server.
#[derive(Clone, Copy)]
struct Http2Server {
    takes_web_sockets: bool,
    streams: u32,
    status: u16,
    end: End,
}

const GOOD: Http2Server = Http2Server {
    takes_web_sockets: true,
    streams: 8,
    status: 200,
    end: End::Clean,
};

impl Http2Server {
    async fn listen(self) -> String {
        listen("http", move |_, transport| self.serve(transport)).await
    }

    async fn serve(self, transport: TcpStream) {
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(self.streams);
        if self.takes_web_sockets {
            builder.enable_connect_protocol();
        }
        let mut connection = builder.handshake::<_, Bytes>(transport).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(self.echo(request, respond));
        }
    }

    async fn echo(self, request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
        let protocol = request.extensions().get::<h2::ext::Protocol>();
        assert_eq!(protocol.unwrap().as_str(), "websocket");
        let response = Response::builder().status(self.status).body(()).unwrap();
        let refuses = self.status != 200;
        let send = respond.send_response(response, refuses).unwrap();
        if refuses {
            return;
        }
        let stream = Http2Stream::new(send, request.into_body());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        echo(&mut socket, Fault::None).await;
        if self.end == End::Clean {
            _ = socket.get_mut().shutdown().await;
            // Waits until the client has ended its stream too.
            _ = socket.next().await;
        }
    }
}

async fn drive_http2(url: &str) -> Result<Summary, Failure> {
    let target = Target::new(url, None, "h2").unwrap();
    drive(target, 20, Some(8), LONG).await
}

/// Also through the forwarder, which hides HTTP/2 from the load.
#[tokio::test]
async fn a_server_with_http2_passes() {
    let url = GOOD.listen().await;
    let summary = drive_http2(&url).await.unwrap();
    assert_eq!((summary.messages, summary.pings), (200, 40));
    assert!(summary.bytes > 20 * 65_536, "{summary}");
    let mut forward = Command::new(env!("CARGO_BIN_EXE_forward"));
    let (_forward, plain) = support::start(forward.args(["127.0.0.1:0", &url, "--http2"]));
    assert_eq!(drive_plain(&plain, 20, LONG).await.unwrap().messages, 200);
}

#[tokio::test]
async fn every_fault_of_http2_is_found() {
    let [mut deaf, mut narrow, mut forbidding, mut abrupt] = [GOOD; 4];
    deaf.takes_web_sockets = false;
    narrow.streams = 7;
    forbidding.status = 403;
    abrupt.end = End::Drop;
    for (server, expected) in [
        (deaf, ": no WebSockets over HTTP/2: "),
        (
            narrow,
            ": the server allows 7 streams on a connection, not 8",
        ),
        (forbidding, ": no opening handshake: 403 Forbidden"),
        (
            abrupt,
            ": closing: IO error: stream error received: stream no longer needed",
        ),
    ] {
        let why = lost(drive_http2(&server.listen().await).await);
        assert!(why.starts_with("20 of 20 connections failed"), "{why}");
        assert!(why.contains(expected), "{why}");
    }
}
