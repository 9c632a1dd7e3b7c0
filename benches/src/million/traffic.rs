//! What arrives, the same in every run, and what the server must write.

use std::ops::Range;

use fastrand::Rng;
use sockless::Opcode;

use crate::job::{KEY, REQUEST, check_response, header, push_frame};

/// Connections that something arrives for at the same time.
pub(super) const BATCH: usize = 256;

const SIZE: usize = 125;

/// What arrives at the same time, and what the server writes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// The connection of each read, and its bytes. New connections have the next numbers, in the same order.
    pub(super) reads: Vec<(usize, Range<usize>)>,
    pub(super) written: Vec<u8>,
}

/// The clients.
#[derive(Debug)]
pub(super) struct Traffic {
    random: Rng,
    batch: Batch,
    opened: usize,
    keys: Vec<[u8; KEY.len()]>,
    /// All connections. Those that get a message in this round are first.
    order: Vec<usize>,
    /// The places in `order` that are next.
    chosen: Range<usize>,
    expected: Vec<u8>,
}

impl Traffic {
    /// Allocates all large buffers.
    pub(super) fn new(connections: usize) -> Self {
        // Writing to memory makes it resident.
        let memory = |size| {
            let mut memory = vec![1; size];
            memory.clear();
            memory
        };
        Self {
            random: Rng::with_seed(1),
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

    pub(super) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Fills the batch with opening handshakes of new connections.
    pub(super) fn requests(&mut self, count: usize) {
        self.clear();
        self.keys.clear();
        let request = str::from_utf8(REQUEST).unwrap();
        let (before, after) = request.split_once(KEY).unwrap();
        for _ in 0..count {
            // Base64 of 16 bytes: 21 digits, and one whose last four bits are 0.
            let key = format!("{:021x}A==", self.random.u64(..));
            let start = self.batch.bytes.len();
            for part in [before, &key, after] {
                self.batch.bytes.extend_from_slice(part.as_bytes());
            }
            let end = self.batch.bytes.len();
            self.batch.reads.push((self.opened, start..end));
            self.keys.push(key.as_bytes().try_into().unwrap());
            self.opened += 1;
        }
    }

    /// Checks that the server has accepted each handshake.
    pub(super) fn check_responses(&self) -> Result<(), String> {
        const END: &[u8] = b"\r\n\r\n";
        let mut rest = &self.batch.written[..];
        for key in &self.keys {
            let end = rest.windows(END.len()).position(|bytes| bytes == END);
            let end = end.ok_or("a response is missing")? + END.len();
            let (response, after) = rest.split_at(end);
            check_response(response, &sockless::accept_key(key))?;
            rest = after;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err("more bytes than the responses".into())
        }
    }

    /// Begins a round in which `count` different connections get a message.
    pub(super) fn choose(&mut self, count: usize) {
        for i in 0..count {
            let other = self.random.usize(i..self.order.len());
            self.order.swap(i, other);
        }
        self.chosen = 0..count;
    }

    /// Fills the batch with messages for the next connections of the round. Returns whether there are any.
    pub(super) fn messages(&mut self) -> bool {
        self.clear();
        let next = self.chosen.clone().take(BATCH);
        self.chosen.start += next.len();
        // The rest of every fourth message arrives after all other messages.
        let mut rests = Vec::new();
        for i in next {
            let id = self.order[i];
            let mut payload = [0; SIZE];
            self.random.fill(&mut payload);
            let header = header(Opcode::Binary, Some(self.random.u32(..).to_le_bytes()));
            let start = self.batch.bytes.len();
            push_frame(&mut self.batch.bytes, header, &payload);
            let end = self.batch.bytes.len();
            if i % 4 == 3 {
                let cut = self.random.usize(start + 1..end);
                self.batch.reads.push((id, start..cut));
                rests.push((id, cut..end, payload));
            } else {
                self.batch.reads.push((id, start..end));
                self.expect(&payload);
            }
        }
        for (id, rest, payload) in rests {
            self.batch.reads.push((id, rest));
            self.expect(&payload);
        }
        !self.batch.reads.is_empty()
    }

    /// Checks the echoes and returns their number.
    pub(super) fn check_echoes(&self) -> Result<usize, String> {
        let (written, expected) = (&self.batch.written, &self.expected);
        if written == expected {
            return Ok(expected.len() / (2 + SIZE));
        }
        let same = written.iter().zip(expected).take_while(|(a, b)| a == b);
        Err(format!(
            "{} bytes were written instead of {}. The first {} are right.",
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

    /// Adds an echo to what the server must write.
    fn expect(&mut self, payload: &[u8; SIZE]) {
        self.expected.extend_from_slice(b"\x82\x7d");
        self.expected.extend_from_slice(payload);
    }
}
