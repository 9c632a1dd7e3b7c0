//! Sends every message back.

use std::error::Error;
use std::{env, io};

use log::{error, info};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    env_logger::init();
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&address).await?;
    info!("Listening on: {address}");
    loop {
        let (transport, peer) = listener.accept().await?;
        info!("Peer address: {peer}");
        tokio::spawn(async move {
            if let Err(error) = echo(transport).await {
                error!("{peer}: {error}");
            }
        });
    }
}

async fn echo(transport: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let peer = transport.peer_addr()?;
    let mut websocket = sockless_tokio::accept(transport).await?;
    info!("New WebSocket connection: {peer}");
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}
