//! An event loop for many WebSocket connections on one thread, with mio.
//!
//! - [`event_loop`]: waits, accepts, and gives each client its turns.
//! - `client`: one transport and its connection.
//! - [`application`]: the trait that an application implements.
//! - [`command_line`]: the arguments of the programs.

pub mod application;
mod client;
#[path = "../../common/command_line.rs"]
pub mod command_line;
pub mod event_loop;
#[path = "../../common/stage.rs"]
#[expect(dead_code, reason = "the outbox has its own way to take events")]
mod stage;
#[path = "../../common/timers.rs"]
mod timers;

pub use application::{Application, ClientId, Outbox};
pub use event_loop::EventLoop;
