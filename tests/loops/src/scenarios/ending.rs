//! Clients that end in different ways.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connection::{Connection, request};
use super::frames::{BINARY, CLOSE, TEXT, close, frame, pattern};
use super::{LIMIT, SLACK, Server, Verdict, all_of};

/// Clients send a text and a Close frame, then reset TCP: at once, or by closing a socket with unread bytes.
pub(super) async fn close_then_reset(server: &Server) -> Verdict {
    const CONNECTIONS: usize = 20;
    let mut sockets = Vec::new();
    for i in 0..CONNECTIONS {
        let mut connection = Connection::open(server).await?;
        sockets.extend(connection.accepted(server).await);
        let text = frame(Role::Client, TEXT, b"goodbye");
        let closing = frame(Role::Client, CLOSE, &close(1008, "reason"));
        connection.send(&[text, closing].concat()).await?;
        if i % 2 == 0 {
            connection.reset()?;
        } else {
            // Unread bytes turn the close of the socket into a reset.
            let readable = connection.transport.tcp().readable();
            let came = timeout(LIMIT, readable).await;
            came.map_err(|_| String::from("no answer"))?
                .map_err(|error| error.to_string())?;
        }
    }
    let freed = server.deadlines.gives_up() + SLACK;
    server.process.frees(&sockets, freed).await?;
    Connection::open(server).await?.close().await?;
    let seen = sockets.len();
    Ok(format!(
        "{CONNECTIONS} connections are reset, {seen} of them are seen to be freed"
    ))
}

/// The point at which a client ends its direction.
#[derive(Clone, Copy, Debug)]
enum Stage {
    HalfAHead,
    Head,
    Message,
    MidMessage,
    Close,
}

/// A client ends its direction at each stage. The server still writes what is due, then ends its own direction. If the
/// client does not read a large answer yet, the server waits at rest.
pub(super) async fn half_close(server: &Server) -> Verdict {
    let mut verdicts = Vec::new();
    for stage in [
        Stage::HalfAHead,
        Stage::Head,
        Stage::Message,
        Stage::MidMessage,
        Stage::Close,
    ] {
        let verdict = half_closed(server, stage).await;
        verdicts.push(verdict.map_err(|error| format!("{stage:?}: {error}")));
    }
    let unread = half_closed_unread(server).await;
    verdicts.push(unread.map_err(|error| format!("a large unread answer: {error}")));
    all_of("stages failed", verdicts)?;
    Ok(String::from(
        "the client gets what is due at each stage, then the end",
    ))
}

async fn half_closed(server: &Server, stage: Stage) -> Result<(), String> {
    let mut connection = Connection::connect(server, None).await?;
    let inode = connection.accepted(server).await;
    let mut sent = request(server);
    let text = frame(Role::Client, TEXT, b"Hello");
    match stage {
        Stage::HalfAHead => sent.truncate(sent.len() / 2),
        Stage::Head => {}
        Stage::Message => sent.extend(&text),
        Stage::MidMessage => {
            sent.extend(&text);
            sent.extend(&text[..text.len() - 2]);
        }
        Stage::Close => {
            sent.extend(&text);
            sent.extend(frame(Role::Client, CLOSE, &close(1000, "")));
        }
    }
    connection.send(&sent).await?;
    connection.shutdown().await?;
    if matches!(stage, Stage::HalfAHead) {
        // The server refuses, or ends in any way.
        match connection.head().await {
            Ok(head) if head.starts_with("HTTP/1.1 4") => {}
            Ok(head) => return Err(format!("an answer to half a head: {head}")),
            Err(error) if error.starts_with("the stream ") => {}
            Err(error) => return Err(error),
        }
    } else {
        connection.opened().await?;
        if !matches!(stage, Stage::Head) {
            connection.expect(TEXT, b"Hello").await?;
        }
        if matches!(stage, Stage::Close) {
            connection.expect_close(&close(1000, "")).await?;
        }
        if matches!(stage, Stage::MidMessage) {
            connection.end_in_a_message().await?;
        } else {
            connection.end().await?;
        }
    }
    // The server does not wait for the client to close.
    match inode {
        Some(inode) => server.process.frees(&[inode], SLACK).await,
        None => Ok(()),
    }
}

async fn half_closed_unread(server: &Server) -> Result<(), String> {
    let message = pattern(5, server.unread);
    let mut sent = request(server);
    sent.extend(frame(Role::Client, BINARY, &message));
    let mut connection = Connection::connect(server, Some(64 << 10)).await?;
    connection.send(&sent).await?;
    connection.shutdown().await?;
    // Long enough for an idle server to come to rest, and shorter than any deadline.
    let waits = server.deadlines.close * 3 / 4;
    sleep(Duration::from_millis(100)).await;
    let rests = server.process.rests(waits).await;
    connection.opened().await?;
    connection.expect(BINARY, &message).await?;
    connection.end().await?;
    rests
}
