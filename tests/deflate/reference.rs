//! A second decompressor for DEFLATE (RFC 1951), as simple as possible, to compare with. It refuses everything that
//! permessage-deflate (RFC 7692) forbids, and finds the largest distance in a message.

/// RFC 7692, section 7.2.2: a receiver appends these bytes to a message.
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The content of one message.
#[derive(Debug, Default)]
pub(crate) struct Inflated {
    /// All data before the end or before the error.
    pub(crate) data: Vec<u8>,
    /// The largest distance of a repetition, or 0.
    pub(crate) reach: usize,
    /// Whether the message is whole. Then it ends with the header of an empty stored block, and the tail completes this
    /// block (RFC 7692, section 7.2.1).
    pub(crate) whole: bool,
}

/// Decompresses a payload that may refer to the data before.
pub(crate) fn inflate(payload: &[u8], before: &[u8]) -> Inflated {
    // RFC 7692, section 7.2.3.6, demands at least one byte. A message without any byte is empty.
    let mut message = Inflated::default();
    if payload.is_empty() {
        message.whole = true;
        return message;
    }
    let bytes = &[payload, &TAIL].concat();
    let mut bits = Bits { bytes, at: 0 };
    message.data = before.to_vec();
    message.whole = message.blocks(&mut bits, payload.len()).is_some();
    message.data.drain(..before.len());
    message
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// An integer of `n` bits, the least significant bit first (RFC 1951, section 3.1.1).
    fn take(&mut self, n: usize) -> Option<usize> {
        (0..n).try_fold(0, |sum, i| {
            let byte = *self.bytes.get(self.at / 8)?;
            let bit = usize::from(byte >> (self.at % 8) & 1);
            self.at += 1;
            Some(sum | bit << i)
        })
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

impl Inflated {
    fn blocks(&mut self, bits: &mut Bits<'_>, length: usize) -> Option<()> {
        loop {
            let last = bits.take(1)? == 1;
            let kind = bits.take(2)?;
            if kind == 0 {
                bits.align();
                let start = bits.at / 8;
                let size = bits.take(16)?;
                if size ^ bits.take(16)? != 0xffff {
                    return None;
                }
                for _ in 0..size {
                    self.data.push(bits.take(8)? as u8);
                }
                if start == length {
                    return (size == 0).then_some(());
                }
            } else {
                let (literals, distances) = match kind {
                    1 => fixed()?,
                    2 => dynamic(bits)?,
                    _ => return None,
                };
                self.codes(bits, &literals, &distances)?;
            }
            if last {
                // RFC 7692, section 7.2.1: the block after BFINAL begins at a byte.
                bits.align();
            }
        }
    }

    /// RFC 1951, section 3.2.5.
    fn codes(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
        const LENGTHS: [usize; 29] = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99,
            115, 131, 163, 195, 227, 258,
        ];
        loop {
            let symbol = literals.symbol(bits)?;
            if symbol < 256 {
                self.data.push(symbol as u8);
                continue;
            }
            if symbol == 256 {
                return Some(());
            }
            let symbol = symbol - 257;
            let base = *LENGTHS.get(symbol)?;
            let extra = match symbol {
                0..8 | 28 => 0,
                _ => symbol / 4 - 1,
            };
            let length = base + bits.take(extra)?;
            let symbol = distances.symbol(bits)?;
            let distance = match symbol {
                0..2 => symbol + 1,
                2..30 => {
                    let extra = symbol / 2 - 1;
                    ((2 + symbol % 2) << extra) + 1 + bits.take(extra)?
                }
                _ => return None,
            };
            let from = self.data.len().checked_sub(distance)?;
            self.reach = self.reach.max(distance);
            for i in from..from + length {
                self.data.push(self.data[i]);
            }
        }
    }
}

/// A Huffman code: the number of codes of each length, and their symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// RFC 1951, section 3.2.2. A code is wrong if some bits have no meaning, except a code with one symbol (section
    /// 3.2.7).
    fn new(lengths: &[usize]) -> Option<Self> {
        let mut counts = [0; 16];
        for length in lengths {
            counts[*length] += 1;
        }
        let used = lengths.len() - counts[0];
        counts[0] = 0;
        let mut left = 1_usize;
        for count in &counts[1..] {
            left = (left * 2).checked_sub(*count)?;
        }
        if left > 0 && !(used == 0 || used == 1 && counts[1] == 1) {
            return None;
        }
        let of = |length| (0..lengths.len()).filter(move |symbol| lengths[*symbol] == length);
        let symbols = (1..16).flat_map(of).collect();
        Some(Self { counts, symbols })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1)?;
            if code < first + count {
                return Some(self.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }
}

/// RFC 1951, section 3.2.6.
fn fixed() -> Option<(Code, Code)> {
    let literals: Vec<usize> = (0..288)
        .map(|symbol| match symbol {
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        })
        .collect();
    Some((Code::new(&literals)?, Code::new(&[5; 32])?))
}

/// RFC 1951, section 3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let codes = bits.take(4)? + 4;
    if literals > 286 || distances > 30 {
        return None;
    }
    let mut lengths = [0; 19];
    for at in &ORDER[..codes] {
        lengths[*at] = bits.take(3)?;
    }
    if lengths.iter().filter(|length| **length > 0).count() < 2 {
        return None;
    }
    let code = Code::new(&lengths)?;
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.symbol(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    // The repetitions must end with the lengths, and the end of the block needs a code.
    if lengths.len() > literals + distances || lengths[256] == 0 {
        return None;
    }
    let (literals, distances) = lengths.split_at(literals);
    Some((Code::new(literals)?, Code::new(distances)?))
}
