//! Messages that are compressed once for many receivers (RFC 7692, section 7.2.1).

use alloc::vec::Vec;
use std::sync::OnceLock;

use crate::deflate::deflater::Deflater;
use crate::deflate::options::Deflate;

/// The bits of the smallest window.
const LEAST_BITS: u8 = 9;

/// One message, compressed separately for each window size that a receiver needs.
///
/// A new compressor refers to no earlier message. So a receiver can read the result after any other messages, if its
/// window is at least as large as the compressor's. A result for the smallest window would fit all receivers, but it
/// could not use repetitions that are more than 512 bytes apart.
#[derive(Debug)]
pub(crate) struct Compressed<F>([OnceLock<Option<F>>; 7]);

impl<F> Compressed<F> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; 7])
    }

    /// Returns the frame for a window of 2^`bits` bytes.
    ///
    /// The first call for a window compresses `payload` with these options, and `frame` makes a frame from the
    /// result. Returns `None` if the result is not shorter. Also returns `None` for 8 bits, because zlib has no
    /// compressor for that window.
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

/// Returns the bits of the smallest window that reaches from the end of a message to its beginning.
///
/// A larger window gives the same result. So receivers with different windows share the frame of a short message.
fn enough_bits(length: usize) -> u8 {
    /// zlib never refers further back than the size of the window minus this.
    const UNUSED: usize = 262;
    let size = length.saturating_add(UNUSED);
    (LEAST_BITS..15)
        .find(|bits| 1 << bits >= size)
        .unwrap_or(15)
}
