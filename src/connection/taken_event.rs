//! Events whose large messages own the memory that they were received in.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::connection::event::Event;
use crate::connection::owned_event::OwnedEvent;
use crate::wire::Bytes;

/// An [`Event`], or a large message with the memory that it was received in.
///
/// [`Connection::take_event`](crate::Connection::take_event) returns it, and has an example.
///
/// The enum is exhaustive. A loop that forgets a kind of message should not compile.
#[doc(alias("zero_copy", "Message"))]
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a loop that forgets a kind of message should not compile"
)]
pub enum TakenEvent<'b> {
    /// An event that borrows from the [`ReadBuffer`](crate::ReadBuffer). Copy it if you keep it.
    Borrowed(Event<'b>),
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary {
        /// The memory that the message was received in. It may contain other bytes before and after the payload.
        memory: Vec<u8>,
        /// Where the payload is.
        payload: Range<usize>,
    },
}

impl TakenEvent<'_> {
    /// Makes an event that owns exactly its content. It copies a borrowed event. It moves the payload of a binary
    /// message to the front of its memory.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{OwnedEvent, TakenEvent};
    ///
    /// let taken = TakenEvent::Binary { memory: b"..data".to_vec(), payload: 2..6 };
    /// assert_eq!(taken.into_owned(), OwnedEvent::Binary(b"data".to_vec()));
    /// ```
    ///
    /// # Panics
    ///
    /// If you made a range that is not in the memory.
    #[must_use]
    pub fn into_owned(self) -> OwnedEvent {
        match self {
            Self::Borrowed(event) => event.into_owned(),
            Self::Text(text) => OwnedEvent::Text(text),
            Self::Binary {
                mut memory,
                payload,
            } => {
                memory.truncate(payload.end);
                memory.drain(..payload.start);
                OwnedEvent::Binary(memory)
            }
        }
    }
}

/// Shows how long the content is, not the content.
impl fmt::Debug for TakenEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Borrowed(event) => f.debug_tuple("Borrowed").field(event).finish(),
            Self::Text(text) => f.debug_tuple("Text").field(&Bytes(text.len())).finish(),
            Self::Binary { memory, payload } => f
                .debug_struct("Binary")
                .field("memory", &Bytes(memory.len()))
                .field("payload", payload)
                .finish(),
        }
    }
}
