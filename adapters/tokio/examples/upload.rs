//! Sends a file as one message. It needs little memory for a file of any size.
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
    websocket.close(CloseCode::NORMAL, "").await?;
    println!("sent {size} bytes");
    Ok(())
}
