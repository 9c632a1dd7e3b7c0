//! Messages that are written to the transport without a copy.

use core::fmt;

use crate::connection::Connection;
use crate::wire::Bytes;

/// A message that you write to the transport without copying its payload.
///
/// [`Connection::send_text_borrowed`] and [`Connection::send_binary_borrowed`] return it. The header of the message is
/// in the output. The payload stays in your memory.
///
/// Write the [`parts`](Self::parts), if possible with one vectored write. Then report with [`advance`](Self::advance)
/// how many bytes you wrote. You may drop this at any time: the drop copies the unwritten rest of the payload into the
/// output, so nothing is lost. Do not pass it to [`core::mem::forget`]: without the drop, the rest of the message is
/// never sent.
///
/// # Example
///
/// ```
/// use std::io::{self, IoSlice, Write};
/// use sockless::Connection;
///
/// /// Writes the payload from `data`. If the transport does not take all bytes, the rest is copied.
/// fn send(connection: &mut Connection, transport: &mut impl Write, data: &[u8]) -> io::Result<()> {
///     let mut message = connection.send_binary_borrowed(data).map_err(io::Error::other)?;
///     let parts: Vec<_> = message.parts().map(IoSlice::new).collect();
///     let n = transport.write_vectored(&parts)?;
///     message.advance(n);
///     Ok(())
/// }
/// # let mut server = Connection::server(&sockless::Config::default());
/// # let mut transport = Vec::new();
/// # send(&mut server, &mut transport, b"Hi")?;
/// # assert_eq!((&transport[..], server.output()), (&b"\x82\x02Hi"[..], &b""[..]));
/// # Ok::<(), io::Error>(())
/// ```
#[doc(alias("zero_copy", "vectored", "writev"))]
pub struct Outgoing<'a> {
    connection: &'a mut Connection,
    /// The part of the payload that is neither written nor in the output.
    payload: &'a [u8],
    /// Bytes written since this was made. The answer to a Ping that waited for these bytes must follow the payload.
    written: usize,
}

/// Shows how long the rest of the payload is, not its bytes.
impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("connection", &self.connection)
            .field("payload", &Bytes(self.payload.len()))
            .field("written", &Bytes(self.written))
            .finish()
    }
}

impl<'a> Outgoing<'a> {
    #[inline]
    pub(super) const fn new(connection: &'a mut Connection, payload: &'a [u8]) -> Self {
        Self {
            connection,
            payload,
            written: 0,
        }
    }

    /// Reports that you wrote the first `n` bytes of the [`parts`](Self::parts) to the transport.
    ///
    /// Like [`Connection::advance_output`], it counts [taken](Connection::take_output) bytes first.
    ///
    /// # Panics
    ///
    /// If `n` is more than the length of the taken bytes and of all parts together.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`own` is at most `n`, and `written` is at most the bytes that were in memory"
    )]
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let sender = &mut self.connection.sender;
        let own = n.min(sender.output().len());
        let Some(rest) = self.payload.get(n - own..) else {
            panic_on_advance()
        };
        _ = sender.advance_output(own);
        sender.count_written(n - own);
        self.payload = rest;
        self.written += n;
    }

    /// Returns all bytes that wait to be written, in order: the output with the header, and then the payload.
    ///
    /// Bytes that you [took](Connection::take_output) before are not among them. Write those first.
    ///
    /// There are at most two parts, unless [shared messages](crate::SharedMessage) wait before this one. No part is
    /// empty.
    #[inline]
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.connection.sender.output().parts(self.payload)
    }
}

#[cold]
#[expect(clippy::panic, reason = "documented: the caller's mistake")]
fn panic_on_advance() -> ! {
    panic!("advanced by more than the parts")
}

impl Drop for Outgoing<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.payload.is_empty() {
            self.connection.sender.message_rest(self.payload);
        }
        self.connection.after_write(self.written);
    }
}
