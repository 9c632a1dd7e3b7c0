//! `Debug` shows sizes instead of content, because logs must not contain messages or credentials.

use core::fmt;

/// A number of bytes.
pub(crate) struct Bytes(pub(crate) usize);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}
