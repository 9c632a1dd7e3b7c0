//! The two places where messages are put together: where they came, and where they are decompressed.

use crate::error::ProtocolError;
use crate::read_buffer::{ReadBuffer, Span};
use crate::utf8;

/// Where payload lies: as it came, or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Wire,
    #[cfg(feature = "deflate")]
    Inflated,
}

impl ReadBuffer {
    /// Where messages are put together: here, or where they are decompressed into.
    pub(crate) fn store(&mut self, store: Store) -> &mut Self {
        match store {
            Store::Wire => self,
            #[cfg(feature = "deflate")]
            Store::Inflated => self.inflated.get_or_insert_default(),
        }
    }

    /// The bytes in one of the stores.
    pub(crate) fn slice_in(&self, store: Store, span: Span) -> &[u8] {
        match store {
            Store::Wire => self.slice(span),
            #[cfg(feature = "deflate")]
            Store::Inflated => self
                .inflated
                .as_ref()
                .map_or(&[], |inflated| inflated.slice(span)),
        }
    }

    /// Puts text to the message that comes in pieces.
    pub(crate) fn join_text(
        &mut self,
        store: Store,
        span: Span,
        limit: usize,
    ) -> Result<(), ProtocolError> {
        let bytes = match store {
            Store::Wire => &self.bytes,
            #[cfg(feature = "deflate")]
            Store::Inflated => &self.inflated.get_or_insert_default().bytes,
        };
        let piece = bytes.get(span.start..span.end).unwrap_or_default();
        self.joined.add(utf8::text(piece)?, limit);
        Ok(())
    }

    /// Whether what is held of a text message can stay there until the next piece comes, since no cut can spoil it.
    pub(crate) fn leaves_text(&mut self) -> bool {
        let held = self.bytes.get(self.held.start..self.held.end);
        self.joined.leaves(held.unwrap_or_default())
    }

    /// The message that came in pieces, once it is whole.
    pub(crate) fn joined_text(&self) -> &str {
        self.joined.text()
    }

    /// Whether a message that comes in pieces has begun.
    pub(crate) const fn is_joining(&self) -> bool {
        self.joined.is_open()
    }

    /// Says that the message that came in pieces is whole, or given up.
    pub(crate) const fn close_joined(&mut self) {
        self.joined.close();
    }

    /// Lets go of all that is held, decompressed or not.
    pub(crate) fn release_all(&mut self) {
        self.release(usize::MAX);
        self.missing = 0;
        self.joined.close();
        #[cfg(feature = "deflate")]
        if let Some(inflated) = &mut self.inflated {
            inflated.clear();
        }
    }

    /// The first `n` unread bytes, and at least one byte of space to decompress them into: about what they
    /// may need, `most` bytes at most.
    #[cfg(feature = "deflate")]
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "positions ascend, as drawn at the fields of ReadBuffer, and `n` bytes are unread"
    )]
    pub(crate) fn inflate_from(
        &mut self,
        n: usize,
        most: usize,
        limit: usize,
    ) -> (&[u8], &mut [u8]) {
        /// Below it a call costs more than it brings, beyond it a call leaves the fastest cache.
        const STEP: (usize, usize) = (256, 16 << 10);
        let inflated = self.inflated.get_or_insert_default();
        let min = n.saturating_mul(4).clamp(STEP.0, STEP.1).min(most).max(1);
        inflated.rewind();
        if inflated.bytes.len() - inflated.filled < min {
            // The message may grow to the limit and one byte beyond, which shows that it is too large.
            inflated.make_room(min, limit.saturating_add(1));
        }
        let end = inflated
            .bytes
            .len()
            .min(inflated.filled.saturating_add(most));
        (
            &self.bytes[self.read..self.read + n],
            &mut inflated.bytes[inflated.filled..end],
        )
    }

    /// A part of the unread bytes.
    #[cfg(feature = "deflate")]
    #[expect(
        clippy::indexing_slicing,
        reason = "positions ascend, as drawn at the fields of ReadBuffer, and the caller's range ends within the unread bytes"
    )]
    pub(crate) fn unread_mut(&mut self, range: core::ops::Range<usize>) -> &mut [u8] {
        &mut self.bytes[self.read..self.filled][range]
    }
}
