//! A transport in memory.

use std::io::{self, Read, Write};
use std::vec::Vec;

/// A stream of bytes from a peer that is not there, in pieces, and what is written to it.
///
/// Each read gives one piece at the most, each write takes at most [`max_write`](Self::set_max_write)
/// bytes. After the last piece the stream is at its end. It always has what is asked of it: a loop that does not
/// block, or that meets deadlines and errors, needs a transport of its own.
///
/// # Example
///
/// ```
/// use std::io::{Read, Write};
/// use sockless::test_util::Transport;
///
/// let mut transport = Transport::new(b"sockless", &[4]);
/// let mut buffer = [0; 100];
/// assert_eq!(transport.read(&mut buffer)?, 4);
/// assert_eq!(transport.read(&mut buffer)?, 4);
/// assert_eq!(transport.read(&mut buffer)?, 0);
/// transport.set_max_write(3);
/// assert_eq!(transport.write(b"reply")?, 3);
/// assert_eq!(transport.written(), b"rep");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Transport {
    bytes: Vec<u8>,
    /// Where the pieces end that are still to come, the last one first.
    ends: Vec<usize>,
    read: usize,
    written: Vec<u8>,
    max_write: usize,
}

impl Transport {
    /// A stream of these bytes, cut at `places`, which ascend. Places at either end cut nothing.
    #[must_use]
    pub fn new(bytes: &[u8], places: &[usize]) -> Self {
        let mut ends: Vec<usize> = places
            .iter()
            .copied()
            .filter(|at| (1..bytes.len()).contains(at))
            .collect();
        ends.push(bytes.len());
        ends.reverse();
        Self {
            bytes: bytes.into(),
            ends,
            read: 0,
            written: Vec::new(),
            max_write: usize::MAX,
        }
    }

    /// How many bytes a write takes at the most; a value of 0 counts as 1. At first there is no bound.
    pub fn set_max_write(&mut self, max_write: usize) {
        self.max_write = max_write.max(1);
    }

    /// What was written to it.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.written
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ends.last().is_some_and(|end| *end <= self.read) {
            self.ends.pop();
        }
        let end = self.ends.last().copied().unwrap_or(self.read);
        let n = (end - self.read).min(buffer.len());
        buffer[..n].copy_from_slice(&self.bytes[self.read..self.read + n]);
        self.read += n;
        Ok(n)
    }
}

impl Write for Transport {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = data.len().min(self.max_write);
        self.written.extend_from_slice(&data[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
