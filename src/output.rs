//! Bytes that wait to be written to the transport.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use crate::frame::FrameHeader;
use crate::mask::{append_block, append_masked, append_short};
use shared::{Frames, Shared};

mod shared;

/// A queue of bytes, contiguous so that one write takes all of it, but for what is shared with others.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// How many of them have been written to the transport.
    written: usize,
    /// What stands between them and belongs to others, too. Boxed, because few connections have it.
    shared: Option<Box<Shared>>,
    /// Whether the memory is the opening handshake's, which is needed once. Short frames that fit in go with it.
    opening: bool,
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`written` never exceeds the length of `bytes`; `start` comes from `begin`, behind which a header's place and the payload lie; sums of lengths beyond isize::MAX cannot be in memory"
)]
impl Output {
    /// A queue that begins with these bytes, and gives their memory back once they are written.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            written: 0,
            shared: None,
            opening: true,
        }
    }

    /// The first piece of what is still to be written: all of it, unless there are shared frames.
    #[inline]
    pub(crate) fn unsent(&self) -> &[u8] {
        let own = &self.bytes[self.written..];
        match &self.shared {
            None => own,
            Some(_) => self.first_part(),
        }
    }

    /// All pieces of what is still to be written, and `last` behind them. None of them is empty.
    #[inline]
    pub(crate) fn parts<'a>(&'a self, last: &'a [u8]) -> Parts<'a> {
        Parts {
            frames: self.shared.as_deref().map(Shared::frames),
            own: &self.bytes[self.written..],
            frame: &[],
            last,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        let own = self.bytes.len() - self.written;
        match &self.shared {
            None => own,
            Some(shared) => own + shared.len(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the first `n` unsent bytes, which have been written.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        let own = if self.shared.is_none() {
            n
        } else {
            self.advance_shared(n)
        };
        let mine = self.bytes.len() - self.written;
        if own != mine {
            assert!(own < mine, "advanced by more than the output");
            self.written += own;
            return;
        }
        self.bytes.clear();
        self.written = 0;
        if self.opening {
            self.bytes = Vec::new();
            self.opening = false;
        }
    }

    /// Adds a whole frame that others send, too.
    pub(crate) fn push_shared(&mut self, frame: &Arc<[u8]>) {
        let own = self.bytes.len() - self.written;
        self.shared
            .get_or_insert_default()
            .push(own, Arc::clone(frame));
    }

    /// Adds bytes that are a frame, or the rest of one.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a frame with a header of two bytes.
    #[inline]
    pub(crate) fn push_short(&mut self, header: [u8; 2], payload: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < header.len() + payload.len() {
            return self.push_short_in_new_room(header, payload);
        }
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(payload);
    }

    /// The same where the frame does not fit. Apart, so that the usual way has little to save.
    #[cold]
    fn push_short_in_new_room(&mut self, header: [u8; 2], payload: &[u8]) {
        self.reserve(header.len() + payload.len());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(payload);
    }

    /// Adds a frame with a header of two bytes and a masking key, and masks it on the way.
    #[inline(never)]
    pub(crate) fn push_short_masked(&mut self, header: [u8; 2], key: [u8; 4], payload: &[u8]) {
        let bytes = FrameHeader::short_masked(header, key);
        if self.bytes.capacity() - self.bytes.len() < bytes.len() + payload.len() {
            return self.push_short_masked_in_new_room(header, key, payload);
        }
        let end = self.bytes.len() + 6;
        append_block(&mut self.bytes, bytes);
        self.bytes.truncate(end);
        append_short(&mut self.bytes, payload, key);
    }

    /// The same where the frame does not fit.
    #[cold]
    #[inline(never)]
    fn push_short_masked_in_new_room(&mut self, header: [u8; 2], key: [u8; 4], payload: &[u8]) {
        self.reserve(FrameHeader::MAX_SIZE + payload.len());
        self.push_short_masked(header, key, payload);
    }

    /// Adds a frame. The payload is copied once, and masked on the way.
    #[inline]
    pub(crate) fn push(&mut self, header: &FrameHeader, payload: &[u8]) {
        let (bytes, size) = header.to_bytes();
        self.reserve(bytes.len() + payload.len());
        self.push_start(bytes, size);
        match header.masking_key {
            None => self.bytes.extend_from_slice(payload),
            Some(key) => append_masked(&mut self.bytes, payload, key),
        }
    }

    /// Adds the header of a frame whose payload follows, or is written from elsewhere.
    #[inline]
    pub(crate) fn push_header(&mut self, header: &FrameHeader) {
        let (bytes, size) = header.to_bytes();
        self.reserve(bytes.len());
        self.push_start(bytes, size);
    }

    /// Makes room for a header and for the payload to be written behind it, and says where the frame
    /// begins.
    #[cfg(feature = "deflate")]
    pub(crate) fn begin(&mut self) -> usize {
        // Before it is known how much room is needed.
        self.reclaim();
        self.opening = false;
        let start = self.bytes.len();
        self.bytes.resize(start + FrameHeader::MAX_SIZE, 0);
        start
    }

    /// Where the payload is to be written to.
    #[cfg(feature = "deflate")]
    pub(crate) const fn payload_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The length of the payload written since [`begin`](Self::begin).
    #[cfg(feature = "deflate")]
    pub(crate) const fn payload_len(&self, start: usize) -> usize {
        self.bytes.len() - start - FrameHeader::MAX_SIZE
    }

    /// Puts the header in front of the payload and returns the place of the payload, to be masked.
    #[cfg(feature = "deflate")]
    pub(crate) fn end(&mut self, start: usize, header: &[u8]) -> &mut [u8] {
        let payload = start + FrameHeader::MAX_SIZE;
        let place = start + header.len();
        self.bytes[start..place].copy_from_slice(header);
        self.bytes.copy_within(payload.., place);
        self.bytes.truncate(self.bytes.len() - (payload - place));
        &mut self.bytes[place..]
    }

    /// Moves the unsent bytes out to `other` and goes on with its memory. What is shared is copied.
    pub(crate) fn swap(&mut self, other: &mut Vec<u8>) {
        if self.shared.as_ref().is_some_and(|shared| shared.len() > 0) {
            let mut bytes = Vec::with_capacity(self.len());
            for part in self.parts(&[]) {
                bytes.extend_from_slice(part);
            }
            self.bytes = bytes;
            self.written = 0;
        }
        self.shared = None;
        self.drop_written();
        self.opening = false;
        other.clear();
        mem::swap(&mut self.bytes, other);
    }

    /// Drops all unsent bytes, and gives their memory back.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many of the first `n` bytes are the connection's own; what is shared of them is dropped.
    #[cold]
    fn advance_shared(&mut self, n: usize) -> usize {
        let mine = self.bytes.len() - self.written;
        match &mut self.shared {
            Some(shared) => shared.advance(n, mine),
            None => n,
        }
    }

    #[cold]
    fn first_part(&self) -> &[u8] {
        self.parts(&[]).next().unwrap_or_default()
    }

    /// Makes sure of room for `size` bytes that are about to be added.
    #[inline]
    fn reserve(&mut self, size: usize) {
        if self.bytes.capacity() - self.bytes.len() < size {
            self.make_room(size);
        }
        self.opening = false;
    }

    /// Adds the first `size` bytes of an array. To copy all of it and drop the end of it costs less than to copy a part.
    #[inline]
    fn push_start<const N: usize>(&mut self, bytes: [u8; N], size: usize) {
        let end = self.bytes.len() + size;
        self.bytes.extend_from_slice(&bytes);
        self.bytes.truncate(end);
    }

    /// Makes `size` bytes of room.
    #[cold]
    fn make_room(&mut self, size: usize) {
        self.reclaim();
        self.bytes.reserve(size);
    }

    /// Makes room of what is written, but only if it is at least half, so that each byte moves once at most
    /// for each byte written.
    fn reclaim(&mut self) {
        if self.written >= self.bytes.len() - self.written {
            self.drop_written();
        }
    }

    fn drop_written(&mut self) {
        self.bytes.drain(..self.written);
        self.written = 0;
    }
}

/// The pieces of the output in order: see [`Output::parts`].
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// Shared frames, each with the number of own bytes in front of it.
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
    /// The next piece up to the last shared frame.
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
    use crate::frame::Opcode;

    fn header(length: usize) -> FrameHeader {
        FrameHeader {
            fin: true,
            rsv: 0,
            opcode: Opcode::Binary,
            masking_key: None,
            payload_length: length as u64,
        }
    }

    /// A queue that is drained more slowly than it fills, against the same bytes in one piece.
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
            output.advance(n);
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
            output.advance(1);
            let before: Vec<u8> = output.parts(&[]).flatten().copied().collect();
            for n in [before.len() + 1, usize::MAX] {
                let advance = std::panic::AssertUnwindSafe(|| output.advance(n));
                std::panic::catch_unwind(advance).expect_err("too far");
            }
            let after: Vec<u8> = output.parts(&[]).flatten().copied().collect();
            assert_eq!(after, before);
        }
    }

    /// Bytes are moved, and memory is taken, only when a frame does not fit behind the others.
    #[test]
    fn moves_nothing_while_there_is_room() {
        let frame = |output: &mut Output| output.push(&header(10), &[1; 10]);
        let mut output = Output {
            // Three frames, and what the longest header would take beyond the shortest.
            bytes: Vec::with_capacity(50),
            ..Output::default()
        };
        frame(&mut output);
        frame(&mut output);
        output.advance(12);
        frame(&mut output);
        assert_eq!((output.written, output.bytes.capacity()), (12, 50));
        // Now it does not: what is written makes room, again and again.
        for _ in 0..1000 {
            output.advance(12);
            frame(&mut output);
            assert_eq!((output.len(), output.bytes.capacity()), (24, 50));
        }
        let mut output = Output::default();
        output.push(&header(10_000), &[1; 10_000]);
        assert!(output.bytes.capacity() < 20_000);
    }

    /// The same for frames whose payload is written in place.
    #[cfg(feature = "deflate")]
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
            // Never all of it.
            let n = (output.len() - 1).min(i % 10);
            sent.extend_from_slice(&output.unsent()[..n]);
            output.advance(n);
            let most = output.len() + FrameHeader::MAX_SIZE + 8;
            assert!(output.bytes.capacity() <= 4 * most);
        }
        sent.extend_from_slice(output.unsent());
        assert_eq!(sent, pushed);
    }

    /// Only the handshake's own memory is given up: what a caller lends stays, whatever is written into it.
    #[test]
    fn the_memory_of_the_opening_is_given_back_however_it_was_written() {
        for pieces in [&[10][..], &[3, 7], &[1, 8, 1]] {
            let mut output = Output::new(alloc::vec![b'x'; 10]);
            for &piece in pieces {
                assert!(output.bytes.capacity() >= 10);
                output.advance(piece);
            }
            assert_eq!(output.bytes.capacity(), 0, "{pieces:?}");
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn lent_memory_is_kept() {
        let mut output = Output::new(alloc::vec![b'x'; 10]);
        let mut lent = Vec::with_capacity(1000);
        output.swap(&mut lent);
        assert_eq!(lent.len(), 10);
        output.advance(0);
        assert!(output.bytes.capacity() >= 1000);
        let start = output.begin();
        output.payload_mut().extend_from_slice(b"payload");
        output.end(start, &[0x82, 7]);
        output.advance(output.len());
        assert!(output.bytes.capacity() >= 1000);
    }
}
