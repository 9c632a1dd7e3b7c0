//! Buffers for receives. All clients share them.
//!
//! The program puts buffers into a queue. The kernel takes one when bytes arrive, and the completion names it. Then its
//! memory belongs to the program. The program puts that memory or other memory in its place.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// The number of the only set of buffers.
pub(super) const GROUP: u16 = 0;

/// The number of buffers, a power of two. A buffer is in use only until its bytes are taken, so a few are enough for
/// thousands of clients. The kernel uses them in turn, so a few also stay in the cache. Together they take 2 MiB.
const COUNT: u16 = 32;

/// The size of a buffer, in bytes. A message of 64 KiB and its header fit.
pub(crate) const SIZE: usize = LENGTH as usize;
const LENGTH: u32 = 68 << 10;

/// The queue must begin at a page. No system has larger pages than this.
const ALIGNMENT: usize = 64 << 10;

/// The buffers and the queue. The program never frees them, because the kernel may use them until the program ends.
pub(super) struct Buffers {
    queue: NonNull<BufRingEntry>,
    /// The memory of each buffer. It is empty while the program has it.
    memory: Vec<Vec<u8>>,
    /// The number of buffers that the program has put into the queue so far. It wraps around.
    tail: u16,
    /// The number of buffers in the queue that no completion has named yet.
    free: usize,
}

/// Received bytes, in the memory of a buffer.
#[derive(Debug)]
pub(crate) struct Filled {
    /// The place of the buffer, which needs memory again.
    pub(crate) place: Place,
    /// The bytes are at its start.
    pub(crate) memory: Vec<u8>,
    pub(crate) length: usize,
}

/// The place of a buffer that has no memory. Other modules can neither create nor copy one. It is `None` if the kernel
/// took no buffer because there were no bytes.
#[derive(Debug)]
pub(crate) struct Place(Option<u16>);

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
        let mut buffers = Self {
            queue,
            memory: vec![Vec::new(); usize::from(COUNT)],
            tail: 0,
            free: 0,
        };
        let address = queue.as_ptr().expose_provenance() as u64;
        let submitter = ring.submitter();
        // SAFETY: `queue` has room for `COUNT` entries, and the program never frees it.
        unsafe { submitter.register_buf_ring_with_flags(address, COUNT, GROUP, 0) }?;
        for buffer in 0..COUNT {
            buffers.put(buffer, vec![0; SIZE]);
        }
        Ok(buffers)
    }

    /// The number of buffers that the kernel can take.
    pub(super) const fn free(&self) -> usize {
        self.free
    }

    /// The buffer that a completion names, with this number of bytes. The kernel has taken it out of the queue.
    pub(super) fn take(&mut self, buffer: Option<u16>, length: u32) -> Filled {
        let buffer = buffer.filter(|buffer| *buffer < COUNT);
        let memory = buffer.map(|buffer| mem::take(&mut self.memory[usize::from(buffer)]));
        let memory = memory.unwrap_or_default();
        if buffer.is_some() {
            self.free = self.free.saturating_sub(1);
        }
        Filled {
            place: Place(buffer),
            length: memory.len().min(SIZE).min(length as usize),
            memory,
        }
    }

    /// Puts a buffer into the queue again. Without `memory` of the right size it makes some.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller must not use the place any more"
    )]
    pub(super) fn give_back(&mut self, place: Place, memory: Option<Vec<u8>>) {
        if let Some(buffer) = place.0 {
            let memory = memory.filter(|memory| memory.len() >= SIZE);
            self.put(buffer, memory.unwrap_or_else(|| vec![0; SIZE]));
        }
    }

    /// Leaks all memory.
    pub(super) fn leak(&mut self) {
        mem::forget(mem::take(&mut self.memory));
    }

    /// The queue has at most `COUNT` buffers, so the place after the last one is free.
    fn put(&mut self, buffer: u16, memory: Vec<u8>) {
        let slot = &mut self.memory[usize::from(buffer)];
        *slot = memory;
        // The bytes do not move while nothing changes the vector. Nothing accesses it until the kernel has taken the
        // buffer out of the queue.
        let memory = slot.as_mut_ptr();
        let place = usize::from(self.tail % COUNT);
        // SAFETY: `place` is less than `COUNT`.
        let entry = unsafe { self.queue.add(place) };
        // SAFETY: the entry is initialised with zeros. Nothing else uses it before the tail includes it. The tail is a
        // part of the first entry, but this code does not write that part.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(memory.expose_provenance() as u64);
        entry.set_len(LENGTH);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the pointer is to the first entry of the queue, which is initialised.
        let tail = unsafe { BufRingEntry::tail(self.queue.as_ptr()) };
        // SAFETY: the tail is valid and aligned until the program ends. The kernel reads it atomically, and only this
        // thread writes it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // The kernel sees the entry before the new tail.
        tail.store(self.tail, Ordering::Release);
        self.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code does not trust the kernel's numbers.
    #[test]
    fn no_completion_leads_out_of_the_buffers() {
        let mut buffers = Buffers {
            queue: NonNull::dangling(),
            memory: vec![vec![7; SIZE]; usize::from(COUNT)],
            tail: 0,
            free: usize::from(COUNT),
        };
        let filled = buffers.take(Some(COUNT - 1), u32::MAX);
        assert_eq!((filled.length, filled.memory.len()), (SIZE, SIZE));
        // The same buffer again.
        assert_eq!(buffers.take(Some(COUNT - 1), 1).length, 0);
        assert_eq!(buffers.take(Some(1), 3).length, 3);
        for nothing in [None, Some(COUNT)] {
            let filled = buffers.take(nothing, 1);
            assert_eq!((filled.place.0, filled.length), (None, 0));
        }
    }
}
