//! A client for the terminal, in two tasks. It sends each line of stdin as a message, and prints each message as a
//! line.
//!
//! ```text
//! cargo run --package example-tokio --bin tokio-client -- [--echo] [--deflate] [--timeout SECONDS] ws://127.0.0.1:8080/
//! ```
//!
//! At the end of stdin, it closes the connection. `--echo` sends back every message and reads no input. `--deflate`
//! offers permessage-deflate.

use std::process::ExitCode;

use example_tokio::command_line::{Program, complain, timeout};
use example_tokio::{advice, explain};
use lexopt::prelude::*;
use sockless_tokio::{
    ClientOptions, CloseCode, Config, Connector, Deadlines, Error, Message, Receiver, Sender,
    Transport, WebSocket,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};

#[path = "../../../common/deflate.rs"]
#[expect(dead_code, reason = "this program prints nothing about a connection")]
mod deflate;

const PROGRAM: Program = Program {
    name: "tokio-client",
    arguments: "[--echo] [--deflate[=no-context-takeover]] [--timeout SECONDS] URL",
    options: "  URL                ws://HOST[:PORT]/PATH
  --echo             send back every message, and do not read the input
  --deflate          offers compression. =no-context-takeover compresses each message without context",
};

struct Arguments {
    url: String,
    echo: bool,
    config: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    match PROGRAM.read(read) {
        Ok(arguments) => PROGRAM.ended(run(arguments).await),
        Err(status) => status,
    }
}

fn read(parser: &mut lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let (mut url, mut echo) = (None, false);
    let mut config = Config::new().with_deadlines(Deadlines::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("echo") => echo = true,
            Long("deflate") => deflate::configure(&mut config, parser.optional_value())?,
            Long("timeout") => config.deadlines = Some(timeout(parser)?),
            Value(value) if url.is_none() => url = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let url = url.ok_or("the URL is missing, such as ws://127.0.0.1:8080/")?;
    advice::uri_without_tls(&url)?;
    Ok(Some(Arguments { url, echo, config }))
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let url = &arguments.url;
    let options = ClientOptions::new().with_config(arguments.config);
    let websocket = Connector::new()
        .with_options(options)
        .connect(url)
        .await
        .map_err(|error| format!("{url}: {}", explain(&error)))?;

    if arguments.echo {
        if let Err(error) = echo(websocket).await {
            complain(error);
        }
        return Ok(());
    }
    let (sender, receiver) = websocket.split();
    let sending = tokio::spawn(send_lines(sender));
    let ended = print_messages(receiver).await;
    // This task may still wait for a line of stdin.
    sending.abort();
    ended.map_err(|error| error.to_string())
}

async fn echo(mut websocket: WebSocket<Transport>) -> Result<(), Error> {
    while let Some(message) = websocket.recv().await? {
        // This fails only if the connection is closing. `recv` then continues until the end.
        _ = websocket.feed(message).await;
    }
    Ok(())
}

async fn send_lines(mut sender: Sender<Transport>) {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if sender.send(line).await.is_err() {
            return;
        }
    }
    // The code is valid, so this never fails.
    _ = sender.close(CloseCode::NORMAL, "").await;
}

async fn print_messages(mut receiver: Receiver<Transport>) -> Result<(), Error> {
    let mut stdout = stdout();
    while let Some(message) = receiver.recv().await? {
        let line = match message {
            Message::Text(text) => format!("{text}\n"),
            Message::Binary(data) => format!("({} bytes)\n", data.len()),
        };
        _ = stdout.write_all(line.as_bytes()).await;
        _ = stdout.flush().await;
    }
    Ok(())
}
