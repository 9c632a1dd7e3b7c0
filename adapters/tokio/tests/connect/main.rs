//! Clients against servers and proxies on loopback, and against those that fail, lie or never answer.

#![cfg(all(feature = "proxy", feature = "ring"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod cancel;
mod direct;
mod failures;
#[cfg(feature = "http2")]
mod http2;
mod proxies;
mod redirects;
mod support;
mod support_proxy;
mod tls;
