//! permessage-deflate (RFC 7692): messages compressed with DEFLATE (RFC 1951).
//!
//! | what | file | RFC 7692 |
//! |---|---|---|
//! | what the application wishes, and what is agreed on | `options.rs` | 7.1 |
//! | the codecs of one connection, between messages and inside them | `codecs.rs` | 7.2 |
//! | compressing | `deflater.rs` | 7.2.1 |
//! | decompressing | `inflater.rs` | 7.2.2 |
//! | messages compressed once for many connections | `compressed.rs` | 7.2.1 |
//!
//! The negotiation is in `handshake/deflate.rs`. Without the feature `deflate`, `disabled.rs` takes the place of this file.

use alloc::boxed::Box;

mod codecs;
mod compressed;
mod deflater;
mod inflater;
mod options;

pub use codecs::Codecs;
pub use options::Deflate;

pub(crate) use codecs::{Deflation, Inflation};
pub(crate) use compressed::Compressed;
pub(crate) use options::Agreed;

/// Where one side of the extension lies: apart, since few connections have it.
pub(crate) type Boxed<T> = Box<T>;

/// What every flush ends with. A sender leaves it out at the end of a message (RFC 7692 section 7.2.1), and a receiver
/// appends it there (section 7.2.2).
const FLUSH_MARKER: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
