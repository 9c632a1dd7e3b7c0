//! Limits and choices.

use crate::connection::deadlines::Deadlines;
use crate::deflate::Deflate;

/// Limits and choices of a connection, and of the opening handshake before it.
///
/// The defaults suit a server on the open internet. Every limit trades what an honest peer may send
/// against what a hostile one can make this side store.
///
/// # Example
///
/// ```
/// use sockless::{Config, Delivery};
///
/// let config = Config::new()
///     .with_max_message_size(64 * 1024)
///     .with_delivery(Delivery::Chunks);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub struct Config {
    /// The largest message to receive, in bytes of payload over all its fragments. Default: 16 MiB.
    ///
    /// It is checked when a frame header arrives, before any of its payload. Over it, the connection fails with 1009.
    ///
    /// With [`Delivery::Chunks`] any number is a limit, also one that no memory can hold. With
    /// [`Delivery::Messages`] a message must fit into memory, so the limit is never more than a quarter of the address
    /// space. On a 32-bit machine that is 1 GiB.
    pub max_message_size: u64,
    /// The largest frame to receive, in bytes of payload. Default: 16 MiB.
    ///
    /// Worth lowering when messages may be large but must come in fragments. Over it, the connection
    /// fails with 1009 when the header arrives.
    ///
    /// A frame of a compressed message may have an eighth, a 64th and 32 bytes more than that on the wire. Compression
    /// makes data longer that does not compress, and this is the most that zlib adds, whatever its settings.
    pub max_frame_size: u64,
    /// How many bytes of output may wait before sends are refused with
    /// [`SendError::Full`](crate::SendError::Full). Default: 1 MiB.
    ///
    /// Refused is what comes when this many are waiting already, so that a message of any size can be
    /// sent into an empty output, also with 0 here; the output holds at most this much, the largest message sent, and
    /// what is sent automatically.
    pub max_output: usize,
    /// How many bytes of automatic Pong frames may wait in the output, 4 GiB at most. Default: 2 KiB.
    ///
    /// A peer that sends Pings and never reads cannot grow the output beyond it (one Pong may always
    /// wait). Of the Pings that arrive while it is full only the newest is answered, once the Pongs
    /// before it are written; RFC 6455 section 5.5.3 allows that.
    /// Once a Close frame has come or gone, none is.
    pub max_unsent_pongs: usize,
    /// The largest request or response head of the opening handshake, in bytes. Default: 16 KiB.
    ///
    /// Cookies are the usual reason to raise it.
    pub max_head_size: usize,
    /// How many header lines a head may have. Default: 100.
    pub max_headers: usize,
    /// Whether messages are delivered whole or as they arrive. Default: whole.
    pub delivery: Delivery,
    /// Whether a Ping is answered by itself. Default: automatically.
    pub ping_reply: Reply,
    /// Whether the peer's Close frame is answered by itself. Default: automatically.
    ///
    /// With [`Reply::Manual`] the connection may go on sending after the peer's Close frame until the
    /// application calls [`Connection::close`](crate::Connection::close) (RFC 6455 section 5.5.1 lets an
    /// endpoint finish its message first).
    pub close_reply: Reply,
    /// How long the peer may take for its part of both handshakes and for the answer to a Ping. Default: none, it
    /// may be silent for ever.
    ///
    /// They come to nothing unless the time is told: see
    /// [`Connection::handle_timeout`](crate::Connection::handle_timeout), and before there is a connection
    /// [`ServerHandshake`](crate::handshake::ServerHandshake) and
    /// [`ClientHandshake::handle_timeout`](crate::handshake::ClientHandshake::handle_timeout).
    pub deadlines: Option<Deadlines>,
    /// Whether to negotiate permessage-deflate (RFC 7692), and how. Default: no.
    ///
    /// It takes effect in the opening handshake: a client offers the extension, a server accepts it.
    /// [`max_message_size`](Self::max_message_size) then counts the bytes of a message as they are
    /// delivered. [`max_frame_size`](Self::max_frame_size) counts those on the wire, and allows for what compression
    /// adds.
    #[cfg(feature = "deflate")]
    pub deflate: Option<Deflate>,
    /// Nothing else can be chosen.
    #[cfg(not(feature = "deflate"))]
    #[cfg_attr(feature = "arbitrary", arbitrary(default))]
    pub(crate) deflate: Option<Deflate>,
}

