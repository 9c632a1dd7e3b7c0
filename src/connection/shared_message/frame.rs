//! Frames that several connections send.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::connection::message_type::MessageType;
use crate::wire::{Bytes, FrameHeader};

/// A whole message in one unmasked frame, as a server sends it.
pub(crate) struct SharedFrame {
    bytes: Arc<[u8]>,
    header_size: u8,
    rsv: u8,
}

/// Shows how long it is, not its bytes.
impl fmt::Debug for SharedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Bytes(self.bytes.len()).fmt(f)
    }
}

impl SharedFrame {
    pub(super) fn new(kind: MessageType, rsv: u8, payload: &[u8]) -> Self {
        let header = FrameHeader {
            rsv,
            ..kind.header(payload.len())
        };
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let header = header.write(&mut buffer);
        let mut bytes = Vec::with_capacity(header.len().saturating_add(payload.len()));
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(payload);
        Self {
            bytes: bytes.into(),
            // A header without a key has at most 10 bytes.
            header_size: u8::try_from(header.len()).unwrap_or_default(),
            rsv,
        }
    }

    /// The header and the payload.
    pub(crate) const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(crate) const fn rsv(&self) -> u8 {
        self.rsv
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let start = usize::from(self.header_size);
        self.bytes.get(start..).unwrap_or_default()
    }
}
