//! What the example servers share: how they start and end, and their echo application.

use std::io;
use std::time::Duration;

use sockless::Connection;
use sockless::handshake::{Header, InputError, Origins, Request, ServerOptions};
use sockless_tokio::server::{Listener, Shutdown};
use sockless_tokio::{AcceptError, CloseCode, Config, Deadlines, WebSocket, accept_with};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::command_line::complain;

/// How long the end of a server may take. The default deadlines allow a slow client much longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Accepts clients until `end` is ready, and serves each client in its own task. Then notifies these tasks and waits
/// for them. `Shutdown` tells the task of a client that the server ends.
pub async fn serve<F>(
    listener: TcpListener,
    end: impl Future<Output = ()>,
    client: impl Fn(TcpStream, Shutdown) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let shutdown = Shutdown::new();
    let mut listener = Listener::from(listener);
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((transport, _)) => drop(shutdown.spawn(client(transport, shutdown.clone()))),
                Err(error) => complain(format_args!("cannot accept: {error}")),
            },
            () = &mut end => break,
        }
    }
    // The system refuses new clients from now on.
    drop(listener);
    shutdown.finish(LIMIT).await;
}

/// Waits for Ctrl-C or SIGTERM. From this call on, these signals no longer kill the program.
///
/// # Errors
///
/// If the system refuses to report the signals.
pub fn signalled() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The options of the example servers, with these deadlines.
#[must_use]
pub fn options(deadlines: Deadlines) -> ServerOptions<'static> {
    ServerOptions::new()
        .with_config(Config::new().with_deadlines(deadlines))
        // An echo has no secrets and no users, so it accepts pages of any origin.
        .with_origins(Origins::Any)
}

/// Serves one request over HTTP/1.1. If it asks for a WebSocket, sends every message back. Answers any other request
/// with a line of text.
///
/// # Errors
///
/// As [`accept_with`].
pub async fn talk(
    transport: impl AsyncRead + AsyncWrite + Unpin,
    options: &ServerOptions<'_>,
    shutdown: &Shutdown,
) -> Result<(), AcceptError> {
    let accept = accept_with(transport, options, async |request, options| {
        if request.is_websocket() {
            request.accept(options)
        } else {
            Ok(Connection::refused(page(request)?, &options.config))
        }
    });
    let accepted = tokio::select! {
        accepted = accept => accepted?,
        // Before the response there is nothing to close.
        () = shutdown.begun() => return Ok(()),
    };
    if let Some(websocket) = accepted {
        echo(websocket, shutdown).await;
    }
    Ok(())
}

fn page(request: &Request<'_>) -> Result<Vec<u8>, InputError> {
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    request.respond(200, &[text], b"an echo server: connect with a WebSocket\n")
}

/// Sends every message back until the client closes or the server ends.
pub async fn echo<S>(mut websocket: WebSocket<S>, shutdown: &Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let echo = async {
        while let Ok(Some(message)) = websocket.recv().await {
            // This fails only if the connection is closing. `recv` then continues until the end.
            _ = websocket.feed(message).await;
        }
    };
    // The end may interrupt an answer to a client that does not read. The connection keeps its output.
    tokio::select! {
        () = echo => return,
        () = shutdown.begun() => {}
    }
    // An error means that the client has left.
    _ = websocket.close(CloseCode::GOING_AWAY, "").await;
}