impl Config {
    /// The default limits and choices, as each field states them.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_message_size: 16 << 20,
            max_frame_size: 16 << 20,
            max_output: 1 << 20,
            max_unsent_pongs: 2 << 10,
            max_head_size: 16 << 10,
            max_headers: 100,
            delivery: Delivery::Messages,
            ping_reply: Reply::Automatic,
            close_reply: Reply::Automatic,
            deadlines: None,
            deflate: None,
        }
    }

    setters! {
        with_max_message_size(max_message_size: u64);
        with_max_frame_size(max_frame_size: u64);
        with_max_output(max_output: usize);
        with_max_unsent_pongs(max_unsent_pongs: usize);
        with_max_head_size(max_head_size: usize);
        with_max_headers(max_headers: usize);
        with_delivery(delivery: Delivery);
        with_ping_reply(ping_reply: Reply);
        with_close_reply(close_reply: Reply);
        with_deadlines(Some(deadlines): Deadlines);
    }

    #[cfg(feature = "deflate")]
    setters! {
        with_deflate(Some(deflate): Deflate);
    }

    /// The limit for what a frame of a compressed message has on the wire.
    ///
    /// zlib's `deflateBound` states what compression can add, at the smallest memory level: an eighth, a 64th and 5
    /// bytes, where both fractions are rounded up. A fragment also ends with a flush, which takes 5 bytes (RFC 7692
    /// section 7.2.1).
    pub(crate) const fn compressed_frame_limit(max_frame_size: u64) -> u64 {
        max_frame_size
            .saturating_add(max_frame_size >> 3)
            .saturating_add(max_frame_size >> 6)
            .saturating_add(32)
    }

    /// The limit for messages that counts.
    ///
    /// No vector takes more than `isize::MAX` bytes, and one that grows beyond it panics. The read buffer holds one
    /// message and grows by half, so the largest message may take half of that.
    pub(crate) const fn message_limit(&self) -> u64 {
        const MOST_IN_MEMORY: u64 = (usize::MAX / 4) as u64;
        match self.delivery {
            Delivery::Messages if self.max_message_size > MOST_IN_MEMORY => MOST_IN_MEMORY,
            Delivery::Messages | Delivery::Chunks => self.max_message_size,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// How the data of messages is delivered. Limits and the check for UTF-8 are the same in both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Delivery {
    /// Whole messages, their fragments joined. Needs memory for the largest message.
    #[default]
    Messages,
    /// Parts of messages as they arrive, in memory for one read. Text is never cut inside a character.
    ///
    /// How a message is cut into parts depends on the reads; what is delivered in all does not, except of a
    /// compressed message that turns out to be wrong. The last part of a message has `fin`, and may be empty.
    ///
    /// A whole message sent for each part would be as many messages. Its counterpart are fragments:
    ///
    /// ```
    /// use sockless::{Config, Connection, Delivery, Event, ReadBuffer};
    ///
    /// let config = Config::new().with_delivery(Delivery::Chunks);
    /// let mut server = Connection::server(&config);
    /// let mut buffer = ReadBuffer::new();
    /// buffer.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f"); // "He", masked, of "Hello"
    /// while let Some(event) = server.next_event(&mut buffer)? {
    ///     match event {
    ///         Event::Text { text, fin } => server.send_text_fragment(text, fin)?,
    ///         Event::Binary { data, fin } => server.send_binary_fragment(data, fin)?,
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(server.output(), b"\x01\x02He");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Chunks,
}

/// Who answers the peer's control frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Reply {
    /// The connection, before it delivers the event.
    #[default]
    Automatic,
    /// The application.
    Manual,
}
