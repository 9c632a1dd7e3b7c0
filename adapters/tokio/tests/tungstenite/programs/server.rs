//! A chat: sends every message to all other clients.

use std::error::Error;
use std::net::SocketAddr;
use std::{env, io};

use tokio::net::{TcpListener, TcpStream};

use chat::Chat;

mod chat;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&address).await?;
    println!("Listening on: {address}");
    let chat = Chat::new();
    loop {
        let (transport, peer) = listener.accept().await?;
        println!("Incoming TCP connection from: {peer}");
        let chat = chat.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(transport, peer, chat).await {
                eprintln!("{peer}: {error}");
            }
            println!("{peer} disconnected");
        });
    }
}

async fn serve(transport: TcpStream, peer: SocketAddr, chat: Chat) -> Result<(), Box<dyn Error>> {
    let websocket = sockless_tokio::accept(transport).await?;
    Ok(chat.join(websocket, peer).await?)
}
