//! DEFLATE (RFC 1951) decompressed bit by bit, as plainly as the RFC tells it, to compare with. It accepts
//! nothing that permessage-deflate (RFC 7692) does not allow, and says how far back a message reaches.

/// What section 7.2.2 of RFC 7692 has a receiver append.
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What comes of the payload of one message.
#[derive(Debug, Default)]
pub(crate) struct Inflated {
    /// All data before the end, or before what is wrong.
    pub(crate) data: Vec<u8>,
    /// The largest distance, 0 if nothing is repeated.
    pub(crate) reach: usize,
    /// Whether the message is whole: with the tail appended, it ends with an empty stored block of which
    /// the tail is the rest (section 7.2.1 of RFC 7692).
    pub(crate) whole: bool,
    /// How many blocks have BFINAL.
    pub(crate) finals: usize,
    /// How many blocks are stored, have fixed codes, have dynamic codes.
    pub(crate) kinds: [usize; 3],
}

/// Decompresses a payload that may refer to the data before.
pub(crate) fn inflate(payload: &[u8], before: &[u8]) -> Inflated {
    // Section 7.2.3.6 of RFC 7692 prescribes at least one byte; a message without any is empty.
    if payload.is_empty() {
        return Inflated {
            whole: true,
            ..Inflated::default()
        };
    }
    let bytes = [payload, &TAIL].concat();
    let mut bits = Bits {
        bytes: &bytes,
        at: 0,
    };
    let mut message = Inflated {
        data: before.to_vec(),
        ..Inflated::default()
    };
    message.whole = message.blocks(&mut bits, payload.len()).is_some();
    message.data.drain(..before.len());
    message
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// An integer of `n` bits, the least significant first (RFC 1951 section 3.1.1).
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
            *self.kinds.get_mut(kind)? += 1;
            self.finals += usize::from(last);
            if kind == 0 {
                bits.align();
                let start = bits.at / 8;
                let size = bits.take(16)?;
                if size ^ bits.take(16)? != 0xffff {
                    return None;
                }
                for _ in 0..size {
                    let byte = bits.take(8)?;
                    self.data.push(byte as u8);
                }
                if start == length {
                    return (size == 0).then_some(());
                }
            } else {
                let (literals, distances) = if kind == 1 { fixed()? } else { dynamic(bits)? };
                self.codes(bits, &literals, &distances)?;
            }
            if last {
                // Section 7.2.1 of RFC 7692: what follows a block with BFINAL begins with a byte.
                bits.align();
            }
        }
    }

    /// Section 3.2.5.
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

/// A Huffman code: how many codes there are of each length, and their symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// Section 3.2.2. A code that leaves bits without meaning is wrong, unless it has one symbol alone
    /// (section 3.2.7).
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

/// Section 3.2.6.
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

/// Section 3.2.7.
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
    // The repetitions must not go beyond the end, and there must be a code for the end of the block.
    if lengths.len() > literals + distances || lengths[256] == 0 {
        return None;
    }
    let (literals, distances) = lengths.split_at(literals);
    Some((Code::new(literals)?, Code::new(distances)?))
}
