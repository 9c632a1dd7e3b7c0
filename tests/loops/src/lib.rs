//! Drives a WebSocket server with many connections at once, and judges every byte that comes back. The protocol is
//! tungstenite's, not sockless's.

mod client;
mod http2;
pub mod load;
mod memory;
mod message;
pub mod scenarios;
mod target;
mod watched;

pub use crate::http2::{Http2, Http2Stream};
pub use crate::load::{Failure, Plan, Summary};
pub use crate::target::Target;
