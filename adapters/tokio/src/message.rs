//! Messages that own their payload.

use std::fmt;

use bytes::Bytes;
use sockless::SharedMessage;

use crate::text::Text;

/// A message to send, or a received message.
///
/// It owns its payload. Cloning it increments a reference count and copies no payload.
///
/// # Example
///
/// ```
/// use sockless_tokio::Message;
///
/// let text = Message::from("Hello");
/// let binary = Message::from(vec![1, 2, 3]);
/// assert!(matches!(text, Message::Text(text) if text == "Hello"));
/// assert_eq!(binary.as_bytes(), [1, 2, 3]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 has no other messages, and a loop that forgets one should not compile"
)]
pub enum Message {
    /// A text message (RFC 6455, section 5.6).
    Text(Text),
    /// A binary message (RFC 6455, section 5.6).
    Binary(Bytes),
}

impl Message {
    /// Returns the payload: UTF-8 for a text message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// Returns the payload: UTF-8 for a text message.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(data) => data,
        }
    }

    /// Returns the text, or `None` for a binary message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Whether this is a text message.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// Shows how long the payload is, not the payload.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, length) = match self {
            Self::Text(text) => ("Text", text.len()),
            Self::Binary(data) => ("Binary", data.len()),
        };
        write!(f, "{kind}({length} B)")
    }
}

/// Increments a reference count, and copies no payload.
impl From<&Message> for Message {
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

/// Copies the payload once, for all connections.
impl From<&Message> for SharedMessage {
    fn from(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::text(text),
            Message::Binary(data) => Self::binary(data),
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(data.into())
    }
}

impl From<&[u8]> for Message {
    fn from(data: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(data))
    }
}
