//! The upgrades of servers with hyper and axum, over HTTP/1.1 and HTTP/2.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod extractor;
mod http1;
mod http2;
mod support;
