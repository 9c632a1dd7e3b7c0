//! Copies that are masked on the way (RFC 6455, section 5.3).

use crate::wire::mask::{BLOCK, CACHE_LINE, LONG, masked};
use crate::wire::masking_key::rotate;
use crate::wire::vectors;

/// Copies at most 128 bytes to a place of the same length, and masks them. `key` is for the first byte.
///
/// It masks during the copy, because bytes that were just written are slow to read again.
#[expect(
    clippy::inline_always,
    reason = "inlined into `Output::push_short_masked`"
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

/// Copies and masks `N` to `2 * N` bytes. Returns false for fewer bytes, and copies none of them.
#[expect(
    clippy::inline_always,
    reason = "inlined into `Output::push_short_masked`"
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

/// Copies `data` to a place of the same length, and masks it. `key` is for the first byte.
pub(crate) fn copy_masked(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    if data.len() >= LONG {
        copy_long(place, data, key);
    } else if data.len() >= BLOCK {
        copy_blocks(place, data, key);
    } else {
        copy_short(place, data, key);
    }
}

/// Copies and masks in one pass, from the start of a cache line as [`mask_long`] does.
#[inline(never)]
fn copy_long(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    if let (Some(place), Some(line)) = (place.first_chunk_mut(), data.first_chunk::<CACHE_LINE>()) {
        *place = masked(*line, key);
    }
    let start = place.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
    let (_, place) = place.split_at_mut(start);
    let (_, data) = data.split_at(start);
    let key = rotate(key, start);
    if !vectors::copy(place, data, key) {
        copy_blocks(place, data, key);
    }
}

/// Copies whole blocks. The last block may overlap the one before it. Data shorter than one block is not copied.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.3: payloads of every form, at any position in memory, equal the formula.
    #[test]
    fn copies_equal_the_formula_at_any_position() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let source: Vec<_> = (0..2000_usize).map(|i| (i * 7 % 251) as u8).collect();
        let lengths = (0..140)
            .chain(LONG - 3..LONG + 140)
            .chain([1151, 1152, 1900]);
        for length in lengths {
            for place in (0..66).step_by(3) {
                let masked = source[..length].iter().enumerate();
                let expected: Vec<_> = masked
                    .map(|(i, byte)| byte ^ key[(place + i) % 4])
                    .collect();
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
