//! The bytes read from a transport, and where their parts are.

use alloc::vec::Vec;
use core::fmt;

use assembled_text::AssembledText;
use assembly::Assembly;
use region::{Growth, Region, is_worth_taking};

mod assembled_text;
mod assembly;
mod region;

pub(crate) use assembly::Place;
pub(crate) use region::Span;

/// The bytes that you read from the transport and that no event has consumed yet.
///
/// You own it. One buffer serves a connection from the first byte of the opening handshake. So bytes that follow the
/// handshake in the same read are not lost.
///
/// 1. Read into [`spare_mut`](Self::spare_mut).
/// 2. Report with [`advance_filled`](Self::advance_filled) how many bytes you read.
/// 3. Take the events with [`Connection::next_event`](crate::Connection::next_event).
///
/// With the feature `std`, `read_from` does the first two steps. If the transport reads into memory of its own, make a
/// buffer of that memory with [`from_filled`](Self::from_filled). Payload is unmasked and fragments are joined in place.
/// Events borrow from this buffer.
///
/// While [`is_empty`](Self::is_empty) is true, the buffer holds nothing of the connection and may go back to a pool. So
/// a thousand idle connections can share one buffer. While it is false, pass the same buffer to every call of the
/// connection. With another buffer, you receive wrong messages or errors on that connection.
///
/// # Memory
///
/// The buffer grows with the bytes received, never with the bytes announced. It takes at most the sum of these:
///
/// - **The `min` that you pass to [`spare_mut`](Self::spare_mut).**
/// - **Received bytes:** `2 * (m + r)` bytes. `m` is the largest message received,
///   which [`Config::max_message_size`](crate::Config::max_message_size) limits. With
///   [`Delivery::Chunks`](crate::Delivery::Chunks), `m` is 0. `r` is the number of bytes in the buffer for which you
///   took no event yet.
/// - **Text that arrives in several reads or frames:** twice the largest such message, but never more than the limit
///   for messages. ASCII text in one frame of up to 32 KiB does not need this memory.
/// - **Decompressed data:** about 80 KiB for text, and for every message with
///   [`Delivery::Chunks`](crate::Delivery::Chunks). For whole binary messages, twice the largest message plus 16 KiB,
///   but never more than the limit plus one byte.
///
/// The buffer keeps its memory until you call [`shrink_to`](Self::shrink_to).
/// [`Connection::take_event`](crate::Connection::take_event) takes the memory of a large message out of it. When the
/// next message is an eighth as long as that one, the buffer gets memory for a message of the same length.
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
/// buffer.advance_filled(n);
/// assert_eq!(buffer.unread(), b"some bytes");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct ReadBuffer {
    received: Region,
    /// The open message, except for its payload in `received`.
    message: Assembly,
}

