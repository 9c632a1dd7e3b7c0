//! Sends every message back, on port 9002. The Autobahn test suite tests it.

use std::{error, io};

use log::{error, info};
use sockless_tokio::Error;
use tokio::net::{TcpListener, TcpStream};

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
            if let Err(error) = echo(transport).await {
                error!("Error processing connection: {error}");
            }
        });
    }
}

async fn echo(transport: TcpStream) -> Result<(), Box<dyn error::Error + Send + Sync>> {
    let peer = transport.peer_addr()?;
    let mut websocket = sockless_tokio::accept(transport).await?;
    info!("New WebSocket connection: {peer}");
    loop {
        match websocket.recv().await {
            Ok(Some(message)) => websocket.feed(message).await?,
            // The suite breaks the protocol on purpose.
            Ok(None) | Err(Error::Protocol(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
