//! A server that ends gracefully, and an echo for it.

use std::io;
use std::time::Duration;

use sockless::handshake::{Header, Origins, Request, ServerOptions};
use sockless::{CloseCode, Config, Connection, Deadlines};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::command_line::complain;
use crate::handshake::AcceptError;
use crate::websocket::WebSocket;

/// How long not to accept after that has failed: most likely there are no more files, and there will be.
const PAUSE: Duration = Duration::from_millis(100);

/// The end of a server: tells the tasks of its clients, and waits for them.
#[derive(Debug)]
pub struct End(watch::Sender<bool>);

impl End {
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// For the task of one client more.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending(self.0.subscribe())
    }

    /// Tells all tasks, and waits until they are gone: the deadlines of their connections see to it that they go.
    pub async fn begin(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Default for End {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells a client's task that the server is ending. The server waits until it is dropped.
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    /// Waits for the end of the server. Once that has begun, it returns at once.
    pub async fn begins(&mut self) {
        // An error means that the server is gone, which is an end, too.
        _ = self.0.wait_for(|begun| *begun).await;
    }
}

/// Accepts clients until `end` comes, and has each served by a task of its own. Then waits for those that are there, which
/// are told.
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
    // Who comes now is refused by the system.
    drop(listener);
    clients.begin().await;
}

/// Goes on for ever.
async fn accept<F>(listener: &TcpListener, clients: &End, client: impl Fn(TcpStream, Ending) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut fails = false;
    loop {
        match listener.accept().await {
            Ok((transport, _)) => {
                fails = false;
                // What is written is meant to go.
                _ = transport.set_nodelay(true);
                tokio::spawn(client(transport, clients.ending()));
            }
            // This client left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Said once, not ten times a second.
                if !fails {
                    complain(format_args!("cannot accept: {error}"));
                }
                fails = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits for Ctrl-C or SIGTERM, which no longer end the program from this call on.
///
/// # Errors
///
/// When the system refuses to tell of them.
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

/// On what terms the example servers take connections, with these deadlines.
#[must_use]
pub fn options(deadlines: Deadlines) -> ServerOptions<'static> {
    ServerOptions::new()
        .with_config(Config::new().with_deadlines(deadlines))
        // Nothing here is secret or done in a visitor's name, so pages from everywhere may try it.
        .with_origins(Origins::Any)
}

/// Reads a request over HTTP/1.1, and sends everything back if it is for a WebSocket.
///
/// # Errors
///
/// As of [`WebSocket::accept`].
pub async fn talk(
    transport: impl AsyncRead + AsyncWrite + Unpin,
    options: &ServerOptions<'_>,
    mut ending: Ending,
) -> Result<(), AcceptError> {
    let accept = WebSocket::accept(transport, &options.config, |request| {
        answer(request, options)
    });
    let websocket = tokio::select! {
        accepted = accept => accepted?,
        // It has not been told anything, and need not be.
        () = ending.begins() => return Ok(()),
    };
    echo(websocket, ending).await;
    Ok(())
}

/// A WebSocket, or the plain HTTP answer to anything else.
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
    // The header is constant, so it is never refused; an empty answer would only close.
    Connection::refused(answer.unwrap_or_default(), &options.config)
}

/// Sends everything back until the client closes, or the server ends.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut websocket: WebSocket<S>,
    mut ending: Ending,
) {
    let echo = async {
        while let Some(message) = websocket.recv().await {
            // If it cannot be sent the connection is closing, and there is more to receive until it is closed.
            _ = websocket.send(&message).await;
        }
    };
    // Also while a client does not read. What is cut off is in the connection, which goes on.
    let ended = tokio::select! {
        () = echo => false,
        () = ending.begins() => true,
    };
    if ended {
        // The code may be sent.
        _ = websocket.close(CloseCode::GOING_AWAY, "").await;
    }
}
