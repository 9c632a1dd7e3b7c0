//! The documented bound on the memory of a `ReadBuffer`.

use sockless::ReadBuffer;

/// Sees to it that a buffer takes no more than twice what it held at most, beyond the space asked for.
#[derive(Default)]
pub(crate) struct Watch {
    /// Bytes received since the buffer was last empty: at least what it holds now.
    held: usize,
    most: usize,
    asked: usize,
    /// What decompressed messages may take on top.
    inflated: usize,
}

impl Watch {
    /// The same for a buffer that compressed messages of up to `limit` bytes come into.
    pub(crate) fn with_inflated(limit: usize) -> Self {
        // Twice the largest and 16 KiB, and not beyond the limit and one byte; 80 KiB in chunks.
        Self {
            inflated: (2 * limit + (16 << 10)).max(80 << 10),
            ..Self::default()
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
        let bound = 2 * self.most + self.asked + self.inflated;
        let capacity = buffer.capacity();
        assert!(capacity <= bound, "{capacity} bytes taken, {bound} allowed");
    }
}
