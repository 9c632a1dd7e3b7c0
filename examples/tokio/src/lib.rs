//! An echo server on [`sockless_tokio`], and what the example programs on tokio share.
//!
//! - [`server`] accepts clients and ends gracefully.
//! - [`command_line`] and [`advice`] read arguments and explain errors.

#[path = "../../common/advice.rs"]
pub mod advice;
pub mod command_line;
pub mod server;

pub use sockless_tokio::{Closed, Message, Receiver, Sender, WebSocket, within};
