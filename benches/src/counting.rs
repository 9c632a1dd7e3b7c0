//! An allocator that counts, and what some code does to the heap.
//!
//! It is no program's allocator until the program says so, since counting takes time:
//!
//! ```
//! use sockless_benches::counting::{Counting, Heap};
//!
//! #[global_allocator]
//! static COUNTING: Counting = Counting;
//!
//! let before = Heap::now();
//! let block = vec![0_u8; 100];
//! assert_eq!(Heap::now().since(before).bytes, 100);
//! drop(block);
//! assert_eq!(Heap::now().since(before).bytes, 0);
//! ```
#![allow(
    unsafe_code,
    clippy::cast_possible_wrap,
    reason = "only a global allocator of its own sees every allocation"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator. Counts what each thread does by itself.
#[derive(Debug)]
pub struct Counting;

/// What was allocated, in a thread since it began, or in between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Bytes owned.
    pub bytes: isize,
    /// Blocks owned.
    pub blocks: isize,
    /// Blocks that were allocated or grew, whatever became of them.
    pub allocations: isize,
    /// How many bytes these were, or by how many they grew.
    pub allocated: isize,
}

impl Heap {
    const NOTHING: Self = Self {
        bytes: 0,
        blocks: 0,
        allocations: 0,
        allocated: 0,
    };

    /// What this thread has done so far.
    pub fn now() -> Self {
        COUNTS.get()
    }

    /// What was done after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            blocks: self.blocks - before.blocks,
            allocations: self.allocations - before.allocations,
            allocated: self.allocated - before.allocated,
        }
    }
}

thread_local! {
    static COUNTS: Cell<Heap> = const { Cell::new(Heap::NOTHING) };
}

fn count(bytes: isize, blocks: isize) {
    // A thread that is ending has no counters any more, and nothing to count.
    let _ = COUNTS.try_with(|counts| {
        let mut heap = counts.get();
        heap.bytes += bytes;
        heap.blocks += blocks;
        if bytes > 0 {
            heap.allocations += 1;
            heap.allocated += bytes;
        }
        counts.set(heap);
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        unsafe { System.alloc(layout) }
    }

    // By itself: the system has cleared pages, which cost no memory until they are written to.
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
