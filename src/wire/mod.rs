//! The wire format (RFC 6455 sections 5.2, 5.3, 5.5.1, 7.4 and 8.1): pure functions and values, without an allocator and
//! without state. Only the validator of UTF-8 remembers the bytes of an unfinished character.

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
