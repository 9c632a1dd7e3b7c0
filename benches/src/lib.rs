//! Benchmarks of sockless beside other implementations of WebSocket, in memory.
//!
//! A [`Peer`](peers::Peer) makes passes for jobs; a pass does the whole job once. Everything a pass needs is made
//! before it is timed, and everything it received or sent is counted, so that a peer that loses something fails.
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark stops at the first surprise"
)]

pub mod budget;
pub mod counted;
pub mod counting;
pub mod deflate;
pub mod job;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod nowhere;
pub mod page;
pub mod peers;
pub mod plot;
pub mod report;
pub mod series;
pub mod shared;
pub mod sum;
pub mod upgrade;
pub mod versions;
pub mod wire;
pub mod xor;
