//! A transport in memory.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::page::{PAGE, Pages};
use crate::sum::Sum;

/// The size of the buffer that written bytes are copied to, as the kernel copies them to the buffer of a socket.
const SINK: usize = 256 << 10;

/// Both directions of a transport. It never blocks, never ends and never fails.
#[derive(Debug)]
pub struct Wire {
    source: Arc<[u8]>,
    position: usize,
    /// The most that a read returns.
    read_size: usize,
    sink: Box<Pages<{ SINK + PAGE }>>,
    written: Arc<Written>,
}

impl Wire {
    /// Reads return `source` over and over, at most `read_size` bytes at a time.
    pub fn new(source: Arc<[u8]>, read_size: usize) -> Self {
        Self {
            source,
            position: 0,
            read_size,
            sink: Pages::new(),
            written: Arc::default(),
        }
    }

    /// A transport that is only written to.
    pub fn sink() -> Self {
        Self::new(Arc::new([]), 0)
    }

    /// Counts what is written. It remains usable after a connection has taken ownership of the transport.
    pub fn written(&self) -> Arc<Written> {
        self.written.clone()
    }

    /// The bytes that the next read of at most `size` bytes returns.
    #[inline]
    fn next(&mut self, size: usize) -> &[u8] {
        let start = self.position;
        let n = (self.source.len() - start).min(self.read_size).min(size);
        assert!(n > 0, "there is nothing to read");
        self.position = start + n;
        if self.position == self.source.len() {
            self.position = 0;
        }
        &self.source[start..][..n]
    }
}

impl Read for Wire {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let data = self.next(buffer.len());
        buffer[..data.len()].copy_from_slice(data);
        Ok(data.len())
    }
}

impl Write for Wire {
    /// Accepts all of `data`.
    #[inline]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let place = self.written.place.load(Relaxed) % PAGE;
        for piece in data.chunks(SINK) {
            self.sink.0[place..][..piece.len()].copy_from_slice(piece);
        }
        self.written.add(data);
        Ok(data.len())
    }

    #[inline]
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        pieces.iter().map(|piece| self.write(piece)).sum()
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Wire {
    /// Copies once and clears nothing, as a socket does.
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(self.next(buffer.remaining()));
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
        Poll::Ready(self.write(data))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(pieces))
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

/// Counts the bytes written to a [`Wire`], and keeps a copy of them if it is told to.
///
/// One thread uses it at a time. It is atomic only because hyper sends transports to other threads.
#[derive(Debug, Default)]
pub struct Written {
    bytes: AtomicUsize,
    /// Where in its first page the sink begins.
    place: AtomicUsize,
    recording: AtomicBool,
    record: Mutex<Vec<u8>>,
}

impl Written {
    /// Begins a pass. It keeps a copy of the bytes if the sum is thorough.
    #[inline]
    pub fn begin(&self, sum: &Sum) {
        self.recording.store(sum.is_thorough(), Relaxed);
    }

    /// Ends a pass. Returns the number of bytes written in it, and the copy if there is one.
    ///
    /// Later bytes go to another place in their pages. The place may double the time to copy them, and moving it gives
    /// everyone the same luck.
    #[inline]
    pub fn end(&self) -> (usize, Option<Vec<u8>>) {
        const STEP: usize = 5 * 64;
        let place = self.place.load(Relaxed) + STEP;
        self.place.store(place % PAGE, Relaxed);
        let bytes = self.bytes.load(Relaxed);
        self.bytes.store(0, Relaxed);
        let recording = self.recording.load(Relaxed);
        let record = recording.then(|| std::mem::take(&mut *self.record.lock().unwrap()));
        (bytes, record)
    }

    #[inline]
    fn add(&self, data: &[u8]) {
        self.bytes
            .store(self.bytes.load(Relaxed) + data.len(), Relaxed);
        if self.recording.load(Relaxed) {
            self.record.lock().unwrap().extend_from_slice(data);
        }
    }
}

/// Drives a future that never waits.
///
/// # Panics
///
/// If the future waits.
#[inline]
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits, though the transport is always ready"),
    }
}
