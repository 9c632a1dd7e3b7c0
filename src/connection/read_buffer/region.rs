//! Bytes in one piece of memory: held bytes, unread bytes, and the spare space after them.

use alloc::vec::Vec;

/// A place in a region. It is valid until the region changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a span never ends before its start"
)]
impl Span {
    pub(crate) const fn len(self) -> usize {
        self.end - self.start
    }
}

/// The shortest message whose memory is taken, in bytes. Below it, `benches/run take` showed no gain over a copy.
const MIN_TAKEN: usize = 64 << 10;

/// Whether memory of `capacity` bytes is taken with a message of this length. Otherwise the caller copies the message.
pub(super) const fn is_worth_taking(length: usize, capacity: usize) -> bool {
    length >= MIN_TAKEN && length >= capacity / 2
}

/// How far a region may grow when it needs more space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// The largest size, unless the next read needs more.
    pub(super) most: usize,
    /// How many bytes are still to come. The region need not grow further than that.
    pub(super) missing: usize,
}

impl Growth {
    pub(super) const FREE: Self = Self {
        most: usize::MAX,
        missing: usize::MAX,
    };
}

/// A queue of bytes. Bytes at its front can be held: they are consumed, but stay until they are released.
#[derive(Default)]
pub(crate) struct Region {
    // 0    <=    held.start <= held.end <=    read    <=    filled   <=   bytes.len()
    // |  consumed  |    held      |    gap      |   unread    |    spare      |
    /// All of it is initialised. So the spare part can be lent without unsafe code. It is cleared once, when it is
    /// allocated, and not for every read.
    bytes: Vec<u8>,
    held: Span,
    read: usize,
    filled: usize,
    /// The length of the last message whose memory was taken. The next one may be as long.
    expected: usize,
    /// How many bytes were moved so far. Tests show that this is linear in the bytes received.
    #[cfg(test)]
    pub(super) work: usize,
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "positions ascend as drawn above, callers bound `n` by them, and lengths in memory do not overflow"
)]
impl Region {
    /// An empty region, in which all these bytes are spare.
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            held: Span { start: 0, end: 0 },
            read: 0,
            filled: 0,
            expected: 0,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Drops all content and keeps the memory.
    pub(super) fn clear(&mut self) {
        *self = Self::new(core::mem::take(&mut self.bytes));
    }

