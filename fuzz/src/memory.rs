//! The documented bound on the memory of a `ReadBuffer`.

use sockless::{Delivery, ReadBuffer};

/// Sees to it that a buffer takes no more than twice what it held at most, beyond the space asked for.
#[derive(Default)]
pub(crate) struct Watch {
    /// Bytes received since the buffer was last empty: at least what it holds now.
    held: usize,
    most: usize,
    asked: usize,
    /// What decompressed messages may take on top.
    inflated: usize,
    /// Whether text in pieces is put together, in twice its length.
    joined: bool,
    /// The largest text that came compressed.
    largest: usize,
}

impl Watch {
    /// The same for a buffer that messages come into.
    pub(crate) fn with_messages(delivery: Delivery) -> Self {
        Self {
            joined: delivery == Delivery::Messages,
            ..Self::default()
        }
    }

    /// The same for a buffer that compressed messages come into, the largest of `largest` bytes and none over
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

    /// Puts bytes into the buffer.
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

    /// The bound holds now.
    pub(crate) fn check(&self, buffer: &ReadBuffer) {
        let joined = if self.joined {
            2 * self.most.max(self.largest)
        } else {
            0
        };
        let bound = 2 * self.most + self.asked + self.inflated + joined;
        let capacity = buffer.capacity();
        assert!(capacity <= bound, "{capacity} bytes taken, {bound} allowed");
    }
}
