//! The rotation of a masking key for a payload in pieces (RFC 6455, section 5.3).

/// Returns the key for the byte that is `offset` bytes further in the payload.
#[expect(
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "at most 3 bytes"
)]
#[inline]
pub(crate) const fn rotate(key: [u8; 4], offset: usize) -> [u8; 4] {
    let bits = (offset % 4) as u32 * 8;
    // In this order it is one instruction on little-endian machines.
    u32::from_le_bytes(key).rotate_right(bits).to_le_bytes()
}
