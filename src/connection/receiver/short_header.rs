//! A fast parser for the headers of most frames (RFC 6455, section 5.2).

use crate::wire::{FIN, LENGTH_16, MASK, Opcode};

/// The header of a frame whose length is below 2^16, as in most frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortHeader {
    pub(crate) first: u8,
    /// Bytes up to the payload.
    pub(crate) size: usize,
    pub(crate) length: usize,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a header has at most 8 bytes here, and a length 16 bits"
)]
impl ShortHeader {
    /// The first byte of a text message in one frame, without reserved bits.
    pub(crate) const TEXT: u8 = FIN | Opcode::Text.bits();
    /// The first byte of a binary message in one frame, without reserved bits.
    pub(crate) const BINARY: u8 = FIN | Opcode::Binary.bits();
    /// The first byte of a fragment that is not the last one, without reserved bits.
    pub(crate) const FRAGMENT: u8 = Opcode::Continuation.bits();

    /// Parses a header that must have a mask or must have none. `None` if that is not so, if more bytes are needed, if
    /// the length takes 8 bytes, or if it is not in its shortest form.
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
