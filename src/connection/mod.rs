//! A connection after the opening handshake (RFC 6455 sections 5 to 7).
//!
//! [`Connection`] couples the parts. The parts do not know each other.

mod closing;
mod config;
#[expect(
    clippy::module_inception,
    reason = "the type has the name of the concept"
)]
mod connection;
mod deadlines;
mod event;
mod masking_keys;
mod message_type;
mod outgoing;
mod output;
mod owned_event;
mod pongs;
mod read_buffer;
mod receiver;
mod role;
#[cfg(feature = "getrandom")]
mod seed_from_os;
mod send_error;
mod sender;
#[cfg(target_has_atomic = "ptr")]
mod shared_message;
#[cfg(feature = "std")]
mod std_io;
mod timers;

pub use closing::{CloseEvent, Initiator, TransportAction};
pub use config::{Config, Delivery, Reply};
pub use connection::Connection;
pub use deadlines::{Deadlines, Timeout};
pub use event::Event;
pub use masking_keys::Seed;
pub use outgoing::Outgoing;
pub use owned_event::OwnedEvent;
pub use read_buffer::ReadBuffer;
pub use role::Role;
#[cfg(feature = "getrandom")]
pub use seed_from_os::SeedError;
pub use send_error::SendError;
#[cfg(target_has_atomic = "ptr")]
pub use shared_message::SharedMessage;

pub(crate) use masking_keys::MaskingKeys;
pub(crate) use timers::HandshakeDeadline;
