//! The limits and choices of a connection.

use crate::connection::deadlines::Deadlines;
use crate::deflate::Deflate;

/// The limits and choices of a connection, and of the opening handshake before it.
///
/// The defaults suit a server on the open internet. A higher limit allows an honest peer to send more. It also allows a
/// hostile peer to fill more of your memory.
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
#[doc(alias("WebSocketConfig", "options", "settings"))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub struct Config {
    /// The largest message to receive, in bytes of payload over all its fragments. Default: 16 MiB.
    ///
    /// sockless checks the limit when a frame header arrives, before any payload. It checks a compressed message during
    /// decompression. A larger message fails the connection with 1009.
    ///
    /// With [`Delivery::Chunks`], any number is valid, even one larger than your memory. With [`Delivery::Messages`], a
    /// message must fit into memory, so the limit is at most a quarter of the address space. On a 32-bit machine that
    /// is 1 GiB.
    pub max_message_size: u64,
    /// The largest frame to receive, in bytes of payload. Default: 16 MiB.
    ///
    /// Lower it if large messages must come in fragments. A larger frame fails the connection with 1009 when its header
    /// arrives.
    ///
    /// For a frame of a compressed message, the limit is `max + max / 8 + max / 64 + 32` bytes. Compression makes
    /// some data longer, and zlib adds at most this much, with any settings.
    pub max_frame_size: u64,
    /// How many bytes of output may wait before a send fails with [`SendError::Full`](crate::SendError::Full). Default:
    /// 1 MiB.
    ///
    /// A send fails only if this many bytes already wait. So a message of any size fits into an empty output, even if
    /// this limit is 0. The output holds at most this many bytes, plus the largest message sent, plus the automatic
    /// frames.
    #[doc(alias("backpressure", "high_water_mark", "max_write_buffer_size"))]
    pub max_output: usize,
    /// How many bytes of automatic Pong frames may wait in the output, at most 4 GiB. Default: 2 KiB.
    ///
    /// A peer that sends Pings and never reads adds at most this many bytes to the output, or one Pong if that is
    /// larger. Above the limit, the connection remembers only the newest Ping. It answers that Ping as soon as the
    /// Pongs before it are written (RFC 6455, section 5.5.3). After a Close frame of either side, it answers no Ping.
    pub max_unsent_pongs: usize,
    /// The largest head of a request or response in the opening handshake, in bytes. Default: 16 KiB. A larger head
    /// fails the handshake.
    ///
    /// Raise it if your users have large cookies.
    pub max_head_size: usize,
    /// How many header lines the head may have. Default: 100. More lines fail the handshake.
    pub max_headers: usize,
    /// Whether you receive whole messages, or parts as they arrive. Default: whole messages.
    pub delivery: Delivery,
    /// Who answers the peer's Pings. Default: the connection.
    pub ping_reply: Reply,
    /// Who answers the peer's Close frame. Default: the connection.
    ///
    /// With [`Reply::Manual`], you may go on sending after the peer's Close frame, until you call
    /// [`Connection::close`](crate::Connection::close). RFC 6455, section 5.5.1 lets an endpoint finish its message
    /// first.
    pub close_reply: Reply,
    /// How long the peer may take for both handshakes, and for the answer to a Ping. Default: no limit.
    ///
    /// Deadlines take effect only if you pass the time. On a connection, call
    /// [`Connection::handle_timeout`](crate::Connection::handle_timeout). During the opening handshake, see
    /// [`ServerHandshake`](crate::handshake::ServerHandshake) and
    /// [`ClientHandshake::handle_timeout`](crate::handshake::ClientHandshake::handle_timeout).
    #[doc(alias("timeout", "keepalive", "idle_timeout"))]
    pub deadlines: Option<Deadlines>,
    /// Whether to negotiate permessage-deflate (RFC 7692), and with which options. Default: no.
    ///
    /// A client offers the extension in the opening handshake, and a server accepts it. Then
    /// [`max_message_size`](Self::max_message_size) counts the decompressed bytes of a message.
    /// [`max_frame_size`](Self::max_frame_size) counts bytes on the wire, with the allowance that its docs state.
    #[doc(alias("compression", "permessage-deflate"))]
    #[cfg(feature = "deflate")]
    pub deflate: Option<Deflate>,
    /// Always `None` without the feature.
    #[cfg(not(feature = "deflate"))]
    #[cfg_attr(feature = "arbitrary", arbitrary(default))]
    pub(crate) deflate: Option<Deflate>,
}

impl Config {
    /// Returns the default limits and choices, as each field states them.
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

    /// The largest payload on the wire for a frame of a compressed message.
    ///
    /// zlib's `deflateBound` states how much compression can add at the smallest memory level: an eighth, a 64th and 5
    /// bytes, with both fractions rounded up. A fragment also ends with a flush of 5 bytes (RFC 7692, section 7.2.1).
    pub(crate) const fn compressed_frame_limit(max_frame_size: u64) -> u64 {
        max_frame_size
            .saturating_add(max_frame_size >> 3)
            .saturating_add(max_frame_size >> 6)
            .saturating_add(32)
    }

    /// The limit for messages that applies.
    ///
    /// A vector holds at most `isize::MAX` bytes and panics beyond. The read buffer holds one message and grows by
    /// half, so the largest message may take half of that.
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

/// How you receive the data of messages. Both ways have the same limits and the same UTF-8 check.
#[doc(alias("streaming", "stream"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Delivery {
    /// Whole messages, with their fragments joined. This needs memory for the largest message.
    #[default]
    Messages,
    /// Parts of messages as they arrive. This needs memory for one read. A character of text is never cut.
    ///
    /// The sizes of your reads decide where a message is cut. The joined parts are always the same. (If a compressed
    /// message is corrupt, the number of bytes before the error can vary.) The last part of a message has `fin`, and
    /// may be empty.
    ///
    /// To pass a message on in parts, send each part as a fragment:
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
    /// The connection answers, before it delivers the event.
    #[default]
    Automatic,
    /// The application answers.
    Manual,
}
