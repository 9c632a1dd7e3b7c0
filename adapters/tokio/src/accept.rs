//! The opening handshake of a server.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt};

use sockless::handshake::{Request, RequestError, ServerHandshake, ServerOptions};
use sockless::{Connection, ReadBuffer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::clock::Clock;
use crate::trace;
use crate::websocket::WebSocket;

/// How many bytes to read at once.
const READ: usize = 4 << 10;

/// Reads a client's request from a transport, and accepts the WebSocket under the default [`ServerOptions`].
///
/// The transport is a TCP connection, a TLS stream of a server, or anything else that carries the bytes of HTTP/1.1.
///
/// # Defaults
///
/// - Only web pages of the same host may connect. Programs that are no browser may always connect.
/// - Every path is a WebSocket.
/// - Messages are not compressed.
/// - The connection has the default [`Deadlines`](crate::Deadlines).
///
/// For other options, use [`WebSocket::accept`]. To look at the request, use [`accept_with`].
///
/// # Errors
///
/// [`AcceptError`]. A client with a wrong request gets a response with the right status. Then the transport is ended,
/// before this returns.
///
/// # Cancel safety
///
/// If you drop the future, the transport is dropped. The client may then get no response.
///
/// # Example
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// loop {
///     let (transport, _) = listener.accept().await?;
///     tokio::spawn(async move {
///         let mut websocket = sockless_tokio::accept(transport).await?;
///         while let Some(message) = websocket.recv().await? {
///             websocket.send(message).await?;
///         }
///         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
///     });
/// }
/// # }
/// ```
pub async fn accept<S>(transport: S) -> Result<WebSocket<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    WebSocket::accept(transport, &ServerOptions::new()).await
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Like [`accept`](crate::accept()), with options: limits, compression, origins, hosts, subprotocols and headers.
    ///
    /// Options without [deadlines](crate::Config::deadlines) get the default [`Deadlines`](crate::Deadlines). To look
    /// at the request first, use [`accept_with`].
    ///
    /// # Errors
    ///
    /// Those of [`accept`](crate::accept()).
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the transport is dropped. The client may then get no response.
    pub async fn accept(transport: S, options: &ServerOptions<'_>) -> Result<Self, AcceptError> {
        // `Request::accept` returns no connection that cannot send. On the heap, the handshake leaves no room behind in
        // the caller's future, which usually lives as long as the connection.
        let answer =
            async |request: &Request<'_>, options: &ServerOptions<'_>| request.accept(options);
        let accepted = Box::pin(answer_with(transport, options, answer)).await;
        accepted.inspect_err(trace::not_accepted)
    }
}

/// Reads a client's request from a transport. `answer` returns a connection: accepted or refused.
///
/// `answer` gets the request and your options. Options without [deadlines](crate::Config::deadlines) get the default
/// [`Deadlines`](crate::Deadlines). `answer` returns one of these:
///
/// - [`Request::accept`] or [`Request::negotiate`] accept the WebSocket. The result is `Ok(Some(websocket))`.
/// - [`Request::respond`] with [`Connection::refused`] answers with a page, or refuses with your own status. The result
///   is `Ok(None)`, after the client has read the response or its deadline has passed.
/// - A [`RequestError`] refuses with the status of that error.
///
/// `answer` may wait, for example for a database. No deadline bounds it. All bytes that the client sends meanwhile stay
/// in the transport.
///
/// # Limits
///
/// [`Config::max_head_size`](crate::Config::max_head_size) and [`Config::max_headers`](crate::Config::max_headers)
/// bound the request. It must be complete within [`Deadlines::handshake`](crate::Deadlines::handshake). Bytes that
/// arrive do not extend this deadline.
///
/// # Errors
///
/// [`AcceptError`]. A client with a wrong request gets a response with the right status. Then the transport is ended,
/// before this returns.
///
/// # Cancel safety
///
/// If you drop the future, the transport is dropped. The client may then get no response.
///
/// # Example
///
/// ```
/// use sockless_tokio::{AcceptError, Connection, Header, ServerOptions, WebSocket, accept_with};
/// use tokio::net::TcpStream;
///
/// # async fn find_user(cookie: Option<&[u8]>) -> Option<String> {
/// #     cookie.map(|_| String::from("Ann"))
/// # }
/// /// A WebSocket at `/chat` for users who have logged in, and a page everywhere else.
/// async fn open(transport: TcpStream) -> Result<Option<(WebSocket<TcpStream>, String)>, AcceptError> {
///     let options = ServerOptions::new().with_subprotocols(&["chat"]);
///     let mut user = None;
///     let websocket = accept_with(transport, &options, async |request, options| {
///         let html = Header { name: "Content-Type", value: b"text/html; charset=utf-8" };
///         let page = match request.target() {
///             "/chat" => {
///                 user = find_user(request.single_header("Cookie")).await;
///                 if user.is_some() {
///                     return request.accept(options);
///                 }
///                 request.respond(401, &[html], b"<h1>Log in first</h1>")?
///             }
///             _ => request.respond(200, &[html], b"<h1>Hello</h1>")?,
///         };
///         Ok(Connection::refused(page, &options.config))
///     })
///     .await?;
///     Ok(websocket.zip(user))
/// }
/// ```
pub async fn accept_with<S>(
    transport: S,
    options: &ServerOptions<'_>,
    answer: impl AsyncFnOnce(&Request<'_>, &ServerOptions<'_>) -> Result<Connection, RequestError>,
) -> Result<Option<WebSocket<S>>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // On the heap, as in `accept`.
    let accepted = Box::pin(async {
        let mut websocket = answer_with(transport, options, answer).await?;
        if websocket.can_send() {
            return Ok(Some(websocket));
        }
        deliver(&mut websocket).await;
        Ok(None)
    })
    .await;
    accepted.inspect_err(trace::not_accepted)
}

