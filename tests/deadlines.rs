//! Slow and silent peers at every stage, and the deadlines that end them. Time is a number here: no test waits.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "tests stop at the first surprise"
)]

use std::time::Duration;

use sockless::{Config, Deadlines};

#[path = "deadlines/client.rs"]
mod client;
#[path = "deadlines/closing.rs"]
mod closing;
#[path = "support/heap.rs"]
mod heap;
#[path = "deadlines/keepalive.rs"]
mod keepalive;
#[path = "deadlines/opening.rs"]
mod opening;
#[path = "deadlines/simulation.rs"]
mod simulation;
#[path = "deadlines/transfers.rs"]
mod transfers;
#[path = "deadlines/turns.rs"]
mod turns;
#[path = "deadlines/write_errors.rs"]
mod write_errors;

/// What every clock here shows at first: deadlines count from any origin.
const START: Duration = Duration::from_secs(1_000_000);

/// The default deadlines, and limits that are soon reached.
fn config() -> Config {
    Config::new()
        .with_deadlines(Deadlines::default())
        .with_max_message_size(64 << 10)
        .with_max_output(8 << 10)
}

/// The same, and progress extends no deadline.
fn strict() -> Config {
    config().with_deadlines(Deadlines::new().with_max_extension(Duration::ZERO))
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
