//! The client's opening handshake over a transport that is already connected.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use sockless::handshake::{ClientHandshake, ClientOptions, Uri};
use sockless::{Connection, ReadBuffer, Seed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::clock::Clock;
use crate::connect::body;
use crate::connect::error::ConnectError;
use crate::connect::response::Response;
use crate::websocket::WebSocket;

/// How many bytes to read at once.
const READ: usize = 4 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Opens a WebSocket over a transport that is already connected to the server at `uri`.
    ///
    /// Use it for transports that [`connect`](crate::connect()) does not make, such as a Unix socket or an SSH tunnel.
    /// For `wss:`, the transport must already be encrypted. [`connect_over`] also returns the response.
    ///
    /// # Errors
    ///
    /// The variants of [`ConnectError`] for the opening handshake and the options.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the transport is dropped, which closes it.
    pub async fn connect(
        transport: S,
        uri: &Uri,
        options: &ClientOptions<'_>,
    ) -> Result<Self, ConnectError> {
        let (websocket, _) = connect_over(transport, uri, options).await?;
        Ok(websocket)
    }
}

/// Like [`WebSocket::connect`], and returns the response. [`Response::subprotocol`] is the subprotocol that the server
/// chose.
///
/// # Errors
///
/// The variants of [`ConnectError`] for the opening handshake and the options.
///
/// # Cancel safety
///
/// If you drop the future, the transport is dropped, which closes it.
pub async fn connect_over<S: AsyncRead + AsyncWrite + Unpin>(
    transport: S,
    uri: &Uri,
    options: &ClientOptions<'_>,
) -> Result<(WebSocket<S>, Response), ConnectError> {
    let answer = exchange(transport, uri, options).await?;
    answer.finish().await
}

/// The answer of a server over HTTP/1.1.
pub(crate) struct Answer<S> {
    transport: S,
    /// The first frames, or the first bytes of the body.
    buffer: ReadBuffer,
    response: Response,
    /// `None` if the server refused.
    connection: Option<Connection>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Answer<S> {
    /// The open WebSocket. If the server refused, reads the start of the body, which takes at most a second.
    pub(crate) async fn finish(mut self) -> Result<(WebSocket<S>, Response), ConnectError> {
        if let Some(connection) = self.connection {
            let websocket = WebSocket::new(self.transport, connection, self.buffer);
            return Ok((websocket, self.response));
        }
        body::read(&mut self.transport, self.buffer, &mut self.response).await;
        Err(ConnectError::Refused(Box::new(self.response)))
    }
}

/// Sends the request and reads the head of the response.
pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut transport: S,
    uri: &Uri,
    options: &ClientOptions<'_>,
) -> Result<Answer<S>, ConnectError> {
    let mut handshake = ClientHandshake::new(uri, &with_deadlines(options), seed()?)?;
    let mut buffer = ReadBuffer::new();
    let mut clock = Clock::new();
    // The deadline counts from this call.
    handshake.handle_timeout(clock.now())?;
    let until = handshake.timeout_at();
    let request = async {
        transport.write_all(handshake.output()).await?;
        transport.flush().await
    };
    // If writing fails or is too slow, the server may still have answered. So read in any case.
    tokio::select! {
        biased;
        _ = request => {}
        () = poll_fn(|cx| clock.poll(cx, until)) => {}
    }
    handshake.advance_output(handshake.output().len());
    loop {
        if let Some((response, connection)) = handshake.read_response(&mut buffer)? {
            return Ok(Answer {
                response: Response::of(&response),
                transport,
                buffer,
                connection,
            });
        }
        if let Some(now) = clock.due(Duration::ZERO) {
            handshake.handle_timeout(now)?;
            clock.passed(handshake.timeout_at(), Duration::ZERO);
        }
        let until = handshake.timeout_at();
        // Bytes that have arrived take precedence.
        let read = tokio::select! {
            biased;
            n = transport.read(buffer.spare_mut(READ)) => n,
            () = poll_fn(|cx| clock.poll(cx, until)) => continue,
        };
        match read {
            Ok(0) => return Err(ConnectError::Eof),
            Ok(n) => buffer.advance_filled(n),
            Err(error) => return Err(ConnectError::Transport(error)),
        }
    }
}

/// The options with the default deadlines if they have none. So a lost server is noticed.
pub(crate) fn with_deadlines<'a>(options: &ClientOptions<'a>) -> ClientOptions<'a> {
    let mut options = options.clone();
    options.config.deadlines.get_or_insert_default();
    options
}

/// Checks the options before anything is sent.
pub(crate) fn check(uri: &Uri, options: &ClientOptions<'_>) -> Result<(), ConnectError> {
    // This request is never sent, so its seed is not random.
    ClientHandshake::new(uri, options, Seed::new([0; 32]))?;
    Ok(())
}

/// New random bytes for each connection.
pub(crate) fn seed() -> Result<Seed, ConnectError> {
    Seed::from_os().map_err(|error| ConnectError::Random(io::Error::other(error)))
}