    /// Frees memory, down to `capacity` bytes, or down to the content if that is larger.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.compact();
        self.expected = 0;
        self.bytes.truncate(self.filled.max(capacity));
        self.bytes.shrink_to_fit();
    }

    /// Makes consumed bytes spare again, if that moves no bytes. Returns whether the region is empty.
    #[inline]
    pub(super) const fn rewind(&mut self) -> bool {
        if self.read != self.filled {
            return false;
        }
        let is_empty = self.held.start == self.held.end;
        if is_empty {
            self.held = Span { start: 0, end: 0 };
        }
        self.read = self.held.end;
        self.filled = self.held.end;
        is_empty
    }

    /// Moves the content to the front if it is small.
    #[inline]
    pub(super) fn compact_if_cheap(&mut self) {
        /// Moving an eighth of the freed space costs less than a shorter read. The content then stays in fewer cache
        /// lines.
        const WORTH_MOVING: usize = 8;
        let contents = self.held.len() + (self.filled - self.read);
        let freed = self.filled - contents;
        if freed > 0 && contents <= freed / WORTH_MOVING {
            self.compact();
        }
    }

    /// The spare bytes, at least `min` of them.
    #[inline]
    pub(super) fn spare_mut(&mut self, min: usize, growth: impl FnOnce() -> Growth) -> &mut [u8] {
        if self.bytes.len() - self.filled < min {
            self.make_space(min, growth());
        }
        &mut self.bytes[self.filled..]
    }

    /// Makes at least `min` bytes spare.
    ///
    /// A move to the front must free at least as many bytes as it moves. Growth adds at least half of what it moves, or
    /// all that is missing. So each byte received pays for a constant number of bytes moved. Growth by half keeps more
    /// of the used memory in the fastest cache than growth to twice the size.
    fn make_space(&mut self, min: usize, growth: Growth) {
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
            // More than `isize::MAX` bytes panic, as in every vector.
            let mut grown = contents.saturating_add(growth.missing.min(contents / 2));
            if contents >= self.expected / 8 {
                // A message like the last one has begun. So its memory is made in one step.
                grown = grown.max(self.expected);
            }
            let size = grown.saturating_add(min);
            let size = size.min(growth.most).max(contents.saturating_add(min));
            let size = size.max(self.bytes.len());
            self.bytes.reserve_exact(size - self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }

    /// Moves the content to the front, without gaps.
    fn compact(&mut self) {
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

    fn move_bytes(&mut self, from: Span, to: usize) {
        if from.start != to {
            #[cfg(test)]
            {
                self.work += from.len();
            }
            self.bytes.copy_within(from.start..from.end, to);
        }
    }

    /// Makes the first `n` spare bytes unread. The caller has written them.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        assert!(
            n <= self.bytes.len() - self.filled,
            "advanced by more than the spare space"
        );
        self.filled += n;
    }

    /// Consumes the first `n` unread bytes and returns their place.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) -> Span {
        let start = self.read;
        self.read = start.saturating_add(n).min(self.filled);
        Span {
            start,
            end: self.read,
        }
    }

    /// Consumes the first `n` unread bytes and lends them.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> &mut [u8] {
        let start = self.read;
        self.read += n;
        &mut self.bytes[start..self.read]
    }

    /// All unread bytes, and the read position. So the caller can parse bytes first, and then add the number that it
    /// consumes.
    pub(crate) fn front(&mut self) -> (&[u8], &mut usize) {
        (&self.bytes[self.read..self.filled], &mut self.read)
    }

    /// Holds the next `n` unread bytes after those that are held already, and returns their new place.
    ///
    /// The shorter part moves to the longer one. So the time for a message is linear in its length, for any fragments.
    pub(crate) fn hold(&mut self, n: usize) -> Span {
        let taken = self.consume(n);
        let length = self.held.len();
        if length <= taken.len() {
            if self.held.end != taken.start {
                self.move_bytes(self.held, taken.start - length);
            }
            self.held = Span {
                start: taken.start - length,
                end: taken.end,
            };
            return taken;
        }
        if self.held.end != taken.start {
            self.move_bytes(taken, self.held.end);
        }
        let joined = Span {
            start: self.held.end,
            end: self.held.end + taken.len(),
        };
        self.held.end = joined.end;
        joined
    }

    /// Releases the first `n` held bytes and returns their place.
    pub(crate) fn release(&mut self, n: usize) -> Span {
        let start = self.held.start;
        self.held.start = start.saturating_add(n).min(self.held.end);
        Span {
            start,
            end: self.held.start,
        }
    }

    /// Takes the memory with a released message of `length` bytes. Unread bytes move to fresh memory.
    pub(super) fn take_memory(&mut self, length: usize) -> Vec<u8> {
        let unread = self.unread().to_vec();
        let filled = unread.len();
        #[cfg(test)]
        let work = self.work + filled;
        let fresh = Self {
            filled,
            expected: length,
            #[cfg(test)]
            work,
            ..Self::new(unread)
        };
        core::mem::replace(self, fresh).bytes
    }

    pub(crate) fn held(&self) -> &[u8] {
        self.slice(self.held)
    }

    pub(super) const fn holds_nothing(&self) -> bool {
        self.held.start == self.held.end
    }

    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.read..self.filled]
    }

    /// The unread bytes, to be unmasked in place.
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.read..self.filled]
    }

    /// How many bytes are held or unread.
    pub(super) const fn len(&self) -> usize {
        self.held.len() + (self.filled - self.read)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.read == self.filled && self.holds_nothing()
    }

    #[inline]
    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }

    #[inline]
    pub(crate) fn slice_mut(&mut self, span: Span) -> &mut [u8] {
        &mut self.bytes[span.start..span.end]
    }

    /// The memory it owns, in bytes.
    pub(super) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