impl ReadBuffer {
    /// Makes an empty buffer that owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_memory(Vec::new())
    }

    /// Makes an empty buffer with room for `capacity` bytes.
    ///
    /// Use the `min` that you pass to [`spare_mut`](Self::spare_mut), plus the most bytes that the transport delivers
    /// at once. For example, a TLS stream delivers at most 16 KiB, so with a `min` of 4 KiB use 20 KiB. Then the
    /// buffer does not grow when a read ends inside a message.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_memory(alloc::vec![0; capacity])
    }

    /// Makes a buffer of memory whose first `filled` bytes were received. They are [`unread`](Self::unread).
    ///
    /// This serves transports that read into memory of their own, such as `io_uring` with provided buffers, and pools
    /// of memory. It copies and clears nothing. The rest of the vector's length is spare. The buffer uses capacity
    /// after that length when it grows, and clears it then. [`take_memory`](Self::take_memory) gives the memory back.
    ///
    /// If a buffer of the connection is not [empty](Self::is_empty), the received bytes follow its content. Then add
    /// them with [`extend_from_slice`](Self::extend_from_slice).
    ///
    /// # Panics
    ///
    /// If `filled` is more than the length of `memory`.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Connection, Event, ReadBuffer};
    ///
    /// /// The kernel has filled the first `n` bytes of `memory`. Returns memory for another read.
    /// fn received(server: &mut Connection, buffer: &mut ReadBuffer, memory: Vec<u8>, n: usize) -> Vec<u8> {
    ///     let mut free = None;
    ///     if buffer.is_empty() {
    ///         *buffer = ReadBuffer::from_filled(memory, n);
    ///     } else {
    ///         buffer.extend_from_slice(&memory[..n]); // the rest of a frame
    ///         free = Some(memory);
    ///     }
    ///     while let Ok(Some(event)) = server.next_event(buffer) {
    ///         if let Event::Text { text, .. } = event {
    ///             _ = server.send_text(text);
    ///         }
    ///     }
    ///     let free = free.or_else(|| buffer.take_memory());
    ///     free.unwrap_or_else(|| vec![0; 4096])
    /// }
    /// # let mut server = Connection::server(&sockless::Config::default());
    /// # let mut buffer = ReadBuffer::new();
    /// # let mut memory = vec![0; 64];
    /// # let bytes = b"\x81\x82\0\0\0\0Hi\x81\x82\0\0\0\0Ho";
    /// # for (piece, kept) in [(&bytes[..8], false), (&bytes[8..11], true), (&bytes[11..], false)] {
    /// #     memory[..piece.len()].copy_from_slice(piece);
    /// #     let place = memory.as_ptr();
    /// #     memory = received(&mut server, &mut buffer, memory, piece.len());
    /// #     assert_eq!(memory.as_ptr() != place, kept);
    /// # }
    /// # assert_eq!(server.output(), b"\x81\x02Hi\x81\x02Ho");
    /// ```
    #[doc(alias("adopt", "from_vec", "provided_buffer", "io_uring"))]
    #[must_use]
    pub fn from_filled(memory: Vec<u8>, filled: usize) -> Self {
        assert!(filled <= memory.len(), "filled more than the memory");
        let mut buffer = Self::with_memory(memory);
        buffer.received.advance(filled);
        buffer
    }

    const fn with_memory(bytes: Vec<u8>) -> Self {
        Self {
            received: Region::new(bytes),
            message: Assembly::new(),
        }
    }

    /// Returns the space for the next read: at least `min` bytes, and all spare bytes of the buffer.
    ///
    /// Read into it, then report the number of bytes with [`advance_filled`](Self::advance_filled). The space may
    /// contain old bytes. A `min` of 4 to 16 KiB is a good choice: larger reads leave the fastest cache. Never pass
    /// 0, because a read into an empty slice returns 0, which looks like the end of the stream.
    ///
    /// # Panics
    ///
    /// If the buffer would need more than [`isize::MAX`] bytes, as every vector does.
    #[doc(alias("chunk_mut", "spare_capacity_mut"))]
    #[inline]
    pub fn spare_mut(&mut self, min: usize) -> &mut [u8] {
        if self.received.rewind() {
            self.message.set_missing(0);
        }
        self.received.compact_if_cheap();
        self.received.spare_mut(min, || self.message.growth())
    }

    /// Reports that the transport wrote the first `n` bytes of [`spare_mut`](Self::spare_mut). They become
    /// [`unread`](Self::unread).
    ///
    /// # Panics
    ///
    /// If `n` is more than the length of the spare space.
    #[doc(alias("advance_mut", "commit"))]
    #[inline]
    pub fn advance_filled(&mut self, n: usize) {
        self.received.advance(n);
    }

    /// Adds a copy of `data`, for bytes that you did not read into [`spare_mut`](Self::spare_mut).
    ///
    /// # Panics
    ///
    /// If the buffer would need more than [`isize::MAX`] bytes, as every vector does.
    #[doc(alias("put_slice", "feed", "receive_data"))]
    #[expect(
        clippy::indexing_slicing,
        reason = "at least `data.len()` bytes are spare"
    )]
    pub fn extend_from_slice(&mut self, data: &[u8]) {
        self.spare_mut(data.len())[..data.len()].copy_from_slice(data);
        self.received.advance(data.len());
    }

    /// Drops all content and keeps the memory. Call it before the buffer serves another connection.
    pub fn clear(&mut self) {
        self.received.clear();
        self.message.clear();
    }

    /// Frees memory, down to `capacity` bytes, or down to the content if that is larger.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.received.shrink_to(capacity);
        self.message.shrink();
    }

    /// Takes the memory for received bytes, for instance to give it back to a pool. Returns `None` if the buffer is not
    /// [empty](Self::is_empty).
    ///
    /// All bytes of the vector's length are spare, and old. The buffer owns no memory for received bytes then. It may
    /// still own memory for text and for decompressed data.
    #[doc(alias("into_inner", "into_memory", "into_vec", "recycle"))]
    #[must_use]
    pub fn take_memory(&mut self) -> Option<Vec<u8>> {
        self.is_empty().then(|| self.received.take_memory(0))
    }

    /// Returns the bytes that were received and not consumed: no event was taken for them.
    ///
    /// On a client whose handshake was refused, they are the beginning of the response's body.
    #[doc(alias("remaining", "leftover"))]
    #[must_use]
    #[inline]
    pub fn unread(&self) -> &[u8] {
        self.received.unread()
    }

    /// Returns how many bytes the buffer holds: unread bytes, and the parts of an open message.
    ///
    /// If a connection waits inside a short frame, its buffer holds a few bytes in much memory. Then
    /// [`shrink_to`](Self::shrink_to) frees the rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.received.len().saturating_add(self.message.len())
    }

    /// Whether the buffer holds no unread bytes and no part of a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received.is_empty() && self.message.is_empty()
    }

    /// Returns how much memory the buffer owns, in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.received
            .capacity()
            .saturating_add(self.message.capacity())
    }

    #[inline]
    pub(crate) const fn received(&self) -> &Region {
        &self.received
    }

    #[inline]
    pub(crate) const fn received_mut(&mut self) -> &mut Region {
        &mut self.received
    }

    /// The memory in which a message at this place is put together.
    pub(crate) fn region_mut(&mut self, place: Place) -> &mut Region {
        match place {
            Place::Received => &mut self.received,
            Place::Decompressed => self.message.decompressed_mut(),
        }
    }

    /// The bytes at this place.
    #[inline]
    pub(crate) fn slice(&self, place: Place, span: Span) -> &[u8] {
        match place {
            Place::Received => self.received.slice(span),
            Place::Decompressed => self.message.decompressed(span),
        }
    }

    /// The bytes at this place, and the text to add them to.
    pub(crate) fn piece_and_text(
        &mut self,
        place: Place,
        span: Span,
    ) -> (&[u8], &mut AssembledText) {
        let Assembly {
            text, decompressed, ..
        } = &mut self.message;
        let piece = match place {
            Place::Received => self.received.slice(span),
            Place::Decompressed => decompressed.get_or_insert_default().slice(span),
        };
        (piece, text)
    }

    /// The text that came in several pieces.
    pub(crate) const fn text(&self) -> &AssembledText {
        &self.message.text
    }

    pub(crate) const fn text_mut(&mut self) -> &mut AssembledText {
        &mut self.message.text
    }

    /// Whether a message is long enough to be taken with its memory.
    pub(crate) fn is_worth_taking(&mut self, place: Place, span: Span) -> bool {
        is_worth_taking(span.len(), self.region_mut(place).capacity())
    }

    /// Takes the memory of the message at this place. The message was released.
    pub(crate) fn take_message(&mut self, place: Place, span: Span) -> Vec<u8> {
        self.region_mut(place).take_memory(span.len())
    }

    /// Whether the held bytes of a text message can stay where they are until the next piece comes.
    pub(crate) fn can_leave_text(&mut self) -> bool {
        self.message.text.can_leave(self.received.held())
    }

    /// Sets how many bytes the message still takes, or 0 if that is not known. After that many bytes it must be
    /// complete.
    pub(crate) const fn set_missing(&mut self, missing: u64) {
        // An empty buffer may serve another connection next, so it keeps nothing of this one.
        let is_held = !self.received.holds_nothing();
        self.message.set_missing(if is_held { missing } else { 0 });
    }

    /// Forgets the open message.
    pub(crate) fn abandon_message(&mut self) {
        self.received.release(usize::MAX);
        self.message.clear();
    }

    /// The first `n` unread bytes, and the space to decompress them to. The space has about the size that they may
    /// need: at least one byte and at most `most`. The message has at most `limit` bytes.
    pub(crate) fn decompression(
        &mut self,
        n: usize,
        most: usize,
        limit: usize,
    ) -> (&[u8], &mut [u8]) {
        /// A smaller step costs more in calls than it brings. A larger step leaves the fastest cache.
        const STEP: (usize, usize) = (256, 16 << 10);
        let min = n.saturating_mul(4).clamp(STEP.0, STEP.1).min(most).max(1);
        let decompressed = self.message.decompressed_mut();
        decompressed.rewind();
        let space = decompressed.spare_mut(min, || Growth {
            // One byte beyond the limit shows that the message is too large.
            most: limit.saturating_add(1),
            ..Growth::FREE
        });
        let most = most.min(space.len());
        (
            self.received.unread().get(..n).unwrap_or_default(),
            space.get_mut(..most).unwrap_or_default(),
        )
    }
}

