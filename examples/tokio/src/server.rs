//! A server that ends gracefully, and its echo application.

use std::io;
use std::time::Duration;

use sockless::handshake::{Header, Origins, Request, ServerOptions};
use sockless::{CloseCode, Config, Connection, Deadlines};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::command_line::complain;
use crate::WebSocket;

/// The pause after a failed `accept`. Most likely no file is free, and a client that leaves frees one.
const PAUSE: Duration = Duration::from_millis(100);

/// The end of a server. It notifies the tasks of the clients and waits for them.
#[derive(Debug, Default)]
pub struct End(watch::Sender<bool>);

impl End {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For the task of one more client.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending(self.0.subscribe())
    }

    /// Notifies all tasks and waits until they end. The deadlines of their connections bound this time.
    pub async fn begin(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

/// Tells a client's task that the server ends. The server waits until this value is dropped.
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Waits for the end of the server. After that, it returns at once.
    pub async fn begins(&mut self) {
        // An error means that the server was dropped, which is also an end.
        _ = self.0.wait_for(|begun| *begun).await;
    }
}

/// Accepts clients until `end` is ready, and serves each client in its own task. Then notifies these tasks and waits
/// for them.
pub async fn serve<F>(
    listener: TcpListener,
    end: impl Future<Output = ()>,
    client: impl Fn(TcpStream, Ending) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let clients = End::new();
    tokio::select! {
        () = accept(&listener, &clients, client) => {}
        () = end => {}
    }
    // The system refuses new clients from now on.
    drop(listener);
    clients.begin().await;
}

/// Never returns.
async fn accept<F>(listener: &TcpListener, clients: &End, client: impl Fn(TcpStream, Ending) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut fails = false;
    loop {
        match listener.accept().await {
            Ok((transport, _)) => {
                fails = false;
                // Without this option, small frames may wait for an acknowledgement.
                _ = transport.set_nodelay(true);
                tokio::spawn(client(transport, clients.ending()));
            }
            // The client has left already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // One line is enough for repeated failures.
                if !fails {
                    complain(format_args!("cannot accept: {error}"));
                }
                fails = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
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

/// Serves one request over HTTP/1.1. If it asks for a WebSocket, sends every message back.
///
/// # Errors
///
/// As [`WebSocket::accept`].
pub async fn talk(
    transport: impl AsyncRead + AsyncWrite + Unpin,
    options: &ServerOptions<'_>,
    mut ending: Ending,
) -> io::Result<()> {
    let accept = WebSocket::accept(transport, &options.config, |request| {
        answer(request, options)
    });
    let accepted = tokio::select! {
        accepted = accept => accepted?,
        // Before the response there is nothing to close.
        () = ending.begins() => return Ok(()),
    };
    if let Some(websocket) = accepted {
        echo(websocket, ending).await;
    }
    Ok(())
}

/// Accepts a WebSocket. Answers any other request with a line of text.
fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Connection {
    if request.is_websocket() {
        let accepted = request.accept(options);
        return accepted.unwrap_or_else(|error| error.refuse(&options.config));
    }
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    let answer = request.respond(200, &[text], b"an echo server: connect with a WebSocket\n");
    // The header is constant and valid, so this never fails.
    Connection::refused(answer.unwrap_or_default(), &options.config)
}

/// Sends every message back until the client closes or the server ends.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut websocket: WebSocket<S>,
    mut ending: Ending,
) {
    let echo = async {
        while let Some(message) = websocket.recv().await {
            // This fails only if the connection is closing. `recv` then continues until the end.
            _ = websocket.send(&message).await;
        }
    };
    // The end may interrupt a send to a client that does not read. The connection keeps its output.
    let ended = tokio::select! {
        () = echo => false,
        () = ending.begins() => true,
    };
    if ended {
        // The code is valid, so this never fails.
        _ = websocket.close(CloseCode::GOING_AWAY, "").await;
    }
}
