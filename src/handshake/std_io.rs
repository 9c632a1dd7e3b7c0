//! The opening handshake over the traits of `std::io`.

use std::io::{self, ErrorKind, Read, Write};

use crate::connection::{Connection, ReadBuffer};
use crate::handshake::client::ClientHandshake;
use crate::handshake::options::ServerOptions;
use crate::handshake::response_error::ResponseError;
use crate::handshake::server::ServerHandshake;

/// # With `std::io`
impl ServerHandshake {
    /// Reads the request from `transport` and answers it.
    ///
    /// Returns the connection to drive from here on, accepted or refused, as [`accept`](Self::accept) does. It passes no
    /// time: for a deadline of the whole handshake use [`accept`](Self::accept) itself.
    ///
    /// # Errors
    ///
    /// What reading fails with. After [`ErrorKind::WouldBlock`] (on Windows also [`TimedOut`](ErrorKind::TimedOut)) it can be
    /// called again. [`ErrorKind::UnexpectedEof`] if the stream ends before the request does.
    pub fn accept_on(
        &mut self,
        transport: &mut (impl Read + ?Sized),
        buffer: &mut ReadBuffer,
        options: &ServerOptions<'_>,
    ) -> io::Result<Connection> {
        loop {
            if let Some(connection) = self.accept_by(buffer, options, None) {
                return Ok(connection);
            }
            if buffer.read_from(transport)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// # With `std::io`
impl ClientHandshake {
    /// Writes the request to `transport` and reads the response.
    ///
    /// It passes no time: for a deadline of the whole handshake use the parts, [`output`](Self::output),
    /// [`read_response`](Self::read_response) and [`handle_timeout`](Self::handle_timeout).
    ///
    /// # Errors
    ///
    /// What reading or writing fails with. After [`ErrorKind::WouldBlock`] (on Windows also
    /// [`TimedOut`](ErrorKind::TimedOut)) it can be called again. [`ErrorKind::UnexpectedEof`] if the stream ends before the
    /// response does.
    ///
    /// If the server refuses, or does not speak WebSocket, the error contains a [`ResponseError`]:
    /// [`Refused`](ResponseError::Refused) has the status. The headers and the body of a refusal are in what
    /// [`read_response`](Self::read_response) returns.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use sockless::handshake::{ClientHandshake, ClientOptions, Uri};
    /// use sockless::{Connection, ReadBuffer, Seed};
    ///
    /// /// What came after the response is in `buffer`.
    /// fn connect(
    ///     transport: &mut (impl Read + Write),
    ///     buffer: &mut ReadBuffer,
    ///     uri: &Uri,
    ///     seed: Seed,
    /// ) -> io::Result<Connection> {
    ///     let handshake = ClientHandshake::new(uri, &ClientOptions::new(), seed);
    ///     handshake.map_err(io::Error::other)?.connect_on(transport, buffer)
    /// }
    /// ```
    pub fn connect_on(
        &mut self,
        transport: &mut (impl Read + Write + ?Sized),
        buffer: &mut ReadBuffer,
    ) -> io::Result<Connection> {
        while !self.output().is_empty() {
            match transport.write(self.output()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.advance_output(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // The transport may be one that buffers what is written.
        while let Err(error) = transport.flush() {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        loop {
            match self.read_response(buffer) {
                Ok(None) => {}
                Ok(Some((_, Some(connection)))) => return Ok(connection),
                Ok(Some((response, None))) => {
                    return Err(io::Error::other(ResponseError::Refused(response.status())));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
            if buffer.read_from(transport)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
