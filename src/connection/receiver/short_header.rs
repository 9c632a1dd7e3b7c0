//! The header of most frames, read with few looks (RFC 6455 section 5.2).

use crate::wire::{FIN, LENGTH_16, MASK, Opcode};

/// The header of a frame whose length takes no 8 bytes, as that of most, with its first byte as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortHeader {
    pub(crate) first: u8,
    /// Bytes up to the payload.
    pub(crate) size: usize,
    /// Bytes of payload.
    pub(crate) length: usize,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a header of at most 8 bytes, and a length of 16 bits"
)]
impl ShortHeader {
    /// The first byte of a text message in one frame, without reserved bits.
    pub(crate) const TEXT: u8 = FIN | Opcode::Text.bits();
    /// The first byte of a binary message in one frame, without reserved bits.
    pub(crate) const BINARY: u8 = FIN | Opcode::Binary.bits();
    /// The first byte of a fragment after which more come, without reserved bits.
    pub(crate) const FRAGMENT: u8 = Opcode::Continuation.bits();

    /// Reads it off the first bytes, of a frame that is to be masked or is not to be. `None` if that is not so, if more
    /// bytes are needed, or if the length takes 8 bytes or is not in its shortest form.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], masked: bool) -> Option<Self> {
        let &[first, second] = bytes.first_chunk()?;
        let (mask, key) = if masked { (MASK, 4) } else { (0, 0) };
        let (extended, length) = match second ^ mask {
            length @ 0..LENGTH_16 => (0, usize::from(length)),
            LENGTH_16 => {
                let &[_, _, high, low] = bytes.first_chunk()?;
                let length = u16::from_be_bytes([high, low]);
                if length < u16::from(LENGTH_16) {
                    return None;
                }
                (2, usize::from(length))
            }
            _ => return None,
        };
        Some(Self {
            first,
            size: 2 + extended + key,
            length,
        })
    }

    /// The size of the frame in bytes.
    #[inline]
    pub(crate) const fn frame_size(self) -> usize {
        self.size + self.length
    }
}
