//! A server that adds a header to its response, and a client that shows the headers of both sides.

use std::error::Error;

use log::{debug, error};
use sockless::handshake::Header;
use sockless_tokio::{Connector, ServerOptions, accept_with};
use tokio::net::{TcpListener, TcpStream};

const HEADERS: &[Header<'_>] = &[Header {
    name: "MyCustomHeader",
    value: b":)",
}];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    tokio::select! {
        served = serve(listener) => served,
        ended = client() => ended,
    }
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    loop {
        let (transport, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = echo(transport).await {
                error!("{peer}: {error}");
            }
        });
    }
}

async fn echo(transport: TcpStream) -> Result<(), Box<dyn Error>> {
    let options = ServerOptions::new().with_headers(HEADERS);
    let accepted = accept_with(transport, &options, async |request, options| {
        debug!("Received a new ws handshake");
        debug!("The request's path is: {}", request.target());
        debug!("The request's headers are:");
        for Header { name, value } in request.headers() {
            let name = name.to_lowercase();
            debug!("* {name}: {:?}", String::from_utf8_lossy(value));
        }
        request.accept(options)
    })
    .await?;
    let Some(mut websocket) = accepted else {
        return Ok(());
    };
    while let Some(message) = websocket.recv().await? {
        debug!("Server on message: {:?}", message.as_text());
        websocket.feed(message).await?;
    }
    Ok(())
}

async fn client() -> Result<(), Box<dyn Error>> {
    let connector = Connector::new();
    let connected = connector.connect_with_response("ws://localhost:8080/socket");
    let (mut websocket, response) = connected.await?;
    debug!("Connected to the server");
    debug!("Response HTTP code: {}", response.status);
    debug!("Response contains the following headers:");
    for (name, value) in &response.headers {
        debug!("* {name}: {value:?}");
    }
    websocket.send("Hello WebSocket").await?;
    while let Some(message) = websocket.recv().await? {
        debug!("Received: {}", message.as_text().unwrap_or("binary data"));
    }
    Ok(())
}
