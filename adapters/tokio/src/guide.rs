//! How to use the crate, one page per task.
//!
//! - [`from_tokio_tungstenite`]: the same program in both crates, the names side by side, and what behaves differently.
//! - `reconnecting`: a client that stays connected through a proxy, with TLS and compression. It needs the feature
//!   `deflate`.

#[doc = include_str!("guide/from_tokio_tungstenite.md")]
#[doc(alias = "tungstenite")]
#[doc(alias = "migration")]
#[doc(alias = "connect_async")]
#[doc(alias = "WebSocketStream")]
pub mod from_tokio_tungstenite {}

#[cfg(feature = "deflate")]
#[doc = include_str!("guide/reconnecting.md")]
#[doc = "```no_run"]
#[doc = include_str!("../examples/reconnect.rs")]
#[doc = "```"]
#[doc(alias = "reconnect")]
#[doc(alias = "backoff")]
#[doc(alias = "retry")]
pub mod reconnecting {}
