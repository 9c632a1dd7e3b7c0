//! The bytes read from a transport, and where the parts of them lie.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::wire::{ProtocolError, utf8};

mod joined;

/// The bytes read from the transport and not yet consumed, owned by the caller.
///
/// One buffer serves a connection from the first byte of the opening handshake on, so what follows the
/// handshake in the same read is never lost. Read into [`spare_mut`](Self::spare_mut), say how much came
/// with [`advance`](Self::advance), then take the events. Payload is unmasked and fragments are joined in
/// place, and events borrow from here.
///
/// While [`is_empty`](Self::is_empty) it holds nothing of the connection, and may go back to a pool: a
/// thousand idle connections can share one buffer. Otherwise it must be the same one at every call for
/// the connection; a different one garbles that connection's messages (and nothing else).
///
/// # Memory
///
/// It grows with the bytes received, never with the bytes announced. With `m` for the largest message
/// received ([`Config::max_message_size`](crate::Config::max_message_size) at most; 0 with
/// [`Delivery::Chunks`](crate::Delivery::Chunks)) and `r` for the bytes in it that no event has been taken
/// for yet, it takes at most `2 * (m + r)` bytes beyond the space asked for. It never shrinks by itself; see
/// [`shrink_to`](Self::shrink_to).
///
/// Text that comes in more than one read or frame is put together beside it, in twice the largest such message, and
/// not beyond the limit for messages, unless it is ASCII in one frame of up to 32 KiB. What compressed messages are
/// decompressed into comes on top: for text, and with [`Delivery::Chunks`](crate::Delivery::Chunks), about 80 KiB; for
/// binary data it grows with what comes out, to twice the largest message and 16 KiB, and not beyond the limit and one
/// byte.
///
/// # Example
///
/// ```
/// use std::io::Read;
/// use sockless::ReadBuffer;
///
/// let mut transport: &[u8] = b"some bytes";
/// let mut buffer = ReadBuffer::new();
/// let n = transport.read(buffer.spare_mut(4096))?;
/// buffer.advance(n);
/// assert_eq!(buffer.unread(), b"some bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct ReadBuffer {
    // 0    <=    held.start <= held.end <=    read    <=    filled   <=   bytes.len()
    // |  consumed  |    held      |    gap      |   unread    |    spare      |
    /// All of it is initialised, so that the spare part can be lent without unsafe code and is cleared
    /// once, when it is allocated, not at every read.
    bytes: Vec<u8>,
    /// The part of a message that has come so far.
    held: Span,
    read: usize,
    filled: usize,
    /// How many bytes of the message have not come yet, 0 if that is not known: no reason to grow, but to grow less.
    /// Where a message ends near the end of the memory, little of the next one has been read that has to be moved.
    missing: u64,
    /// How much of the unread part was searched for the end of a head, so that nothing is searched twice.
    searched: usize,
    /// How many lines end in what was searched.
    lines: usize,
    /// The text message that comes in more than one piece.
    joined: JoinedText,
    /// What compressed messages are decompressed into: the held part of the open one, and nothing more.
    inflated: Option<Box<ReadBuffer>>,
    /// Bytes moved so far: tests show that it is linear in the bytes received.
    #[cfg(test)]
    work: usize,
}

use joined::JoinedText;

