//! The wire format (RFC 6455): pure functions and values. They need no allocator and have no state, except the UTF-8
//! validator, which keeps the bytes of an unfinished character.
//!
//! | what | file | RFC 6455 |
//! |---|---|---|
//! | frame headers and opcodes | `frame.rs` | 5.2, 5.5 |
//! | masking | `mask.rs`, `masking_key.rs` | 5.3 |
//! | the payload of a Close frame, and its codes | `close_frame.rs`, `close_code.rs` | 5.5.1, 7.4 |
//! | UTF-8 in pieces | `utf8.rs` | 8.1 |
//! | the answer to a client's key | `accept_key.rs` | 4.2.2 |
//! | violations by the peer | `protocol_error.rs` | |
//! | vector instructions, and their replacement without `std` | `vectors.rs`, `scalar.rs` | |

mod accept_key;
#[cfg(feature = "arbitrary")]
mod arbitrary;
mod close_code;
mod close_frame;
mod debug;
mod frame;
pub(crate) mod mask;
pub(crate) mod masking_key;
mod protocol_error;
pub(crate) mod utf8;
#[cfg_attr(not(feature = "std"), path = "scalar.rs")]
pub(crate) mod vectors;

pub use accept_key::accept_key;
pub use close_code::CloseCode;
pub use close_frame::CloseFrame;
pub use frame::{FrameHeader, Opcode};
pub use mask::apply_mask;
pub use protocol_error::ProtocolError;
pub use utf8::Utf8Validator;

#[cfg(feature = "alloc")]
pub(crate) use {
    debug::Bytes,
    frame::{FIN, FrameStart, LENGTH_16, MASK, MAX_CONTROL_PAYLOAD, first_byte},
};
