//! Masking of a client's payload (RFC 6455, section 5.3).

use crate::wire::masking_key::rotate;
use crate::wire::vectors;

/// Masks or unmasks `data` in place (RFC 6455, section 5.3). Both are the same operation.
///
/// `offset` is the position of `data[0]` in the payload of its frame. With it you can mask a payload in pieces. Only
/// its value modulo 4 matters.
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
    let key = rotate(key, offset);
    if data.len() < LONG {
        mask_short(data, key);
    } else {
        mask_long(data, key);
    }
}

/// From this length on, it is faster to begin at the start of a cache line.
pub(crate) const LONG: usize = 512;

pub(crate) const CACHE_LINE: usize = 64;

/// The size of a block. LLVM compiles the loop over one to vector instructions.
pub(crate) const BLOCK: usize = 128;

/// Masks data without looking at its alignment.
#[inline]
fn mask_short(data: &mut [u8], key: [u8; 4]) {
    // This avoids a loop over single bytes: the last bytes are one more block, which may overlap the blocks before
    // it. It is stored after them.
    let length = data.len();
    if let Some(last) = data.last_chunk::<16>() {
        let last = masked(*last, rotate(key, length));
        let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
        for block in blocks {
            *block = masked(*block, key);
        }
        let (blocks, rest) = rest.as_chunks_mut::<32>();
        for block in blocks {
            *block = masked(*block, key);
        }
        if let Some(block) = rest.first_chunk_mut::<16>() {
            *block = masked(*block, key);
        }
        if let Some(block) = data.last_chunk_mut() {
            *block = last;
        }
    } else if !mask_both_ends::<8>(data, key) && !mask_both_ends::<4>(data, key) {
        for (byte, key) in data.iter_mut().zip(key) {
            *byte ^= key;
        }
    }
}

/// Masks the bytes up to a cache line first, because vectors that cross two cache lines take twice as long.
#[inline(never)]
fn mask_long(data: &mut [u8], key: [u8; 4]) {
    let start = data.as_ptr().align_offset(CACHE_LINE).min(data.len());
    let (start, rest) = data.split_at_mut(start);
    mask_short(start, key);
    let key = rotate(key, start.len());
    let rest = vectors::mask(rest, key);
    mask_short(rest, key);
}

/// Masks `N` to `2 * N` bytes. Does nothing with any other length.
#[inline]
fn mask_both_ends<const N: usize>(data: &mut [u8], key: [u8; 4]) -> bool {
    let (Some(first), Some(last)) = (data.first_chunk::<N>(), data.last_chunk::<N>()) else {
        return false;
    };
    let first = masked(*first, key);
    let last = masked(*last, rotate(key, data.len()));
    if let Some(place) = data.first_chunk_mut() {
        *place = first;
    }
    if let Some(place) = data.last_chunk_mut() {
        *place = last;
    }
    true
}

/// `N` is a multiple of 4.
#[inline]
pub(crate) fn masked<const N: usize>(mut bytes: [u8; N], key: [u8; 4]) -> [u8; N] {
    let key = u32::from_ne_bytes(key);
    let (words, _) = bytes.as_chunks_mut();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lengths, offsets and splits around the word size, compared with the formula of section 5.3.
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

    /// Long payloads at each alignment.
    #[test]
    fn long_payloads_equal_the_formula_wherever_they_lie() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let source: Vec<_> = (0..2000_usize).map(|i| (i * 7 % 251) as u8).collect();
        let formula = |data: &[u8], offset: usize| -> Vec<_> {
            let masked = data.iter().enumerate();
            masked
                .map(|(i, byte)| byte ^ key[(offset + i) % 4])
                .collect()
        };
        let lengths = (0..140)
            .chain(LONG - 3..LONG + 140)
            .chain([1151, 1152, 1900]);
        for length in lengths {
            for place in (0..66).step_by(3) {
                let expected = formula(&source[..length], place);
                let mut data = source.clone();
                data.copy_within(..length, place);
                apply_mask(&mut data[place..place + length], key, place);
                assert!(
                    data[place..place + length] == expected,
                    "{length} at {place}"
                );
                assert_eq!(data[..place], source[..place]);
                assert_eq!(data[place + length..], source[place + length..]);
            }
        }
    }
}
