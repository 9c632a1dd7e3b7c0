//! A stream of HTTP/2 as a transport.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest DATA frame, at any window. It is the largest frame that every peer must accept (RFC 9113, section
/// 4.2).
const LARGEST: usize = 16 << 10;

/// Both directions of a stream of HTTP/2, for a client or a server on [`h2`].
///
/// A read extends the window of the stream, so a peer that sends faster than you read must wait. Shutting down sends
/// `END_STREAM`. Dropping the stream before that resets it.
#[derive(Debug)]
pub struct Stream {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Received bytes that were not read.
    unread: Bytes,
}

impl Stream {
    /// Takes both halves of a stream. A task must drive the connection of the stream.
    #[must_use]
    pub fn new(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self {
            send,
            recv,
            unread: Bytes::new(),
        }
    }

    /// Waits for the window of the peer. Returns how many of `wanted` bytes it allows: at least one of them.
    fn poll_capacity(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let wanted = wanted.min(LARGEST);
        self.send.reserve_capacity(wanted);
        // An earlier window may be enough.
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            }
        }
        Poll::Ready(Ok(self.send.capacity().min(wanted)))
    }

    fn send(&mut self, data: Bytes) -> Poll<io::Result<usize>> {
        let n = data.len();
        let sent = self.send.send_data(data, false);
        Poll::Ready(sent.map(|()| n).map_err(broken))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.recv.poll_data(cx)) {
                Some(Ok(data)) => this.unread = data,
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                // END_STREAM.
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..n]);
        this.unread.advance(n);
        // The peer may send as much again. If the stream has failed, the next read reports the error.
        _ = this.recv.flow_control().release_capacity(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Sends the parts in one DATA frame.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wanted = parts
            .iter()
            .fold(0, |sum: usize, part| sum.saturating_add(part.len()));
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(this.poll_capacity(cx, wanted))?;
        let mut data = BytesMut::with_capacity(room);
        for part in parts {
            data.extend_from_slice(&part[..part.len().min(room - data.len())]);
        }
        this.send(data.freeze())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The task of the HTTP/2 connection writes as soon as it can.
        Poll::Ready(Ok(()))
    }

    /// Sends `END_STREAM`, which needs no window. Without it, dropping the stream would reset it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.get_mut().send.send_data(Bytes::new(), true);
        Poll::Ready(sent.map_err(broken))
    }
}

fn broken(error: h2::Error) -> io::Error {
    match error.reason() {
        Some(Reason::NO_ERROR | Reason::CANCEL) => ErrorKind::ConnectionReset.into(),
        _ => io::Error::other(error),
    }
}
