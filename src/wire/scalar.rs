//! The same as `vectors.rs` without `std`, which knows no vectors of the processor.

use core::str;

/// Masks nothing, and returns all of `data`.
pub(super) const fn mask(data: &mut [u8], _key: [u8; 4]) -> &mut [u8] {
    data
}

/// Copies nothing, and says so.
#[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "nothing sends"))]
pub(crate) const fn copy(_place: &mut [u8], _data: &[u8], _key: [u8; 4]) -> bool {
    false
}

/// The bytes as text, if that is what they are.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}
