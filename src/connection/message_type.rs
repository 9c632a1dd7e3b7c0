//! The two types of message.

use crate::wire::{FrameHeader, Opcode};

/// The type of the data in a message (RFC 6455, section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageType {
    Text,
    Binary,
}

impl MessageType {
    /// The type of the message that a frame with this opcode begins.
    pub(crate) const fn from_opcode(opcode: Opcode) -> Option<Self> {
        match opcode {
            Opcode::Text => Some(Self::Text),
            Opcode::Binary => Some(Self::Binary),
            _ => None,
        }
    }

    /// The opcode of the first frame.
    pub(crate) const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }

    /// The header of a whole message of this type in one unmasked frame.
    #[inline]
    pub(crate) const fn header(self, length: usize) -> FrameHeader {
        FrameHeader {
            fin: true,
            rsv: 0,
            opcode: self.opcode(),
            masking_key: None,
            payload_length: length as u64,
        }
    }
}
