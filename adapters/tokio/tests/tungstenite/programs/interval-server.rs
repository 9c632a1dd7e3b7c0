//! Sends every message back, and "tick" every second, on port 9002.

use std::error::Error;
use std::io;
use std::time::Duration;

use log::{error, info};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::interval;

#[tokio::main]
async fn main() -> io::Result<()> {
    env_logger::init();
    let address = "127.0.0.1:9002";
    let listener = TcpListener::bind(address).await?;
    info!("Listening on: {address}");
    loop {
        let (transport, peer) = listener.accept().await?;
        info!("Peer address: {peer}");
        tokio::spawn(async move {
            if let Err(error) = tick(transport).await {
                error!("Error processing connection: {error}");
            }
        });
    }
}

async fn tick(transport: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let peer = transport.peer_addr()?;
    let mut websocket = sockless_tokio::accept(transport).await?;
    info!("New WebSocket connection: {peer}");
    let mut interval = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            message = websocket.recv() => match message? {
                Some(message) => websocket.feed(message).await?,
                None => return Ok(()),
            },
            _ = interval.tick() => {
                // If this fails, `recv` says why.
                _ = websocket.send("tick").await;
            }
        }
    }
}
