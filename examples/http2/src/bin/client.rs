//! A client whose WebSocket is a stream of HTTP/2 (RFC 8441). It sends each MESSAGE and prints the answer.
//!
//! ```text
//! cargo run --package example-http2 --bin client -- wss://HOST[:PORT]/PATH --ca FILE [--timeout SECONDS] [MESSAGE]...
//! ```
//!
//! FILE contains the certificates to trust, in PEM. The server of this package writes such a file with `--write-cert`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use example_tokio::command_line::{Program, say, timeout};
use example_tokio::{advice, explain};
use lexopt::prelude::*;
use sockless_tokio::{
    ClientOptions, CloseCode, Config, Connector, Deadlines, HttpVersion, HttpVersions, Message,
    Transport, WebSocket,
};

const PROGRAM: Program = Program {
    name: "client",
    arguments: "wss://HOST[:PORT]/PATH --ca FILE [--timeout SECONDS] [--] [MESSAGE]...",
    options: "  --ca FILE          the certificates to trust, in PEM
  MESSAGE            a text message. Put -- before the first one that starts with a dash",
};

struct Arguments {
    url: String,
    certificates: PathBuf,
    messages: Vec<String>,
    deadlines: Deadlines,
}

#[tokio::main]
async fn main() -> ExitCode {
    match PROGRAM.read(read) {
        Ok(arguments) => PROGRAM.ended(run(arguments).await),
        Err(status) => status,
    }
}

fn read(parser: &mut lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let (mut url, mut certificates, mut messages) = (None, None, Vec::new());
    let mut deadlines = Deadlines::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("ca") => certificates = Some(parser.value()?.into()),
            Long("timeout") => deadlines = timeout(parser)?,
            Value(value) if url.is_none() => url = Some(value.string()?),
            Value(value) => messages.push(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let url = url.ok_or("the URL is missing, such as wss://127.0.0.1:8443/")?;
    if !advice::uri(&url)?.is_secure() {
        return Err(format!("{url:?}: use wss:, because HTTP/2 needs TLS here").into());
    }
    Ok(Some(Arguments {
        url,
        certificates: certificates.ok_or("--ca FILE is missing, with the certificates to trust")?,
        messages,
        deadlines,
    }))
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let mut websocket = open(&arguments).await?;
    for message in arguments.messages {
        let sent = websocket.send(message).await;
        sent.map_err(|error| error.to_string())?;
        match websocket.recv().await.map_err(|error| error.to_string())? {
            Some(Message::Text(text)) => say(text),
            Some(Message::Binary(data)) => say(format_args!("{} bytes", data.len())),
            None => break,
        }
    }
    // An error means that the server did not answer, which the next lines report.
    _ = websocket.close(CloseCode::NORMAL, "").await;
    let ending = websocket
        .close_event()
        .ok_or("the connection has not ended")?;
    let cleanly = if ending.was_clean {
        "cleanly"
    } else {
        "not cleanly"
    };
    say(format_args!("closed with {}, {cleanly}", ending.code));
    // The task of the HTTP/2 connection still writes END_STREAM and its own end.
    let (transport, ..) = websocket.into_parts();
    transport.finish().await;
    Ok(())
}

/// A WebSocket in a stream of a new HTTP/2 connection.
async fn open(arguments: &Arguments) -> Result<WebSocket<Transport>, String> {
    let url = &arguments.url;
    let config = Config::new().with_deadlines(arguments.deadlines.clone());
    let websocket = Connector::new()
        .with_options(ClientOptions::new().with_config(config))
        .with_tls(Arc::new(example_rustls::trust(&arguments.certificates)?))
        .with_http_versions(HttpVersions::PreferHttp2)
        .connect(url)
        .await
        .map_err(|error| format!("{url}: {}", explain(&error)))?;
    match websocket.get_ref().http_version() {
        HttpVersion::Http2 => Ok(websocket),
        _ => Err(String::from(
            "the server does not offer WebSocket over HTTP/2",
        )),
    }
}
