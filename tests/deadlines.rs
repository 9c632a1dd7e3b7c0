//! Slow and silent peers in every state, and the deadlines that end their connections. Tests pass the time, so none
//! waits.
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

use simulation::Simulation;
use sockless::test_util::Role;
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
#[path = "deadlines/taken.rs"]
mod taken;
#[path = "deadlines/transfers.rs"]
mod transfers;
#[path = "deadlines/turns.rs"]
mod turns;
#[path = "deadlines/write_errors.rs"]
mod write_errors;

/// The time at the start. Deadlines may count from any origin.
const START: Duration = Duration::from_secs(1_000_000);

/// The default deadlines and small limits.
fn config() -> Config {
    Config::new()
        .with_deadlines(Deadlines::default())
        .with_max_message_size(64 << 10)
        .with_max_output(8 << 10)
}

/// The same configuration, but progress does not extend a deadline.
fn strict() -> Config {
    config().with_deadlines(Deadlines::new().with_max_extension(Duration::ZERO))
}

/// A connection after the opening handshake.
fn open(role: Role) -> Simulation {
    Simulation::opened(role.connection(&config()))
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
