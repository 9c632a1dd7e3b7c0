//! The graceful end of a server. The tests of example-axum and example-rustls include this file, too.

use sockless_tokio::{CloseCode, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::program::Program;

/// Sends a signal to a server with these clients, and waits until all have ended. A client that has sent nothing does not delay
/// the end.
pub async fn end<S: AsyncRead + AsyncWrite + Unpin>(
    mut program: Program,
    signal: &str,
    clients: Vec<WebSocket<S>>,
) {
    let silent = TcpStream::connect(&program.address).await.unwrap();
    program.signal(signal);
    for mut client in clients {
        assert!(client.recv().await.unwrap().is_none());
        let ending = client.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::GOING_AWAY);
        assert!(ending.was_clean);
    }
    program.wait();
    drop(silent);
}
