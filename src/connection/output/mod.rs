//! Bytes that wait to be written to the transport.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use crate::wire::{Bytes, FrameHeader, MASK};
use masked_copy::{copy_masked, copy_short};
use shared::{Frames, Shared};

mod masked_copy;
#[cfg(target_has_atomic = "ptr")]
mod shared;
#[cfg(not(target_has_atomic = "ptr"))]
#[path = "unshared.rs"]
mod shared;

/// A queue of bytes. It is contiguous, except for shared frames, so one write takes all of it.
///
/// Bytes at its front can be taken: the caller has them, but has not reported yet that they were written.
#[derive(Default)]
pub(crate) struct Output {
    /// The queue is between `start` and `end`. The bytes after `end` are initialised, so a short frame is copied there
    /// as into an array.
    bytes: Vec<u8>,
    /// Where the unwritten bytes begin. Taken bytes count as if they were before the memory. So this is then below 0,
    /// modulo 2^`usize::BITS`, and the length and the progress need no other arithmetic.
    start: usize,
    end: usize,
    /// The shared frames between the own bytes. Boxed, because few connections have any.
    shared: Option<Box<Shared>>,
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`start <= end <= bytes.len()`; `begin` makes room for each header; lengths in memory do not overflow"
)]
impl Output {
    /// A queue that begins with these bytes.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: bytes.len(),
            bytes,
            shared: None,
        }
    }

    /// The first piece to write, without taken bytes. Without shared frames, this is all of it.
    #[inline]
    pub(crate) fn unsent(&self) -> &[u8] {
        match &self.shared {
            None => self.own(),
            Some(_) => self.first_part(),
        }
    }

    /// All pieces to write, without taken bytes, and then `last`. No piece is empty.
    #[inline]
    pub(crate) fn parts<'a>(&'a self, last: &'a [u8]) -> Parts<'a> {
        Parts {
            frames: self.shared.as_deref().map(Shared::frames),
            own: self.own(),
            frame: &[],
            last,
        }
    }

    /// How many bytes were not reported as written, with the taken ones.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let own = self.end.wrapping_sub(self.start);
        match &self.shared {
            None => own,
            Some(shared) => own + shared.len(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the first `n` bytes, which have been written. Taken bytes come first. If `n` is more than all bytes, this
    /// changes nothing and returns false.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) -> bool {
        let own = if self.shared.is_none() {
            n
        } else {
            self.advance_shared(n)
        };
        let mine = self.end.wrapping_sub(self.start);
        if own != mine {
            if own > mine {
                return false;
            }
            self.start = self.start.wrapping_add(own);
            return true;
        }
        self.start = 0;
        self.end = 0;
        true
    }

    /// Adds bytes that are a frame, or the rest of one.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.append(bytes.len(), |output| output.extend_from_slice(bytes));
    }

    /// Adds a frame with this first byte and at most 125 bytes of payload.
    #[expect(
        clippy::inline_always,
        reason = "inlined into `Sender::frame`, which does little else"
    )]
    #[inline(always)]
    pub(crate) fn push_short(&mut self, first: u8, payload: &[u8]) {
        let header = short_header(first, payload.len());
        let size = 2 + payload.len();
        let Some(place) = self.place(size) else {
            return self.push_short_in_new_room(first, payload);
        };
        place[..2].copy_from_slice(&header);
        place[2..].copy_from_slice(payload);
        self.end += size;
    }

    /// The same, if the frame does not fit. A separate function, so the usual path saves fewer registers on the stack.
    #[cold]
    #[inline(never)]
    fn push_short_in_new_room(&mut self, first: u8, payload: &[u8]) {
        self.make_place(2 + payload.len());
        self.push_short(first, payload);
    }

    /// Adds a masked frame with this first byte and at most 125 bytes of payload, which it masks during the copy.
    #[expect(
        clippy::inline_always,
        reason = "inlined into `Sender::masked`, which does little else"
    )]
    #[inline(always)]
    pub(crate) fn push_short_masked(&mut self, first: u8, key: [u8; 4], payload: &[u8]) {
        let header = short_masked_header(first, payload.len(), key);
        let size = 6 + payload.len();
        let Some(place) = self.place(size + 2) else {
            return self.push_short_masked_in_new_room(first, key, payload);
        };
        place[..8].copy_from_slice(&header);
        copy_short(&mut place[6..size], payload, key);
        self.end += size;
    }

    /// The same, if the frame does not fit.
    #[cold]
    #[inline(never)]
    fn push_short_masked_in_new_room(&mut self, first: u8, key: [u8; 4], payload: &[u8]) {
        self.make_place(8 + payload.len());
        self.push_short_masked(first, key, payload);
    }

    /// Adds a frame. The payload is copied once, and masked during the copy.
    #[inline]
    pub(crate) fn push(&mut self, header: &FrameHeader, payload: &[u8]) {
        let start = header.to_bytes();
        if let Some(key) = header.masking_key {
            return self.push_masked(start, payload, key);
        }
        self.append(start.0.len() + payload.len(), |output| {
            append_start(output, start);
            output.extend_from_slice(payload);
        });
    }

    /// Adds the header of `length` bytes, and a payload that is masked during the copy.
    fn push_masked(&mut self, (header, length): ([u8; 16], usize), payload: &[u8], key: [u8; 4]) {
        let size = length + payload.len();
        if self.place(size).is_none() {
            self.make_place(size);
        }
        let place = &mut self.bytes[self.end..self.end + size];
        place[..length].copy_from_slice(&header[..length]);
        copy_masked(&mut place[length..], payload, key);
        self.end += size;
    }

    /// Adds the header of a frame. The payload is added later, or written from elsewhere.
    #[inline]
    pub(crate) fn push_header(&mut self, header: &FrameHeader) {
        let start = header.to_bytes();
        self.append(start.0.len(), |output| append_start(output, start));
    }

    /// Makes room for a header, and for the payload that is written after it. Returns where the frame begins.
    pub(crate) fn begin(&mut self) -> usize {
        // This comes first, because the size of the payload is not known yet.
        self.reclaim();
        self.bytes.truncate(self.end);
        self.bytes.resize(self.end + FrameHeader::MAX_SIZE, 0);
        self.end
    }

    /// Where the payload is to be written.
    pub(crate) const fn payload_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The length of the payload written since [`begin`](Self::begin).
    pub(crate) const fn payload_len(&self, start: usize) -> usize {
        self.bytes.len() - start - FrameHeader::MAX_SIZE
    }

    /// Puts the header in front of the payload and returns the payload, to be masked.
    pub(crate) fn end(&mut self, start: usize, header: &[u8]) -> &mut [u8] {
        let payload = start + FrameHeader::MAX_SIZE;
        let place = start + header.len();
        self.bytes[start..place].copy_from_slice(header);
        self.bytes.copy_within(payload.., place);
        self.end = self.bytes.len() - (payload - place);
        &mut self.bytes[place..self.end]
    }

    /// Moves the bytes that were not taken to `other`, and goes on with the memory of `other`. Shared frames are
    /// copied. The moved bytes are then taken.
    pub(crate) fn take(&mut self, other: &mut Vec<u8>) {
        other.clear();
        let length = self.len();
        if self.shared.as_ref().is_some_and(|shared| shared.len() > 0) {
            let mut bytes = Vec::with_capacity(length - self.taken());
            for part in self.parts(&[]) {
                bytes.extend_from_slice(part);
            }
            self.bytes = mem::replace(other, bytes);
        } else {
            self.drop_written();
            self.bytes.truncate(self.end);
            mem::swap(&mut self.bytes, other);
        }
        self.start = 0_usize.wrapping_sub(length);
        self.end = 0;
        self.shared = None;
    }

    /// How many bytes are taken.
    fn taken(&self) -> usize {
        if self.has_taken() {
            self.start.wrapping_neg()
        } else {
            0
        }
    }

    /// Whether bytes are taken.
    pub(crate) const fn has_taken(&self) -> bool {
        self.start > self.end
    }

    /// The bytes that belong to this connection alone, and that were not taken.
    #[inline]
    fn own(&self) -> &[u8] {
        match self.bytes.get(self.start..self.end) {
            Some(own) => own,
            None => self.own_after_taken(),
        }
    }

    /// The same while bytes are taken. The memory then has no written bytes at its front.
    #[cold]
    fn own_after_taken(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// Drops the shared frames among the first `n` bytes. Returns how many of the `n` bytes are the connection's own,
    /// or taken.
    #[cold]
    fn advance_shared(&mut self, n: usize) -> usize {
        let own = self.own().len();
        let taken = self.taken().min(n);
        match &mut self.shared {
            Some(shared) => taken + shared.advance(n - taken, own),
            None => n,
        }
    }

    #[cold]
    fn first_part(&self) -> &[u8] {
        self.parts(&[]).next().unwrap_or_default()
    }

    /// Adds the bytes that `write` appends. There is room for `size` bytes, and they need not be initialised first.
    #[inline]
    fn append(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.bytes.capacity() - self.end < size {
            self.make_room(size);
        }
        self.bytes.truncate(self.end);
        write(&mut self.bytes);
        self.end = self.bytes.len();
    }

    /// Makes room for `size` bytes.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, size: usize) {
        self.reclaim();
        self.bytes.truncate(self.end);
        self.bytes.reserve(size);
    }

    /// The next `size` bytes, if they are initialised.
    #[inline]
    fn place(&mut self, size: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.end..)?.get_mut(..size)
    }

    /// Initialises a place of `size` bytes. It also initialises at most `end` bytes more within the capacity, for later
    /// frames.
    fn make_place(&mut self, size: usize) {
        if self.bytes.capacity() - self.end < size {
            self.make_room(size);
        }
        let length = (2 * self.end + size).min(self.bytes.capacity());
        self.bytes.resize(length, 0);
    }

    /// Removes the written bytes if they are at least half of all. So each byte written pays for at most one byte
    /// moved.
    fn reclaim(&mut self) {
        if self.start >= self.own().len() {
            self.drop_written();
        }
    }

    fn drop_written(&mut self) {
        if self.has_taken() {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }
}

