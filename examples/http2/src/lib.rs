//! A stream of h2 as a transport, for clients.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest DATA frame, at any window.
const LARGEST: usize = 16 << 10;

/// Both directions of a stream.
#[derive(Debug)]
pub struct Stream {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Received bytes that were not read.
    unread: Bytes,
}

impl Stream {
    #[must_use]
    pub fn new(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self {
            send,
            recv,
            unread: Bytes::new(),
        }
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
        let this = self.get_mut();
        let wanted = bytes.len().min(LARGEST);
        this.send.reserve_capacity(wanted);
        // The window of the peer limits this. An earlier window may be enough.
        while this.send.capacity() == 0 {
            match ready!(this.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let n = this.send.capacity().min(wanted);
        let data = Bytes::copy_from_slice(&bytes[..n]);
        let sent = this.send.send_data(data, false);
        Poll::Ready(sent.map(|()| n).map_err(broken))
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
        Some(Reason::NO_ERROR | Reason::CANCEL) => io::ErrorKind::ConnectionReset.into(),
        _ => io::Error::other(error),
    }
}
