//! Sends the lines of standard input, and prints what the server sends.
// run: cargo run --example client -- wss://example.com/

use std::{env, error::Error, io, thread};

use sockless_tokio::{CloseCode, Message, connect};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: client URL")?;
    let (mut sender, mut receiver) = connect(&url).await?.split();
    println!("connected");

    let (input, mut lines) = mpsc::channel(16);
    // A thread, because nothing can cancel a read from standard input.
    thread::spawn(move || {
        let mut lines = io::stdin().lines().map_while(Result::ok);
        lines.try_for_each(|line| input.blocking_send(line))
    });
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            sender.send(line).await?;
        }
        sender.close(CloseCode::NORMAL, "").await
    });
    // If `send` fails, `recv` returns the reason.
    while let Some(message) = receiver.recv().await? {
        match message {
            Message::Text(text) => println!("{text}"),
            Message::Binary(data) => println!("{} bytes", data.len()),
        }
    }
    Ok(())
}
