//! The scenarios find servers with faults, such as a busy loop, and pass servers without faults.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use loops::Target;
use loops::scenarios::{Plan, Report, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};

mod support;

/// Scenarios measure the whole process. Here the servers are in the process of the tests.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// It works while it waits.
    Spin,
    /// It keeps the socket after the end.
    Leak,
    /// It does not echo the last message before the end of the stream.
    Forget,
    /// It echoes something else for a large message.
    Cut,
}

async fn serve(transport: TcpStream, fault: Fault) {
    // Some clients leave before the end of the request.
    let Ok((mut socket, _)) = accept(transport).await else {
        return;
    };
    let mut held = None;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() || message.is_ping() {
            continue;
        }
        let cut = fault == Fault::Cut && message.len() > 1_000_000;
        let message = if cut { "cut".into() } else { message };
        let answer = if fault == Fault::Forget {
            held.replace(message)
        } else {
            Some(message)
        };
        if let Some(answer) = answer {
            _ = socket.send(answer).await;
        }
    }
    if fault == Fault::Leak {
        std::mem::forget(socket);
    }
}

/// Reads a request but nothing after it. tungstenite refuses clients that send more before they have the response.
async fn accept(mut transport: TcpStream) -> std::io::Result<(WebSocketStream<TcpStream>, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(transport.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let (_, key) = head.split_once("Sec-WebSocket-Key: ").unwrap();
    let accept = derive_accept_key(key.split_once('\r').unwrap().0.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    transport.write_all(answer.as_bytes()).await?;
    let socket = WebSocketStream::from_raw_socket(transport, Role::Server, None);
    Ok((socket.await, head))
}

async fn drive(url: &str, server: u32, close_at: Option<String>, names: &[&str]) -> Report {
    run(Plan {
        target: Target::new(url, None, "http/1.1").unwrap(),
        server,
        timeout: Some(Duration::from_secs(1)),
        unread: 8_000_000,
        close_at,
        names: names.iter().copied().map(String::from).collect(),
    })
    .await
}

async fn drive_faulty(fault: Fault, names: &[&str]) -> Report {
    let _alone = ALONE.lock().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (transport, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(transport, fault));
        }
    });
    let ended = Arc::new(AtomicBool::new(false));
    // With one thread, other work on a busy machine could hide the spinning.
    let spinning: Vec<_> = (0..if fault == Fault::Spin { 4 } else { 0 })
        .map(|_| {
            let ended = ended.clone();
            std::thread::spawn(move || while !ended.load(Ordering::Relaxed) {})
        })
        .collect();
    let report = drive(&url, std::process::id(), None, names).await;
    ended.store(true, Ordering::Relaxed);
    for thread in spinning {
        thread.join().unwrap();
    }
    server.abort();
    report
}

/// Another process of this program, which the test can stop.
#[tokio::test]
#[ignore = "it is the server of another test"]
async fn as_a_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    writeln!(std::io::stdout(), "\nlistening on http://{address}/").unwrap();
    loop {
        let (transport, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let Ok((mut socket, head)) = accept(transport).await else {
                return;
            };
            if head.starts_with("GET /close/") {
                let (code, reason) = (4001.into(), "bye".into());
                _ = socket.close(Some(CloseFrame { code, reason })).await;
            }
            let mut pings = tokio::time::interval(Duration::from_secs(1));
            pings.tick().await;
            loop {
                tokio::select! {
                    message = socket.next() => match message {
                        Some(Ok(text)) if text.is_text() => _ = socket.send(text).await,
                        Some(Ok(_)) => {}
                        _ => break,
                    },
                    _ = pings.tick() => {
                        _ = socket.send(Message::Ping(Bytes::new())).await;
                    }
                }
            }
        });
    }
}

/// A server without deadlines is never late.
#[tokio::test]
async fn a_server_without_deadlines_passes_every_stop() {
    let _alone = ALONE.lock().await;
    let names = [
        "stopped-past-pong",
        "stopped-past-handshake",
        "stopped-past-close",
    ];
    let stderr = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stopped.log");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "as_a_server", "--ignored", "--nocapture"]);
    let (server, url) = support::start(command.stderr(File::create(stderr).unwrap()));
    let report = drive(&url, server.0.id(), Some("/close/4001/bye".into()), &names).await;
    let lines = report.lines();
    assert!(report.ok(), "{lines:?}");
    assert_eq!(lines.len(), names.len() + 1, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "ok stderr: nothing");
}

/// These are all scenarios that a server without deadlines can pass in this process.
#[tokio::test]
async fn a_server_without_fault_passes() {
    let names = [
        "idle-does-not-spin",
        "slow-reader",
        "slow-sender",
        "close-then-reset",
        "half-close",
    ];
    let report = drive_faulty(Fault::None, &names).await;
    let lines = report.lines();
    assert!(report.ok(), "{lines:?}");
    for name in names {
        let start = format!("ok {name}: ");
        assert!(
            lines.iter().any(|line| line.starts_with(&start)),
            "{name}: {lines:?}"
        );
    }
}

#[tokio::test]
async fn every_fault_is_found() {
    for (fault, name, expected) in [
        (Fault::Spin, "idle-does-not-spin", ", with nothing to do"),
        (
            Fault::Leak,
            "close-then-reset",
            "20 of 20 connections are still open after 13 s",
        ),
        (Fault::Forget, "half-close", "4 of 6 stages failed: Close: "),
        (
            Fault::Cut,
            "slow-reader",
            "one message: message 0 is not what was sent",
        ),
    ] {
        let report = drive_faulty(fault, &[name]).await;
        assert!(!report.ok(), "{fault:?}: {:?}", report.lines());
        let start = format!("not ok {name}: ");
        let lines = report.lines();
        let line = lines.iter().find(|line| line.starts_with(&start));
        assert!(line.unwrap().contains(expected), "{fault:?}: {line:?}");
    }
}
