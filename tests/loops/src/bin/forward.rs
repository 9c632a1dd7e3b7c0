//! Lets plain WebSocket clients talk to a server with TLS or HTTP/2: their bytes go on in one or both, and back.
//!
//! Listens at ADDRESS and says so as an example server does. URL is the server's.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lexopt::prelude::*;
use loops::{Http2, Target};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

const USAGE: &str = "usage: forward ADDRESS URL [--ca FILE] [--http2]";

/// How long not to accept after that has failed.
const PAUSE: Duration = Duration::from_millis(100);

struct Plan {
    address: String,
    target: Target,
    is_http2: bool,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string());
    let plan = arguments().map_err(|error| format!("{error}\n{USAGE}"));
    match runtime.and_then(|runtime| runtime.block_on(serve(plan?))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn complain(error: &str) {
    _ = writeln!(io::stderr(), "forward: {error}");
}

fn arguments() -> Result<Plan, lexopt::Error> {
    let (mut address, mut url, mut ca, mut is_http2) = (None, None, None, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("ca") => ca = Some(PathBuf::from(arguments.value()?)),
            Long("http2") => is_http2 = true,
            Value(value) if address.is_none() => address = Some(value.string()?),
            Value(value) if url.is_none() => url = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let protocol = if is_http2 { "h2" } else { "http/1.1" };
    Ok(Plan {
        address: address.ok_or("no address")?,
        target: Target::new(&url.ok_or("no URL")?, ca.as_deref(), protocol)?,
        is_http2,
    })
}

async fn serve(plan: Plan) -> Result<(), String> {
    let cannot = |error| format!("cannot listen on {}: {error}", plan.address);
    let listener = TcpListener::bind(&plan.address).await.map_err(cannot)?;
    let local = listener.local_addr().map_err(cannot)?;
    let mut stdout = io::stdout();
    // It goes on whoever reads its output.
    _ = writeln!(stdout, "listening on http://{local}/").and_then(|()| stdout.flush());
    let plan = Arc::new(plan);
    let mut fails = false;
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => {
                // Most likely there are no more files, and there will be. Said once.
                if !fails {
                    complain(&format!("cannot accept: {error}"));
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
                complain(&error);
            }
        });
    }
}

async fn forward(client: TcpStream, plan: &Plan) -> Result<(), String> {
    client
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let server = plan.target.connect().await?;
    match (plan.target.is_tls(), plan.is_http2) {
        (false, false) => both_ways(client, server).await,
        (true, false) => both_ways(client, plan.target.encrypt(server).await?).await,
        (false, true) => by_http2(client, Http2::begin(server).await?, plan).await?,
        (true, true) => {
            let http2 = Http2::begin(plan.target.encrypt(server).await?).await?;
            by_http2(client, http2, plan).await?;
        }
    }
    Ok(())
}

/// The opening handshakes are not the same, so each side has its own; what follows them is.
async fn by_http2(client: TcpStream, http2: Http2, plan: &Plan) -> Result<(), String> {
    let stream = http2.open(&plan.target.http_url()).await?;
    let client = accept_async(client)
        .await
        .map_err(|error| format!("no opening handshake: {error}"))?;
    // Nothing is lost: a client that sends more before it has the answer is refused.
    both_ways(client.into_inner(), stream).await;
    Ok(())
}

/// Passes on an end of either stream, and a break as an end. What the server said before it broke arrives: the client is
/// read until it goes, since a transport that is closed with something unread takes back what was written to it.
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
