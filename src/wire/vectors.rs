//! Masking and UTF-8 with the widest vectors of the processor. Without `std`, `scalar.rs` replaces this file.
#![expect(
    clippy::inline_always,
    reason = "only inlined code is compiled for the wider vectors"
)]

use core::str;

use fearless_simd::{Level, Simd, SimdBase, dispatch};

use crate::wire::masking_key::rotate;

/// Masks whole vectors at the front of `data` and returns the rest.
#[inline(never)]
pub(super) fn mask(data: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    dispatch!(Level::new(), simd => mask_with(simd, data, key))
}

/// Copies `data`, masked, to a slice of the same length and returns true. Both are longer than a vector.
#[inline(never)]
pub(crate) fn copy(place: &mut [u8], data: &[u8], key: [u8; 4]) -> bool {
    dispatch!(Level::new(), simd => copy_with(simd, place, data, key));
    true
}

/// Returns the bytes as text if they are UTF-8. There must be at least 8.
///
/// `simdutf8` copies the last bytes, so for short ASCII text the standard library is faster. Three bytes decide which
/// one to use. Only the speed depends on that guess.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    const LONG: usize = 256;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let (_, second_half) = bytes.split_at(bytes.len() / 2);
    let looks = (
        bytes.first_chunk(),
        second_half.first_chunk(),
        bytes.last_chunk(),
    );
    if let (Some(first), Some(middle), Some(last)) = looks
        && bytes.len() < LONG
    {
        let [first, middle, last] = [first, middle, last].map(|look| u64::from_ne_bytes(*look));
        if (first | middle | last) & HIGH_BITS == 0 {
            return str::from_utf8(bytes).ok();
        }
    }
    simdutf8::basic::from_utf8(bytes).ok()
}

#[inline(always)]
fn mask_with<S: Simd>(simd: S, data: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    let key = vector_of(simd, key);
    let mut vectors = data.chunks_exact_mut(S::u8s::LEN);
    for bytes in &mut vectors {
        (S::u8s::from_slice(simd, bytes) ^ key).store_slice(bytes);
    }
    vectors.into_remainder()
}

#[inline(always)]
fn copy_with<S: Simd>(simd: S, place: &mut [u8], data: &[u8], key: [u8; 4]) {
    let vector = vector_of(simd, key);
    let places = place.chunks_exact_mut(S::u8s::LEN);
    for (place, bytes) in places.zip(data.chunks_exact(S::u8s::LEN)) {
        (S::u8s::from_slice(simd, bytes) ^ vector).store_slice(place);
    }
    // The last vector may overlap the one before it.
    let rest = data.len().saturating_sub(S::u8s::LEN);
    if let (Some((_, place)), Some((_, bytes))) = (
        place.split_at_mut_checked(rest),
        data.split_at_checked(rest),
    ) {
        let vector = vector_of(simd, rotate(key, rest));
        (S::u8s::from_slice(simd, bytes) ^ vector).store_slice(place);
    }
}

/// Repeats the key.
#[inline(always)]
fn vector_of<S: Simd>(simd: S, [a, b, c, d]: [u8; 4]) -> S::u8s {
    S::u8s::from_fn(simd, |i| match i % 4 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    })
}
