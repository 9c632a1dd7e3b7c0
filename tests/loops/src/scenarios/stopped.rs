//! A server that the system stops for a while: what came in time is not late because it is read late.

use std::time::Duration;

use tokio::time::sleep;

use super::connection::{Connection, request, request_for};
use super::frames::{CLOSE, PING, PONG, close};
use super::{Server, Verdict, all_of};

pub(super) const PAST_PONG: &str = "stopped-past-pong";
pub(super) const PAST_HANDSHAKE: &str = "stopped-past-handshake";
pub(super) const PAST_CLOSE: &str = "stopped-past-close";

/// How long a stop lasts beyond the deadline.
const BEYOND: Duration = Duration::from_secs(1);

/// The Pongs come in time, while the server is stopped.
pub(super) async fn past_pong(server: &Server) -> Verdict {
    const CONNECTIONS: usize = 20;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(server).await?);
    }
    let mut pings = Vec::new();
    for connection in &mut connections {
        match connection.frame().await? {
            Some(frame) if frame.first == PING => pings.push(frame.payload),
            other => return Err(format!("{other:?} and no Ping")),
        }
    }
    let stopped = server.process.stop().await?;
    for (connection, payload) in connections.iter_mut().zip(&pings) {
        connection.send_frame(PONG, payload).await?;
    }
    sleep(server.deadlines.pong + BEYOND).await;
    drop(stopped);
    let mut verdicts = Vec::new();
    for connection in &mut connections {
        verdicts.push(connection.echo("after the stop").await);
    }
    all_of(
        "connections were given up, though the Pong had come",
        verdicts,
    )?;
    Ok(format!("all {CONNECTIONS} connections go on"))
}

/// The requests come in time, while the server is stopped: some whole, some the rest.
pub(super) async fn past_handshake(server: &Server) -> Verdict {
    const CONNECTIONS: usize = 8;
    let request = request(server);
    let (start, rest) = request.split_at(request.len() / 2);
    let mut connections = Vec::new();
    for i in 0..CONNECTIONS {
        let mut connection = Connection::connect(server, None).await?;
        // Where it cannot be seen, the time that this takes is enough.
        connection.accepted(server).await;
        if i % 2 == 1 {
            connection.send(start).await?;
        }
        connections.push(connection);
    }
    let stopped = server.process.stop().await?;
    for (i, connection) in connections.iter_mut().enumerate() {
        let left = if i % 2 == 1 { rest } else { &request };
        connection.send(left).await?;
    }
    sleep(server.deadlines.handshake + BEYOND).await;
    drop(stopped);
    let mut verdicts = Vec::new();
    for connection in &mut connections {
        let opened = match connection.opened().await {
            Ok(()) => connection.echo("after the stop").await,
            Err(error) => Err(error),
        };
        verdicts.push(opened);
    }
    all_of("requests were not answered, though they had come", verdicts)?;
    Ok(format!("all {CONNECTIONS} requests are answered with 101"))
}

/// The answers to the server's Close frames come in time, while it is stopped.
pub(super) async fn past_close(server: &Server, path: &str) -> Verdict {
    const CONNECTIONS: usize = 8;
    let request = request_for(server, path);
    let closing = close(4001, "bye");
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::connect(server, None).await?;
        connection.send(&request).await?;
        connection.opened().await?;
        connection.expect_close(&closing).await?;
        connections.push(connection);
    }
    let stopped = server.process.stop().await?;
    for connection in &mut connections {
        connection.send_frame(CLOSE, &closing).await?;
    }
    sleep(server.deadlines.close + BEYOND).await;
    drop(stopped);
    let mut verdicts = Vec::new();
    for connection in &mut connections {
        verdicts.push(connection.end().await);
    }
    all_of(
        "connections did not end cleanly, though the Close had come",
        verdicts,
    )?;
    Ok(format!("all {CONNECTIONS} connections end cleanly"))
}
