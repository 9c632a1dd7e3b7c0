//! How to use the crate, page by page: there is nothing in here but text.
//!
//! - [`event_loop`]: drive it from your own loop.
//! - [`from_tungstenite`]: the same program in both, and what is called what.

#[doc = include_str!("guide/event_loop.md")]
pub mod event_loop {}

#[doc = include_str!("guide/from_tungstenite.md")]
pub mod from_tungstenite {}
