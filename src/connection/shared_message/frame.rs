//! Frames that several connections send.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::connection::message_type::MessageType;
use crate::wire::{Bytes, FrameHeader};

/// A whole message in one frame as a server sends it, that is not masked.
pub(crate) struct SharedFrame {
    bytes: Arc<[u8]>,
    header_size: u8,
    rsv: u8,
}

/// Shows how long it is, not what it says.
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
            // At most 10.
            header_size: u8::try_from(header.len()).unwrap_or_default(),
            rsv,
        }
    }

    /// All of it.
    pub(crate) const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The reserved bits of its header.
    pub(crate) const fn rsv(&self) -> u8 {
        self.rsv
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let start = usize::from(self.header_size);
        self.bytes.get(start..).unwrap_or_default()
    }
}
