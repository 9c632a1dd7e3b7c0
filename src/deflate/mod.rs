//! permessage-deflate (RFC 7692): compression of messages with DEFLATE (RFC 1951).
//!
//! | what | file | RFC 7692 |
//! |---|---|---|
//! | the options of the application, and the agreement with the peer | `options.rs` | 7.1 |
//! | the codecs of one connection, between messages and inside them | `codecs.rs` | 7.2 |
//! | compression | `deflater.rs` | 7.2.1 |
//! | decompression | `inflater.rs` | 7.2.2 |
//! | messages that are compressed once for many connections | `compressed.rs` | 7.2.1 |
//!
//! The negotiation is in `handshake/deflate.rs`. Without the feature `deflate`, `disabled.rs` replaces this file.

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

/// The place of one side of the extension. It is a box, because few connections use it.
pub(crate) type Boxed<T> = Box<T>;

/// The bytes at the end of each flush. At the end of a message, a sender removes them (RFC 7692, section 7.2.1) and a
/// receiver appends them (section 7.2.2).
const FLUSH_MARKER: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
