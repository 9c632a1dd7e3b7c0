//! Compressing (RFC 7692 section 7.2.1).

use alloc::vec::Vec;
use core::panic::AssertUnwindSafe;

use zlib_rs::{Deflate as Stream, DeflateConfig, DeflateFlush};

use crate::deflate::FLUSH_MARKER;
use crate::deflate::options::Deflate;

/// The codec counts its output in an integer of 32 bits on some targets, and panics where that overflows if overflow is
/// checked. So it begins anew, between two messages, long before.
const MOST_OUTPUT: u64 = 1 << 30;

/// A compressor.
pub(crate) struct Deflater {
    /// A connection is `UnwindSafe` without the feature, and a feature only adds. The codec calls no code of the caller,
    /// so a panic that the caller catches never leaves it half changed.
    stream: AssertUnwindSafe<Stream>,
    level: u8,
    memory_level: u8,
    window_bits: u8,
}

impl Deflater {
    /// A compressor for a window of 2^`bits` bytes, 9 to 15.
    #[expect(clippy::arithmetic_side_effects, reason = "the clamp bounds it")]
    pub(crate) fn new(options: &Deflate, bits: u8) -> Self {
        let config = DeflateConfig {
            level: i32::from(options.level),
            // Negative: without a header around the stream.
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

    /// Adds the compressed form of the next fragment to `output`, of the last one with `fin`.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "the codec reads and writes no more than the slices it was given; a vector that would grow beyond isize::MAX panics as every vector does"
    )]
    pub(crate) fn deflate(&mut self, payload: &[u8], fin: bool, output: &mut Vec<u8>) {
        let start = output.len();
        let mut rest = payload;
        loop {
            // Enough for input that does not compress, and for the flush.
            let filled = output.len();
            output.resize(filled + rest.len() + rest.len() / 1000 + 32, 0);
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            // The stream was made with numbers in their range and is never finished, so that it has no error
            // to give; when there is nothing to do it says so and writes nothing.
            _ = self
                .stream
                .compress(rest, &mut output[filled..], DeflateFlush::SyncFlush);
            let read = usize::try_from(self.stream.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.stream.total_out() - written).unwrap_or(usize::MAX);
            rest = &rest[read..];
            let room = output.len() - filled - written;
            output.truncate(filled + written);
            // All input is read, and there was room for more than the flush wrote.
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
            // Nothing to flush: an empty block, without the bytes that the receiver appends (section 7.2.3.6).
            output.push(0x00);
        }
        self.renew(MOST_OUTPUT);
    }

    /// Forgets all messages before if their compressed form is that long. The next one refers to none of them, which is
    /// right whatever the peer's window has.
    fn renew(&mut self, most: u64) {
        if self.stream.total_out() >= most {
            self.reset();
        }
    }

    /// Whether it is what [`new`](Self::new) would make.
    pub(crate) const fn serves(&self, options: &Deflate, bits: u8) -> bool {
        self.level == options.level
            && self.memory_level == options.memory_level
            && self.window_bits == bits
    }

    /// Forgets all messages before.
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

    /// After much output the next message refers to nothing before, and the counters begin anew.
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

    /// Only what is added counts: an end that looks like the tail stays if it was there before.
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

    /// A fragment is flushed whole, so that what it says is there when it arrives.
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
                // Nothing more waits to be written.
                assert_eq!(&found[..progress.produced], text);
            }
            assert_eq!(inflater.finish(), Ok(()));
        }
    }

    /// The space for output grows as often as it must: some settings store what does not compress in so
    /// many blocks that the first guess is too small.
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

    /// What does not compress takes its own size and little more, in one allocation.
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
        // What it does not depend on.
        other = options.clone();
        (other.min_size, other.context_takeover) = (0, false);
        (other.max_window_bits, other.peer_max_window_bits) = (15, 9);
        assert!(deflater.serves(&other, 12));
    }
}
