//! Sends a file as one message, and prints the answer. It needs little memory for a file of any size.
// run: cargo run --example upload -- original.bin ws://127.0.0.1:8080/

use std::{env, error::Error};

use sockless_tokio::{CloseCode, MessageType, connect};
use tokio::fs::File;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(path), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: upload FILE URL".into());
    };
    let file = File::open(path).await?;
    let mut websocket = connect(&url).await?;
    let size = websocket.send_from(MessageType::Binary, file).await?;
    println!("sent {size} bytes");
    if let Some(answer) = websocket.recv().await? {
        println!("answer: {}", answer.as_text().unwrap_or("binary data"));
    }
    websocket.close(CloseCode::NORMAL, "").await?;
    Ok(())
}
