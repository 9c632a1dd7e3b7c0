//! Replaces `vectors.rs` without `std`, where the crate cannot ask for the processor's vector instructions.

use core::str;

/// Masks nothing and returns all of `data`.
pub(super) const fn mask(data: &mut [u8], _key: [u8; 4]) -> &mut [u8] {
    data
}

/// Copies nothing and returns false.
#[cfg_attr(
    not(feature = "alloc"),
    expect(dead_code, reason = "only the sender uses it")
)]
pub(crate) const fn copy(_place: &mut [u8], _data: &[u8], _key: [u8; 4]) -> bool {
    false
}

/// Returns the bytes as text if they are UTF-8.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}
