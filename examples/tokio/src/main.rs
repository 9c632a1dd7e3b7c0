//! An echo server on tokio that ends gracefully: on Ctrl-C or SIGTERM it takes no more clients, closes all connections
//! with code 1001, and ends when they have.
//!
//! ```text
//! cargo run --package example-tokio [-- ADDRESS]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. What is special to the echo is here; the rest is in the
//! library of this package, to be copied.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use example_tokio::{AcceptError, WebSocket};
use sockless::handshake::{Header, Origins, Request, RequestError, ServerOptions};
use sockless::{CloseCode, Config, Connection, Deadlines};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const USAGE: &str = "usage: tokio [ADDRESS]";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokio: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), String> {
    let mut address = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ if argument.starts_with('-') || address.is_some() => {
                return Err(format!("unexpected argument {argument:?}\n{USAGE}"));
            }
            _ => address = Some(argument),
        }
    }
    let address = address.unwrap_or_else(|| String::from("127.0.0.1:8080"));
    // A file for each client; as many as the system lets it have.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let cannot = |error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(&address).await.map_err(cannot)?;
    let local = listener.local_addr().map_err(cannot)?;
    println!("listening on http://{local}/");
    _ = std::io::stdout().flush();

    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    serve(listener, async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    })
    .await;
    Ok(())
}

/// Accepts clients until `end` comes, then waits for those that are there: the deadlines see to it that they end.
async fn serve(listener: TcpListener, end: impl Future<Output = ()>) {
    let (ending, ended) = watch::channel(());
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        match accepted {
            Ok((transport, _)) => {
                // What is written is meant to go.
                _ = transport.set_nodelay(true);
                let ended = ended.clone();
                tokio::spawn(async move {
                    if let Err(AcceptError::Io(error)) = talk(transport, ended).await {
                        eprintln!("tokio: {error}");
                    }
                });
            }
            Err(error) => {
                // Most likely there are no more files, and there will be.
                eprintln!("tokio: cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    drop(ended);
    // Every client has a receiver: to tell them it is sent to, and when they are gone it is closed.
    _ = ending.send(());
    ending.closed().await;
}

/// Sends everything back until the client closes, or the server ends.
async fn talk(
    transport: impl AsyncRead + AsyncWrite + Unpin,
    mut ended: watch::Receiver<()>,
) -> Result<(), AcceptError> {
    let mut options = ServerOptions::default();
    options.config = config();
    // Nothing here is secret or done in a visitor's name, so pages from everywhere may try it.
    options.origins = Origins::Any;
    let accept = WebSocket::accept(transport, &options.config, |request| {
        answer(request, &options)
    });
    let mut websocket = tokio::select! {
        accepted = accept => accepted?,
        // It has not been told anything, and need not be.
        _ = ended.changed() => return Ok(()),
    };
    loop {
        let message = tokio::select! {
            message = websocket.recv() => message,
            _ = ended.changed() => {
                websocket.close(CloseCode::GOING_AWAY, "").await;
                return Ok(());
            }
        };
        let Some(message) = message else {
            return Ok(());
        };
        // While it waits for a client that does not read, the server may end, too.
        tokio::select! {
            _ = websocket.send(&message) => {}
            _ = ended.changed() => {
                websocket.close(CloseCode::GOING_AWAY, "").await;
                return Ok(());
            }
        }
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.deadlines = Some(Deadlines::default());
    config
}

/// A connection, or the plain HTTP answer to anything else.
fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, Vec<u8>> {
    if request.is_upgrade() {
        return request.accept(options).map_err(RequestError::response);
    }
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    let answer = request.respond(200, &[text], b"an echo server: connect with a WebSocket\n");
    // The header is constant, so it is never refused; an empty answer would only close.
    Err(answer.unwrap_or_default())
}
