//! Masking of what a client sends (RFC 6455 section 5.3).

/// Masks or unmasks `data` in place (RFC 6455 section 5.3): the two are the same operation.
///
/// `offset` is the position of `data[0]` in the payload of its frame, so that a payload can be treated
/// in pieces; only its value modulo 4 matters.
///
/// # Example
///
/// ```
/// use sockless::apply_mask;
///
/// // "Hello", masked (RFC 6455 section 5.7).
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let (first, rest) = payload.split_at_mut(3);
/// apply_mask(first, [0x37, 0xfa, 0x21, 0x3d], 0);
/// apply_mask(rest, [0x37, 0xfa, 0x21, 0x3d], 3);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply_mask(data: &mut [u8], key: [u8; 4], offset: usize) {
    let key = u32::from_ne_bytes(rotate(key, offset));
    let word = u64::from(key) << 32 | u64::from(key);
    let (words, rest) = data.as_chunks_mut();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// The key as it stands `offset` bytes further into the payload.
#[inline]
pub(crate) fn rotate(mut key: [u8; 4], offset: usize) -> [u8; 4] {
    key.rotate_left(offset % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length, offset and split around the word size, against the formula of section 5.3.
    #[test]
    fn equals_the_formula_of_the_rfc() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let source: [u8; 80] = core::array::from_fn(|i| (i * 7) as u8);
        for length in 0..source.len() {
            for offset in 0..9 {
                let mut expected = source;
                for (i, byte) in expected[..length].iter_mut().enumerate() {
                    *byte ^= key[(offset + i) % 4];
                }
                for cut in [0, length / 3, length] {
                    let mut data = source;
                    let (first, rest) = data[..length].split_at_mut(cut);
                    apply_mask(first, key, offset);
                    apply_mask(rest, key, offset + cut);
                    assert_eq!(data, expected, "length {length} offset {offset} cut {cut}");
                }
            }
        }
    }
}
