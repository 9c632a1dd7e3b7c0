//! The documented bound on the memory of a [`ReadBuffer`].

use sockless::{Delivery, ReadBuffer};

/// Checks that a buffer takes at most twice the largest content so far, plus the largest space that was asked for.
#[derive(Default)]
pub(crate) struct Watch {
    /// Bytes received since the buffer was last empty. The buffer holds no more than this.
    held: usize,
    most: usize,
    asked: usize,
    /// What decompressed messages may take in addition.
    inflated: usize,
    /// Whether the buffer joins the pieces of a text, which takes up to twice its length.
    joined: bool,
    /// The length of the largest compressed text.
    largest: usize,
}

impl Watch {
    /// For a buffer that receives messages.
    pub(crate) fn with_messages(delivery: Delivery) -> Self {
        Self {
            joined: delivery == Delivery::Messages,
            ..Self::default()
        }
    }

    /// For a buffer that receives compressed messages. The largest has `largest` bytes, and none has more than
    /// `limit`.
    pub(crate) fn with_inflated(delivery: Delivery, largest: usize, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let most = match delivery {
            Delivery::Messages => (2 * largest + (16 << 10)).max(80 << 10),
            _ => 80 << 10,
        };
        Self {
            inflated: most.min(limit.saturating_add(1)),
            largest: largest.min(limit),
            ..Self::with_messages(delivery)
        }
    }

    /// Puts bytes into the buffer and checks the bound.
    pub(crate) fn receive(&mut self, buffer: &mut ReadBuffer, bytes: &[u8]) {
        if buffer.is_empty() {
            self.held = 0;
        }
        self.held += bytes.len();
        self.most = self.most.max(self.held);
        self.asked = self.asked.max(bytes.len());
        buffer.extend_from_slice(bytes);
        self.check(buffer);
    }

    /// Checks the bound.
    pub(crate) fn check(&self, buffer: &ReadBuffer) {
        let joined = if self.joined {
            2 * self.most.max(self.largest)
        } else {
            0
        };
        let bound = 2 * self.most + self.asked + self.inflated + joined;
        let capacity = buffer.capacity();
        assert!(
            capacity <= bound,
            "the buffer takes {capacity} bytes, more than {bound}"
        );
    }
}
