//! A route of an axum application that sends every message back.
// run: cargo run --example axum_route --features axum -- 127.0.0.1:8080

use std::{env, io};

use axum::response::Response;
use axum::routing::{any, get};
use sockless_tokio::axum::{Upgraded, WebSocketUpgrade};
use sockless_tokio::{Error, WebSocket};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let application = axum::Router::new()
        .route("/", get("The WebSocket is at /echo.\n"))
        // `any`, because the request is a GET over HTTP/1.1 and a CONNECT over HTTP/2.
        .route("/echo", any(open));
    axum::serve(listener, application).await
}

async fn open(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|websocket| async {
        if let Err(error) = echo(websocket).await {
            eprintln!("{error}");
        }
    })
}

async fn echo(mut websocket: WebSocket<Upgraded>) -> Result<(), Error> {
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}
