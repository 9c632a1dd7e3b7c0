//! What the example programs on tokio share.
//!
//! - [`server`] accepts clients and ends gracefully.
//! - [`command_line`] reads arguments. [`advice`] and [`explain`](explain()) turn errors into advice.

#[path = "../../common/advice.rs"]
pub mod advice;
pub mod command_line;
mod explain;
pub mod server;

pub use explain::explain;
pub use sockless_tokio::within;