/// Why [`accept`] or [`accept_with`] did not accept a WebSocket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request is wrong, too large or too slow, or the options do not allow it. The client got a response with the
    /// [status](RequestError::status) of this error.
    Refused(RequestError),
    /// The client ended the transport before its request was complete.
    Eof,
    /// The transport failed before the request was complete.
    Transport(Arc<io::Error>),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "the request was refused: {error}"),
            Self::Eof => f.write_str("the client left before its request was complete"),
            Self::Transport(error) => write!(f, "the transport failed: {error}"),
        }
    }
}

impl error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Transport(error) => Some(&**error),
            Self::Eof => None,
        }
    }
}

/// The same options. Without deadlines, they get the default deadlines.
pub(crate) fn with_deadlines<'a>(options: &ServerOptions<'a>) -> ServerOptions<'a> {
    let mut options = options.clone();
    options.config.deadlines.get_or_insert_default();
    options
}

/// Reads the request, and writes as much of the answer as the transport takes.
async fn answer_with<S>(
    mut transport: S,
    options: &ServerOptions<'_>,
    answer: impl AsyncFnOnce(&Request<'_>, &ServerOptions<'_>) -> Result<Connection, RequestError>,
) -> Result<WebSocket<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let options = with_deadlines(options);
    let mut handshake = ServerHandshake::new(&options.config);
    let mut buffer = ReadBuffer::new();
    let mut clock = Clock::new();
    let answered = loop {
        match handshake.read_request(&mut buffer) {
            Ok(Some(request)) => break answer(&request, &options).await,
            Err(error) => break Err(error),
            Ok(None) => {}
        }
        if let Some(now) = clock.due(Duration::ZERO) {
            if let Err(error) = handshake.handle_timeout(now) {
                break Err(error);
            }
            clock.passed(handshake.timeout_at(), Duration::ZERO);
        }
        let until = handshake.timeout_at();
        read(&mut transport, &mut buffer, &mut clock, until).await?;
    };
    match answered {
        Ok(connection) => {
            let mut websocket = WebSocket::new(transport, connection, buffer);
            // The client waits for the response. If this fails, `recv` reports the end.
            _ = websocket.flush().await;
            Ok(websocket)
        }
        Err(error) => {
            let refused = error.refuse(&options.config);
            deliver(&mut WebSocket::new(transport, refused, buffer)).await;
            Err(AcceptError::Refused(error))
        }
    }
}

/// Reads once. Returns earlier at `until`, and at the end of a short wait. Bytes that have arrived take precedence.
async fn read(
    transport: &mut (impl AsyncRead + Unpin),
    buffer: &mut ReadBuffer,
    clock: &mut Clock,
    until: Option<Duration>,
) -> Result<(), AcceptError> {
    let read = tokio::select! {
        biased;
        read = transport.read(buffer.spare_mut(READ)) => read,
        () = poll_fn(|cx| clock.poll(cx, until)) => return Ok(()),
    };
    match read {
        Ok(0) => Err(AcceptError::Eof),
        Ok(n) => {
            buffer.advance_filled(n);
            Ok(())
        }
        // TLS ended without close_notify.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(AcceptError::Eof),
        Err(error) => Err(AcceptError::Transport(Arc::new(error))),
    }
}

/// Writes the response of a refused connection, and ends the transport. The deadline for closing bounds this.
async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(refused: &mut WebSocket<S>) {
    while let Ok(Some(_)) = refused.recv().await {}
}
