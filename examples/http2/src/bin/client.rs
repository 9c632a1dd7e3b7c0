//! A client whose WebSocket is a stream of HTTP/2 (RFC 8441), on h2. It sends each MESSAGE and prints the answer.
//!
//! ```text
//! cargo run --package example-http2 --bin client -- wss://HOST[:PORT]/PATH --ca FILE [--timeout SECONDS] [MESSAGE]...
//! ```
//!
//! FILE contains the certificates to trust, in PEM. The server of this package writes such a file with `--write-cert`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use example_http2::Stream;
use example_tokio::command_line::{Program, say, timeout};
use example_tokio::{Message, WebSocket, advice, within};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Ping, client};
use lexopt::prelude::*;
use rustls_pki_types::ServerName;
use sockless::handshake::{ClientHandshake, ClientOptions, Response, Uri};
use sockless::{CloseCode, Config, Deadlines, ReadBuffer, Seed};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

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
    let patience = arguments.deadlines.handshake;
    let opened = within(patience, open(&arguments)).await;
    let (mut websocket, connection) =
        opened.ok_or_else(|| String::from("the opening handshake was too slow"))??;
    for message in arguments.messages {
        let sent = websocket.send(&Message::Text(message)).await;
        sent.map_err(|error| error.to_string())?;
        match websocket.recv().await {
            Some(Message::Text(text)) => say(text),
            Some(Message::Binary(data)) => say(format_args!("{} bytes", data.len())),
            None => break,
        }
    }
    // The code is valid, so this never fails.
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
    drop(websocket);
    _ = within(patience, connection).await;
    Ok(())
}

/// A WebSocket in a stream of a new HTTP/2 connection, and the task of that connection. The task ends after the
/// WebSocket.
async fn open(arguments: &Arguments) -> Result<(WebSocket<Stream>, JoinHandle<()>), String> {
    let uri = &advice::uri(&arguments.url)?;
    let (requests, task) = connect(uri, &arguments.certificates).await?;
    // RFC 8441, section 3: without the setting, the request would be malformed.
    if !requests.is_extended_connect_protocol_enabled() {
        return Err(String::from(
            "the server does not offer WebSocket over HTTP/2",
        ));
    }
    let config = Config::new().with_deadlines(arguments.deadlines.clone());
    let options = ClientOptions::new().with_config(config);
    let seed = Seed::from_os().map_err(|error| error.to_string())?;
    let mut handshake = ClientHandshake::extended_connect(uri, &options, seed)
        .map_err(|error| error.to_string())?;
    let mut request = handshake.to_http().map_err(|error| error.to_string())?;
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));

    let failed = |error: h2::Error| format!("HTTP/2: {error}");
    let mut requests = requests.ready().await.map_err(failed)?;
    let (response, sending) = requests.send_request(request, false).map_err(failed)?;
    let response = response.await.map_err(failed)?;
    match handshake.establish(Response::from_http(&response)) {
        Ok((_, Some(connection))) => {
            let stream = Stream::new(sending, response.into_body());
            let websocket = WebSocket::new(stream, connection, ReadBuffer::new());
            Ok((websocket, task))
        }
        Ok((response, None)) => Err(advice::refused(response.status(), |name| {
            response
                .single_header(name)
                .map(|value| String::from_utf8_lossy(value).into_owned())
        })),
        Err(error) => Err(error.to_string()),
    }
}

/// A new HTTP/2 connection that has received the server's settings, and its task.
async fn connect(
    uri: &Uri,
    certificates: &Path,
) -> Result<(SendRequest<bytes::Bytes>, JoinHandle<()>), String> {
    let connector = example_rustls::connector(certificates, &[b"h2"])?;
    let host = uri.host().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|error| format!("{host}: {error}"))?;
    let transport = TcpStream::connect((&*host, uri.port()))
        .await
        .map_err(|error| format!("cannot connect to {host}: {error}"))?;
    _ = transport.set_nodelay(true);
    let transport = connector
        .connect(name, transport)
        .await
        .map_err(|error| format!("the TLS handshake failed: {error}"))?;

    let failed = |error: h2::Error| format!("HTTP/2: {error}");
    let (requests, mut connection) = client::handshake(transport).await.map_err(failed)?;
    let mut pings = connection
        .ping_pong()
        .ok_or("HTTP/2: the connection has no PING")?;
    let task = tokio::spawn(async {
        // If this fails, its only stream fails as well and reports the error.
        _ = connection.await;
    });
    // SETTINGS is the first frame of a server. So the settings have arrived before the answer to a PING.
    pings.ping(Ping::opaque()).await.map_err(failed)?;
    Ok((requests, task))
}
