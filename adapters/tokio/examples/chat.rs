//! A chat: all clients receive the messages of each client.
// run: cargo run --example chat -- 127.0.0.1:8080

use std::{env, error::Error, io};

use sockless_tokio::broadcast::{SlowReader, Subscription};
use sockless_tokio::{SharedMessage, accept, server::Listener};
use tokio::{net::TcpStream, sync::broadcast::Sender};

type Chat = Sender<SharedMessage>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let mut listener = Listener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let chat = Chat::new(256); // A client that is more than 256 messages behind is closed.
    loop {
        match listener.accept().await {
            Ok((transport, _)) => _ = tokio::spawn(talk(transport, chat.clone())),
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

async fn talk(transport: TcpStream, chat: Chat) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut sender, mut receiver) = accept(transport).await?.split();
    let mut subscription = Subscription::new(chat.subscribe(), SlowReader::Close);
    tokio::select! {
        // On an error this branch is disabled. `recv` then returns the reason.
        Ok(()) = subscription.forward(&mut sender) => Ok(()),
        ended = async {
            while let Some(message) = receiver.recv().await? {
                _ = chat.send(SharedMessage::text(message.as_text().unwrap_or("binary data")));
            }
            Ok(())
        } => ended,
    }
}
