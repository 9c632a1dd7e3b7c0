//! A transport in memory for the receivers in Rust.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use sockless::test_util::Transport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Behaves as a socket that does not block. Before each piece, one read finds nothing.
pub(super) struct Memory {
    transport: Transport,
    ready: bool,
}

impl Memory {
    pub(super) fn new(bytes: &[u8], places: &[usize]) -> Self {
        Self {
            transport: Transport::new(bytes, places),
            ready: false,
        }
    }

    pub(super) fn written(&self) -> &[u8] {
        self.transport.written()
    }

    fn is_ready(&mut self) -> bool {
        self.ready = !self.ready;
        !self.ready
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_ready() {
            self.transport.read(buffer)
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

impl Write for Memory {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.transport.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The caller polls again without a wake-up.
        if !self.is_ready() {
            return Poll::Pending;
        }
        let n = self.transport.read(buffer.initialize_unfilled())?;
        buffer.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.transport.write(data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
