//! tokio-tungstenite, with the loop of its example `echo-server`. `forward` flushes only when no more messages are in
//! the read buffer, so this is also its fastest loop.

use futures_util::{StreamExt as _, TryStreamExt as _, future};
use tokio::net::TcpStream;

use super::with_tokio::{Threads, run};

pub(super) fn serve(threads: Threads) -> Result<(), String> {
    run(threads, echo)
}

async fn echo(transport: TcpStream) {
    let Ok(stream) = tokio_tungstenite::accept_async(transport).await else {
        return;
    };
    let (write, read) = stream.split();
    // An error means that the client has left.
    _ = read
        .try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(write)
        .await;
}
