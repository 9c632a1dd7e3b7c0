//! Messages that arrive in parts.

use std::fmt;

use crate::message::Message;

/// A message, or a part of one.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) message: Message,
    /// Whether the message ends here.
    pub(crate) fin: bool,
}

/// What has been received of a message that arrives in parts.
///
/// The connection delivers parts only with [`Delivery::Chunks`](sockless::Delivery::Chunks).
#[derive(PartialEq, Eq)]
pub(crate) enum Assembly {
    None,
    Text(String),
    Binary(Vec<u8>),
    /// A reader takes the parts.
    Lent,
    /// The application does not want the rest of the message.
    Skipped,
}

impl Assembly {
    /// Adds a part. Returns the message once it is complete.
    pub(crate) fn join(&mut self, chunk: Chunk) -> Option<Message> {
        match (&mut *self, &chunk.message) {
            (Self::Text(joined), Message::Text(text)) => joined.push_str(text),
            (Self::Binary(joined), Message::Binary(data)) => joined.extend_from_slice(data),
            // The parts of a message have one type, so this is the first part.
            _ if chunk.fin => return Some(chunk.message),
            (_, Message::Text(text)) => *self = Self::Text(text.as_str().into()),
            (_, Message::Binary(data)) => *self = Self::Binary(data.to_vec()),
        }
        if !chunk.fin {
            return None;
        }
        self.take().map(|chunk| chunk.message)
    }

    /// Skips the rest of a message whose reader is gone. It was forgotten, because dropping it does the same.
    pub(crate) fn skip_lent(&mut self) {
        if *self == Self::Lent {
            *self = Self::Skipped;
        }
    }

    /// Takes the part that was received.
    pub(crate) fn take(&mut self) -> Option<Chunk> {
        let message = match std::mem::replace(self, Self::None) {
            Self::None => return None,
            other @ (Self::Lent | Self::Skipped) => {
                *self = other;
                return None;
            }
            Self::Text(text) => Message::from(text),
            Self::Binary(data) => Message::from(data),
        };
        Some(Chunk {
            message,
            fin: false,
        })
    }
}

/// Shows how much was received, not the content.
impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Text(text) => write!(f, "Text({} B)", text.len()),
            Self::Binary(data) => write!(f, "Binary({} B)", data.len()),
            Self::Lent => f.write_str("Lent"),
            Self::Skipped => f.write_str("Skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(message: impl Into<Message>, fin: bool) -> Chunk {
        Chunk {
            message: message.into(),
            fin,
        }
    }

    #[test]
    fn joins_parts_and_passes_whole_messages_on() {
        let mut assembly = Assembly::None;
        for _ in 0..2 {
            assert_eq!(assembly.join(chunk("whole", true)), Some("whole".into()));
            assert_eq!(assembly.join(chunk("a", false)), None);
            assert_eq!(assembly.join(chunk("b", false)), None);
            assert_eq!(assembly.join(chunk("", true)), Some("ab".into()));
            assert_eq!(assembly.join(chunk(vec![1], false)), None);
            assert_eq!(assembly.join(chunk(vec![2], true)), Some(vec![1, 2].into()));
            assert_eq!(assembly, Assembly::None);
        }
    }

    #[test]
    fn gives_up_what_was_joined() {
        let mut assembly = Assembly::None;
        assert!(assembly.take().is_none());
        assembly.join(chunk("a", false));
        let taken = assembly.take().unwrap();
        assert_eq!((taken.message, taken.fin), ("a".into(), false));
        assert_eq!(assembly, Assembly::None);
        assembly = Assembly::Skipped;
        assert!(assembly.take().is_none());
        assert_eq!(assembly, Assembly::Skipped);
    }
}
