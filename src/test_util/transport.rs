//! A transport in memory that never returns `WouldBlock`.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::vec::Vec;

use crate::test_util::cutter::pieces;

/// A transport in memory that delivers a fixed stream of bytes in pieces, and records what is written to it.
///
/// Each read returns at most one piece. Each write accepts at most [`max_write`](Self::set_max_write) bytes. After
/// the last piece the stream ends. It behaves like a blocking transport that is always ready. For non-blocking loops
/// and for deadlines, use [`NonBlockingTransport`](super::NonBlockingTransport).
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
    /// The pieces that are left. The first one may have been read in part.
    pieces: VecDeque<VecDeque<u8>>,
    written: Vec<u8>,
    max_write: usize,
}

impl Transport {
    /// Makes a transport that delivers these bytes, cut at `places`, which must be in ascending order. Places at
    /// either end have no effect.
    ///
    /// # Panics
    ///
    /// If a place is smaller than the place before it.
    #[must_use]
    pub fn new(bytes: &[u8], places: &[usize]) -> Self {
        let pieces = pieces(bytes, places).into_iter();
        Self {
            pieces: pieces.map(|piece| piece.to_vec().into()).collect(),
            written: Vec::new(),
            max_write: usize::MAX,
        }
    }

    /// Sets how many bytes one write accepts at most. 0 counts as 1. Default: no limit.
    pub fn set_max_write(&mut self, max_write: usize) {
        self.max_write = max_write.max(1);
    }

    /// Returns everything that was written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.written
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front_mut() else {
            return Ok(0);
        };
        let n = piece.read(buffer)?;
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Ok(n)
    }
}

impl Write for Transport {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut pieces = data.chunks(self.max_write);
        let taken = pieces.next().unwrap_or_default();
        self.written.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
