//! One connection, in memory and in simulated time.

mod cancel;
mod halves;
mod silence;
mod support;
mod transport;
