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
    /// Returns the connection to drive, accepted or refused, like [`accept`](Self::accept). It ignores
    /// [`Deadlines::handshake`](crate::Deadlines::handshake). To limit the time, call [`accept`](Self::accept)
    /// yourself. To look at the request first, call [`read_request`](Self::read_request).
    ///
    /// The bytes that follow the request stay in `buffer` for the connection.
    ///
    /// # Errors
    ///
    /// - Each error of the transport. After [`ErrorKind::WouldBlock`] you can call this again, and it continues. A read
    ///   timeout of a socket also gives `WouldBlock`. On Windows it gives [`ErrorKind::TimedOut`] instead.
    /// - [`ErrorKind::UnexpectedEof`] if the stream ends before the request is complete.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io;
    /// use std::net::TcpStream;
    /// use sockless::handshake::{ServerHandshake, ServerOptions};
    /// use sockless::{Connection, ReadBuffer};
    ///
    /// /// The first messages may already be in `buffer`.
    /// fn accept(tcp: &mut TcpStream, buffer: &mut ReadBuffer) -> io::Result<Connection> {
    ///     let options = ServerOptions::new();
    ///     ServerHandshake::new(&options.config).accept_on(tcp, buffer, &options)
    /// }
    /// ```
    #[doc(alias = "upgrade")]
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
    /// For `wss:`, the transport is a TLS stream. This ignores [`Deadlines::handshake`](crate::Deadlines::handshake).
    /// To limit the time, use [`output`](Self::output), [`read_response`](Self::read_response) and
    /// [`handle_timeout`](Self::handle_timeout).
    ///
    /// The bytes that follow the response stay in `buffer` for the connection.
    ///
    /// # Errors
    ///
    /// - Each error of the transport. After [`ErrorKind::WouldBlock`] you can call this again, and it continues. A read
    ///   timeout of a socket also gives `WouldBlock`. On Windows it gives [`ErrorKind::TimedOut`] instead.
    /// - [`ErrorKind::UnexpectedEof`] if the stream ends before the response is complete.
    /// - [`ErrorKind::WriteZero`] if the transport accepts no bytes.
    /// - [`ErrorKind::Other`] if the server refuses or does not speak WebSocket. The error contains a
    ///   [`ResponseError`]: for a refusal, [`ResponseError::Refused`] with the status. To read the headers and the body
    ///   of a refusal, use [`read_response`](Self::read_response) instead.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use sockless::handshake::{ClientHandshake, ClientOptions, Uri};
    /// use sockless::{Connection, ReadBuffer, Seed};
    ///
    /// /// The first messages may already be in `buffer`.
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
        // A transport with a buffer sends nothing until it is flushed.
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
