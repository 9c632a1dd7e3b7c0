//! A transport in memory: what is read comes round and round, what is written is copied as a kernel would.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::page::{PAGE, Pages};

/// What a socket takes at once.
const SINK: usize = 256 << 10;

/// Both directions of a transport. It never blocks, never ends and never fails.
#[derive(Debug)]
pub struct Wire {
    source: Arc<[u8]>,
    position: usize,
    /// No read gives more than this.
    read_size: usize,
    sink: Box<Pages<{ SINK + PAGE }>>,
    /// Where in its first page the sink begins.
    place: usize,
    written: usize,
    /// Everything written, where it is to be looked at.
    record: Option<Vec<u8>>,
}

impl Wire {
    /// Reads give `source` over and over, at most `read_size` bytes at a time.
    pub fn new(source: Arc<[u8]>, read_size: usize) -> Self {
        Self {
            source,
            position: 0,
            read_size,
            sink: Pages::new(),
            place: 0,
            written: 0,
            record: None,
        }
    }

    /// A transport of which nothing is read.
    pub fn sink() -> Self {
        Self::new(Arc::new([]), 0)
    }

    /// Keeps what is written from now on.
    pub fn record(&mut self) {
        self.record = Some(Vec::new());
    }

    /// What was written since [`record`](Self::record); keeps no more.
    pub fn recorded(&mut self) -> Option<Vec<u8>> {
        self.record.take()
    }

    /// How many bytes were written since this was last asked. What is written from now on goes to another place:
    /// where bytes lie in their pages may double the time to copy them, and is luck, of which all shall have the same.
    #[inline]
    pub fn take_written(&mut self) -> usize {
        const STEP: usize = 5 * 64;
        self.place = (self.place + STEP) % PAGE;
        std::mem::take(&mut self.written)
    }

    #[inline]
    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.source[self.position..];
        let n = left.len().min(self.read_size).min(buffer.len());
        assert!(n > 0, "reads where there is nothing to read");
        buffer[..n].copy_from_slice(&left[..n]);
        self.position += n;
        if self.position == self.source.len() {
            self.position = 0;
        }
        n
    }

    /// All of it, in pieces of the size of the sink.
    #[inline]
    fn accept(&mut self, data: &[u8]) {
        for piece in data.chunks(SINK) {
            self.sink.0[self.place % PAGE..][..piece.len()].copy_from_slice(piece);
        }
        self.written += data.len();
        if let Some(record) = &mut self.record {
            record.extend_from_slice(data);
        }
    }

    #[inline]
    fn take_vectored(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        pieces
            .iter()
            .map(|piece| {
                self.accept(piece);
                piece.len()
            })
            .sum()
    }
}

impl Read for Wire {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.give(buffer))
    }
}

impl Write for Wire {
    #[inline]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.accept(data);
        Ok(data.len())
    }

    #[inline]
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.take_vectored(pieces))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Wire {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // As a socket does it: nothing is cleared, nothing is copied twice.
        let wire = &mut *self;
        let left = &wire.source[wire.position..];
        let n = left.len().min(wire.read_size).min(buffer.remaining());
        assert!(n > 0, "reads where there is nothing to read");
        buffer.put_slice(&left[..n]);
        wire.position += n;
        if wire.position == wire.source.len() {
            wire.position = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Wire {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.accept(data);
        Poll::Ready(Ok(data.len()))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take_vectored(pieces)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for Wire {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.give(buffer)))
    }
}

impl futures_io::AsyncWrite for Wire {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.accept(data);
        Poll::Ready(Ok(data.len()))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take_vectored(pieces)))
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Drives a future that never has to wait.
#[inline]
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits, though the transport is always ready"),
    }
}
