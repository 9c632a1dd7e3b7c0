//! Compression (RFC 7692, section 7.2.1).

use alloc::vec::Vec;
use core::panic::AssertUnwindSafe;

use zlib_rs::{Deflate as Stream, DeflateConfig, DeflateFlush};

use crate::deflate::FLUSH_MARKER;
use crate::deflate::options::Deflate;

/// On some targets the codec counts its output with 32 bits, and panics when that overflows in a build with overflow
/// checks. So it restarts between two messages, long before.
const MOST_OUTPUT: u64 = 1 << 30;

/// A compressor.
pub(crate) struct Deflater {
    /// Without the feature a connection is `UnwindSafe`, and a feature must not take that away. The codec calls no
    /// code of the caller, so no panic that the caller catches leaves it half changed.
    stream: AssertUnwindSafe<Stream>,
    level: u8,
    memory_level: u8,
    window_bits: u8,
}

impl Deflater {
    /// Makes a compressor for a window of 2^`bits` bytes, from 9 to 15.
    #[expect(clippy::arithmetic_side_effects, reason = "the clamp bounds it")]
    pub(crate) fn new(options: &Deflate, bits: u8) -> Self {
        let config = DeflateConfig {
            level: i32::from(options.level),
            // A negative number means a stream without a header.
            window_bits: -i32::from(bits.clamp(9, 15)),
            mem_level: i32::from(options.memory_level),
            ..DeflateConfig::default()
        };
        Self {
            stream: AssertUnwindSafe(Stream::new_with_config(config)),
            level: options.level,
            memory_level: options.memory_level,
            window_bits: bits,
        }
    }

