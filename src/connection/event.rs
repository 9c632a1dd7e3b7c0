//! What the peer sent.

use core::fmt;

use crate::wire::{Bytes, CloseFrame};

/// A message, a part of a message, or a control frame from the peer.
///
/// It borrows from the [`ReadBuffer`](crate::ReadBuffer), until the next call that changes the buffer.
/// [`into_owned`](Self::into_owned) makes a copy that lives longer.
///
/// With the default configuration, a Ping and a Close are already answered: the Pong or the Close frame is in the
/// output.
///
/// The enum is exhaustive. RFC 6455 has no other events, and a loop that forgets one should not compile.
///
/// # Example
///
/// ```
/// use sockless::{Config, Connection, Event, ReadBuffer};
///
/// let mut connection = Connection::server(&Config::default());
/// let mut buffer = ReadBuffer::new();
/// // "Hello", masked (RFC 6455, section 5.7).
/// buffer.extend_from_slice(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// let event = connection.next_event(&mut buffer)?;
/// assert_eq!(event, Some(Event::Text { text: "Hello", fin: true }));
/// # Ok::<(), sockless::ProtocolError>(())
/// ```
#[doc(alias("Message", "Frame"))]
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the RFC has no other events, and a loop that forgets one should not compile"
)]
pub enum Event<'b> {
    /// A text message, or its next part with [`Delivery::Chunks`](crate::Delivery::Chunks) (RFC 6455, section 5.6).
    Text {
        /// The text. It never ends inside a character.
        text: &'b str,
        /// Whether the message ends here. Always true with [`Delivery::Messages`](crate::Delivery::Messages).
        fin: bool,
    },
    /// A binary message, or its next part with [`Delivery::Chunks`](crate::Delivery::Chunks) (RFC 6455, section 5.6).
    Binary {
        /// The data.
        data: &'b [u8],
        /// Whether the message ends here. Always true with [`Delivery::Messages`](crate::Delivery::Messages).
        fin: bool,
    },
    /// A Ping with its payload of at most 125 bytes (RFC 6455, section 5.5.2).
    Ping(&'b [u8]),
    /// A Pong with its payload of at most 125 bytes (RFC 6455, section 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close frame. It is the last event (RFC 6455, section 5.5.1).
    Close(CloseFrame<'b>),
}

/// Shows how long the content is, not the content.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = |kind, length, fin| {
            f.debug_struct(kind)
                .field("length", &Bytes(length))
                .field("fin", &fin)
                .finish()
        };
        match *self {
            Self::Text { text, fin } => message("Text", text.len(), fin),
            Self::Binary { data, fin } => message("Binary", data.len(), fin),
            Self::Ping(payload) => f.debug_tuple("Ping").field(&Bytes(payload.len())).finish(),
            Self::Pong(payload) => f.debug_tuple("Pong").field(&Bytes(payload.len())).finish(),
            Self::Close(close) => f.debug_tuple("Close").field(&close).finish(),
        }
    }
}
