//! Connections over the traits of `std::io`.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use crate::connection::{Connection, ReadBuffer};

impl ReadBuffer {
    /// Reads once from `transport` into this buffer, and returns the number of bytes.
    ///
    /// It offers the transport at least 4 KiB of [`spare_mut`](Self::spare_mut). 0 bytes mean the end of the stream.
    /// Pass the result to [`Connection::handle_read`] once there is a connection.
    ///
    /// # Errors
    ///
    /// The error of the transport, except [`ErrorKind::Interrupted`]: then it reads again.
    ///
    /// # Panics
    ///
    /// If the transport claims to have read more bytes than the space it got.
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
/// These methods read and write a transport with the traits [`Read`] and [`Write`], blocking or not.
impl Connection {
    /// Reports the result of [`ReadBuffer::read_from`], and returns whether bytes arrived.
    ///
    /// - 0 bytes are the end of the stream: see [`handle_eof`](Self::handle_eof). So is [`ErrorKind::UnexpectedEof`],
    ///   which TLS reports if the stream ends without `close_notify`.
    /// - [`ErrorKind::WouldBlock`] and [`Interrupted`](ErrorKind::Interrupted) change nothing. The same holds on
    ///   Windows for [`TimedOut`](ErrorKind::TimedOut), which a socket with a timeout reports there. Elsewhere
    ///   `TimedOut` means that TCP gave up on the peer.
    /// - After any other error nothing more can be read: see [`handle_reset`](Self::handle_reset).
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Read;
    /// use sockless::{Connection, ReadBuffer};
    ///
    /// /// Reads all bytes that a non-blocking transport has now.
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

    /// Writes the output to `transport`, until the output is empty or the transport takes no more bytes.
    ///
    /// If [`output_len`](Self::output_len) is not 0 afterwards, call this again when the transport is writable. The
    /// transport reported [`ErrorKind::WouldBlock`] (on Windows also [`TimedOut`](ErrorKind::TimedOut)). Shared
    /// messages are written without a copy. This does not flush: if the transport buffers its writes, flush it
    /// yourself.
    ///
    /// While [taken](Self::take_output) bytes are not reported, this writes nothing, because they come first.
    ///
    /// After any other error, or if the transport takes 0 bytes, the output is dropped and nothing more is written. You
    /// can still read what the peer sent: see [`handle_write_error`](Self::handle_write_error).
    ///
    /// # Panics
    ///
    /// If the transport claims to have written more bytes than it got.
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
    #[doc(alias("flush", "write_all"))]
    pub fn write_to(&mut self, transport: &mut (impl Write + ?Sized)) {
        /// A vectored write takes at most this many parts.
        const MOST_PARTS: usize = 16;
        while !self.output().is_empty() && !self.has_taken_output() {
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
        // On Unix, a socket with a timeout reports WouldBlock. There this is ETIMEDOUT: the peer does not answer TCP.
        ErrorKind::TimedOut => cfg!(windows),
        _ => false,
    }
}
