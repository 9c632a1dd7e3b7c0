//! A connection after the opening handshake (RFC 6455, sections 5 to 7).
//!
//! [`Connection`] couples the parts. No other file makes one part act on another: a received Ping makes a Pong, a
//! failure makes a Close frame, and so on.
//!
//! | what | file | RFC 6455 |
//! |---|---|---|
//! | the methods, and the automatic answers to events | `connection.rs` | |
//! | what the peer may send: masks, fragments, limits, messages; decompression | `receiver/` | 5.1 to 5.6, 6.2, 8.1 |
//! | bytes received and not consumed, and the message under assembly | `read_buffer/` | |
//! | frames to send, compressed or not | `sender/` | 5.1, 5.4, 6.1 |
//! | bytes to write, and the masking of a client's frames | `output/` | 5.3 |
//! | the bound on automatic Pongs | `pongs.rs` | 5.5.2, 5.5.3 |
//! | the states from open to closed, and what each means for the transport | `closing.rs` | 7 |
//! | when a Ping is due, and how data extends a deadline | `timers.rs` | |
//! | masking keys from a seed | `masking_keys.rs`, `seed_from_os.rs` | 5.3, 10.3 |
//! | messages that many connections send | `shared_message/`, with `sender/shared.rs` and `output/shared.rs` | |
//! | messages that are sent without a copy | `outgoing.rs` | |
//! | the traits of `std::io` | `std_io.rs` | |
//! | what the application chooses | `config.rs`, `deadlines.rs` | |
//! | what the application gets | `event.rs`, `owned_event.rs`, `taken_event.rs`, `send_error.rs` | |
//! | types of messages, and the two sides | `message_type.rs`, `role.rs` | 5.6, 1.2 |

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
mod taken_event;
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
pub use taken_event::TakenEvent;

pub(crate) use masking_keys::MaskingKeys;
pub(crate) use timers::HandshakeDeadline;
