//! The heap of a server's connection, and the allocations for a message, for every implementation.
//!
//! A connection is a value and the blocks that it owns. Both are counted before and after one short message each way.
//! Allocations are counted in a third pass of 1,000 messages, after buffers have grown to their final size.

use crate::counting::{self, Heap};
use crate::job::{Kind, Receive, Role};
use crate::peers::{self, Pass, Peer};
use crate::sum::Sum;

const SIZE: usize = 125;
const COUNT: usize = 1000;

/// Prints a Markdown table.
///
/// The allocator must be [`Counting`](counting::Counting).
pub fn report() {
    counting::start();
    println!(
        "| | value | heap, new | heap, used | to receive {SIZE} B | to send {SIZE} B | to echo {SIZE} B |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let receive = Receive::new(Role::Server, Kind::Binary, SIZE, COUNT);
    let send = receive.echoed();
    for peer in peers::all() {
        let (size, new) = connection(&*peer, false);
        let (_, used) = connection(&*peer, true);
        println!(
            "| {} | {size} B | {} | {} | {} | {} | {} |",
            peer.name(),
            owned(new),
            owned(used),
            steady(peer.receive(&receive)),
            steady(peer.send(&send)),
            steady(peer.echo(&receive)),
        );
    }
}

/// The size of a connection's value, and what it owns on the heap.
fn connection(peer: &dyn Peer, used: bool) -> (usize, Heap) {
    // The first connection also makes what a thread needs once, such as a random number generator.
    drop(peer.idle(used));
    let before = Heap::now();
    let connection = peer.idle(used);
    let mut heap = Heap::now() - before;
    let size = size_of_val(&*connection);
    // The value is in a box.
    heap.bytes -= size.cast_signed();
    heap.blocks -= isize::from(size > 0);
    (size, heap)
}

fn owned(heap: Heap) -> String {
    match heap.blocks {
        0 => "0".into(),
        1 => format!("{} B", heap.bytes),
        blocks => format!("{} B in {blocks} blocks", heap.bytes),
    }
}

/// What a message allocates after two passes.
fn steady(mut pass: Pass) -> String {
    let mut run = || {
        let mut sum = Sum::default();
        let before = Heap::now();
        pass(&mut sum);
        (sum, Heap::now() - before)
    };
    let (expected, _) = run();
    let (second, _) = run();
    let (third, heap) = run();
    assert!(expected == second && expected == third, "passes differ");
    if heap.allocations == 0 {
        return "0".into();
    }
    format!(
        "{:.2} allocations, {:.0} B",
        heap.allocations as f64 / COUNT as f64,
        heap.allocated as f64 / COUNT as f64
    )
}