    /// Adds the compressed form of the next fragment to `output`. `fin` marks the last fragment.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "the codec reads and writes no more than its slices; a vector beyond isize::MAX panics like any other"
    )]
    pub(crate) fn deflate(&mut self, payload: &[u8], fin: bool, output: &mut Vec<u8>) {
        let start = output.len();
        let mut rest = payload;
        loop {
            // Enough for input that does not compress, and for the flush.
            let filled = output.len();
            output.resize(filled + rest.len() + rest.len() / 1000 + 32, 0);
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            // The stream was made with valid numbers and is never finished, so there is no error to handle. If there
            // is nothing to do, it reports that and writes nothing.
            _ = self
                .stream
                .compress(rest, &mut output[filled..], DeflateFlush::SyncFlush);
            let read = usize::try_from(self.stream.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.stream.total_out() - written).unwrap_or(usize::MAX);
            rest = &rest[read..];
            let room = output.len() - filled - written;
            output.truncate(filled + written);
            // All input is read, and the flush is complete because room is left.
            if rest.is_empty() && room > 0 {
                break;
            }
        }
        if !fin {
            return;
        }
        if output[start..].ends_with(&FLUSH_MARKER) {
            output.truncate(output.len() - FLUSH_MARKER.len());
        }
        if output.len() == start {
            // There was nothing to flush. Write an empty block without the bytes that the receiver appends (RFC 7692,
            // section 7.2.3.6).
            output.push(0x00);
        }
        self.renew(MOST_OUTPUT);
    }

    /// Forgets all earlier messages if it has written that much. The next message then refers to none of them, which
    /// is correct for any window of the peer.
    fn renew(&mut self, most: u64) {
        if self.stream.total_out() >= most {
            self.reset();
        }
    }

    /// Returns whether [`new`](Self::new) with these arguments would make the same compressor.
    pub(crate) const fn serves(&self, options: &Deflate, bits: u8) -> bool {
        self.level == options.level
            && self.memory_level == options.memory_level
            && self.window_bits == bits
    }

    /// Forgets all earlier messages.
    pub(crate) fn reset(&mut self) {
        self.stream.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::inflater::Inflater;

    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];

    fn deflate(deflater: &mut Deflater, payload: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        deflater.deflate(payload, true, &mut output);
        output
    }

    #[test]
    fn the_examples_of_section_7_2_3() {
        let mut deflater = Deflater::new(&Deflate::default(), 15);
        assert_eq!(deflate(&mut deflater, b""), [0x00]);
        assert_eq!(deflate(&mut deflater, b""), [0x00]);
        assert_eq!(deflate(&mut deflater, b"Hello"), HELLO);
        assert_eq!(deflate(&mut deflater, b""), [0x00]);
        assert_eq!(deflate(&mut deflater, b"Hello"), AGAIN);
        deflater.reset();
        assert_eq!(deflate(&mut deflater, b"Hello"), HELLO);
    }

    /// After much output, the counters restart and the next message refers to no earlier one.
    #[test]
    fn begins_anew_after_much_output() {
        let mut deflater = Deflater::new(&Deflate::default(), 15);
        assert_eq!(deflate(&mut deflater, b"Hello"), HELLO);
        let output = deflater.stream.total_out();
        deflater.renew(output + 1);
        assert_eq!(deflater.stream.total_out(), output);
        assert_eq!(deflate(&mut deflater, b"Hello"), AGAIN);
        deflater.renew(output);
        assert_eq!(deflater.stream.total_out(), 0);
        assert_eq!(deflate(&mut deflater, b"Hello"), HELLO);
    }

    /// Only new output loses its tail. Earlier output that ends with the same bytes stays.
    #[test]
    fn what_stands_before_is_left_alone() {
        for before in [&[0x00, 0x00, 0xff, 0xff][..], &[1, 2, 3], b""] {
            let mut deflater = Deflater::new(&Deflate::default(), 15);
            for (payload, added) in [(&b""[..], &[0x00][..]), (b"Hello", HELLO), (b"", &[0x00])] {
                let mut output = before.to_vec();
                deflater.deflate(payload, true, &mut output);
                assert_eq!(output, [before, added].concat());
            }
        }
    }

    /// Each fragment is flushed, so the receiver can decompress all of it at once.
    #[test]
    fn fragments_are_flushed() {
        let mut deflater = Deflater::new(&Deflate::default(), 15);
        let mut inflater = Inflater::new(15);
        for _ in 0..3 {
            for (text, fin) in [
                (&b""[..], false),
                (b"Hel", false),
                (b"", false),
                (b"lo", false),
                (b"", true),
            ] {
                let mut output = Vec::new();
                deflater.deflate(text, fin, &mut output);
                let mut found = [0; 10];
                let progress = inflater.inflate(&output, &mut found);
                assert!(!progress.corrupt);
                assert_eq!(progress.consumed, output.len());
                // No output is left in the codec.
                assert_eq!(&found[..progress.produced], text);
            }
            assert_eq!(inflater.finish(), Ok(()));
        }
    }

    /// The space for output grows as often as necessary. With some settings, data that does not compress needs so
    /// many blocks that the first estimate is too small.
    #[test]
    fn incompressible_data_of_any_size() {
        for (level, memory_level) in [(1, 1), (1, 9), (4, 1), (9, 1), (6, 8)] {
            let mut options = Deflate::default();
            (options.level, options.memory_level) = (level, memory_level);
            let mut deflater = Deflater::new(&options, 15);
            let mut inflater = Inflater::new(15);
            let mut state = 1_u32;
            for length in (0..600).step_by(7).chain([5000, 33_000]) {
                let data: Vec<_> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 24) as u8
                    })
                    .collect();
                let output = deflate(&mut deflater, &data);
                let mut found = alloc::vec![0; length + 1];
                let progress = inflater.inflate(&output, &mut found);
                assert!(!progress.corrupt);
                assert_eq!(
                    (progress.consumed, progress.produced),
                    (output.len(), length)
                );
                assert!(found[..length] == data);
                assert_eq!(inflater.finish(), Ok(()));
            }
        }
    }

    /// Data that does not compress takes little more than its own size, in one allocation.
    #[test]
    fn the_output_is_no_larger_than_it_must_be() {
        for length in [0, 1000, 100_000, 1_000_000] {
            let mut state = 1_u32;
            let data: Vec<_> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            let mut deflater = Deflater::new(&Deflate::default(), 15);
            let output = deflate(&mut deflater, &data);
            let most = length + length / 500 + 64;
            assert!(output.len() <= most && output.capacity() <= most);
        }
    }

    #[test]
    fn serves_only_what_it_was_made_for() {
        let options = Deflate::default();
        let deflater = Deflater::new(&options, 12);
        assert!(deflater.serves(&options, 12));
        assert!(!deflater.serves(&options, 13) && !deflater.serves(&options, 11));
        let mut other = options.clone();
        other.level = 7;
        assert!(!deflater.serves(&other, 12));
        other = options.clone();
        other.memory_level = 9;
        assert!(!deflater.serves(&other, 12));
        // These do not matter.
        other = options.clone();
        (other.min_size, other.context_takeover) = (0, false);
        (other.max_window_bits, other.peer_max_window_bits) = (15, 9);
        assert!(deflater.serves(&other, 12));
    }
}
