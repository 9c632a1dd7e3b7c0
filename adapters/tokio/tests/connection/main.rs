//! One connection, in memory and in simulated time.

mod batches;
mod cancel;
mod halves;
mod late;
mod parts;
mod silence;
mod sizes;
mod support;
mod transport;
