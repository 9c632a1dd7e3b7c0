//! Masking with the widest vectors that the processor has.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for the wider vectors"
)]

use fearless_simd::{Level, Simd, SimdBase, dispatch};

use super::rotate;

/// Masks whole vectors at the front of `data`, and returns the rest.
#[inline(never)]
pub(super) fn mask(data: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    dispatch!(Level::new(), simd => mask_with(simd, data, key))
}

/// Copies `data`, masked, to a place of the same length. Both are longer than a vector.
#[inline(never)]
pub(super) fn copy(place: &mut [u8], data: &[u8], key: [u8; 4]) {
    dispatch!(Level::new(), simd => copy_with(simd, place, data, key));
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
    // The last one may overlap the one before it.
    let rest = data.len().saturating_sub(S::u8s::LEN);
    if let (Some((_, place)), Some((_, bytes))) = (
        place.split_at_mut_checked(rest),
        data.split_at_checked(rest),
    ) {
        let vector = vector_of(simd, rotate(key, rest));
        (S::u8s::from_slice(simd, bytes) ^ vector).store_slice(place);
    }
}

/// The key, over and over.
#[inline(always)]
fn vector_of<S: Simd>(simd: S, [a, b, c, d]: [u8; 4]) -> S::u8s {
    S::u8s::from_fn(simd, |i| match i % 4 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    })
}
