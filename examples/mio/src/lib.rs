//! A loop over many WebSocket connections on one thread, with mio, and what an application has to say in it.
//!
//! - [`event_loop`]: waits, accepts, and goes round.
//! - `client`: one transport and its connection, from the request to the end.
//! - [`application`]: what is asked of whoever uses the loop.
//! - [`command_line`]: the arguments of the programs.

pub mod application;
mod client;
#[path = "../../common/command_line.rs"]
pub mod command_line;
pub mod event_loop;
mod timers;

pub use application::{Application, ClientId, Outbox};
pub use event_loop::EventLoop;
