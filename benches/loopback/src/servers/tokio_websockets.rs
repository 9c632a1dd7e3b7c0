//! tokio-websockets, with `forward`, and with the loop of its documentation, which uses `send`. Both write each message:
//! its stream flushes what is queued before it returns the next message.

use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, future};
use tokio::net::TcpStream;
use tokio_websockets::ServerBuilder;

use super::with_tokio::{Threads, run};

pub(super) fn serve(threads: Threads) -> Result<(), String> {
    run(threads, echo)
}

/// The loop of its documentation.
pub(super) fn serve_with_send() -> Result<(), String> {
    run(Threads::One, echo_with_send)
}

async fn echo(transport: TcpStream) {
    let Ok((_, stream)) = ServerBuilder::new().accept(transport).await else {
        return;
    };
    let (write, read) = stream.split();
    // An error means that the client has left.
    _ = read
        .try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(write)
        .await;
}

async fn echo_with_send(transport: TcpStream) {
    let Ok((_, mut stream)) = ServerBuilder::new().accept(transport).await else {
        return;
    };
    while let Some(Ok(message)) = stream.next().await {
        if (message.is_text() || message.is_binary()) && stream.send(message).await.is_err() {
            return;
        }
    }
}
