//! One connection, in memory and in simulated time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod attacks;
mod batches;
mod cancel;
mod halves;
mod late;
mod parts;
mod silence;
mod sizes;
mod support;
mod transport;
