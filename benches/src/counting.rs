//! An allocator that counts what a thread allocates.
#![allow(
    unsafe_code,
    clippy::cast_possible_wrap,
    reason = "only a global allocator sees every allocation"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Sub;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The allocator of the system. It counts after [`start`].
#[derive(Debug)]
pub struct Counting;

/// Whether to count. Counting takes time, so it is off while times are measured.
static ON: AtomicBool = AtomicBool::new(false);

/// Starts counting, in all threads.
pub fn start() {
    ON.store(true, Relaxed);
}

/// What one thread has allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Bytes owned.
    pub bytes: isize,
    /// Blocks owned.
    pub blocks: isize,
    /// Blocks that were allocated or grew. Later frees do not change it.
    pub allocations: isize,
    /// The bytes of those blocks. A block that grew counts by how much it grew.
    pub allocated: isize,
}

impl Heap {
    /// What this thread has allocated so far.
    pub fn now() -> Self {
        HEAP.get()
    }
}

impl Sub for Heap {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            blocks: self.blocks - before.blocks,
            allocations: self.allocations - before.allocations,
            allocated: self.allocated - before.allocated,
        }
    }
}

thread_local! {
    static HEAP: Cell<Heap> = const {
        Cell::new(Heap {
            bytes: 0,
            blocks: 0,
            allocations: 0,
            allocated: 0,
        })
    };
}

#[inline]
fn count(bytes: isize, blocks: isize) {
    if ON.load(Relaxed) {
        count_always(bytes, blocks);
    }
}

#[cold]
fn count_always(bytes: isize, blocks: isize) {
    // This fails in a thread that is ending, whose counts nobody reads.
    let _ = HEAP.try_with(|heap| {
        let mut now = heap.get();
        now.bytes += bytes;
        now.blocks += blocks;
        if bytes > 0 {
            now.allocations += 1;
            now.allocated += bytes;
        }
        heap.set(now);
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        unsafe { System.alloc(layout) }
    }

    // The default would write zeros, which makes the pages resident.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), -1);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize, 0);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted() {
        start();
        let before = Heap::now();
        let mut block = vec![0_u8; 100];
        block.reserve_exact(200);
        let now = Heap::now() - before;
        assert_eq!((now.bytes, now.blocks), (300, 1));
        assert_eq!((now.allocations, now.allocated), (2, 300));
        drop(block);
        let now = Heap::now() - before;
        assert_eq!((now.bytes, now.blocks), (0, 0));
        assert_eq!((now.allocations, now.allocated), (2, 300));
    }
}
