//! permessage-deflate (RFC 7692): messages compressed with DEFLATE (RFC 1951).
//!
//! Without the feature `deflate`, `disabled.rs` takes the place of this file.

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