/// A place in the buffer, good until the buffer is next changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a span ends at or behind its start"
)]
impl Span {
    pub(crate) const fn len(self) -> usize {
        self.end - self.start
    }
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "positions ascend, as drawn at the fields, and callers bound `n` by them; lengths of what is in memory do not overflow"
)]
impl ReadBuffer {
    /// An empty buffer that owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            held: Span { start: 0, end: 0 },
            read: 0,
            filled: 0,
            missing: 0,
            searched: 0,
            lines: 0,
            joined: JoinedText::new(),
            inflated: None,
            #[cfg(test)]
            work: 0,
        }
    }

    /// An empty buffer with room for `capacity` bytes.
    ///
    /// What large messages cost least in is one read and the `min` of [`spare_mut`](Self::spare_mut), say 16 KiB and
    /// 512 bytes: whatever a read brings beyond the end of a message has to be moved, and there is little room for it.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: alloc::vec![0; capacity],
            ..Self::new()
        }
    }

    /// The space to read into next: `min` bytes or more, all there is without growing further.
    ///
    /// Its contents are left over from earlier; only what the transport writes counts, once
    /// [`advance`](Self::advance) says how much that is. 4 to 16 KiB serve well; beyond it a read leaves
    /// the fastest cache. With 0 it may be empty, of which a read makes the end of the stream.
    #[inline]
    pub fn spare_mut(&mut self, min: usize) -> &mut [u8] {
        /// Moving an eighth of what is freed costs less than a shorter read, and the fastest cache sees less of
        /// the buffer.
        const WORTH_MOVING: usize = 8;
        self.rewind();
        let contents = self.held.len() + (self.filled - self.read);
        if contents <= (self.filled - contents) / WORTH_MOVING {
            self.compact();
        }
        if self.bytes.len() - self.filled < min {
            self.make_room(min, usize::MAX);
        }
        &mut self.bytes[self.filled..]
    }

    /// Takes in the first `n` bytes of [`spare_mut`](Self::spare_mut), which the transport has written.
    ///
    /// # Panics
    ///
    /// If `n` is more than the length of the spare space, which is a mistake of the caller.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        assert!(
            n <= self.bytes.len() - self.filled,
            "advanced by more than the spare space"
        );
        self.filled += n;
    }

    /// Takes in a copy of `data`, for bytes that come from elsewhere than a read into
    /// [`spare_mut`](Self::spare_mut).
    pub fn extend_from_slice(&mut self, data: &[u8]) {
        self.spare_mut(data.len())[..data.len()].copy_from_slice(data);
        self.filled += data.len();
    }

    /// Drops all contents and keeps the memory.
    pub fn clear(&mut self) {
        *self = Self {
            bytes: core::mem::take(&mut self.bytes),
            joined: core::mem::take(&mut self.joined),
            inflated: self.inflated.take(),
            ..Self::new()
        };
        self.joined.close();
        if let Some(inflated) = &mut self.inflated {
            inflated.clear();
        }
    }

    /// Gives memory back, down to `capacity` bytes or to the contents if they are more.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.compact();
        self.bytes.truncate(self.filled.max(capacity));
        self.bytes.shrink_to_fit();
        self.joined.shrink();
        match &mut self.inflated {
            Some(inflated) if !inflated.is_empty() => inflated.shrink_to(0),
            inflated => *inflated = None,
        }
    }

    /// The bytes received and not yet consumed: what no event has been taken for, or, after a refused
    /// handshake, the beginning of the body.
    #[must_use]
    #[inline]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.read..self.filled]
    }

    /// Whether nothing is left in it, neither unread bytes nor the beginning of a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        if self
            .inflated
            .as_ref()
            .is_some_and(|inflated| !inflated.is_empty())
        {
            return false;
        }
        self.read == self.filled && self.held.start == self.held.end && !self.joined.is_open()
    }

    /// The memory it owns, in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        let capacity = self.bytes.capacity() + self.joined.capacity();
        if let Some(inflated) = &self.inflated {
            return capacity + inflated.capacity();
        }
        capacity
    }

    /// Marks the first `n` unread bytes as consumed and says where they lie.
    pub(crate) fn consume(&mut self, n: usize) -> Span {
        let start = self.read;
        self.read = start.saturating_add(n).min(self.filled);
        self.searched = 0;
        self.lines = 0;
        Span {
            start,
            end: self.read,
        }
    }

    /// Consumes `n` unread bytes and lends them. How far they were searched is not forgotten until the next
    /// read, since it says nothing while frames are read.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> &mut [u8] {
        let start = self.read;
        self.read += n;
        &mut self.bytes[start..self.read]
    }

    /// The first `n` unread bytes, and the position to add `n` to once they are consumed, so that bytes can
    /// be parsed before that is decided.
    pub(crate) fn front(&mut self, n: usize) -> (&[u8], &mut usize) {
        (&self.bytes[self.read..self.read + n], &mut self.read)
    }

    /// Puts the next `n` unread bytes behind what is held, and says where they came to lie.
    ///
    /// Whichever part is shorter moves to the other, so a message costs time linear in its length
    /// however it is cut into fragments.
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

    /// Says how many bytes the message still takes, or 0. It must be whole after so many.
    pub(crate) const fn set_missing(&mut self, missing: u64) {
        // An empty buffer may serve another connection next, so it knows nothing of this one.
        self.missing = if self.held.start == self.held.end {
            0
        } else {
            missing
        };
    }

    /// What is held.
    pub(crate) const fn held(&self) -> Span {
        self.held
    }

    /// Lets go of the first `n` held bytes and says where they lie.
    pub(crate) fn release(&mut self, n: usize) -> Span {
        let start = self.held.start;
        self.held.start = start.saturating_add(n).min(self.held.end);
        Span {
            start,
            end: self.held.start,
        }
    }

    #[inline]
    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }

    #[inline]
    pub(crate) fn slice_mut(&mut self, span: Span) -> &mut [u8] {
        &mut self.bytes[span.start..span.end]
    }

    /// How many unread bytes were searched for the end of a head, and how many lines end in them.
    pub(crate) const fn searched(&self) -> (usize, usize) {
        (self.searched, self.lines)
    }

    pub(crate) const fn set_searched(&mut self, searched: usize, lines: usize) {
        self.searched = searched;
        self.lines = lines;
    }

    /// Makes what was consumed spare again where that moves no bytes.
    #[inline]
    const fn rewind(&mut self) {
        if self.read == self.filled {
            if self.held.start == self.held.end {
                self.held = Span { start: 0, end: 0 };
                self.missing = 0;
            }
            self.read = self.held.end;
            self.filled = self.held.end;
            self.searched = 0;
            self.lines = 0;
        }
    }
}

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

