//! What arrives, the same in every run, and what has to be written then.

use std::ops::Range;

use sockless::{FrameHeader, Opcode, apply_mask};
use sockless_benches::job;

/// Connections that have something to read at the same time.
pub(crate) const BATCH: usize = 256;

const SIZE: usize = 125;

/// In the request of [`job::REQUEST`].
const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

/// What arrives at once, and what is written then.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// For which connection which bytes arrive, in the order of reads. New ones are numbered in the same order.
    pub(crate) reads: Vec<(usize, Range<usize>)>,
    pub(crate) written: Vec<u8>,
}

/// Clients.
#[derive(Debug)]
pub(crate) struct Traffic {
    random: Random,
    batch: Batch,
    opened: usize,
    keys: Vec<[u8; KEY.len()]>,
    /// All connections, those that get a message in this round first.
    order: Vec<usize>,
    /// Which of them are next.
    chosen: Range<usize>,
    expected: Vec<u8>,
}

impl Traffic {
    /// Takes all memory it will need.
    pub(crate) fn new(connections: usize) -> Self {
        // Written to, so that it is resident.
        let memory = |size| {
            let mut memory = vec![1; size];
            memory.clear();
            memory
        };
        Self {
            random: Random(0x2545_f491_4f6c_dd1d),
            batch: Batch {
                bytes: memory(1 << 20),
                reads: Vec::with_capacity(2 * BATCH),
                written: memory(1 << 20),
            },
            opened: 0,
            keys: Vec::with_capacity(BATCH),
            order: (0..connections).collect(),
            chosen: 0..0,
            expected: memory(1 << 20),
        }
    }

    pub(crate) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Makes the batch opening handshakes of new connections.
    pub(crate) fn requests(&mut self, count: usize) {
        self.clear();
        let place = job::REQUEST
            .windows(KEY.len())
            .position(|bytes| bytes == KEY)
            .unwrap();
        self.keys.clear();
        for _ in 0..count {
            let key = self.random.key();
            let start = self.batch.bytes.len();
            self.batch.bytes.extend_from_slice(job::REQUEST);
            self.batch.bytes[start + place..][..KEY.len()].copy_from_slice(&key);
            let end = self.batch.bytes.len();
            self.batch.reads.push((self.opened, start..end));
            self.keys.push(key);
            self.opened += 1;
        }
    }

    /// Whether each of the handshakes was answered.
    pub(crate) fn check_answers(&self) -> Result<(), String> {
        const END: &[u8] = b"\r\n\r\n";
        let mut rest = &self.batch.written[..];
        for key in &self.keys {
            let end = rest.windows(END.len()).position(|bytes| bytes == END);
            let (answer, behind) = rest.split_at(end.ok_or("an answer is missing")? + END.len());
            let accept = sockless::accept_key(key);
            let right = answer.starts_with(b"HTTP/1.1 101 ")
                && answer.windows(accept.len()).any(|bytes| bytes == accept);
            if !right {
                return Err(format!(
                    "a wrong answer: {}",
                    String::from_utf8_lossy(answer)
                ));
            }
            rest = behind;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err("more than the answers".into())
        }
    }

    /// Begins a round in which so many connections, no one twice, get a message.
    pub(crate) fn choose(&mut self, count: usize) {
        for i in 0..count {
            let other = i + self.random.below(self.order.len() - i);
            self.order.swap(i, other);
        }
        self.chosen = 0..count;
    }

    /// Makes the batch messages for the next connections of the round, unless all had theirs.
    pub(crate) fn messages(&mut self) -> bool {
        self.clear();
        let next = self.chosen.clone().take(BATCH);
        self.chosen.start += next.len();
        // Of every fourth the rest arrives after all others.
        let mut rests = Vec::new();
        for i in next {
            let id = self.order[i];
            let payload = self.random.payload();
            let frame = self.frame(&payload);
            if i % 4 == 3 {
                let cut = frame.start + 1 + self.random.below(frame.len() - 1);
                self.batch.reads.push((id, frame.start..cut));
                rests.push((id, cut..frame.end, payload));
            } else {
                self.batch.reads.push((id, frame));
                self.expect(&payload);
            }
        }
        for (id, rest, payload) in rests {
            self.batch.reads.push((id, rest));
            self.expect(&payload);
        }
        !self.batch.reads.is_empty()
    }

    /// How many messages came back, if they are the right ones.
    pub(crate) fn check_echoes(&self) -> Result<usize, String> {
        let (written, expected) = (&self.batch.written, &self.expected);
        if written == expected {
            return Ok(expected.len() / (2 + SIZE));
        }
        let same = written.iter().zip(expected).take_while(|(a, b)| a == b);
        Err(format!(
            "{} bytes came back instead of {}, others from byte {} on",
            written.len(),
            expected.len(),
            same.count()
        ))
    }

    fn clear(&mut self) {
        self.batch.bytes.clear();
        self.batch.reads.clear();
        self.batch.written.clear();
        self.expected.clear();
    }

    /// Adds a masked message to what arrives, and says where.
    fn frame(&mut self, payload: &[u8; SIZE]) -> Range<usize> {
        let key = self.random.next().to_le_bytes();
        let key = [key[0], key[1], key[2], key[3]];
        let header = FrameHeader {
            fin: true,
            rsv: 0,
            opcode: Opcode::Binary,
            masking_key: Some(key),
            payload_length: SIZE as u64,
        };
        let bytes = &mut self.batch.bytes;
        let start = bytes.len();
        bytes.extend_from_slice(header.write(&mut [0; FrameHeader::MAX_SIZE]));
        let place = bytes.len();
        bytes.extend_from_slice(payload);
        apply_mask(&mut bytes[place..], key, 0);
        start..bytes.len()
    }

    /// Adds an echo to what has to be written.
    fn expect(&mut self, payload: &[u8; SIZE]) {
        self.expected.extend_from_slice(b"\x82\x7d");
        self.expected.extend_from_slice(payload);
    }
}

/// xorshift.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "less than `limit`, which is a usize"
    )]
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn payload(&mut self) -> [u8; SIZE] {
        let mut payload = [0; SIZE];
        for piece in payload.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
        payload
    }

    /// 16 bytes in base64.
    fn key(&mut self) -> [u8; KEY.len()] {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut key = [b'='; KEY.len()];
        for digit in &mut key[..21] {
            *digit = DIGITS[self.below(64)];
        }
        // Of the last digit only two bits count.
        key[21] = DIGITS[self.below(4) << 4];
        key
    }
}