/// Shows how much waits, not the bytes.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("unsent", &Bytes(self.len()))
            .field("taken", &Bytes(self.taken()))
            .field("capacity", &Bytes(self.bytes.capacity()))
            .finish_non_exhaustive()
    }
}

/// Adds the first `size` bytes of an array. A copy of the whole array is faster than a copy of a part.
#[inline]
fn append_start<const N: usize>(output: &mut Vec<u8>, (bytes, size): ([u8; N], usize)) {
    let end = output.len().saturating_add(size);
    output.extend_from_slice(&bytes);
    output.truncate(end);
}

/// The header of an unmasked frame with at most 125 bytes. A header that is written as one number is read faster.
#[expect(clippy::cast_possible_truncation, reason = "at most 125")]
#[inline]
const fn short_header(first: u8, length: usize) -> [u8; 2] {
    (first as u16 | (length as u16) << 8).to_le_bytes()
}

/// The header of a masked frame with at most 125 bytes: 6 bytes, followed by zeros.
#[inline]
const fn short_masked_header(first: u8, length: usize, key: [u8; 4]) -> [u8; 8] {
    let length = length as u64 | MASK as u64;
    (first as u64 | length << 8 | (u32::from_le_bytes(key) as u64) << 16).to_le_bytes()
}

/// The pieces of the output in order: see [`Output::parts`].
pub(crate) struct Parts<'a> {
    /// Shared frames, each with the number of own bytes before it.
    frames: Option<Frames<'a>>,
    own: &'a [u8],
    /// The frame that comes next.
    frame: &'a [u8],
    last: &'a [u8],
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(part) = self.next_shared() {
            return Some(part);
        }
        let rest = if self.own.is_empty() {
            &mut self.last
        } else {
            &mut self.own
        };
        Some(mem::take(rest)).filter(|part| !part.is_empty())
    }
}

