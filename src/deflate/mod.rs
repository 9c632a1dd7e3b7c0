//! permessage-deflate (RFC 7692): messages compressed with DEFLATE (RFC 1951).

mod codecs;
mod deflater;
mod inflater;
mod options;

pub use codecs::Codecs;
pub(crate) use codecs::{Deflation, Inflation};
pub(crate) use deflater::Deflater;
pub(crate) use options::Agreed;
pub use options::Deflate;
