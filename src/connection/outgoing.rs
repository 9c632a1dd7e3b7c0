//! Messages that are written to the transport from where they are.

use core::fmt;

use crate::connection::Connection;
use crate::wire::Bytes;

/// A message on its way to the transport, with all output that waits before it: the header is in the output, the
/// payload still where the caller has it.
///
/// Write [`parts`](Self::parts), best with one vectored write, and say how much was written with
/// [`advance`](Self::advance). What is not written when it is dropped is copied into the output, so nothing is lost
/// and it may be dropped at any time. (Not to drop it, with [`core::mem::forget`], cuts the message off in the middle.)
///
/// # Example
///
/// ```
/// use std::io::{self, IoSlice, Write};
/// use sockless::Connection;
///
/// /// Writes the payload from `data`. Only what the transport does not take is copied.
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
pub struct Outgoing<'a> {
    connection: &'a mut Connection,
    /// What of the payload is not yet written, and not in the output.
    payload: &'a [u8],
    /// Bytes written since this was made. An answer to a Ping that waited for them goes behind the payload.
    written: usize,
}

/// Shows how much of the payload waits, not what it says.
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

    /// Says that `n` bytes of the [`parts`](Self::parts) were written to the transport.
    ///
    /// # Panics
    ///
    /// If `n` is more than all parts have, which is a mistake of the caller.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the output took at most `n`, and `written` is at most what was in memory"
    )]
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let sender = &mut self.connection.sender;
        let own = n.min(sender.output().len());
        let Some(rest) = self.payload.get(n - own..) else {
            panic_on_advance()
        };
        sender.advance_output(own);
        sender.count_written(n - own);
        self.payload = rest;
        self.written += n;
    }

    /// All that waits to be written, in order: the output with the header, and the payload. There are two parts at
    /// most, unless there are [shared messages](crate::SharedMessage) before this one.
    #[inline]
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.connection.sender.output().parts(self.payload)
    }
}

#[cold]
#[expect(clippy::panic, reason = "a mistake of the caller, as documented")]
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
