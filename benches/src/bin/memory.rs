//! What a server's connection owns, and what a message allocates, for every implementation. A Markdown table.
//!
//! ```text
//! cargo run --profile compare --package sockless-benches --bin memory
//! ```
//!
//! A connection is a value and what it owns on the heap, each counted when it has sent and received nothing and
//! after a short message each way. Messages have 125 bytes; what they allocate is counted in a third pass of 1,000, so
//! that buffers have grown to their size. Bytes of blocks that grow count by how much they grow.
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

use std::any::Any;

use sockless_benches::counting::{Counting, Heap};
use sockless_benches::job::{Kind, Receive, Role, Send};
use sockless_benches::peers::{self, Pass, Peer};
use sockless_benches::sum::Sum;

#[global_allocator]
static COUNTING: Counting = Counting;

const SIZE: usize = 125;
const COUNT: usize = 1000;

fn main() {
    println!(
        "| | value | heap, new | heap, used | to receive {SIZE} B | to send {SIZE} B | to echo {SIZE} B |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let receive = Receive {
        role: Role::Server,
        kind: Kind::Binary,
        size: SIZE,
        fragment: SIZE,
        count: COUNT,
        read_size: 16 << 10,
        chunks: false,
    };
    let send = Send {
        role: Role::Server,
        kind: Kind::Binary,
        size: SIZE,
        count: COUNT,
    };
    for peer in peers::all() {
        println!(
            "| {} | {} | {} | {} | {} |",
            peer.name(),
            idle(&*peer),
            steady(peer.receive(&receive)),
            steady(peer.send(&send)),
            steady(peer.echo(&receive)),
        );
    }
}

/// The size of a connection and what it owns, new and used.
fn idle(peer: &dyn Peer) -> String {
    let Some((size, new)) = connection(peer, false) else {
        return "- | - | -".into();
    };
    let used = connection(peer, true).map_or_else(|| "-".into(), |(_, heap)| owned(heap));
    format!("{size} B | {} | {used}", owned(new))
}

/// The size of a connection's value, and what it owns on the heap.
fn connection(peer: &dyn Peer, used: bool) -> Option<(usize, Heap)> {
    // What a thread makes once, such as a generator of random numbers, belongs to no connection.
    drop(peer.idle(used));
    let before = Heap::now();
    let connection: Box<dyn Any> = peer.idle(used)?;
    let mut heap = Heap::now().since(before);
    let size = size_of_val(&*connection);
    // The box is where the value lies.
    heap.bytes -= size.cast_signed();
    heap.blocks -= isize::from(size > 0);
    Some((size, heap))
}

fn owned(heap: Heap) -> String {
    match heap.blocks {
        0 => "0".into(),
        1 => format!("{} B", heap.bytes),
        blocks => format!("{} B in {blocks} blocks", heap.bytes),
    }
}

/// What a message allocates once everything has its size.
fn steady(pass: Option<Pass>) -> String {
    let Some(mut pass) = pass else {
        return "-".into();
    };
    let mut expected = Sum::default();
    pass(&mut expected);
    let mut sum = Sum::default();
    pass(&mut sum);
    assert_eq!(sum, expected, "two passes differ");
    let mut sum = Sum::default();
    let before = Heap::now();
    pass(&mut sum);
    let heap = Heap::now().since(before);
    assert_eq!(sum, expected, "two passes differ");
    if heap.allocations == 0 {
        return "0".into();
    }
    format!(
        "{:.2} allocations, {:.0} B",
        heap.allocations as f64 / COUNT as f64,
        heap.allocated as f64 / COUNT as f64
    )
}
