//! Benchmarks of sockless beside other implementations of WebSocket, in memory.
//!
//! A [`Peer`](peers::Peer) makes passes for jobs. A pass does the whole job once. Whatever a pass needs is made before
//! it is timed. Everything that a pass receives or sends is counted, so a peer that loses something fails.
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark stops at the first surprise"
)]

pub mod counting;
pub mod deflate;
pub mod job;
pub mod limits;
pub mod measure;
pub mod memory;
pub mod million;
pub mod page;
pub mod peers;
pub mod report;
pub mod series;
pub mod speed;
pub mod sum;
pub mod take;
pub mod upgrade;
pub mod wire;
pub mod xor;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
