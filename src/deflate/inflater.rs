//! Decompression (RFC 7692, section 7.2.2).

use alloc::vec::Vec;
use core::panic::AssertUnwindSafe;

use crate::deflate::FLUSH_MARKER;
use zlib_rs::{Inflate, InflateFlush, Status};

/// A decompressor, and the earlier output that its next input may refer to.
pub(crate) struct Inflater {
    /// Without the feature a connection is `UnwindSafe`, and a feature must not take that away. The codec calls no
    /// code of the caller, so no panic that the caller catches leaves it half changed.
    inflate: AssertUnwindSafe<Inflate>,
    /// The last output, as a ring. A block with BFINAL ends a DEFLATE stream, and the codec starts the next stream
    /// with an empty window, so it gets the window from here.
    history: Vec<u8>,
    /// The position of the next byte.
    end: usize,
    window: usize,
    /// The number of DEFLATE streams that have ended in the current message.
    streams: usize,
}

/// The largest number of blocks with BFINAL in a message. Each takes two bytes from the peer and costs as much time
/// as tens of kilobytes of text, but gives no output that a limit could count.
const MAX_STREAMS: usize = 1 << 12;

/// On some targets the codec counts its input with 32 bits, and panics when that overflows in a build with overflow
/// checks. So it restarts between two messages, long before.
const MOST_INPUT: u64 = 1 << 30;

/// The input is not a DEFLATE stream, or does not end together with the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// What one call of [`Inflater::inflate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    /// Whether the next input is not a DEFLATE stream. The output before it is valid.
    pub(crate) corrupt: bool,
}

impl Inflater {
    /// Makes a decompressor for a window of 2^`bits` bytes, from 8 to 15.
    pub(crate) fn new(bits: u8) -> Self {
        let bits = bits.clamp(8, 15);
        Self {
            inflate: AssertUnwindSafe(Inflate::new(false, bits)),
            history: Vec::new(),
            end: 0,
            window: 1 << bits,
            streams: 0,
        }
    }

