//! sockless-tokio. `feed` writes when `recv` has no more messages in its buffer.

use std::time::Duration;

use sockless::handshake::{Request, ServerOptions};
use sockless::{Config, Deadlines};
use sockless_tokio::{Error, WebSocket, accept_with};
use tokio::net::TcpStream;

use super::with_tokio::{Threads, run};

pub(super) fn serve(threads: Threads) -> Result<(), String> {
    run(threads, |transport| async {
        // An error means that the client has left.
        _ = echo(transport).await;
    })
}

/// The same with a write for each message.
pub(super) fn serve_with_send() -> Result<(), String> {
    run(Threads::One, |transport| async {
        // An error means that the client has left.
        _ = echo_with_send(transport).await;
    })
}

async fn echo(transport: TcpStream) -> Result<(), Error> {
    let Some(mut websocket) = accept(transport).await else {
        return Ok(());
    };
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}

async fn echo_with_send(transport: TcpStream) -> Result<(), Error> {
    let Some(mut websocket) = accept(transport).await else {
        return Ok(());
    };
    while let Some(message) = websocket.recv().await? {
        websocket.send(message).await?;
    }
    Ok(())
}

async fn accept(transport: TcpStream) -> Option<WebSocket<TcpStream>> {
    // No Ping is due during a run.
    let deadlines = Deadlines::new().with_ping_interval(Duration::from_secs(100_000));
    let config = Config::new().with_deadlines(deadlines);
    let options = ServerOptions::new().with_config(config);
    let answer = async |request: &Request<'_>, options: &ServerOptions<'_>| request.accept(options);
    accept_with(transport, &options, answer).await.ok()?
}
