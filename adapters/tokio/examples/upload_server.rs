//! Receives a message of up to 1 TiB into a file, and answers with its size. It needs little memory.
// run: cargo run --example upload_server -- copy.bin 127.0.0.1:8080

use std::{env, error::Error};

use sockless_tokio::{Config, Delivery, ServerOptions, WebSocket};
use tokio::{fs::File, io, net::TcpListener};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(path), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: upload_server FILE ADDRESS".into());
    };
    let config = Config::new()
        .with_delivery(Delivery::Chunks)
        .with_max_message_size(1 << 40)
        .with_max_frame_size(1 << 40);
    let options = ServerOptions::new().with_config(config);
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let (transport, _) = listener.accept().await?;
    let mut websocket = WebSocket::accept(transport, &options).await?;
    let Some(mut message) = websocket.recv_stream().await? else {
        return Ok(());
    };
    let mut file = File::create(path).await?;
    let size = io::copy(&mut message, &mut file).await?;
    file.sync_all().await?;
    drop(message); // It borrows the WebSocket.
    println!("received {size} bytes");
    websocket.send(format!("{size} bytes")).await?;
    // Answers the Close frame of the client.
    while websocket.recv().await?.is_some() {}
    Ok(())
}
