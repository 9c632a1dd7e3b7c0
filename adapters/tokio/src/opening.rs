//! The server's opening handshake over any transport.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::time::Duration;

use sockless::handshake::{Request, ServerHandshake};
use sockless::{Config, Connection, ReadBuffer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::clock::Clock;
use crate::websocket::WebSocket;

/// How many bytes to read at once.
const READ: usize = 4 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads a client's request, and answers it with the connection that `answer` returns.
    ///
    /// If `answer` returns a [refused](Connection::refused) connection, this writes the response, ends the transport,
    /// and returns `None`. The same happens after an invalid request and after the deadline.
    ///
    /// # Errors
    ///
    /// The errors of the transport. [`ErrorKind::UnexpectedEof`] if the client leaves before its request is complete.
    pub async fn accept(
        mut transport: S,
        config: &Config,
        answer: impl FnOnce(&Request<'_>) -> Connection,
    ) -> io::Result<Option<Self>> {
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
            read(&mut transport, &mut buffer, &mut clock, until).await?;
        };
        let accepted = connection.can_send();
        let mut websocket = Self::new(transport, connection, buffer);
        if accepted {
            // The client waits for the response. If this fails, `recv` reports the end.
            _ = websocket.flush().await;
            return Ok(Some(websocket));
        }
        while let Ok(Some(_)) = websocket.recv().await {}
        Ok(None)
    }
}

/// Reads once. Returns earlier at `until`, and at the end of a short wait. Bytes that have arrived take precedence.
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
        return Err(ErrorKind::UnexpectedEof.into());
    }
    buffer.advance_filled(n);
    Ok(())
}