/// Makes a buffer of bytes that were received: all of them are [`unread`](ReadBuffer::unread).
///
/// It copies nothing, as [`from_filled`](ReadBuffer::from_filled).
impl From<Vec<u8>> for ReadBuffer {
    fn from(received: Vec<u8>) -> Self {
        let filled = received.len();
        Self::from_filled(received, filled)
    }
}

/// Shows how many bytes there are, not the bytes.
impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("unread", &self.unread().len())
            .field("held", &self.received.held().len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Fills the buffer as a transport does.
    fn read(buffer: &mut ReadBuffer, data: &[u8], min: usize) {
        buffer.spare_mut(min)[..data.len()].copy_from_slice(data);
        buffer.advance_filled(data.len());
    }

    /// Reads end anywhere in a frame, so unread bytes always remain. The bytes moved stay linear in the bytes received,
    /// and the memory stays a multiple of the content.
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
                // A read never ends with a frame.
                let mut n = spare.min(min).min(bytes);
                if (received + n) % (HEADER + payload) == 0 && n < bytes {
                    n -= 1;
                }
                buffer.advance_filled(n);
                bytes -= n;
                received += n;
                most = most.max(buffer.unread().len() + buffer.received.held().len());
                while buffer.unread().len() >= HEADER + payload {
                    buffer.received.consume(HEADER);
                    buffer.received.hold(payload);
                    ready += 1;
                    if ready % frames == 0 {
                        buffer.received.release(usize::MAX);
                    }
                }
                let what = format!("{payload} {min} {messages} after {received}");
                assert!(
                    buffer.received.work <= 4 * received,
                    "{} moved, {what}",
                    buffer.received.work
                );
                let bound = 2 * most + min;
                assert!(
                    buffer.received.capacity() <= bound,
                    "{} of {bound}, {what}",
                    buffer.received.capacity()
                );
            }
            assert_eq!((ready, buffer.is_empty()), (messages * frames, true));
        }
    }

    /// A full buffer of 10,000 bytes: the first `held` are held, and the next `consumed` are consumed.
    fn full(held: usize, consumed: usize) -> ReadBuffer {
        let mut buffer = ReadBuffer::with_capacity(10_000);
        buffer.advance_filled(10_000);
        buffer.received.hold(held);
        buffer.received.consume(consumed);
        buffer
    }

    /// A move must free at least as much as it moves, or the next byte costs as much again.
    #[test]
    fn moves_if_that_frees_enough_and_grows_otherwise() {
        // In order: it frees as much as it moves; it frees more but needs less than all the space; it needs all the
        // space; the held bytes do not move.
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
                buffer.received.consume(6);
                assert!(buffer.spare_mut(6).len() >= 6);
                buffer.advance_filled(6);
                received += 6;
            }
            assert!(
                buffer.received.work <= 4 * received,
                "{} for {received}",
                buffer.received.work
            );
            assert!(buffer.received.capacity() <= 2 * 10_000 + 6);
            // It does move, and the moved bytes are counted.
            assert!(buffer.received.work >= 5000);
        }
        // If nothing is left, all space is spare again, even if the space at the end is large enough.
        let mut buffer = ReadBuffer::with_capacity(100);
        buffer.advance_filled(60);
        buffer.received.consume(60);
        assert_eq!(buffer.spare_mut(1).len(), 100);
    }

    /// The memory for the next message grows to the length of the last one, once an eighth of it has come.
    #[test]
    fn a_taken_message_makes_way_for_one_of_the_same_length() {
        const SIZE: usize = 80_000;
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, &[1; SIZE], SIZE);
        let span = buffer.received.hold(SIZE - 10);
        buffer.received.release(usize::MAX);
        assert!(buffer.is_worth_taking(Place::Received, span));
        let memory = buffer.take_message(Place::Received, span);
        assert_eq!(memory[span.start..span.end], [1; SIZE - 10]);
        assert_eq!((buffer.unread(), buffer.capacity()), (&[1; 10][..], 10));
        buffer.received.consume(10);
        // A short message needs little memory.
        read(&mut buffer, &[2; 5000], 5000);
        assert!(buffer.capacity() < 6000);
        let (mut steps, mut capacity) = (0, buffer.capacity());
        for _ in 0..SIZE / 1000 - 6 {
            read(&mut buffer, &[2; 1000], 1000);
            steps += usize::from(buffer.capacity() != capacity);
            capacity = buffer.capacity();
        }
        assert!(capacity <= SIZE + 1000 && steps <= 3, "{steps}");
        buffer.clear();
        buffer.shrink_to(0);
        read(&mut buffer, &[3; 20_000], 20_000);
        read(&mut buffer, &[3; 100], 100);
        assert!(buffer.capacity() <= 30_100);
    }

    #[test]
    fn shrinking_frees_the_memory_for_decompressed_data() {
        let mut buffer = ReadBuffer::new();
        let decompressed = buffer.region_mut(Place::Decompressed);
        decompressed.spare_mut(5, || Growth::FREE)[..5].copy_from_slice(b"begun");
        decompressed.advance(5);
        buffer.shrink_to(0);
        assert!(!buffer.is_empty() && buffer.capacity() >= 5);
        buffer.region_mut(Place::Decompressed).consume(5);
        buffer.shrink_to(0);
        assert!(buffer.is_empty() && buffer.message.decompressed.is_none());
    }

    #[test]
    fn keeps_its_memory_until_shrink_to() {
        let mut buffer = ReadBuffer::with_capacity(100);
        assert_eq!(buffer.spare_mut(100).len(), 100);
        buffer.advance_filled(60);
        buffer.clear();
        assert!(buffer.is_empty() && buffer.unread().is_empty());
        assert_eq!(buffer.spare_mut(0).len(), 100);
        buffer.advance_filled(10);
        buffer.shrink_to(30);
        assert_eq!((buffer.unread().len(), buffer.spare_mut(0).len()), (10, 20));
        buffer.shrink_to(0);
        assert_eq!((buffer.unread().len(), buffer.spare_mut(0).len()), (10, 0));
    }

    /// A message in fragments of all sizes, with headers between them. The held bytes are its payload in order. The
    /// bytes moved stay a small multiple of the bytes received.
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
                    // A header of six bytes and then the payload, in reads that end with the fragment.
                    let bytes: Vec<_> = [0; 6].into_iter().chain(payload.iter().copied()).collect();
                    let mut header = 6;
                    for piece in bytes.chunks(reads) {
                        read(&mut buffer, piece, reads);
                        received += piece.len();
                        header -= buffer.received.consume(header).len();
                        if header == 0 {
                            let n = buffer.unread().len();
                            let span = buffer.received.hold(n);
                            assert_eq!(
                                buffer.received.slice(span).as_ptr_range().end,
                                buffer.received.held().as_ptr_range().end
                            );
                        }
                    }
                    assert!(*size > 0 || buffer.unread().is_empty());
                }
                assert_eq!(buffer.received.held(), expected);
                assert!(
                    buffer.received.work <= 4 * received,
                    "{} moved for {received}, {sizes:?}, reads of {reads}",
                    buffer.received.work
                );
                assert!(buffer.received.capacity() <= 2 * (expected.len() + 6 + reads) + reads);
            }
        }
    }

    /// A consumer reads and takes a little while much waits. The rest does not move each time.
    #[test]
    fn a_backlog_is_moved_in_linear_time() {
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, &[0; 100_000], 100_000);
        let mut received = 100_000;
        for _ in 0..100_000 {
            read(&mut buffer, &[1; 10], 10);
            received += 10;
            assert_eq!(buffer.received.consume(10).len(), 10);
        }
        assert_eq!(buffer.unread().len(), 100_000);
        assert!(
            buffer.received.work <= 4 * received,
            "{} moved for {received}",
            buffer.received.work
        );
        assert!(buffer.received.capacity() <= 2 * 100_010 + 10);
    }

    /// An empty buffer may serve another connection next, so no field keeps anything of the connection before. This
    /// checks after every byte, for streams that end in every stage, with both kinds of delivery.
    #[test]
    fn an_empty_buffer_knows_nothing_of_the_connection_before() {
        use crate::{Config, Connection, Delivery, Seed};

        let streams: [&[u8]; 10] = [
            b"\x81\x05Hello",
            b"\x82\x7e\x01\x00some of a longer message",
            b"\x01\x03Hel\x89\x01!\x80\x02lo",
            b"\x01\x03H\xc3\xa9\x80\x02lo",
            b"\x81\x05H\xc3\xa9l\xff",
            b"\x81\x05H\xff",
            b"\x82\x05Hel\xff\xff\xff",
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
                let mut connection = Connection::client(&config, Seed::new([7; 32]));
                let mut buffer = ReadBuffer::new();
                for (i, byte) in stream.iter().enumerate() {
                    read(&mut buffer, &[*byte], 1);
                    while let Ok(Some(_)) = connection.next_event(&mut buffer) {}
                    if buffer.is_empty() {
                        assert_eq!(
                            buffer.message.counters(),
                            (0, 0),
                            "{stream:?} at {i}, {delivery:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_length_counts_unread_bytes_and_all_parts_of_a_message() {
        let mut buffer = ReadBuffer::new();
        assert_eq!(buffer.len(), 0);
        buffer.extend_from_slice(&[7; 100]);
        buffer.received.consume(10);
        buffer.received.hold(20);
        assert_eq!(buffer.len(), 90);
        buffer.text_mut().add("text", 100);
        assert_eq!(buffer.len(), 94);
        buffer.text_mut().close();
        assert_eq!(buffer.len(), 90);
        let decompressed = buffer.region_mut(Place::Decompressed);
        decompressed.spare_mut(5, || Growth::FREE)[..5].copy_from_slice(b"begun");
        decompressed.advance(5);
        assert_eq!(buffer.len(), 95);
        buffer.clear();
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn an_empty_buffer_starts_over_and_keeps_its_memory() {
        let mut buffer = ReadBuffer::with_capacity(64);
        for _ in 0..100 {
            read(&mut buffer, &[7; 40], 40);
            assert!(!buffer.is_empty());
            buffer.received.consume(20);
            buffer.received.hold(20);
            assert!(!buffer.is_empty());
            assert_eq!(buffer.received.release(usize::MAX).len(), 20);
            assert!(buffer.is_empty());
        }
        assert_eq!((buffer.capacity(), buffer.received.work), (64, 0));
        buffer.extend_from_slice(b"rest");
        buffer.shrink_to(0);
        assert_eq!((buffer.unread(), buffer.capacity()), (&b"rest"[..], 4));
        buffer.clear();
        assert!(buffer.is_empty());
    }
}