    /// Decompresses as much of `input` as fits into `output`.
    pub(crate) fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        self.run(input, output, InflateFlush::NoFlush)
    }

    /// Ends a message by appending the tail (RFC 7692, section 7.2.2), and returns the last output. The caller has
    /// passed all input before.
    ///
    /// A complete message ends with the beginning of an empty stored block, and the tail is the rest of that block.
    /// So the decompressor must consume exactly the tail and then be between two blocks. Otherwise the message was
    /// cut off.
    pub(crate) fn finish(&mut self) -> Result<(), Corrupt> {
        let probe = [
            FLUSH_MARKER[0],
            FLUSH_MARKER[1],
            FLUSH_MARKER[2],
            FLUSH_MARKER[3],
            0,
        ];
        let end = self.run(&probe, &mut [0; 1], InflateFlush::Block);
        self.streams = 0;
        let whole = Progress {
            consumed: FLUSH_MARKER.len(),
            produced: 0,
            corrupt: false,
        };
        if end != whole {
            // Another connection may use it next.
            self.reset();
            return Err(Corrupt);
        }
        self.renew(MOST_INPUT)
    }

    /// Starts a new DEFLATE stream with the same window if the current one has had that much input.
    fn renew(&mut self, most: u64) -> Result<(), Corrupt> {
        if self.inflate.total_in() >= most {
            self.restart()?;
            self.streams = 0;
        }
        Ok(())
    }

    /// Returns whether its window is at least 2^`bits` bytes.
    pub(crate) const fn serves(&self, bits: u8) -> bool {
        self.window >= 1 << bits
    }

    /// Forgets all output, for a peer without context takeover.
    pub(crate) fn reset(&mut self) {
        self.inflate.reset(false);
        self.history.clear();
        self.end = 0;
        self.streams = 0;
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "the codec consumes and produces no more than the slices it is given"
    )]
    fn run(&mut self, input: &[u8], output: &mut [u8], flush: InflateFlush) -> Progress {
        let mut consumed = 0;
        let mut produced = 0;
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status =
                self.inflate
                    .decompress(&input[consumed..], &mut output[produced..], flush);
            // Both numbers are at most the length of a slice.
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or_default();
            let written = usize::try_from(self.inflate.total_out() - written).unwrap_or_default();
            self.remember(&output[produced..produced + written]);
            consumed += read;
            produced += written;
            // RFC 7692, section 7.2.3.4: more blocks may follow a block with BFINAL. They are a new DEFLATE stream,
            // which may refer to the output before it.
            let corrupt = match status {
                Ok(Status::StreamEnd) => self.restart().is_err(),
                status => status.is_err(),
            };
            if corrupt || status != Ok(Status::StreamEnd) || consumed == input.len() {
                return Progress {
                    consumed,
                    produced,
                    corrupt,
                };
            }
        }
    }

    /// Starts a new DEFLATE stream with the same window.
    #[expect(clippy::arithmetic_side_effects, reason = "at most MAX_STREAMS + 1")]
    fn restart(&mut self) -> Result<(), Corrupt> {
        self.streams += 1;
        if self.streams > MAX_STREAMS {
            return Err(Corrupt);
        }
        self.inflate.reset(false);
        // The two parts of the ring in the order of the output, without a copy: a peer can cause this with every
        // second byte.
        let (newer, older) = self.history.split_at(self.end);
        for part in [older, newer] {
            if !part.is_empty() {
                self.inflate.set_dictionary(part).map_err(|_| Corrupt)?;
            }
        }
        Ok(())
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "`history` never outgrows `window`, `end` stays below it, `n` is at most what is left of either"
    )]
    fn remember(&mut self, output: &[u8]) {
        let mut output = &output[output.len().saturating_sub(self.window)..];
        let size = self.history.len();
        let n = output.len().min(self.window - size);
        // Doubling, but never beyond the window, which is a power of two, too.
        self.history
            .reserve_exact((size + n).next_power_of_two() - size);
        self.history.extend_from_slice(&output[..n]);
        output = &output[n..];
        while !output.is_empty() {
            let n = output.len().min(self.window - self.end);
            self.history[self.end..self.end + n].copy_from_slice(&output[..n]);
            self.end = (self.end + n) % self.window;
            output = &output[n..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
    /// A block with BFINAL, then the beginning of an empty block.
    const FINAL: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];

    /// Decompresses a whole message, with input and output in pieces of these sizes.
    fn message(
        inflater: &mut Inflater,
        input: &[u8],
        reads: usize,
        room: usize,
    ) -> Result<Vec<u8>, Corrupt> {
        let mut data = Vec::new();
        for piece in input.chunks(reads) {
            let mut consumed = 0;
            loop {
                let mut output = vec![0; room];
                let progress = inflater.inflate(&piece[consumed..], &mut output);
                if progress.corrupt {
                    return Err(Corrupt);
                }
                consumed += progress.consumed;
                data.extend_from_slice(&output[..progress.produced]);
                if progress.produced < room {
                    break;
                }
            }
            assert_eq!(consumed, piece.len());
        }
        inflater.finish()?;
        Ok(data)
    }

    /// Stored blocks, and the header of a last, empty one.
    fn stored(data: &[u8]) -> Vec<u8> {
        let size = u16::try_from(data.len()).unwrap();
        [
            &[0],
            &size.to_le_bytes()[..],
            &(!size).to_le_bytes(),
            data,
            &[0],
        ]
        .concat()
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect()
    }

    #[test]
    fn the_same_in_pieces_of_any_size() {
        for reads in [1, 2, 3, 7, 100] {
            for room in [1, 2, 4, 5, 6, 100] {
                let mut inflater = Inflater::new(15);
                for (input, data) in [
                    (HELLO, "Hello"),
                    (AGAIN, "Hello"),
                    (&[0x00], ""),
                    (FINAL, "Hello"),
                    (AGAIN, "Hello"),
                    (
                        &[&FINAL[..7], &FINAL[..7], AGAIN].concat(),
                        "HelloHelloHello",
                    ),
                    (&[0x01], ""),
                    (HELLO, "Hello"),
                    (AGAIN, "Hello"),
                ] {
                    let found = message(&mut inflater, input, reads, room);
                    assert_eq!(found.as_deref(), Ok(data.as_bytes()), "{input:02x?}");
                }
            }
        }
    }

    /// A message is complete only if the tail is the end of an empty stored block (section 7.2.1).
    #[test]
    fn an_end_is_seen() {
        for whole in [HELLO, FINAL, &[0x00], &[0x01], &[0x02, 0x00]] {
            for (input, right) in [
                (whole.to_vec(), true),
                (whole[..whole.len() - 1].to_vec(), false),
                ([whole, &[0x00]].concat(), false),
                ([whole, &FLUSH_MARKER].concat(), false),
                ([whole, &FLUSH_MARKER, &[0x00]].concat(), true),
                ([whole, &FLUSH_MARKER[..2]].concat(), false),
                ([whole, &[0xff]].concat(), false),
            ] {
                // An empty input is not a message, and the caller never passes one.
                if !input.is_empty() {
                    let found = message(&mut Inflater::new(15), &input, 100, 100);
                    assert_eq!(found.is_ok(), right, "{input:02x?}");
                }
            }
        }
    }

    /// After a failure or a reset, the window is empty.
    #[test]
    fn nothing_is_left_behind() {
        for cut in [&HELLO[..4], &HELLO[..6], &FINAL[..7], &[0x00, 0x05, 0x00]] {
            let mut inflater = Inflater::new(15);
            assert!(message(&mut inflater, HELLO, 100, 100).is_ok());
            assert_eq!(message(&mut inflater, cut, 100, 100), Err(Corrupt));
            // If only the end is missing, `finish` has already cleaned up.
            assert_eq!((inflater.history.len(), inflater.end), (0, 0));
            let again = message(&mut inflater, HELLO, 100, 100);
            assert_eq!(again.as_deref(), Ok(&b"Hello"[..]));
        }
        for first in [HELLO, FINAL, &HELLO[..3], &FINAL[..7]] {
            let mut inflater = Inflater::new(9);
            assert!(!inflater.inflate(first, &mut [0; 100]).corrupt);
            inflater.reset();
            let hello = message(&mut inflater, FINAL, 100, 100);
            assert_eq!(hello.as_deref(), Ok(&b"Hello"[..]));
            inflater.reset();
            assert_eq!(message(&mut inflater, AGAIN, 100, 100), Err(Corrupt));
        }
    }

    /// A restart of the codec costs the peer two bytes and this side much more, so restarts are counted in each
    /// message.
    #[test]
    fn a_message_may_end_so_many_streams() {
        let ends = |n: usize| [&[0x03, 0x00].repeat(n)[..], &[0x00]].concat();
        for reads in [1, 2, 100_000] {
            let mut inflater = Inflater::new(15);
            for _ in 0..2 {
                let found = message(&mut inflater, &ends(MAX_STREAMS), reads, 100);
                assert_eq!(found, Ok(Vec::new()));
                let found = message(&mut inflater, &ends(MAX_STREAMS + 1), reads, 100);
                assert_eq!(found, Err(Corrupt));
                inflater.reset();
            }
        }
    }

    /// A restart between two messages resets the counters of the codec and changes nothing else.
    #[test]
    fn a_new_stream_keeps_the_window() {
        for bits in [9, 15] {
            let mut inflater = Inflater::new(bits);
            let data = noise(40_000);
            let repeat = |inflater: &mut Inflater| message(inflater, AGAIN, 100, 100);
            assert_eq!(message(&mut inflater, &stored(&data), 1000, 1000), Ok(data));
            assert!(message(&mut inflater, HELLO, 100, 100).is_ok());
            for i in 0..10 {
                let input = inflater.inflate.total_in();
                assert_eq!(inflater.renew(input + 1), Ok(()));
                assert_eq!(inflater.inflate.total_in(), input);
                assert_eq!(inflater.renew(input), Ok(()));
                assert_eq!((inflater.inflate.total_in(), inflater.streams), (0, 0));
                assert_eq!(repeat(&mut inflater).as_deref(), Ok(&b"Hello"[..]), "{i}");
            }
        }
    }

    /// The ring, compared with the last bytes of the output.
    #[test]
    fn the_history_is_the_end_of_the_output() {
        for (bits, sizes) in [
            (8, &[1, 255, 1, 256, 257, 3, 600, 0, 100][..]),
            (9, &[500, 100, 512, 511, 1, 2000]),
            (15, &[32_767, 1, 1, 32_768, 20_000, 20_000]),
        ] {
            for room in [7, 1000, 70_000] {
                let mut inflater = Inflater::new(bits);
                let mut all = Vec::new();
                for size in sizes {
                    let data = noise(all.len() + size).split_off(all.len());
                    let found = message(&mut inflater, &stored(&data), 100_000, room);
                    assert!(found.as_ref() == Ok(&data));
                    all.extend(data);
                    let mut history = inflater.history.clone();
                    history.rotate_left(inflater.end);
                    let from = all.len().saturating_sub(1 << bits);
                    assert!(history == all[from..]);
                    // It takes at most twice the bytes of the output so far.
                    let most = all.len().next_power_of_two().min(1 << bits);
                    assert!(inflater.history.capacity() <= most);
                }
                // An empty block with BFINAL puts the ring back into the window, in order.
                let found = message(&mut inflater, &[0x03, 0x00, 0x00], 1, room);
                assert_eq!(found, Ok(Vec::new()));
                let mut history = inflater.history.clone();
                history.rotate_left(inflater.end);
                let from = all.len().saturating_sub(1 << bits);
                assert!(history == all[from..]);
            }
        }
    }

    #[test]
    fn a_larger_window_serves() {
        for (bits, least) in [(9, 8), (9, 9), (15, 9), (15, 15), (8, 8)] {
            assert!(Inflater::new(bits).serves(least));
        }
        for (bits, least) in [(9, 10), (14, 15), (8, 9)] {
            assert!(!Inflater::new(bits).serves(least));
        }
    }

    /// A block may end inside the tail. The rest of the tail then begins another block.
    #[test]
    fn a_block_that_ends_inside_the_tail_is_not_the_last() {
        // Text in fixed codes, without the end of the block. That end is seven zeros, and the first bits of the tail
        // are zeros as well. The number of bits before it depends on the length.
        for text in ["", "H", "He", "Hel", "Hell", "Hello"] {
            for bfinal in [0, 1] {
                let mut bits: Vec<u8> = alloc::vec![bfinal, 1, 0];
                for byte in text.bytes() {
                    // RFC 1951 section 3.2.6: 8 bits, from 00110000 on.
                    bits.extend((0..8).rev().map(|i| (byte + 0x30) >> i & 1));
                }
                for zeros in 0..8 {
                    let mut bits = bits.clone();
                    bits.resize(bits.len() + zeros, 0);
                    let input: Vec<u8> = bits
                        .chunks(8)
                        .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit))
                        .collect();
                    let whole = bits.len() - zeros + 7;
                    let padded = input.len() * 8;
                    // After the end of the block comes the header of an empty one, three zeros. After BFINAL it would
                    // begin with the next byte.
                    let right = bfinal == 0 && (whole + 3).div_ceil(8) * 8 == padded;
                    let found = message(&mut Inflater::new(15), &input, 100, 100);
                    assert_eq!(found.is_ok(), right, "{input:02x?}");
                }
            }
        }
    }
}
