//! What the frames of a stream hold.

use sockless::{FrameHeader, Opcode};

/// How much payload of messages has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Payload {
    Nothing,
    /// The rules do not say. A frame without payload came, or the connection failed before it took all bytes.
    Unclear,
    Some,
}

/// Counts up to a Close frame. They ignore messages and violations of the rules.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    /// Bytes of payload in data frames.
    payload: u64,
    /// Data frames without payload.
    empty: usize,
    /// Final frames of messages, and Pings. All are whole.
    pub(super) completed: usize,
}

impl Counts {
    pub(super) fn of(stream: &[u8]) -> Self {
        let mut counts = Self::default();
        let mut rest = stream;
        while let Ok(Some((frame, size))) = FrameHeader::parse(rest) {
            rest = &rest[size..];
            let length = usize::try_from(frame.payload_length).unwrap_or(usize::MAX);
            let n = length.min(rest.len());
            if !frame.opcode.is_control() {
                counts.payload += n as u64;
                counts.empty += usize::from(length == 0);
            }
            if n < length || frame.opcode == Opcode::Close {
                break;
            }
            counts.completed += usize::from(frame.fin && frame.opcode != Opcode::Pong);
            rest = &rest[n..];
        }
        counts
    }

    /// What has come since the earlier counts.
    pub(super) const fn since(self, earlier: Self) -> Payload {
        if self.payload > earlier.payload {
            Payload::Some
        } else if self.empty > earlier.empty {
            Payload::Unclear
        } else {
            Payload::Nothing
        }
    }
}
