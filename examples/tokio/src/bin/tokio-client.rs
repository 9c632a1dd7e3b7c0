//! A client for the terminal, in two tasks: each line of stdin is sent as a message, each message that comes is a line.
//!
//! ```text
//! cargo run --package example-tokio --bin tokio-client -- ws://127.0.0.1:8080/
//! ```
//!
//! The end of stdin closes the connection.

use std::process::ExitCode;

use example_tokio::{Message, Receiver, Sender, WebSocket};
use sockless::handshake::{ClientOptions, Uri};
use sockless::{CloseCode, Deadlines};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio::net::TcpStream;

const USAGE: &str = "usage: tokio-client URL";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokio-client: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), String> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url] = arguments.as_slice() else {
        return Err(String::from(USAGE));
    };
    let uri = Uri::parse(url).map_err(|error| format!("{url}: {error}\n{USAGE}"))?;
    if uri.is_secure() {
        return Err(format!("{url}: only ws: is spoken here"));
    }
    let address = (uri.host(), uri.port());
    let transport = TcpStream::connect(address)
        .await
        .map_err(|error| format!("cannot connect to {url}: {error}"))?;
    _ = transport.set_nodelay(true);
    let mut options = ClientOptions::default();
    options.config.deadlines = Some(Deadlines::default());
    let websocket = WebSocket::connect(transport, &uri, &options)
        .await
        .map_err(|error| format!("{url}: {error}"))?;

    let (receiver, sender) = websocket.split();
    let sending = tokio::spawn(send_lines(sender));
    print_messages(receiver).await;
    // It may still wait for a line, which nobody would get.
    sending.abort();
    Ok(())
}

async fn send_lines(mut sender: Sender<TcpStream>) {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if sender.send(&Message::Text(line)).await.is_err() {
            return;
        }
    }
    _ = sender.close(CloseCode::NORMAL, "").await;
}

async fn print_messages(mut receiver: Receiver<TcpStream>) {
    let mut stdout = stdout();
    while let Some(message) = receiver.recv().await {
        let line = match message {
            Message::Text(text) => format!("{text}\n"),
            Message::Binary(data) => format!("({} bytes)\n", data.len()),
        };
        _ = stdout.write_all(line.as_bytes()).await;
        _ = stdout.flush().await;
    }
}
