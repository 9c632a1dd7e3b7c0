//! Servers: the opening handshake, the graceful end, and messages to many clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod accept;
mod broadcast;
mod listener;
mod shutdown;
mod support;
