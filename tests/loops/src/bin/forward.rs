//! Connects plain WebSocket clients to a server with TLS or HTTP/2. It forwards the bytes in both directions.
//!
//! It listens at ADDRESS and prints the same first line as an example server. URL is the server's.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lexopt::prelude::*;
use loops::command_line::{self, complain, say};
use loops::{Failure, Http2, Target};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

const USAGE: &str = "usage: forward ADDRESS URL [--ca FILE] [--http2]";

/// The pause after accepting fails.
const PAUSE: Duration = Duration::from_millis(100);

struct Plan {
    address: String,
    target: Target,
    is_http2: bool,
}

fn main() -> ExitCode {
    command_line::run("forward", USAGE, plan, async |plan: Plan| {
        let address = plan.address.clone();
        let cannot = |error: io::Error| format!("cannot listen on {address}: {error}");
        serve(plan)
            .await
            .map_err(|error| Failure::Unable(cannot(error)))
    })
}

fn plan(arguments: &mut lexopt::Parser) -> Result<Option<Plan>, lexopt::Error> {
    let (mut address, mut url, mut ca, mut is_http2) = (None, None, None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("ca") => ca = Some(PathBuf::from(arguments.value()?)),
            Long("http2") => is_http2 = true,
            Long("help") | Short('h') => return Ok(None),
            Value(value) if address.is_none() => address = Some(value.string()?),
            Value(value) if url.is_none() => url = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let protocol = if is_http2 { "h2" } else { "http/1.1" };
    Ok(Some(Plan {
        address: address.ok_or("no address")?,
        target: Target::new(&url.ok_or("no URL")?, ca.as_deref(), protocol)?,
        is_http2,
    }))
}

async fn serve(plan: Plan) -> io::Result<()> {
    let listener = TcpListener::bind(&plan.address).await?;
    say(format_args!(
        "listening on http://{}/",
        listener.local_addr()?
    ));
    let plan = Arc::new(plan);
    let mut fails = false;
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => {
                // Most likely the process has no files left. Report that once and try again later.
                if !fails {
                    complain(format_args!("forward: cannot accept: {error}"));
                }
                fails = true;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        fails = false;
        let plan = Arc::clone(&plan);
        tokio::spawn(async move {
            if let Err(error) = forward(client, &plan).await {
                complain(format_args!("forward: {error}"));
            }
        });
    }
}

async fn forward(client: TcpStream, plan: &Plan) -> Result<(), String> {
    client
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let server = plan.target.connect().await?;
    if !plan.is_http2 {
        both_ways(client, server).await;
        return Ok(());
    }
    let http2 = Http2::begin(server).await?;
    let stream = http2.open(&plan.target.http_url()).await?;
    // The opening handshakes differ between versions of HTTP, so each side has its own.
    let client = accept_async(client).await;
    let client = client.map_err(|error| format!("no opening handshake: {error}"))?;
    // This loses no bytes. tungstenite refuses a client that sends more before it has the response.
    both_ways(client.into_inner(), stream).await;
    Ok(())
}

/// Forwards the end of either stream, and an error as an end.
///
/// If the server's stream fails, the client still gets what the server sent before. So this reads from the client until
/// the client ends: closing a socket with unread bytes discards what was written to it.
async fn both_ways(client: impl AsyncRead + AsyncWrite, server: impl AsyncRead + AsyncWrite) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let up = async {
        let copied = copy(&mut from_client, &mut to_server).await;
        _ = to_server.shutdown().await;
        if copied.is_err() {
            _ = copy(&mut from_client, &mut sink()).await;
        }
    };
    let down = async {
        _ = copy(&mut from_server, &mut to_client).await;
        _ = to_client.shutdown().await;
    };
    tokio::join!(up, down);
}
