//! Where room for the next read comes from: what lies in front of the contents, or new memory.

use crate::read_buffer::{ReadBuffer, Span};

#[expect(
    clippy::arithmetic_side_effects,
    reason = "positions ascend, as drawn at the fields of ReadBuffer; lengths of what is in memory do not overflow"
)]
impl ReadBuffer {
    /// Makes at least `min` bytes spare, and grows beyond `most` bytes only if there is no other way.
    ///
    /// Moving the contents to the front must free at least as much as it moves, growing adds at least half of
    /// what it moves or all that the message needs; so each byte received pays for a constant number of bytes moved.
    /// Growing by half and not to twice the size keeps more of what is in use in the fastest cache.
    pub(super) fn make_room(&mut self, min: usize, most: usize) {
        let gap = self.read - self.held.end;
        let unread = self.filled - self.read;
        let contents = self.held.len() + unread;
        let freed = self.held.start + gap;
        let moved = if self.held.start == 0 {
            unread
        } else {
            contents
        };
        self.compact();
        if contents.saturating_add(min) > self.bytes.len() || freed < moved {
            // Beyond what can be addressed it panics, as every vector does.
            let missing = match usize::try_from(self.missing) {
                Ok(missing) if missing > 0 => missing,
                _ => usize::MAX,
            };
            let size = contents
                .saturating_add(missing.min(contents / 2))
                .saturating_add(min);
            let size = size.min(most).max(contents.saturating_add(min));
            let size = size.max(self.bytes.len());
            self.bytes.reserve_exact(size - self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }

    pub(super) fn move_bytes(&mut self, from: Span, to: usize) {
        if from.start != to {
            #[cfg(test)]
            {
                self.work += from.len();
            }
            self.bytes.copy_within(from.start..from.end, to);
        }
    }

    /// Moves the contents to the front, without gaps.
    pub(super) fn compact(&mut self) {
        let length = self.held.len();
        let unread = Span {
            start: self.read,
            end: self.filled,
        };
        self.move_bytes(self.held, 0);
        self.move_bytes(unread, length);
        self.filled = length + (self.filled - self.read);
        self.read = length;
        self.held = Span {
            start: 0,
            end: length,
        };
    }
}
