//! Events that outlive the read buffer.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::connection::event::Event;
use crate::wire::Bytes;

/// An [`Event`] that owns its content, for queues and other threads: see [`Event::into_owned`].
#[doc(alias = "Message")]
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the RFC has no other events")]
pub enum OwnedEvent {
    /// A text message, or its last part.
    Text(String),
    /// A binary message, or its last part.
    Binary(Vec<u8>),
    /// A part of a text message, but not the last one. Only with [`Delivery::Chunks`](crate::Delivery::Chunks).
    TextPart(String),
    /// A part of a binary message, but not the last one. Only with [`Delivery::Chunks`](crate::Delivery::Chunks).
    BinaryPart(Vec<u8>),
    /// A Ping with its payload.
    Ping(Vec<u8>),
    /// A Pong with its payload.
    Pong(Vec<u8>),
    /// A Close frame with its code and reason. The code is 1005 if the frame had none.
    Close(u16, String),
}

/// Shows how long the content is, not the content.
impl fmt::Debug for OwnedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, length) = match self {
            Self::Text(text) => ("Text", text.len()),
            Self::Binary(data) => ("Binary", data.len()),
            Self::TextPart(text) => ("TextPart", text.len()),
            Self::BinaryPart(data) => ("BinaryPart", data.len()),
            Self::Ping(payload) => ("Ping", payload.len()),
            Self::Pong(payload) => ("Pong", payload.len()),
            Self::Close(code, reason) => {
                let reason = Bytes(reason.len());
                return f.debug_tuple("Close").field(code).field(&reason).finish();
            }
        };
        f.debug_tuple(kind).field(&Bytes(length)).finish()
    }
}

impl Event<'_> {
    /// Copies the content, so the result lives longer than the buffer.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Event, OwnedEvent};
    ///
    /// let event = Event::Text { text: "Hello", fin: true };
    /// assert_eq!(event.into_owned(), OwnedEvent::Text("Hello".to_owned()));
    /// ```
    #[must_use]
    pub fn into_owned(self) -> OwnedEvent {
        match self {
            Self::Text { text, fin: true } => OwnedEvent::Text(text.into()),
            Self::Text { text, fin: false } => OwnedEvent::TextPart(text.into()),
            Self::Binary { data, fin: true } => OwnedEvent::Binary(data.into()),
            Self::Binary { data, fin: false } => OwnedEvent::BinaryPart(data.into()),
            Self::Ping(payload) => OwnedEvent::Ping(payload.into()),
            Self::Pong(payload) => OwnedEvent::Pong(payload.into()),
            Self::Close(close) => OwnedEvent::Close(close.code.into(), close.reason.into()),
        }
    }
}

impl From<Event<'_>> for OwnedEvent {
    fn from(event: Event<'_>) -> Self {
        event.into_owned()
    }
}
