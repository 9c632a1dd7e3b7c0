#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod close;
mod close_code;
mod error;
mod frame;
mod handshake;
mod mask;
mod utf8;


pub use close::CloseFrame;
pub use close_code::CloseCode;
pub use error::{ProtocolError, SendError};
pub use frame::{FrameHeader, Opcode};
pub use handshake::key::accept_key;
pub use mask::apply_mask;
pub use utf8::Utf8Validator;

