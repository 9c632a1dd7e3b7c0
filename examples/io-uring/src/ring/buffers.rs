//! Buffers for receives. All clients share them.
//!
//! The program puts buffers into a queue. The kernel takes one when bytes arrive, and the completion names it. Then the
//! buffer belongs to the program until the program puts it back.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::UnsafeCell;
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// The number of the only set of buffers.
pub(super) const GROUP: u16 = 0;

/// The number of buffers, a power of two. A buffer is in use only until its bytes are copied, so a few are enough for
/// thousands of clients. Together they take 2 MiB.
const COUNT: u16 = 128;

/// The size of a buffer, in bytes.
const SIZE: u16 = 16 << 10;

/// The queue must begin at a page. No system has larger pages than this.
const ALIGNMENT: usize = 64 << 10;

/// The buffers and the queue. The program never frees them, because the kernel may use them until the program ends.
pub(super) struct Buffers {
    queue: NonNull<BufRingEntry>,
    memory: &'static [UnsafeCell<u8>],
    /// The number of buffers that the program has put into the queue so far. It wraps around.
    tail: u16,
}

/// A buffer with received bytes. This is its only handle: other modules can neither create nor copy one.
#[derive(Debug)]
pub(crate) struct Filled {
    /// `None` if the kernel took no buffer because there were no bytes.
    buffer: Option<u16>,
    length: usize,
}

impl Filled {
    /// The buffer that a completion names, with this number of bytes.
    pub(super) fn new(buffer: Option<u16>, length: u32) -> Self {
        let most = buffer.map_or(0, |_| usize::from(SIZE));
        Self {
            buffer: buffer.filter(|buffer| *buffer < COUNT),
            length: usize::try_from(length).map_or(most, |length| length.min(most)),
        }
    }
}

impl Buffers {
    /// Registers the queue with the kernel and puts all buffers into it.
    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        let size = size_of::<BufRingEntry>() * usize::from(COUNT);
        let layout = Layout::from_size_align(size, ALIGNMENT).map_err(io::Error::other)?;
        // SAFETY: the size is not zero.
        let queue = unsafe { alloc_zeroed(layout) };
        let Some(queue) = NonNull::new(queue.cast()) else {
            handle_alloc_error(layout);
        };
        let memory = vec![0_u8; usize::from(COUNT) * usize::from(SIZE)];
        let memory = memory.into_iter().map(UnsafeCell::new).collect::<Vec<_>>();
        let mut buffers = Self {
            queue,
            memory: Vec::leak(memory),
            tail: 0,
        };
        let address = queue.as_ptr().expose_provenance() as u64;
        let submitter = ring.submitter();
        // SAFETY: `queue` has room for `COUNT` entries, and the program never frees it.
        unsafe { submitter.register_buf_ring_with_flags(address, COUNT, GROUP, 0) }?;
        for buffer in 0..COUNT {
            buffers.put(buffer);
        }
        Ok(buffers)
    }

    /// The bytes in the buffer.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let Some(buffer) = filled.buffer else {
            return &[];
        };
        let start = usize::from(buffer) * usize::from(SIZE);
        let bytes = &self.memory[start..start + filled.length];
        // SAFETY: the kernel writes only into buffers of the queue. It has taken this one out, and the borrow of
        // `filled` prevents that anyone puts it back. A cell has the same layout as its content.
        unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// Puts a buffer into the queue again.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller must not use the buffer any more"
    )]
    pub(super) fn give_back(&mut self, filled: Filled) {
        if let Some(buffer) = filled.buffer {
            self.put(buffer);
        }
    }

    /// The queue has at most `COUNT` buffers, so the place after the last one is free.
    fn put(&mut self, buffer: u16) {
        let start = usize::from(buffer) * usize::from(SIZE);
        let memory = self.memory[start..].as_ptr();
        let place = usize::from(self.tail % COUNT);
        // SAFETY: `place` is less than `COUNT`.
        let entry = unsafe { self.queue.add(place) };
        // SAFETY: the entry is initialised with zeros. Nothing else uses it before the tail includes it. The tail is a
        // part of the first entry, but this code does not write that part.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(memory.expose_provenance() as u64);
        entry.set_len(u32::from(SIZE));
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the pointer is to the first entry of the queue, which is initialised.
        let tail = unsafe { BufRingEntry::tail(self.queue.as_ptr()) };
        // SAFETY: the tail is valid and aligned until the program ends. The kernel reads it atomically, and only this
        // thread writes it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // The kernel sees the entry before the new tail.
        tail.store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code does not trust the kernel's numbers.
    #[test]
    fn no_completion_leads_out_of_the_buffers() {
        let buffers = Buffers {
            queue: NonNull::dangling(),
            memory: Vec::leak(
                (0..=u8::MAX)
                    .cycle()
                    .map(UnsafeCell::new)
                    .take(usize::from(COUNT) * usize::from(SIZE))
                    .collect(),
            ),
            tail: 0,
        };
        let filled = Filled::new(Some(COUNT - 1), u32::MAX);
        assert_eq!(buffers.bytes(&filled).len(), usize::from(SIZE));
        let filled = Filled::new(Some(1), 3);
        assert_eq!(buffers.bytes(&filled), [0, 1, 2]);
        let end = Filled::new(None, 0);
        assert!(buffers.bytes(&end).is_empty());
        assert_eq!(Filled::new(Some(COUNT), 1).buffer, None);
    }
}
