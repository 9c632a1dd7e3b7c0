//! Drives a WebSocket server with many connections at once and checks every byte of the answers. The protocol
//! implementation is tungstenite's, not sockless's.

mod client;
pub mod command_line;
mod http2;
pub mod load;
mod message;
pub mod scenarios;
mod target;

pub use crate::http2::{Http2, Http2Stream};
pub use crate::load::{Failure, Plan, Summary};
pub use crate::target::Target;
