//! A transport that remembers how its incoming side ended, which tungstenite does not tell: after the closing handshake
//! a reset is as good to it as an end of the stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How the bytes of the peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By an end of the stream: FIN, and in TLS a `close_notify`.
    Stream,
    /// By a reset, or by FIN without a `close_notify`.
    Error(io::ErrorKind),
}

pub(crate) struct Watched<S> {
    stream: S,
    end: Option<End>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, end: None }
    }

    /// How the incoming side ended, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        match &result {
            Ok(()) if buffer.filled().len() > before || buffer.remaining() == 0 => {}
            Ok(()) => self.end = Some(End::Stream),
            Err(error) => self.end = Some(End::Error(error.kind())),
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
