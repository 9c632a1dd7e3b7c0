//! How to use the crate, one page per task.
//!
//! - [`event_loop`]: many connections on one thread, with a poller or on an async runtime.
//! - [`blocking`]: one thread per connection. Deadlines, TLS, reconnecting.
//! - `http_libraries`: hyper, axum, h2 and other libraries that read the requests, with the feature `http`.
//! - [`states`]: the states of a connection, what to call when, and what each deadline does.
//! - [`from_tungstenite`]: the same program in both crates, and the names side by side.
//! - [`speed`]: how the speed is measured, and all series.

#[doc = include_str!("guide/event_loop.md")]
#[doc(alias = "tokio")]
#[doc(alias = "async")]
#[doc(alias = "mio")]
#[doc(alias = "polling")]
#[doc(alias = "epoll")]
#[doc(alias = "graceful shutdown")]
#[doc(alias = "nodelay")]
#[doc(alias = "deadlock")]
pub mod event_loop {}

#[doc = include_str!("guide/blocking.md")]
#[doc(alias = "wss")]
#[doc(alias = "tls")]
#[doc(alias = "reconnect")]
#[doc(alias = "threads")]
#[doc(alias = "rustls")]
pub mod blocking {}

#[cfg(feature = "http")]
#[doc = include_str!("guide/http_libraries.md")]
#[doc(alias = "hyper")]
#[doc(alias = "axum")]
#[doc(alias = "h2")]
pub mod http_libraries {}

#[doc = include_str!("guide/states.md")]
pub mod states {}

#[doc = include_str!("guide/from_tungstenite.md")]
pub mod from_tungstenite {}

#[doc = include_str!("guide/speed.md")]
#[doc(alias = "benchmark")]
#[doc(alias = "performance")]
pub mod speed {}