impl<'a> Parts<'a> {
    /// The next piece, up to the last shared frame.
    #[inline]
    fn next_shared(&mut self) -> Option<&'a [u8]> {
        let frames = self.frames.as_mut()?;
        if !self.frame.is_empty() {
            return Some(mem::take(&mut self.frame));
        }
        let Some((gap, frame)) = frames.next() else {
            self.frames = None;
            return None;
        };
        let (own, rest) = self.own.split_at_checked(gap)?;
        self.own = rest;
        if own.is_empty() {
            return Some(frame);
        }
        self.frame = frame;
        Some(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Opcode;

    fn header(length: usize) -> FrameHeader {
        FrameHeader {
            fin: true,
            rsv: 0,
            opcode: Opcode::Binary,
            masking_key: None,
            payload_length: length as u64,
        }
    }

    /// A queue that is drained more slowly than it fills equals the same bytes in one piece.
    #[test]
    fn keeps_the_order_and_bounds_the_memory() {
        let mut output = Output::default();
        let (mut pushed, mut sent) = (Vec::new(), Vec::new());
        for i in 0..1000_usize {
            let payload = alloc::vec![i as u8; i % 7];
            output.push(&header(payload.len()), &payload);
            pushed.extend_from_slice(&[0x82, payload.len() as u8]);
            pushed.extend_from_slice(&payload);
            let n = output.len().min(i % 6);
            sent.extend_from_slice(&output.unsent()[..n]);
            assert!(output.advance(n));
            assert!(output.bytes.capacity() <= 4 * output.len().max(16));
        }
        sent.extend_from_slice(output.unsent());
        assert_eq!(sent, pushed);
    }

    /// A caller that advances too far changes nothing.
    #[test]
    fn advancing_too_far_leaves_the_output_as_it_was() {
        for shared in [false, true] {
            let mut output = Output::default();
            output.push(&header(3), b"own");
            if shared {
                output.push_shared(&alloc::vec![7; 5000].into());
            }
            assert!(output.advance(1));
            let before: Vec<u8> = output.parts(&[]).flatten().copied().collect();
            for n in [before.len() + 1, usize::MAX] {
                assert!(!output.advance(n), "{n}");
            }
            let after: Vec<u8> = output.parts(&[]).flatten().copied().collect();
            assert_eq!(after, before);
        }
    }

    /// Bytes move, and memory grows, only if a frame does not fit after the others.
    #[test]
    fn moves_nothing_while_there_is_room() {
        let frame = |output: &mut Output| output.push(&header(10), &[1; 10]);
        let mut output = Output {
            // Three frames, and the difference between the longest and the shortest header.
            bytes: Vec::with_capacity(50),
            ..Output::default()
        };
        frame(&mut output);
        frame(&mut output);
        assert!(output.advance(12));
        frame(&mut output);
        assert_eq!((output.start, output.bytes.capacity()), (12, 50));
        // The next frame does not fit. The written bytes make room for it, again and again.
        for _ in 0..1000 {
            assert!(output.advance(12));
            frame(&mut output);
            assert_eq!((output.len(), output.bytes.capacity()), (24, 50));
        }
        let mut output = Output::default();
        output.push(&header(10_000), &[1; 10_000]);
        assert!(output.bytes.capacity() < 20_000);
    }

    /// The memory stays bounded for payloads that are written in place, too.
    #[test]
    fn payloads_written_in_place_bound_the_memory_too() {
        let mut output = Output::default();
        let (mut pushed, mut sent) = (Vec::new(), Vec::new());
        for i in 0..1000_usize {
            let payload = alloc::vec![i as u8; i % 7];
            let start = output.begin();
            output.payload_mut().extend_from_slice(&payload);
            assert_eq!(output.payload_len(start), payload.len());
            output.end(start, &[0xc2, payload.len() as u8]);
            pushed.extend_from_slice(&[0xc2, payload.len() as u8]);
            pushed.extend_from_slice(&payload);
            let n = (output.len() - 1).min(i % 10);
            sent.extend_from_slice(&output.unsent()[..n]);
            assert!(output.advance(n));
            let most = output.len() + FrameHeader::MAX_SIZE + 8;
            assert!(output.bytes.capacity() <= 4 * most);
        }
        sent.extend_from_slice(output.unsent());
        assert_eq!(sent, pushed);
    }

    /// Frames of both kinds and lengths, one after the other, equal the same bytes in one piece.
    #[test]
    fn short_frames_follow_long_ones() {
        let mut output = Output::default();
        let (mut pushed, mut sent) = (Vec::new(), Vec::new());
        let mut most = 0;
        for i in 0..1000_usize {
            let payload = alloc::vec![i as u8; i * 7 % 126];
            let length = payload.len() as u8;
            match i % 5 {
                0 | 1 => {
                    output.push_short(0x82, &payload);
                    pushed.extend_from_slice(&[0x82, length]);
                    pushed.extend_from_slice(&payload);
                }
                2 | 3 => {
                    output.push_short_masked(0x82, [1, 2, 3, 4], &payload);
                    pushed.extend_from_slice(&[0x82, 0x80 | length, 1, 2, 3, 4]);
                    let masked = payload.iter().zip([1, 2, 3, 4].iter().cycle());
                    pushed.extend(masked.map(|(byte, key)| byte ^ key));
                }
                _ => {
                    output.push(&header(payload.len()), &payload);
                    pushed.extend_from_slice(&[0x82, length]);
                    pushed.extend_from_slice(&payload);
                }
            }
            most = output.len().max(most);
            let n = output.len().min(i * 13 % 150);
            sent.extend_from_slice(&output.unsent()[..n]);
            assert!(output.advance(n));
            assert!(output.bytes.capacity() <= 4 * most);
        }
        sent.extend_from_slice(output.unsent());
        assert_eq!(sent, pushed);
    }

    /// Frames of every kind, in any order with takes and reports, equal the same bytes in one piece.
    #[test]
    fn taken_bytes_are_reported_before_those_that_follow() {
        let mut output = Output::default();
        let (mut pushed, mut sent, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..3000_usize {
            let payload = alloc::vec![i as u8; i * 7 % 126];
            let header = [0x82, payload.len() as u8];
            pushed.extend_from_slice(&header);
            pushed.extend_from_slice(&payload);
            match i % 4 {
                0 => output.push_short(0x82, &payload),
                1 => output.push(&self::header(payload.len()), &payload),
                2 => {
                    let start = output.begin();
                    output.payload_mut().extend_from_slice(&payload);
                    output.end(start, &header);
                }
                _ => output.push_shared(&[&header[..], &payload].concat().into()),
            }
            if i * 31 % 7 < 3 {
                let mut other = alloc::vec![0xee; 3];
                output.take(&mut other);
                assert_eq!(output.unsent(), b"");
                taken.extend(other);
            }
            let rest = output.parts(&[]).flatten().copied();
            let mut all: Vec<u8> = taken.iter().copied().chain(rest).collect();
            assert_eq!((output.len(), output.taken()), (all.len(), taken.len()));
            assert_eq!(output.has_taken(), !taken.is_empty());
            assert!(!output.advance(all.len() + 1));
            let n = all.len().min(i * 13 % 150);
            assert!(output.advance(n));
            taken.drain(..n.min(taken.len()));
            all.truncate(n);
            sent.extend(all);
        }
        sent.extend(taken);
        sent.extend(output.parts(&[]).flatten());
        assert!(sent == pushed);
    }
}
