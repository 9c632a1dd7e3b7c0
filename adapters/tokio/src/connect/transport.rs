//! The transport of a client's WebSocket.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A byte stream: TCP, TLS, a stream of HTTP/2, or one of them through a proxy.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> ByteStream for S {}

/// A byte stream of any kind. A call through the pointer costs little next to a system call.
pub(crate) type BoxedStream = Box<dyn ByteStream>;

/// The transport of a WebSocket that [`connect`](crate::connect()) opened.
///
/// It is a TCP connection, TLS over TCP, or a stream of HTTP/2, directly or through a proxy. Dropping it closes the
/// connection.
pub struct Transport {
    stream: BoxedStream,
    peer_addr: SocketAddr,
    security: Security,
    http_version: HttpVersion,
    /// Over HTTP/2 only.
    task: Option<Task>,
}

/// The task of an HTTP/2 connection.
pub(crate) struct Task {
    /// The task ends after this is dropped.
    pub(crate) ending: oneshot::Sender<Infallible>,
    pub(crate) handle: JoinHandle<()>,
}

/// Whether the bytes are encrypted between the client and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    Tls,
}

/// The version of HTTP that carried the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/1.1: the upgrade made the whole connection a WebSocket.
    Http11,
    /// HTTP/2: the WebSocket is a stream (RFC 8441).
    Http2,
}

impl Transport {
    pub(crate) fn new(
        stream: BoxedStream,
        peer_addr: SocketAddr,
        security: Security,
        http_version: HttpVersion,
    ) -> Self {
        Self {
            stream,
            peer_addr,
            security,
            http_version,
            task: None,
        }
    }

    #[cfg(feature = "http2")]
    pub(crate) fn with_task(mut self, task: Task) -> Self {
        self.task = Some(task);
        self
    }

    /// Drops the transport, and waits until its last bytes are written or can no longer be written.
    ///
    /// Over HTTP/2, a task writes. It may still have the last bytes when the WebSocket has ended. Call this before the
    /// program ends. It takes at most 10 s. Over HTTP/1.1, it returns at once.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sockless_tokio::{CloseCode, connect};
    ///
    /// let mut websocket = connect("wss://example.com").await?;
    /// websocket.close(CloseCode::NORMAL, "").await?;
    /// let (transport, ..) = websocket.into_parts();
    /// transport.finish().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn finish(self) {
        let Self { stream, task, .. } = self;
        drop(stream);
        if let Some(Task { ending, handle }) = task {
            drop(ending);
            // The task never panics.
            _ = handle.await;
        }
    }

    /// The address at the other end of the TCP connection. With a proxy, it is the address of the proxy.
    #[must_use]
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    /// Whether TLS encrypts the bytes on the whole way to the server.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.security, Security::Tls)
    }

    /// The version of HTTP that carried the opening handshake.
    #[must_use]
    pub const fn http_version(&self) -> HttpVersion {
        self.http_version
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("peer_addr", &self.peer_addr)
            .field("is_tls", &self.is_tls())
            .field("http_version", &self.http_version)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
