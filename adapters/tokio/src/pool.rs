//! Memory that the connections of a thread share.
//!
//! A connection needs memory only while bytes are on their way. A thread runs one task at a time, so a few buffers
//! serve all of its idle connections.

use std::cell::RefCell;

use sockless::ReadBuffer;

/// The least space for a read.
pub(crate) const READ: usize = 16 << 10;

/// The size of a new read buffer: a frame of 64 KiB with its header fits, so it takes one read.
const NEW: usize = 68 << 10;

/// Larger memory is freed. A message of this size needs it again only with the next such message.
const LARGEST: usize = 256 << 10;

/// How many pieces of memory of each kind a thread keeps.
const MOST: usize = 16;

#[derive(Default)]
struct Pool {
    /// Boxed, because moving a pointer is cheaper.
    #[expect(
        clippy::vec_box,
        reason = "the boxes come from connections and go to connections"
    )]
    buffers: Vec<Box<ReadBuffer>>,
    outputs: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// An empty read buffer, with memory.
#[expect(clippy::unnecessary_box_returns, reason = "connections own the box")]
pub(crate) fn take_buffer() -> Box<ReadBuffer> {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().buffers.pop());
    pooled
        .ok()
        .flatten()
        .unwrap_or_else(|| Box::new(ReadBuffer::with_capacity(NEW)))
}

/// Takes the memory of an empty read buffer.
pub(crate) fn put_buffer(buffer: Box<ReadBuffer>) {
    if buffer.capacity() <= LARGEST {
        // At the end of the thread, the memory is freed.
        _ = POOL.try_with(|pool| keep(&mut pool.borrow_mut().buffers, buffer));
    }
}

/// Empty memory for output.
pub(crate) fn take_output() -> Vec<u8> {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().outputs.pop());
    pooled.ok().flatten().unwrap_or_default()
}

/// Takes the memory of output that was written.
pub(crate) fn put_output(output: Vec<u8>) {
    if (1..=LARGEST).contains(&output.capacity()) {
        _ = POOL.try_with(|pool| keep(&mut pool.borrow_mut().outputs, output));
    }
}

fn keep<T>(kept: &mut Vec<T>, memory: T) {
    if kept.len() < MOST {
        kept.push(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_bounded_amount_of_memory() {
        for _ in 0..2 * MOST {
            put_buffer(Box::new(ReadBuffer::with_capacity(LARGEST)));
            put_output(Vec::with_capacity(LARGEST));
        }
        put_buffer(Box::new(ReadBuffer::with_capacity(LARGEST + 1)));
        put_output(Vec::with_capacity(LARGEST + 1));
        put_output(Vec::new());
        POOL.with_borrow(|pool| {
            assert_eq!((pool.buffers.len(), pool.outputs.len()), (MOST, MOST));
        });
        assert_eq!(take_buffer().capacity(), LARGEST);
        assert_eq!(take_output().capacity(), LARGEST);
        POOL.take();
        assert_eq!(take_buffer().capacity(), NEW);
        assert_eq!(take_output().capacity(), 0);
    }
}
