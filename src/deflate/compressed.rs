//! Messages compressed for many receivers (RFC 7692 section 7.2.1).

use alloc::vec::Vec;
use std::sync::OnceLock;

use crate::deflate::deflater::Deflater;
use crate::deflate::options::Deflate;

/// The bits of the smallest window.
const LEAST_BITS: u8 = 9;

/// A message compressed for each window it was needed for, or found to be no shorter then.
///
/// Compressed with a new compressor it refers to nothing before, so a receiver can read it after any other messages,
/// if its window is as large as that of the compressor. What is made for the smallest window would do for all, but
/// repetitions further back than its 512 bytes, of which long messages are full, would be lost on those with more.
#[derive(Debug)]
pub(crate) struct Compressed<F>([OnceLock<Option<F>>; 7]);

impl<F> Compressed<F> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; 7])
    }

    /// The frame for a window of 2^`bits` bytes. If this is the first time, `payload` is compressed with these options and
    /// `frame` makes a frame of it. `None` if it would be no shorter, and for 8 bits, a window that no compressor here
    /// keeps to.
    pub(crate) fn get_or_compress(
        &self,
        payload: &[u8],
        options: &Deflate,
        bits: u8,
        frame: impl FnOnce(&[u8]) -> F,
    ) -> Option<&F> {
        let bits = bits.min(enough_bits(payload.len()));
        let slot = self.0.get(usize::from(bits.checked_sub(LEAST_BITS)?))?;
        slot.get_or_init(|| {
            let mut compressed = Vec::new();
            Deflater::new(options, bits).deflate(payload, true, &mut compressed);
            (compressed.len() < payload.len()).then(|| frame(&compressed))
        })
        .as_ref()
    }
}

/// The bits of the smallest window from the end of which a message's beginning is in reach, which a larger one does no
/// better than. So different windows have one frame of a short message.
fn enough_bits(length: usize) -> u8 {
    /// A compressor does not look further back than this before its window ends.
    const UNUSED: usize = 262;
    let size = length.saturating_add(UNUSED);
    (LEAST_BITS..15)
        .find(|bits| 1 << bits >= size)
        .unwrap_or(15)
}
