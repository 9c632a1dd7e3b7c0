//! Buffers that the kernel receives into, shared by all clients.
//!
//! This program puts buffers into a queue, from which the kernel takes one when there are bytes to put into it. A
//! completion says which, and then it is this program's until it is put back.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::UnsafeCell;
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// The number of this set of buffers; there are no others.
pub(super) const GROUP: u16 = 0;

/// How many there are: a power of two. They are in use only while what came is copied, so some suffice for thousands of
/// clients; together they take 2 MiB.
const COUNT: u16 = 128;

/// How many bytes go into one.
const SIZE: u16 = 16 << 10;

/// The queue is a part of memory that begins with a page, of whatever size those are.
const ALIGNMENT: usize = 64 << 10;

/// The buffers and the queue. They are never given back: the program needs them for as long as it runs, and the kernel
/// may need them longer.
pub(super) struct Buffers {
    queue: NonNull<BufRingEntry>,
    memory: &'static [UnsafeCell<u8>],
    /// How many buffers were put into the queue so far, which wraps around.
    tail: u16,
}

/// A buffer that was received into. Whoever has it has the buffer: it can neither be made nor copied elsewhere.
#[derive(Debug)]
pub(crate) struct Filled {
    /// `None` where the kernel took none, since there was nothing to put into it.
    buffer: Option<u16>,
    length: usize,
}

impl Filled {
    /// The buffer that a completion names, with so many bytes in it.
    pub(super) fn new(buffer: Option<u16>, length: u32) -> Self {
        let most = buffer.map_or(0, |_| usize::from(SIZE));
        Self {
            buffer: buffer.filter(|buffer| *buffer < COUNT),
            length: usize::try_from(length).map_or(most, |length| length.min(most)),
        }
    }
}

impl Buffers {
    /// Tells the kernel of the queue, and puts all buffers into it.
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
        // SAFETY: `queue` has room for so many entries, and is never given back.
        unsafe { submitter.register_buf_ring_with_flags(address, COUNT, GROUP, 0) }?;
        for buffer in 0..COUNT {
            buffers.put(buffer);
        }
        Ok(buffers)
    }

    /// What was received into it.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let Some(buffer) = filled.buffer else {
            return &[];
        };
        let start = usize::from(buffer) * usize::from(SIZE);
        let bytes = &self.memory[start..start + filled.length];
        // SAFETY: the kernel writes into no buffer but those in the queue. This one it has taken out, and who lends
        // `filled` cannot put it back meanwhile. Cells lie where what is in them lies.
        unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// Puts a buffer into the queue again.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever had the buffer has it no more"
    )]
    pub(super) fn give_back(&mut self, filled: Filled) {
        if let Some(buffer) = filled.buffer {
            self.put(buffer);
        }
    }

    /// There are at most `COUNT` buffers in the queue, so the place behind the last is free.
    fn put(&mut self, buffer: u16) {
        let start = usize::from(buffer) * usize::from(SIZE);
        let memory = self.memory[start..].as_ptr();
        let place = usize::from(self.tail % COUNT);
        // SAFETY: the place is one of `COUNT`.
        let entry = unsafe { self.queue.add(place) };
        // SAFETY: it was initialised with zeros, and neither the kernel nor anything else uses it before the tail says
        // so. The tail of the queue is a part of the first entry, but none that is written here.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(memory.expose_provenance() as u64);
        entry.set_len(u32::from(SIZE));
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: it is the first entry of the queue, and initialised.
        let tail = unsafe { BufRingEntry::tail(self.queue.as_ptr()) };
        // SAFETY: it is valid and aligned for as long as the program runs; the kernel reads it atomically, and this is
        // the only thread that writes it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // The kernel sees the entry when it sees the tail.
        tail.store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's numbers are not trusted to lie inside the buffers.
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