/// Where payload lies: as it came, or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Wire,
    Inflated,
}

impl ReadBuffer {
    /// Where messages are put together: here, or where they are decompressed into.
    pub(crate) fn store(&mut self, store: Store) -> &mut Self {
        match store {
            Store::Wire => self,
            Store::Inflated => self.inflated.get_or_insert_default(),
        }
    }

    /// The bytes in one of the stores.
    pub(crate) fn slice_in(&self, store: Store, span: Span) -> &[u8] {
        match store {
            Store::Wire => self.slice(span),
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
        if let Some(inflated) = &mut self.inflated {
            inflated.clear();
        }
    }

    /// The first `n` unread bytes, and at least one byte of space to decompress them into: about what they
    /// may need, `most` bytes at most.
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
    #[expect(
        clippy::indexing_slicing,
        reason = "positions ascend, as drawn at the fields of ReadBuffer, and the caller's range ends within the unread bytes"
    )]
    pub(crate) fn unread_mut(&mut self, range: core::ops::Range<usize>) -> &mut [u8] {
        &mut self.bytes[self.read..self.filled][range]
    }
}

/// Shows how much there is, not the bytes themselves.
impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("unread", &self.unread().len())
            .field("held", &self.held.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Fills the buffer as a transport would.
    fn read(buffer: &mut ReadBuffer, data: &[u8], min: usize) {
        buffer.spare_mut(min)[..data.len()].copy_from_slice(data);
        buffer.advance(data.len());
    }

    /// Reads that end anywhere in a frame, so that something unread is always left: what moves stays linear in
    /// what was received, and the memory a multiple of what is there.
    #[test]
    fn reads_that_end_inside_frames_cost_linear_time() {
        const HEADER: usize = 6;
        for (payload, min, messages) in [
            (1, 8, 1),
            (1, 15, 1),
            (10, 64, 1),
            (1, 8, 500),
            (100, 4096, 2000),
            (5000, 4096, 30),
            (3000, 700, 40),
        ] {
            let frames = 40_000 / messages.max(payload / 8 + 1);
            let mut buffer = ReadBuffer::new();
            let (mut received, mut most, mut ready) = (0, 0, 0);
            let mut bytes = messages * frames * (HEADER + payload);
            while bytes > 0 {
                let spare = buffer.spare_mut(min).len();
                // Never to the end of a frame.
                let mut n = spare.min(min).min(bytes);
                if (received + n) % (HEADER + payload) == 0 && n < bytes {
                    n -= 1;
                }
                buffer.advance(n);
                bytes -= n;
                received += n;
                most = most.max(buffer.unread().len() + buffer.held().len());
                while buffer.unread().len() >= HEADER + payload {
                    buffer.consume(HEADER);
                    buffer.hold(payload);
                    ready += 1;
                    if ready % frames == 0 {
                        buffer.release(usize::MAX);
                    }
                }
                let what = format!("{payload} {min} {messages} after {received}");
                assert!(buffer.work <= 4 * received, "{} moved, {what}", buffer.work);
                let bound = 2 * most + min;
                assert!(
                    buffer.bytes.len() <= bound,
                    "{} of {bound}, {what}",
                    buffer.bytes.len()
                );
            }
            assert_eq!((ready, buffer.is_empty()), (messages * frames, true));
        }
    }

    /// A full buffer of 10,000 bytes of which the first `held` are held, and the next `consumed` are not.
    fn full(held: usize, consumed: usize) -> ReadBuffer {
        let mut buffer = ReadBuffer::with_capacity(10_000);
        buffer.advance(10_000);
        buffer.hold(held);
        buffer.consume(consumed);
        buffer
    }

    /// Moving must free at least as much as it moves, or the next byte would cost as much again.
    #[test]
    fn moves_where_that_frees_enough_and_grows_where_it_does_not() {
        // As much is freed as is moved; more, but not all the space is needed; all of it is needed; what is held
        // stays where it is.
        for (held, consumed, min) in [
            (0, 5000, 4000),
            (0, 6000, 5000),
            (0, 6000, 6000),
            (5000, 4000, 3000),
        ] {
            let mut buffer = full(held, consumed);
            let left = held + buffer.unread().len();
            assert_eq!(
                buffer.spare_mut(min).len(),
                10_000 - left,
                "{held} {consumed} {min}"
            );
        }
        // Little by little.
        for held in [0, 5000] {
            let mut buffer = full(held, 0);
            let mut received = 10_000;
            for _ in 0..5000 {
                buffer.consume(6);
                assert!(buffer.spare_mut(6).len() >= 6);
                buffer.advance(6);
                received += 6;
            }
            assert!(
                buffer.work <= 4 * received,
                "{} for {received}",
                buffer.work
            );
            assert!(buffer.bytes.len() <= 2 * 10_000 + 6);
            // It does move, and what moves is counted.
            assert!(buffer.work >= 5000);
        }
        // All space is spare again when nothing is left, though what is behind would have been enough.
        let mut buffer = ReadBuffer::with_capacity(100);
        buffer.advance(60);
        buffer.consume(60);
        assert_eq!(buffer.spare_mut(1).len(), 100);
    }

    #[test]
    fn gives_back_what_messages_were_decompressed_into() {
        let mut buffer = ReadBuffer::new();
        buffer.store(Store::Inflated).extend_from_slice(b"begun");
        buffer.shrink_to(0);
        assert!(!buffer.is_empty() && buffer.capacity() >= 5);
        buffer.store(Store::Inflated).consume(5);
        buffer.shrink_to(0);
        assert!(buffer.is_empty() && buffer.inflated.is_none());
    }

    #[test]
    fn keeps_its_memory_until_it_is_told_to_give_it_back() {
        let mut buffer = ReadBuffer::with_capacity(100);
        assert_eq!(buffer.spare_mut(100).len(), 100);
        buffer.advance(60);
        buffer.clear();
        assert!(buffer.is_empty() && buffer.unread().is_empty());
        assert_eq!(buffer.spare_mut(0).len(), 100);
        buffer.advance(10);
        buffer.shrink_to(30);
        assert_eq!((buffer.unread().len(), buffer.spare_mut(0).len()), (10, 20));
        buffer.shrink_to(0);
        assert_eq!((buffer.unread().len(), buffer.spare_mut(0).len()), (10, 0));
    }

    /// A message in fragments of all sizes with headers and other frames between them: what is held is
    /// their payload in order, and the bytes moved stay within a small multiple of the bytes received.
    #[test]
    fn joins_fragments_in_linear_time() {
        for sizes in [
            &[0, 1][..],
            &[64],
            &[1, 5000],
            &[3, 1, 100_000, 7, 0, 9],
            &[40_000, 39_999],
        ] {
            for reads in [1, 13, 4096, 70_000] {
                let mut stream = Vec::new();
                let mut expected = Vec::new();
                for (i, size) in sizes.iter().cycle().take(40).enumerate() {
                    let payload: Vec<_> = (0..*size).map(|j| (i * 31 + j) as u8).collect();
                    stream.push((*size, payload.clone()));
                    expected.extend(payload);
                }
                let mut buffer = ReadBuffer::new();
                let mut received = 0;
                for (size, payload) in &stream {
                    // Six bytes of header, then the payload, in reads that end with the fragment.
                    let bytes: Vec<_> = [0; 6].into_iter().chain(payload.iter().copied()).collect();
                    let mut header = 6;
                    for piece in bytes.chunks(reads) {
                        read(&mut buffer, piece, reads);
                        received += piece.len();
                        header -= buffer.consume(header).len();
                        if header == 0 {
                            let n = buffer.unread().len();
                            let span = buffer.hold(n);
                            assert_eq!(span.end, buffer.held().end);
                        }
                    }
                    assert!(*size > 0 || buffer.unread().is_empty());
                }
                assert_eq!(buffer.slice(buffer.held()), expected);
                assert!(
                    buffer.work <= 4 * received,
                    "{} moved for {received}, {sizes:?}, reads of {reads}",
                    buffer.work
                );
                assert!(buffer.bytes.len() <= 2 * (expected.len() + 6 + reads) + reads);
            }
        }
    }

    /// A consumer that takes a little and reads a little while much waits: the rest is not moved each time.
    #[test]
    fn a_backlog_is_moved_in_linear_time() {
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, &[0; 100_000], 100_000);
        let mut received = 100_000;
        for _ in 0..100_000 {
            read(&mut buffer, &[1; 10], 10);
            received += 10;
            assert_eq!(buffer.consume(10).len(), 10);
        }
        assert_eq!(buffer.unread().len(), 100_000);
        assert!(
            buffer.work <= 4 * received,
            "{} moved for {received}",
            buffer.work
        );
        assert!(buffer.bytes.len() <= 2 * 100_010 + 10);
    }

    /// An empty buffer may serve another connection next, so it knows nothing of the one before, in any field: here
    /// after every byte of streams that end in every stage, in both delivery modes and roles.
    #[test]
    fn an_empty_buffer_knows_nothing_of_the_connection_before() {
        use crate::{Config, Connection, Delivery, Seed};

        let streams: [&[u8]; 8] = [
            b"\x81\x05Hello",
            b"\x82\x7e\x01\x00some of a longer message",
            b"\x01\x03Hel\x89\x01!\x80\x02lo",
            b"\x01\x03H\xc3\xa9\x80\x02lo",
            b"\x81\x05H\xc3\xa9l\xff",
            b"\x82\x05Hel\x83",
            b"\x01\x05Hello\x83",
            b"\x88\x02\x03\xe8\x81\x05Hello",
        ];
        for stream in streams {
            for delivery in [Delivery::Messages, Delivery::Chunks] {
                let config = Config {
                    delivery,
                    ..Config::default()
                };
                let mut connection = Connection::client(config, Seed::new([7; 32]));
                let mut buffer = ReadBuffer::new();
                for (i, byte) in stream.iter().enumerate() {
                    read(&mut buffer, &[*byte], 1);
                    while let Ok(Some(_)) = connection.next_event(&mut buffer) {}
                    if buffer.is_empty() {
                        let fields = (
                            buffer.missing,
                            buffer.searched,
                            buffer.lines,
                            buffer.joined.looked_at(),
                        );
                        assert_eq!(fields, (0, 0, 0, 0), "{stream:?} at {i}, {delivery:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_empty_buffer_starts_over_and_keeps_its_memory() {
        let mut buffer = ReadBuffer::with_capacity(64);
        for _ in 0..100 {
            read(&mut buffer, &[7; 40], 40);
            assert!(!buffer.is_empty());
            buffer.consume(20);
            buffer.hold(20);
            assert!(!buffer.is_empty());
            assert_eq!(buffer.release(usize::MAX).len(), 20);
            assert!(buffer.is_empty());
        }
        assert_eq!((buffer.capacity(), buffer.work), (64, 0));
        buffer.extend_from_slice(b"rest");
        buffer.shrink_to(0);
        assert_eq!((buffer.unread(), buffer.capacity()), (&b"rest"[..], 4));
        buffer.clear();
        assert!(buffer.is_empty());
    }
}
