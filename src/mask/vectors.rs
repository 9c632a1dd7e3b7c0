//! Masking with the widest vectors that the processor has.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for the wider vectors"
)]

use alloc::vec::Vec;

use fearless_simd::{Level, Simd, SimdBase, dispatch};

/// Masks whole vectors at the front of `data`, and returns the rest.
#[inline(never)]
pub(super) fn mask(data: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    dispatch!(Level::new(), simd => mask_with(simd, data, key))
}

/// Appends whole blocks from the front of `data`, masked, to `output`, and returns the rest of `data`.
#[inline(never)]
pub(super) fn append<'d>(output: &mut Vec<u8>, data: &'d [u8], key: [u8; 4]) -> &'d [u8] {
    dispatch!(Level::new(), simd => append_with(simd, output, data, key))
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
fn append_with<'d, S: Simd>(
    simd: S,
    output: &mut Vec<u8>,
    data: &'d [u8],
    key: [u8; 4],
) -> &'d [u8] {
    /// Long enough to make little of what it takes to append it.
    const BLOCK: usize = 512;
    let key = vector_of(simd, key);
    let (blocks, rest) = data.as_chunks::<BLOCK>();
    for block in blocks {
        let mut block = *block;
        for bytes in block.chunks_exact_mut(S::u8s::LEN) {
            (S::u8s::from_slice(simd, bytes) ^ key).store_slice(bytes);
        }
        output.extend_from_slice(&block);
    }
    rest
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
