//! A server with a fault is told from one without.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use loops::{Failure, Plan, Summary, Target, load};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

const CONNECTIONS: usize = 8;

/// What one connection of the server does wrong.
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

async fn serve(transport: TcpStream, fault: Fault) {
    if fault == Fault::Refuse {
        return;
    }
    let mut socket = accept_async(transport).await.unwrap();
    if fault == Fault::Greet {
        _ = socket.send(Message::text("hello")).await;
    }
    let (mut number, mut held) = (0, None);
    while let Some(Ok(message)) = socket.next().await {
        if !(message.is_text() || message.is_binary()) {
            if message.is_close() {
                break;
            }
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
    end(socket, fault).await;
}

/// What comes back for a message.
fn answers(
    fault: Fault,
    number: usize,
    message: Message,
    held: &mut Option<Message>,
) -> Vec<Message> {
    match (fault, number) {
        (Fault::Lose, 4) => vec![],
        (Fault::Swap, 4) => {
            *held = Some(message);
            vec![]
        }
        (Fault::Swap, 5) => vec![message, held.take().unwrap()],
        // The longest, so that there is such a byte.
        (Fault::Change, 5) => {
            let mut bytes = message.into_data().to_vec();
            bytes[40_000] ^= 1;
            vec![Message::binary(bytes)]
        }
        (Fault::Retype, 4) => vec![Message::binary(message.into_data())],
        (Fault::Double, 9) => vec![message.clone(), message],
        (Fault::Append, 5) => {
            let mut bytes = message.into_data().to_vec();
            bytes.push(0);
            vec![Message::binary(bytes)]
        }
        (Fault::Pong, 0) => vec![message, Message::Pong(Bytes::from("unasked"))],
        (Fault::CloseEarly, 5) => vec![Message::Close(Some(CloseFrame {
            code: 1001.into(),
            reason: "".into(),
        }))],
        _ => vec![message],
    }
}

async fn end(mut socket: WebSocketStream<TcpStream>, fault: Fault) {
    match fault {
        Fault::Reset => {
            _ = socket.flush().await;
            socket.get_ref().set_zero_linger().unwrap();
        }
        Fault::KeepOpen => {
            _ = socket.flush().await;
            std::future::pending::<()>().await;
        }
        // Answers the Close, and ends the stream.
        _ => while let Some(Ok(_)) = socket.next().await {},
    }
}

/// Runs the load against a server of which one connection, or none, has this fault.
async fn loaded(fault: Fault, limit: Duration) -> Result<Summary, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for number in 0.. {
            let (transport, _) = listener.accept().await.unwrap();
            let fault = if number == 3 { fault } else { Fault::None };
            tokio::spawn(serve(transport, fault));
        }
    });
    let result = load::run(Plan {
        target: Target::new(&url, None, "http/1.1").unwrap(),
        connections: CONNECTIONS,
        messages: 10,
        size: 4096,
        http2: None,
        server: None,
        limit,
    })
    .await;
    server.abort();
    result
}

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_server_without_fault_passes() {
    let summary = loaded(Fault::None, LONG).await.unwrap();
    assert_eq!(summary.connections, CONNECTIONS);
    assert_eq!(summary.messages, 80);
    assert_eq!(summary.pings, 16);
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
        (
            Fault::Reset,
            "closed, but then the stream broke: connection reset",
        ),
    ] {
        let Err(Failure::Lost(why)) = loaded(fault, LONG).await else {
            panic!("{fault:?} was not found");
        };
        assert!(
            why.starts_with("1 of 8 connections failed"),
            "{fault:?}: {why}"
        );
        assert!(why.contains(expected), "{fault:?}: {why}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_has_failed() {
    let Err(Failure::Lost(why)) = loaded(Fault::KeepOpen, Duration::from_secs(10)).await else {
        panic!("not found");
    };
    assert_eq!(
        why,
        "no end within 10 s, 8 of 8 connections are open: 80 of 80 echoes, 16 of 16 Pongs and 7 of 8 endings were right"
    );
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let plan = Plan {
        target: Target::new(&url, None, "http/1.1").unwrap(),
        connections: 3,
        messages: 1,
        size: 1,
        http2: None,
        server: None,
        limit: LONG,
    };
    let Err(Failure::Lost(why)) = load::run(plan).await else {
        panic!("not found");
    };
    assert!(
        why.starts_with("3 of 3 connections failed, 0 of 3 echoes"),
        "{why}"
    );
    assert!(why.contains("cannot connect to 127.0.0.1:"), "{why}");
}
