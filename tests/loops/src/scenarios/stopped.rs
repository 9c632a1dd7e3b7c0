//! The system stops the server for some time. What arrived before a deadline is not late, even if the server reads it
//! late.

use std::time::Duration;

use tokio::time::sleep;

use super::connection::{Connection, request, request_for};
use super::frames::{CLOSE, PING, PONG, close};
use super::{Server, Verdict, all_of};

/// How long a stop lasts beyond the deadline.
const BEYOND: Duration = Duration::from_secs(1);

/// The Pongs arrive in time, while the server is stopped.
pub(super) async fn past_pong(server: &Server) -> Verdict {
    let mut connections = Connection::open_many(server, 20).await?;
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
    let goes_on = async |connection: &mut Connection| connection.echo("after the stop").await;
    all(&mut connections, "connections go on", goes_on).await
}

/// The requests arrive in time, while the server is stopped. Half of them are whole, the others had begun before.
pub(super) async fn past_handshake(server: &Server) -> Verdict {
    let request = request(server);
    let (start, rest) = request.split_at(request.len() / 2);
    let mut connections = Vec::new();
    for i in 0..8 {
        let mut connection = Connection::connect(server, None).await?;
        if i % 2 == 1 {
            connection.send(start).await?;
        }
        connections.push(connection);
    }
    // A server accepts in order, so it has accepted all when it has the last one. If the system does not show that,
    // this waits long enough.
    if let Some(last) = connections.last() {
        last.accepted(server).await;
    }
    let stopped = server.process.stop().await?;
    for (i, connection) in connections.iter_mut().enumerate() {
        let left = if i % 2 == 1 { rest } else { &request };
        connection.send(left).await?;
    }
    sleep(server.deadlines.handshake + BEYOND).await;
    drop(stopped);
    let is_answered = async |connection: &mut Connection| {
        connection.opened().await?;
        connection.echo("after the stop").await
    };
    all(
        &mut connections,
        "requests are answered with 101",
        is_answered,
    )
    .await
}

/// The answers to the server's Close frames arrive in time, while it is stopped.
pub(super) async fn past_close(server: &Server, path: &str) -> Verdict {
    let request = request_for(server, path);
    let closing = close(4001, "bye");
    let mut connections = Vec::new();
    for _ in 0..8 {
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
    let ends = async |connection: &mut Connection| connection.end().await;
    all(&mut connections, "connections end cleanly", ends).await
}

/// Whether this holds for all connections.
async fn all(
    connections: &mut [Connection],
    what: &str,
    holds: impl AsyncFn(&mut Connection) -> Result<(), String>,
) -> Verdict {
    let mut verdicts = Vec::new();
    for connection in &mut *connections {
        verdicts.push(holds(connection).await);
    }
    all_of(&format!("failed, and not all {what}"), verdicts)?;
    Ok(format!("all {} {what}", connections.len()))
}
