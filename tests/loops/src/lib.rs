//! Drives a WebSocket server with many connections at once, and judges every byte that comes back. The protocol is
//! tungstenite's, not sockless's.

mod client;
pub mod load;
mod memory;
mod message;
mod target;
mod watched;

pub use crate::load::{Failure, Plan, Summary};
pub use crate::target::Target;
