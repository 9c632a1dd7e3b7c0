//! Stays connected: through the proxy of the environment, with TLS and compression, and again after each loss.
// run: cargo run --example reconnect --features deflate -- wss://example.com/

use std::{env, error, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use sockless_tokio::{ClientOptions, Config, Connector, Deflate, Error, Transport, WebSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn error::Error>> {
    let url = env::args().nth(1).ok_or("usage: reconnect URL")?;
    let options = ClientOptions::new().with_config(Config::new().with_deflate(Deflate::new()));
    let connector = Connector::new().with_options(options);
    let backoff = ExponentialBuilder::new().with_jitter().without_max_times(); // 1 s, 2 s, ... 60 s
    let mut delays = backoff.build();
    loop {
        match connector.connect(&url).await {
            Ok(websocket) => {
                delays = backoff.build();
                if let Err(error) = talk(websocket).await {
                    println!("lost: {error}");
                }
            }
            Err(error) if !error.is_temporary() => return Err(error.into()), // such as a status 401
            Err(error) => println!("not connected: {error}"),
        }
        tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(60))).await;
    }
}

async fn talk(mut websocket: WebSocket<Transport>) -> Result<(), Error> {
    println!("connected");
    websocket.send("Hello").await?;
    while let Some(message) = websocket.recv().await? {
        println!("{}", message.as_text().unwrap_or("binary data"));
    }
    println!("closed: {}", websocket.close_event().ok_or(Error::Closed)?);
    Ok(())
}
