//! What `Debug` shows in place of content: logs must not hold what users say, nor their credentials.

use core::fmt;

/// So many bytes.
pub(crate) struct Bytes(pub(crate) usize);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}
