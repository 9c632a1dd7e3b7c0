//! A WebSocket as a stream of an HTTP/2 connection (RFC 8441).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use h2::ext::Protocol;
use h2::{Ping, RecvStream, SendStream, client};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::http::{Method, Request, StatusCode, Version};

/// The flow-control window of an HTTP/2 connection, in bytes. All streams receive at once. With a small window, h2
/// takes their many short frames for an attack.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// An HTTP/2 connection whose server accepts WebSocket requests.
#[derive(Clone)]
pub struct Http2 {
    requests: client::SendRequest<Bytes>,
}

impl Http2 {
    /// Begins an HTTP/2 connection over a transport, and waits for the server's settings. A client must not request a
    /// WebSocket before it has them (RFC 8441, section 3).
    ///
    /// # Errors
    ///
    /// If the server does not speak HTTP/2, or does not accept WebSocket requests over it.
    pub async fn begin<S>(transport: S) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |error: h2::Error| format!("no HTTP/2: {error}");
        let (requests, mut connection) = client::Builder::new()
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake::<_, Bytes>(transport)
            .await
            .map_err(failed)?;
        let mut pings = connection.ping_pong().ok_or("no HTTP/2 ping")?;
        tokio::spawn(connection);
        // A server sends its settings first, so they arrive before the answer to this ping.
        pings.ping(Ping::opaque()).await.map_err(failed)?;
        if !requests.is_extended_connect_protocol_enabled() {
            return Err(String::from(
                "no WebSockets over HTTP/2: SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1",
            ));
        }
        Ok(Self { requests })
    }

    /// The number of streams that may be open at once.
    #[must_use]
    pub fn max_streams(&self) -> usize {
        self.requests.current_max_send_streams()
    }

    /// Opens a WebSocket at an https or http URL (RFC 8441, section 4).
    ///
    /// # Errors
    ///
    /// If the server refuses it, or the connection fails.
    pub async fn open(&self, url: &str) -> Result<Http2Stream, String> {
        let failed = |error: h2::Error| format!("no stream: {error}");
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(url)
            .version(Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static("websocket"))
            .body(())
            .map_err(|error| error.to_string())?;
        let requests = self.requests.clone();
        let mut requests = requests.ready().await.map_err(failed)?;
        let (response, send) = requests.send_request(request, false).map_err(failed)?;
        let response = response.await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(format!("no opening handshake: {}", response.status()));
        }
        Ok(Http2Stream::new(send, response.into_body()))
    }
}

/// A stream as a transport. Its bytes are the payload of the DATA frames (RFC 8441, section 5).
pub struct Http2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    unread: Bytes,
}

impl Http2Stream {
    /// Joins the two halves.
    #[must_use]
    pub fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self {
            send,
            receive,
            unread: Bytes::new(),
        }
    }
}

fn broken(error: h2::Error) -> io::Error {
    if error.is_reset() {
        io::Error::new(io::ErrorKind::ConnectionReset, error)
    } else {
        io::Error::other(error)
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receive.poll_data(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                Some(Ok(bytes)) => {
                    let flow = self.receive.flow_control();
                    flow.release_capacity(bytes.len()).map_err(broken)?;
                    self.unread = bytes;
                }
            }
        }
        let n = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.send.reserve_capacity(bytes.len());
        loop {
            match ready!(self.send.poll_capacity(context)) {
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                Some(Ok(0)) => {}
                Some(Ok(capacity)) => {
                    let n = capacity.min(bytes.len());
                    let data = Bytes::copy_from_slice(&bytes[..n]);
                    self.send.send_data(data, false).map_err(broken)?;
                    return Poll::Ready(Ok(n));
                }
            }
        }
    }

    /// The connection writes what it accepted. No flush is needed.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends `END_STREAM`.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.send.send_data(Bytes::new(), true).map_err(broken))
    }
}
