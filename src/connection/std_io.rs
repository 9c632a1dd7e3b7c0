//! Connections over the traits of `std::io`.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use crate::connection::{Connection, ReadBuffer};

impl ReadBuffer {
    /// Reads once from `transport`, into at least 4 KiB of [`spare_mut`](Self::spare_mut), and takes in what came.
    ///
    /// Returns the number of bytes, or 0 at the end of the stream. Give the result to
    /// [`Connection::handle_read`] once there is a connection.
    ///
    /// # Errors
    ///
    /// What the transport fails with, except [`ErrorKind::Interrupted`]: then it reads again.
    ///
    /// # Panics
    ///
    /// If the transport says that it has read more bytes than there was space for.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::ReadBuffer;
    ///
    /// let mut transport: &[u8] = b"some bytes";
    /// let mut buffer = ReadBuffer::new();
    /// assert_eq!(buffer.read_from(&mut transport)?, 10);
    /// assert_eq!(buffer.unread(), b"some bytes");
    /// assert_eq!(buffer.read_from(&mut transport)?, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_from(&mut self, transport: &mut (impl Read + ?Sized)) -> io::Result<usize> {
        loop {
            match transport.read(self.spare_mut(4096)) {
                Ok(n) => {
                    self.advance_filled(n);
                    return Ok(n);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// # Transport over `std::io`
///
/// The transport implements [`Read`] and [`Write`], and may block or not.
impl Connection {
    /// Takes note of the result of [`ReadBuffer::read_from`], and returns whether bytes came.
    ///
    /// - 0 bytes, and [`ErrorKind::UnexpectedEof`], which TLS reports for a stream that ends without a farewell, are the end
    ///   of the stream: see [`handle_eof`](Self::handle_eof).
    /// - [`ErrorKind::WouldBlock`] and [`Interrupted`](ErrorKind::Interrupted) change nothing. On Windows
    ///   [`TimedOut`](ErrorKind::TimedOut) is one of them: there it is what a socket with a timeout reports. Elsewhere it means
    ///   that TCP has given the peer up.
    /// - After any other error nothing more can be read: see [`handle_reset`](Self::handle_reset).
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Read;
    /// use sockless::{Connection, ReadBuffer};
    ///
    /// /// Reads all there is from a transport that does not block.
    /// fn read(connection: &mut Connection, buffer: &mut ReadBuffer, transport: &mut impl Read) {
    ///     while connection.wants_read() && connection.handle_read(buffer.read_from(transport)) {}
    /// }
    /// # let mut server = Connection::server(&sockless::Config::default());
    /// # read(&mut server, &mut ReadBuffer::new(), &mut &b"\x81"[..]);
    /// # assert!(!server.wants_read());
    /// ```
    pub fn handle_read(&mut self, read: io::Result<usize>) -> bool {
        match read {
            Ok(0) => self.handle_eof(),
            Ok(_) => return true,
            Err(error) => match error.kind() {
                ErrorKind::UnexpectedEof => self.handle_eof(),
                kind if is_temporary(kind) => {}
                _ => self.handle_reset(),
            },
        }
        false
    }

    /// Writes the output, as far as the transport takes it.
    ///
    /// If [`output_len`](Self::output_len) is not 0 then, the transport takes no more now
    /// ([`ErrorKind::WouldBlock`], on Windows also [`TimedOut`](ErrorKind::TimedOut)): call this again when it can be written
    /// to. Shared messages are written from where they are. A transport that buffers what is written must be flushed by the caller.
    ///
    /// After any other error, and if the transport takes 0 bytes, nothing more is written and the output is dropped, but what
    /// the peer sent can still be read: see [`handle_write_error`](Self::handle_write_error).
    ///
    /// # Panics
    ///
    /// If the transport says that it has written more bytes than it was given.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection};
    ///
    /// let mut server = Connection::server(&Config::default());
    /// server.send_text("Hi")?;
    /// let mut transport = Vec::new();
    /// server.write_to(&mut transport);
    /// assert_eq!(transport, b"\x81\x02Hi");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn write_to(&mut self, transport: &mut (impl Write + ?Sized)) {
        /// More parts than this are written in several calls.
        const MOST_PARTS: usize = 16;
        while self.output_len() > 0 {
            let mut parts = [IoSlice::new(&[]); MOST_PARTS];
            let mut count = 0_usize;
            for (slice, part) in parts.iter_mut().zip(self.output_parts()) {
                *slice = IoSlice::new(part);
                count = count.saturating_add(1);
            }
            let written = match parts.get(..count) {
                Some(parts @ [_, _, ..]) => transport.write_vectored(parts),
                _ => transport.write(self.output()),
            };
            match written {
                Ok(n) if n > 0 => self.advance_output(n),
                Ok(_) => return self.handle_write_error(),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    kind if is_temporary(kind) => return,
                    _ => return self.handle_write_error(),
                },
            }
        }
    }
}

/// Whether a later call may succeed.
fn is_temporary(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => true,
        // A socket with a timeout reports WouldBlock on Unix, where this is ETIMEDOUT: the peer does not answer TCP.
        ErrorKind::TimedOut => cfg!(windows),
        _ => false,
    }
}
