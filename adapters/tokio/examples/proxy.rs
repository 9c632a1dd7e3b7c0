//! Sends a message to an echo server through a proxy, and prints the answer.
// run: cargo run --example proxy -- socks5h://user:password@127.0.0.1:1080 wss://example.com/

use std::{env, error::Error};

use sockless_tokio::{CloseCode, Connector, Proxy};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(proxy), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: proxy PROXY URL".into());
    };
    // Without this, the environment decides: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.
    let connector = Connector::new().with_proxy(Proxy::new(&proxy)?);
    let mut websocket = connector.connect(&url).await?;
    println!("connected through {}", websocket.get_ref().peer_addr());
    websocket.send("Hello").await?;
    if let Some(message) = websocket.recv().await? {
        println!("{}", message.as_text().unwrap_or("binary data"));
    }
    websocket.close(CloseCode::NORMAL, "").await?;
    Ok(())
}
