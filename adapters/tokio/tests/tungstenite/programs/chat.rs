//! What the two chat servers share.

use std::net::SocketAddr;

use sockless_tokio::{CloseCode, Error, Message, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::{Sender, error::RecvError};

/// The messages of all clients, with their senders. A client that is more than 256 messages late must leave.
#[derive(Clone)]
pub struct Chat(Sender<(SocketAddr, Message)>);

impl Chat {
    pub fn new() -> Self {
        Self(Sender::new(256))
    }

    /// Sends the messages of one client to all others, and their messages to this client.
    pub async fn join<S>(self, mut websocket: WebSocket<S>, peer: SocketAddr) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut others = self.0.subscribe();
        println!("WebSocket connection established: {peer}");
        loop {
            tokio::select! {
                message = websocket.recv() => {
                    let Some(message) = message? else { return Ok(()) };
                    let text = String::from_utf8_lossy(message.as_bytes());
                    println!("Received a message from {peer}: {text}");
                    _ = self.0.send((peer, message));
                }
                message = others.recv() => match message {
                    Ok((sender, _)) if sender == peer => {}
                    // If this fails, `recv` says why.
                    Ok((_, message)) => _ = websocket.send(message).await,
                    Err(RecvError::Lagged(_) | RecvError::Closed) => {
                        return websocket.close(CloseCode::POLICY_VIOLATION, "too slow").await;
                    }
                }
            }
        }
    }
}
