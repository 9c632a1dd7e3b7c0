//! What connections record with `tracing`, and what they do not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test may panic"
)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use sockless::handshake::Request;
use sockless::test_util::{Frame, Role};
use sockless::{Config, Deadlines, ReadBuffer};
use sockless_tokio::{CloseCode, ServerOptions, WebSocket, accept_with, connect};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing_subscriber::fmt::MakeWriter;

/// The recorded lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Records everything on this thread until the guard is dropped.
fn record() -> (Lines, DefaultGuard) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    (lines, set_default(subscriber))
}

fn server() -> (WebSocket<DuplexStream>, DuplexStream) {
    let config = Config::new().with_deadlines(Deadlines::new());
    let (ours, theirs) = duplex(1000);
    let connection = Role::Server.connection(&config);
    (WebSocket::new(ours, connection, ReadBuffer::new()), theirs)
}

/// The lines that one connection records. `talk` uses both sides of it.
async fn lines(talk: impl AsyncFnOnce(&mut WebSocket<DuplexStream>, DuplexStream)) -> String {
    let (lines, _guard) = record();
    let (mut server, peer) = server();
    talk(&mut server, peer).await;
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

/// A refusal opens nothing. Neither side records the secrets of the request.
#[tokio::test]
async fn nothing_opens() {
    let (recorded, _guard) = record();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!(
        "ws://user:secret@{}/?secret",
        listener.local_addr().unwrap()
    );
    let serving = async {
        let options = ServerOptions::new().with_hosts(&["example.com"]);
        let (transport, _) = listener.accept().await.unwrap();
        let answer =
            async |request: &Request<'_>, options: &ServerOptions<'_>| request.accept(options);
        accept_with(transport, &options, answer).await.unwrap_err();
    };
    let ((), connected) = tokio::join!(serving, connect(&uri));
    connected.unwrap_err();
    let recorded = String::from_utf8(recorded.0.lock().unwrap().clone()).unwrap();
    let [not_connected, not_accepted] = ["not connected error=", "not accepted error="];
    assert!(
        recorded.contains(not_connected) && recorded.contains(not_accepted),
        "{recorded}"
    );
    assert!(
        !recorded.contains("secret") && !recorded.contains("open"),
        "{recorded}"
    );
}

fn masked(frame: &Frame) -> Vec<u8> {
    frame.encode(Role::Server)
}

#[tokio::test(start_paused = true)]
async fn a_clean_end() {
    let recorded = lines(async |server, mut peer| {
        peer.write_all(&masked(&Frame::new(0x81, "secret text")))
            .await
            .unwrap();
        peer.write_all(&masked(&Frame::close(1001, "secret reason")))
            .await
            .unwrap();
        server.recv().await.unwrap().unwrap();
        server.send("secret answer").await.unwrap();
        assert_eq!(server.recv().await, Ok(None));
        // The end is recorded once.
        assert_eq!(server.recv().await, Ok(None));
        server.close(CloseCode::NORMAL, "").await.unwrap();
    })
    .await;
    assert_eq!(
        recorded,
        "DEBUG websocket{role=Server}: open\n\
         DEBUG websocket{role=Server}: closed code=1001 clean=true initiator=by the peer\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_violation_a_timeout_and_a_failure() {
    let violation = lines(async |server, mut peer| {
        peer.write_all(b"\xff\xff").await.unwrap();
        peer.shutdown().await.unwrap();
        server.recv().await.unwrap_err();
    })
    .await;
    assert!(
        violation.contains("closed code=1006 clean=false initiator=by this side error="),
        "{violation}"
    );

    let timeout = lines(async |server, _peer| {
        server
            .close(CloseCode::NORMAL, "secret reason")
            .await
            .unwrap_err();
    })
    .await;
    assert!(
        timeout.contains("code=1006 clean=false initiator=by this side timeout="),
        "{timeout}"
    );

    let failure = lines(async |server, peer| {
        drop(peer);
        // The peer is gone, so writing fails.
        _ = server.send("secret text").await;
        server.recv().await.unwrap_err();
    })
    .await;
    assert!(
        failure.contains("the transport failed error=broken pipe"),
        "{failure}"
    );
    for recorded in [violation, timeout, failure] {
        assert!(!recorded.contains("secret"), "{recorded}");
        assert_eq!(recorded.matches("closed").count(), 1, "{recorded}");
    }
}
