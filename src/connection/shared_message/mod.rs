//! Messages that are sent to many.

use alloc::sync::Arc;

use crate::connection::message_type::MessageType;
use crate::deflate::{Compressed, Deflate};
use crate::wire::FrameHeader;
pub(crate) use frame::SharedFrame;

mod frame;

/// A message that is encoded once and sent on any number of connections.
///
/// To clone it costs as much as to count a reference, and threads may share it. See
/// [`Connection::send_shared`](crate::Connection::send_shared).
///
/// The references are counted atomically. A target without atomic operations on pointers (`target_has_atomic = "ptr"`)
/// has neither this type nor `send_shared`: the RP2040 (`thumbv6m-none-eabi`) and the ESP32-C3
/// (`riscv32imc-unknown-none-elf`) are such. All else works there.
///
/// # Compression
///
/// With the feature `deflate` the message is compressed once, too, for all connections that have agreed on the same
/// window: when the first of them sends it, with the level and the memory level of that connection, or ahead with
/// `compress`. Whether a connection sends it compressed is up to the connection: to its
/// `Deflate::min_size` and to `Connection::compress_messages`. A message that compression does not
/// make shorter goes as it is.
///
/// What is compressed for all refers to no earlier message, also under context takeover, and a connection's own next
/// message then refers to none before it. So a connection that sends both in turns compresses its own ones as if
/// there were no context takeover; one that sends shared messages alone needs no compressor, of which there are
/// hundreds of kilobytes for each connection otherwise.
///
/// # Memory
///
/// All clones of a message own its frame together, and a compressed one for each window that was needed: there are
/// seven windows, and all that are larger than the message count as one. From 4 KiB on, connections own the frames with
/// them until they are written.
///
/// # Example: the same to all
///
/// ```
/// use std::io::{self, IoSlice, Write};
/// use sockless::{Config, Connection, SharedMessage};
///
/// /// A message from 4 KiB on is written from where it is, whatever waits before it.
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
/// # Example: what one says, all hear
///
/// ```
/// use sockless::{Connection, Event, ProtocolError, ReadBuffer, SharedMessage};
///
/// /// What the next event is for the others.
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
#[doc(alias = "broadcast")]
#[derive(Clone, Debug)]
pub struct SharedMessage(Arc<Forms>);

/// The message as it goes to different peers.
#[derive(Debug)]
struct Forms {
    kind: MessageType,
    plain: SharedFrame,
    compressed: Compressed<SharedFrame>,
}

impl SharedMessage {
    /// A text message in one frame.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(MessageType::Text, text.as_bytes())
    }

    /// A binary message in one frame.
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

    /// Compresses the message ahead, for connections that have agreed on windows of
    /// [`max_window_bits`](Deflate::max_window_bits).
    ///
    /// The first of them would do it otherwise. Worth it where that is not the time for it, or another thread has
    /// some; what there is for such connections already stays. Values out of their range count as the nearest.
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

    /// The frame without compression.
    pub(crate) fn plain(&self) -> &SharedFrame {
        &self.0.plain
    }

    /// The compressed frame for peers with this window, unless it is better not compressed. It is made with these
    /// options if there is none yet.
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
