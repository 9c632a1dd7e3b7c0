//! The simplest allocator. It never reuses freed memory.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 64 * 1024;

#[global_allocator]
static HEAP: Heap = Heap {
    memory: UnsafeCell::new([0; SIZE]),
    used: AtomicUsize::new(0),
};

struct Heap {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

// SAFETY: programs access `memory` only through blocks from `alloc`, and these never overlap.
unsafe impl Sync for Heap {}

// SAFETY: each block from `alloc` is inside `memory`, aligned, and handed out once.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = self.memory.get().cast::<u8>();
        // The start and the end of the new block, if `used` bytes are in use.
        let place = |used: usize| {
            let free = memory.addr() + used;
            let start = used + (free.next_multiple_of(layout.align()) - free);
            Some((start, start.checked_add(layout.size())?))
        };
        let end = |used| place(used).map(|(_, end)| end).filter(|end| *end <= SIZE);
        let used = (self.used).fetch_update(Ordering::Relaxed, Ordering::Relaxed, end);
        match used.ok().and_then(place) {
            // SAFETY: start <= end <= SIZE.
            Some((start, _)) => unsafe { memory.add(start) },
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
