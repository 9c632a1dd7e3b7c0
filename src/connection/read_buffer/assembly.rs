//! The message that is being received, except for payload that stays where it was received.

use alloc::boxed::Box;

use crate::connection::read_buffer::assembled_text::AssembledText;
use crate::connection::read_buffer::region::{Growth, Region, Span};

/// Where the payload of a message is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it was received.
    Received,
    /// Where it is decompressed to.
    Decompressed,
}

/// The open message, except for payload that is held where it was received.
#[derive(Default)]
pub(crate) struct Assembly {
    /// How many bytes of the message have not come yet. 0 if that is not known.
    missing: u64,
    /// The text that came in several pieces.
    pub(crate) text: AssembledText,
    /// The payload that was decompressed and not delivered.
    pub(super) decompressed: Option<Box<Region>>,
}

impl Assembly {
    /// No message, and no memory.
    pub(super) const fn new() -> Self {
        Self {
            missing: 0,
            text: AssembledText::new(),
            decompressed: None,
        }
    }

    /// Forgets the message and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.missing = 0;
        self.text.close();
        if let Some(decompressed) = &mut self.decompressed {
            decompressed.clear();
        }
    }

    /// Frees the memory that the message does not need.
    pub(super) fn shrink(&mut self) {
        self.text.shrink();
        match &mut self.decompressed {
            Some(decompressed) if !decompressed.is_empty() => decompressed.shrink_to(0),
            decompressed => *decompressed = None,
        }
    }

    /// How many bytes of the message are here.
    pub(super) fn len(&self) -> usize {
        let text = if self.text.is_open() {
            self.text.text().len()
        } else {
            0
        };
        let decompressed = self.decompressed.as_ref().map_or(0, |it| it.len());
        text.saturating_add(decompressed)
    }

    /// Whether no part of the message is here.
    pub(super) fn is_empty(&self) -> bool {
        !self.text.is_open() && self.decompressed.as_ref().is_none_or(|it| it.is_empty())
    }

    /// The memory it owns, in bytes.
    pub(super) fn capacity(&self) -> usize {
        let decompressed = self.decompressed.as_ref().map_or(0, |it| it.capacity());
        self.text.capacity().saturating_add(decompressed)
    }

    /// How far the memory for received bytes should grow.
    pub(super) fn growth(&self) -> Growth {
        match usize::try_from(self.missing) {
            Ok(missing) if missing > 0 => Growth {
                missing,
                ..Growth::FREE
            },
            _ => Growth::FREE,
        }
    }

    /// Sets how many bytes the message still takes, or 0 if that is not known. After that many bytes it must be
    /// complete.
    pub(crate) const fn set_missing(&mut self, missing: u64) {
        self.missing = missing;
    }

    /// The space to decompress to.
    pub(super) fn decompressed_mut(&mut self) -> &mut Region {
        self.decompressed.get_or_insert_default()
    }

    /// The decompressed bytes at this place.
    pub(super) fn decompressed(&self, span: Span) -> &[u8] {
        self.decompressed.as_ref().map_or(&[], |it| it.slice(span))
    }

    #[cfg(test)]
    pub(super) const fn counters(&self) -> (u64, usize) {
        (self.missing, self.text.looked_at())
    }
}
