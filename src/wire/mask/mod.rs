//! Masking of what a client sends (RFC 6455 section 5.3).

#[cfg(feature = "std")]
mod vectors;

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
    let key = rotate(key, offset);
    if data.len() < LONG {
        mask_short(data, key);
    } else {
        mask_long(data, key);
    }
}

/// From here on it pays to begin at the start of a cache line.
const LONG: usize = 512;

const CACHE_LINE: usize = 64;

/// What is masked at once where there is enough: LLVM makes vector instructions of it.
const BLOCK: usize = 128;

/// Masks what is not worth a look at where it lies.
#[inline]
fn mask_short(data: &mut [u8], key: [u8; 4]) {
    // No length needs a loop over bytes: the last ones are masked together, as a block of its own that may
    // overlap the blocks before it, and stored when those are.
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

/// Vectors that lie across two cache lines take twice as long, so the first bytes are masked apart.
#[inline(never)]
fn mask_long(data: &mut [u8], key: [u8; 4]) {
    let start = data.as_ptr().align_offset(CACHE_LINE).min(data.len());
    let (start, rest) = data.split_at_mut(start);
    mask_short(start, key);
    let key = rotate(key, start.len());
    #[cfg(feature = "std")]
    let rest = vectors::mask(rest, key);
    mask_short(rest, key);
}

/// Copies at most 128 bytes to a place of the same length, masked with a key that stands at the first of them.
///
/// Masks on the way: what has just been written is slow to be read again.
#[cfg(feature = "alloc")]
#[expect(
    clippy::inline_always,
    reason = "in one piece with `Output::push_short_masked`"
)]
#[inline(always)]
pub(crate) fn copy_short(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    debug_assert!(data.len() <= 128, "the middle is left out");
    if data.len() >= 16 {
        _ = copy_both_ends::<64>(place, data, key)
            || copy_both_ends::<32>(place, data, key)
            || copy_both_ends::<16>(place, data, key);
    } else if !copy_both_ends::<8>(place, data, key) && !copy_both_ends::<4>(place, data, key) {
        for ((place, byte), key) in place.iter_mut().zip(data).zip(key) {
            *place = byte ^ key;
        }
    }
}

/// Copies `N` to `2 * N` bytes, masked; less not at all.
#[cfg(feature = "alloc")]
#[expect(
    clippy::inline_always,
    reason = "in one piece with `Output::push_short_masked`"
)]
#[inline(always)]
fn copy_both_ends<const N: usize>(place: &mut [u8], data: &[u8], key: [u8; 4]) -> bool {
    let (Some(first), Some(last)) = (data.first_chunk::<N>(), data.last_chunk::<N>()) else {
        return false;
    };
    if let Some(place) = place.first_chunk_mut() {
        *place = masked(*first, key);
    }
    if let Some(place) = place.last_chunk_mut() {
        *place = masked(*last, rotate(key, data.len()));
    }
    true
}

/// Copies `data` to a place of the same length, masked with a key that stands at its first byte.
#[cfg(feature = "alloc")]
pub(crate) fn copy_masked(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    if data.len() >= LONG {
        copy_long(place, data, key);
    } else if data.len() >= BLOCK {
        copy_blocks(place, data, key);
    } else {
        copy_short(place, data, key);
    }
}

/// Copies and masks in one pass, and begins at the start of a cache line, as [`mask_long`] does.
#[cfg(feature = "alloc")]
#[inline(never)]
fn copy_long(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    if let (Some(place), Some(line)) = (place.first_chunk_mut(), data.first_chunk::<CACHE_LINE>()) {
        *place = masked(*line, key);
    }
    let start = place.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
    let (_, place) = place.split_at_mut(start);
    let (_, data) = data.split_at(start);
    let key = rotate(key, start);
    #[cfg(feature = "std")]
    vectors::copy(place, data, key);
    #[cfg(not(feature = "std"))]
    copy_blocks(place, data, key);
}

/// Copies blocks, of which the last one may overlap the one before it; nothing if there is not even one.
#[cfg(feature = "alloc")]
#[inline]
fn copy_blocks(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    let (places, _) = place.as_chunks_mut::<BLOCK>();
    let (blocks, _) = data.as_chunks();
    for (place, block) in places.iter_mut().zip(blocks) {
        *place = masked(*block, key);
    }
    if let (Some(place), Some(last)) = (place.last_chunk_mut(), data.last_chunk::<BLOCK>()) {
        *place = masked(*last, rotate(key, data.len()));
    }
}

/// Masks `N` to `2 * N` bytes; others not at all.
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
fn masked<const N: usize>(mut bytes: [u8; N], key: [u8; 4]) -> [u8; N] {
    let key = u32::from_ne_bytes(key);
    let (words, _) = bytes.as_chunks_mut();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    bytes
}

/// The key as it stands `offset` bytes further into the payload.
#[expect(
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "at most 3 bytes"
)]
#[inline]
pub(crate) const fn rotate(key: [u8; 4], offset: usize) -> [u8; 4] {
    let bits = (offset % 4) as u32 * 8;
    // In this order it is one instruction where bytes lie as they do in most machines.
    u32::from_le_bytes(key).rotate_right(bits).to_le_bytes()
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

    /// Long payloads, wherever they lie in memory: in place, and on the way to another.
    #[cfg(feature = "alloc")]
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

                let mut copy = source.clone();
                let end = place + length;
                copy_masked(&mut copy[place..end], &source[..length], rotate(key, place));
                assert!(copy[place..end] == expected, "{length} to {place}");
                assert_eq!(copy[..place], source[..place]);
                assert_eq!(copy[end..], source[end..]);
            }
        }
    }
}
