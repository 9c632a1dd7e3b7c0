//! Sends every message back.
// run: cargo run --example echo_server -- 127.0.0.1:8080

use std::{env, error::Error, io};

use sockless_tokio::{accept, server::Listener};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let mut listener = Listener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((transport, peer)) => {
                tokio::spawn(async move {
                    if let Err(error) = echo(transport).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            // Most likely the process has no free file descriptor. The next call waits and tries again.
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

async fn echo(transport: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut websocket = accept(transport).await?;
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}
