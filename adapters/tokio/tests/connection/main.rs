//! One connection, in memory and in simulated time.

mod cancel;
mod halves;
mod late;
mod silence;
mod support;
mod transport;
