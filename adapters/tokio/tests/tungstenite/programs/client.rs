//! Sends what it reads from standard input to a server, and prints what the server sends.

use std::error::Error;
use std::io::{self, Read};

use sockless_tokio::{CloseCode, Message};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .ok_or("this program requires at least one argument")?;
    let (input, mut messages) = mpsc::channel(16);
    // A thread, because nothing can cancel a read from standard input.
    std::thread::spawn(move || read_stdin(&input));

    let websocket = sockless_tokio::connect(&url).await?;
    println!("WebSocket handshake has been successfully completed");

    let (mut sender, mut receiver) = websocket.split();
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            sender.send(message).await?;
        }
        sender.close(CloseCode::NORMAL, "").await
    });
    // If the sender fails, the receiver says why.
    let mut stdout = tokio::io::stdout();
    while let Some(message) = receiver.recv().await? {
        stdout.write_all(message.as_bytes()).await?;
        stdout.flush().await?;
    }
    Ok(())
}

fn read_stdin(messages: &mpsc::Sender<Message>) {
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = io::stdin().read(&mut buffer) {
        if messages.blocking_send(buffer[..n].into()).is_err() {
            return;
        }
    }
}
