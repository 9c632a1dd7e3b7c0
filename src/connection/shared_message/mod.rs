//! Messages that many connections send.

use alloc::sync::Arc;

use crate::connection::message_type::MessageType;
use crate::deflate::{Compressed, Deflate};
use crate::wire::FrameHeader;
pub(crate) use frame::SharedFrame;

mod frame;

/// A message that is encoded once and sent on any number of connections, for a chat room or a feed.
///
/// Pass it to [`Connection::send_shared`](crate::Connection::send_shared). Cloning increments a reference count.
/// Threads may share it.
///
/// The reference count is atomic. Targets without atomic pointers (`target_has_atomic = "ptr"`) have neither this type
/// nor `send_shared`. Examples are the RP2040 (`thumbv6m-none-eabi`) and the ESP32-C3 (`riscv32imc-unknown-none-elf`).
/// The rest of the crate works there.
///
/// # Compression
///
/// With the feature `deflate`, the message is compressed once for all connections that agreed on the same window. The
/// first of them compresses it when it sends the message, with its own level and memory level. To compress earlier,
/// call `compress`. Each connection decides whether to send the compressed message: by `Deflate::min_size` and
/// `Connection::compress_messages`. If compression makes the message no shorter, it is sent uncompressed.
///
/// The compressed message does not use the window of the connection, even with context takeover. The connection's
/// next own message starts with an empty window. So context takeover saves nothing if a connection sends shared
/// messages and other messages in turns. A connection that sends only shared messages needs no compressor, which
/// saves hundreds of kilobytes.
///
/// # Memory
///
/// All clones share one frame, and one compressed frame for each window in use. There are seven window sizes. All
/// windows that are larger than the message share one compressed frame. A connection that sends a message of 4 KiB or
/// more keeps a reference to the frame until the frame is written.
///
/// # Example: the same message to all clients
///
/// ```
/// use std::io::{self, IoSlice, Write};
/// use sockless::{Config, Connection, SharedMessage};
///
/// /// This writes a shared message of 4 KiB or more without a copy, and all output before it.
/// fn write(connection: &mut Connection, transport: &mut impl Write) -> io::Result<()> {
///     while !connection.output().is_empty() {
///         let parts: Vec<_> = connection.output_parts().map(IoSlice::new).collect();
///         let n = transport.write_vectored(&parts)?;
///         connection.advance_output(n);
///     }
///     Ok(())
/// }
///
/// let news = SharedMessage::text(&"news, ".repeat(1000));
/// let mut readers = [(); 3].map(|()| (Connection::server(&Config::default()), Vec::new()));
/// for (connection, transport) in &mut readers {
///     connection.send_shared(&news).map_err(io::Error::other)?;
///     write(connection, transport)?;
/// }
/// assert!(readers.iter().all(|(_, written)| written.starts_with(b"\x81\x7e\x17\x70news, news, ")));
/// # Ok::<(), io::Error>(())
/// ```
///
/// # Example: pass a message on to the other clients
///
/// ```
/// use sockless::{Connection, Event, ProtocolError, ReadBuffer, SharedMessage};
///
/// /// Makes a shared message from the next event.
/// fn pass_on(
///     connection: &mut Connection,
///     buffer: &mut ReadBuffer,
/// ) -> Result<Option<SharedMessage>, ProtocolError> {
///     Ok(match connection.next_event(buffer)? {
///         Some(Event::Text { text, .. }) => Some(SharedMessage::text(text)),
///         Some(Event::Binary { data, .. }) => Some(SharedMessage::binary(data)),
///         _ => None,
///     })
/// }
/// # let mut server = Connection::server(&sockless::Config::default());
/// # let mut buffer = ReadBuffer::new();
/// # buffer.extend_from_slice(b"\x81\x82\0\0\0\0Hi");
/// # let message = pass_on(&mut server, &mut buffer).unwrap().unwrap();
/// # server.send_shared(&message).unwrap();
/// # assert_eq!(server.output(), b"\x81\x02Hi");
/// ```
#[doc(alias("fan-out", "fanout", "multicast", "publish", "pubsub"))]
#[doc(alias = "broadcast")]
#[derive(Clone, Debug)]
pub struct SharedMessage(Arc<Forms>);

/// The forms of the message for different peers.
#[derive(Debug)]
struct Forms {
    kind: MessageType,
    plain: SharedFrame,
    compressed: Compressed<SharedFrame>,
}

impl SharedMessage {
    /// Makes a text message in one frame.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(MessageType::Text, text.as_bytes())
    }

    /// Makes a binary message in one frame.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::new(MessageType::Binary, data)
    }

    fn new(kind: MessageType, payload: &[u8]) -> Self {
        Self(Arc::new(Forms {
            kind,
            plain: SharedFrame::new(kind, 0, payload),
            compressed: Compressed::new(),
        }))
    }

    /// Compresses the message now, for connections that agreed on windows of
    /// [`max_window_bits`](Deflate::max_window_bits).
    ///
    /// Without this call, the first connection that sends the message compresses it. Call this to do the work at a
    /// better time or on another thread. If the message is already compressed for that window, this does nothing.
    /// Values outside their range count as the nearest valid value.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Deflate, SharedMessage};
    ///
    /// let news = SharedMessage::text(&"news, ".repeat(100));
    /// news.compress(&Deflate::new().with_level(9));
    /// ```
    #[cfg(feature = "deflate")]
    pub fn compress(&self, options: &Deflate) {
        let options = options.clamped();
        self.compressed(&options, options.max_window_bits);
    }

    pub(crate) fn kind(&self) -> MessageType {
        self.0.kind
    }

    pub(crate) fn plain(&self) -> &SharedFrame {
        &self.0.plain
    }

    /// The compressed frame for peers with this window, or `None` if the message is to be sent uncompressed. If the
    /// frame does not exist yet, this makes it with `options`.
    pub(crate) fn compressed(&self, options: &Deflate, window_bits: u8) -> Option<&SharedFrame> {
        let Forms {
            kind,
            plain,
            compressed,
        } = &*self.0;
        let frame = |payload: &[u8]| SharedFrame::new(*kind, FrameHeader::RSV1, payload);
        compressed.get_or_compress(plain.payload(), options, window_bits, frame)
    }
}
