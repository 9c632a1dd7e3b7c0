//! A counting allocator. It measures what a piece of code does to the heap.
#![allow(
    unsafe_code,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "only a global allocator sees every allocation"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts per thread, because tests run at the same time.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static MOVED: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize, beside: isize) {
    // A thread that ends has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        PEAK.with(|peak| peak.set(peak.get().max(live.get())));
        MOVED.with(|moved| moved.set(moved.get().max(live.get() + beside)));
        if bytes > 0 {
            ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
        }
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), 0);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The allocator may grow the block in place, or copy it and own both blocks for a moment. Nobody can see
        // which one happens, so both are counted.
        count(
            size as isize - layout.size() as isize,
            layout.size() as isize,
        );
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a piece of code did to the heap of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heap {
    pub(crate) allocations: usize,
    /// Bytes owned after it, minus bytes owned before.
    pub(crate) kept: isize,
    /// The most bytes owned at once, minus bytes owned before, if blocks grow in place.
    pub(crate) peak: isize,
    /// The same, if every growing block is copied.
    pub(crate) moved: isize,
}

pub(crate) fn measure<T>(act: impl FnOnce() -> T) -> (T, Heap) {
    let allocations = ALLOCATIONS.get();
    let live = LIVE.get();
    PEAK.set(live);
    MOVED.set(live);
    let result = act();
    let heap = Heap {
        allocations: ALLOCATIONS.get() - allocations,
        kept: LIVE.get() - live,
        peak: PEAK.get() - live,
        moved: MOVED.get() - live,
    };
    (result, heap)
}

pub(crate) const NOTHING: Heap = Heap {
    allocations: 0,
    kept: 0,
    peak: 0,
    moved: 0,
};
