//! The memory of an idle connection.

use sockless_tokio::{Error, WebSocket, accept};
use tokio::net::TcpStream;

/// The size of a server's task. It is no promise, but it should not grow unnoticed: a process may have a million of them.
#[test]
fn the_task_of_a_connection_is_small() {
    async fn echo(transport: TcpStream) -> Result<(), Error> {
        let Ok(mut websocket) = accept(transport).await else {
            return Ok(());
        };
        while let Some(message) = websocket.recv().await? {
            websocket.feed(message).await?;
        }
        Ok(())
    }

    fn size<F>(_: impl Fn(TcpStream) -> F) -> usize {
        size_of::<F>()
    }

    // The features `deflate` and `tracing` need a little more.
    let optional = if cfg!(any(feature = "deflate", feature = "tracing")) {
        64
    } else {
        0
    };
    let websocket = size_of::<WebSocket<TcpStream>>();
    assert!(websocket <= 432 + optional, "{websocket}");
    let task = size(echo);
    assert!(task <= 832 + optional, "{task}");
}
