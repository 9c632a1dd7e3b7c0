//! A message that is received in parts.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::assembly::Chunk;
use crate::driver::Driver;
use crate::error::Error;
use crate::handle::Handle;
use crate::message::Message;
use crate::message_writer::MessageType;

/// A message while it arrives: see [`WebSocket::recv_stream`](crate::WebSocket::recv_stream).
///
/// Take its parts with [`chunk`](Self::chunk), as a [`Stream`], or as an [`AsyncRead`]. A part of a text message never
/// ends inside a character.
///
/// If you drop it before the end, the rest of the message is dropped. The next message is not affected.
///
/// It borrows the connection. So drop it before you send an answer.
///
/// # Example: a message into a file, and an answer
///
/// ```
/// use sockless_tokio::WebSocket;
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// async fn save<S>(websocket: &mut WebSocket<S>, mut file: tokio::fs::File) -> std::io::Result<()>
/// where
///     S: AsyncRead + AsyncWrite + Unpin,
/// {
///     let Some(mut message) = websocket.recv_stream().await? else { return Ok(()) };
///     let size = tokio::io::copy(&mut message, &mut file).await?;
///     drop(message);
///     websocket.send(format!("received {size} bytes")).await?;
///     Ok(())
/// }
/// ```
pub struct MessageReader<'a, S> {
    handle: Handle<'a, S>,
    kind: MessageType,
    /// The part that was received and not delivered.
    part: Option<Message>,
    /// Whether the last part was received.
    fin: bool,
    /// The rest of a part that did not fit into the caller's buffer.
    rest: Bytes,
}

/// Shows how many bytes were received and not read, not the bytes.
impl<S: fmt::Debug> fmt::Debug for MessageReader<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unread = self.part.as_ref().map_or(0, |it| it.as_bytes().len()) + self.rest.len();
        f.debug_struct("MessageReader")
            .field("handle", &self.handle)
            .field("kind", &self.kind)
            .field("unread", &format_args!("{unread} B"))
            .field("fin", &self.fin)
            .finish()
    }
}

impl<'a, S> MessageReader<'a, S> {
    pub(crate) fn new(handle: Handle<'a, S>, first: Chunk) -> Self {
        let kind = match first.message {
            Message::Text(_) => MessageType::Text,
            Message::Binary(_) => MessageType::Binary,
        };
        Self {
            handle,
            kind,
            part: Some(first.message),
            fin: first.fin,
            rest: Bytes::new(),
        }
    }

    /// Returns the type of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageType {
        self.kind
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageReader<'_, S> {
    /// Receives the next part, or returns `Ok(None)` at the end of the message. A part may be empty.
    ///
    /// # Errors
    ///
    /// Those of [`WebSocket::recv`](crate::WebSocket::recv). If the peer closes in the middle of the message, the error is
    /// [`Eof`](Error::Eof).
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no part is lost.
    pub async fn chunk(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if let Some(part) = self.part.take() {
            return Poll::Ready(Ok(Some(part)));
        }
        if self.fin {
            return Poll::Ready(Ok(None));
        }
        // A peer that closes gives up its unfinished message.
        let chunk = ready!(self.handle.poll(cx, Driver::poll_chunk))?.ok_or(Error::Eof)?;
        self.fin = chunk.fin;
        Poll::Ready(Ok(Some(chunk.message)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for MessageReader<'_, S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_chunk(cx).map(Result::transpose)
    }
}

/// Reads the payload, to the end of the message. The errors contain an [`Error`].
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MessageReader<'_, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            match ready!(this.poll_chunk(cx))? {
                Some(part) => this.rest = part.into_bytes(),
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = this.rest.len().min(buffer.remaining());
        buffer.put_slice(&this.rest[..n]);
        this.rest.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for MessageReader<'_, S> {
    fn drop(&mut self) {
        if !self.fin {
            self.handle.with(Driver::skip_message);
        }
    }
}
