//! The opening handshake of both sides.

use std::future::poll_fn;
use std::time::Duration;
use std::{fmt, io};

use sockless::handshake::{
    ClientHandshake, ClientOptions, InputError, Request, ResponseError, ServerHandshake, Uri,
};
use sockless::{Config, Connection, ReadBuffer, Seed, SeedError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::clock::Clock;
use crate::websocket::WebSocket;

/// How much is read at once.
const READ: usize = 4 << 10;

/// Why there is no connection with a client.
#[derive(Debug)]
pub enum AcceptError {
    /// The client left, or the transport failed.
    Io(io::Error),
    /// It got another answer than a WebSocket, all of it.
    Refused,
}

/// Why there is no connection with a server.
#[derive(Debug)]
pub enum ConnectError {
    /// The transport failed or ended.
    Io(io::Error),
    /// What was asked for cannot be asked for.
    Input(InputError),
    /// The system has no randomness to give.
    Seed(SeedError),
    /// The server does not keep to the rules, or took too long.
    Response(ResponseError),
    /// The server answered with this status.
    Refused(u16),
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads a client's request and answers it as `answer` says: with an open connection, or a [refused](Connection::refused)
    /// one that has another response.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]. A refusal has been written then, and the transport ended.
    pub async fn accept(
        mut transport: S,
        config: &Config,
        answer: impl FnOnce(&Request<'_>) -> Connection,
    ) -> Result<Self, AcceptError> {
        let mut handshake = ServerHandshake::new(config);
        let mut buffer = ReadBuffer::new();
        let mut clock = Clock::new();
        let connection = loop {
            match handshake.read_request(&mut buffer) {
                Ok(Some(request)) => break answer(&request),
                Err(error) => break error.refuse(config),
                Ok(None) => {}
            }
            if let Some(now) = clock.due(Duration::ZERO) {
                if let Err(error) = handshake.handle_timeout(now) {
                    break error.refuse(config);
                }
                clock.passed(handshake.timeout_at(), Duration::ZERO);
            }
            let until = handshake.timeout_at();
            read(&mut transport, &mut buffer, &mut clock, until)
                .await
                .map_err(AcceptError::Io)?;
        };
        let accepted = connection.can_send();
        let mut websocket = Self::new(transport, connection, buffer);
        if accepted {
            // The client may wait for the answer, whatever is done here first. If it cannot be written, the
            // connection is one that has ended.
            _ = websocket.flush().await;
            Ok(websocket)
        } else {
            // Written, shut down, and closed when the client has seen it: all as with a connection.
            while websocket.recv().await.is_some() {}
            Err(AcceptError::Refused)
        }
    }

    /// Opens a connection to the server at `uri`, over a transport that is connected to it.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub async fn connect(
        mut transport: S,
        uri: &Uri,
        options: &ClientOptions<'_>,
    ) -> Result<Self, ConnectError> {
        let seed = Seed::from_os().map_err(ConnectError::Seed)?;
        let mut handshake =
            ClientHandshake::new(uri, options, seed).map_err(ConnectError::Input)?;
        let mut buffer = ReadBuffer::new();
        let mut clock = Clock::new();
        // The time begins.
        handshake
            .handle_timeout(clock.now())
            .map_err(ConnectError::Response)?;
        let until = handshake.timeout_at();
        let request = async {
            transport.write_all(handshake.output()).await?;
            transport.flush().await
        };
        // If writing fails or takes too long, the server may still have answered. Reading says what is wrong.
        tokio::select! {
            biased;
            _ = request => {}
            () = poll_fn(|cx| clock.poll(cx, until)) => {}
        }
        handshake.advance_output(handshake.output().len());
        loop {
            match handshake.read_response(&mut buffer) {
                Ok(Some((_, Some(connection)))) => {
                    return Ok(Self::new(transport, connection, buffer));
                }
                Ok(Some((response, None))) => {
                    return Err(ConnectError::Refused(response.status()));
                }
                Err(error) => return Err(ConnectError::Response(error)),
                Ok(None) => {}
            }
            if let Some(now) = clock.due(Duration::ZERO) {
                handshake
                    .handle_timeout(now)
                    .map_err(ConnectError::Response)?;
                clock.passed(handshake.timeout_at(), Duration::ZERO);
            }
            let until = handshake.timeout_at();
            read(&mut transport, &mut buffer, &mut clock, until)
                .await
                .map_err(ConnectError::Io)?;
        }
    }
}

/// Reads once, or waits until this time, or to the end of a short wait. What has arrived goes first.
async fn read(
    transport: &mut (impl AsyncRead + Unpin),
    buffer: &mut ReadBuffer,
    clock: &mut Clock,
    until: Option<Duration>,
) -> io::Result<()> {
    let n = tokio::select! {
        biased;
        n = transport.read(buffer.spare_mut(READ)) => n?,
        () = poll_fn(|cx| clock.poll(cx, until)) => return Ok(()),
    };
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.advance_filled(n);
    Ok(())
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the client left: {error}"),
            Self::Refused => f.write_str("the request got another answer than a WebSocket"),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Input(error) => error.fmt(f),
            Self::Seed(error) => error.fmt(f),
            Self::Response(error) => error.fmt(f),
            Self::Refused(status) => write!(f, "the server answered with status {status}"),
        }
    }
}

impl std::error::Error for AcceptError {}
impl std::error::Error for ConnectError {}
