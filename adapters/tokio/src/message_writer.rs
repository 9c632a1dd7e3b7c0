//! A message that is sent in parts.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::str;
use std::task::{Context, Poll, ready};

use sockless::CloseCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::driver::Driver;
use crate::error::Error;
use crate::handle::Handle;
use crate::pool::READ;

/// The type of a message (RFC 6455, section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has no other messages")]
pub enum MessageType {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A message while it is sent in parts: see [`WebSocket::send_stream`](crate::WebSocket::send_stream).
///
/// Each write is a fragment (RFC 6455, section 5.4). A write waits for room in the output. So you write only as fast as
/// the peer reads. End the message with [`finish`](Self::finish). The writer is also an [`AsyncWrite`], whose
/// `shutdown` ends the message.
///
/// # Drop
///
/// A message that has begun must be completed. If you drop the writer after the first write and before `finish`, the
/// connection is closed with code 1011.
///
/// # Example
///
/// ```
/// use sockless_tokio::{Error, MessageType, WebSocket};
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// async fn count<S>(websocket: &mut WebSocket<S>) -> Result<(), Error>
/// where
///     S: AsyncRead + AsyncWrite + Unpin,
/// {
///     let mut message = websocket.send_stream(MessageType::Text);
///     for i in 0..1000 {
///         message.write(format!("{i}\n")).await?;
///     }
///     message.finish().await
/// }
/// ```
pub struct MessageWriter<'a, S> {
    handle: Handle<'a, S>,
    kind: MessageType,
    stage: Stage,
    /// The beginning of a character whose other bytes come with the next write.
    character: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No fragment was queued.
    New,
    /// The message has begun.
    Begun,
    Finished,
}

/// Shows no payload.
impl<S: fmt::Debug> fmt::Debug for MessageWriter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter")
            .field("handle", &self.handle)
            .field("kind", &self.kind)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl<'a, S> MessageWriter<'a, S> {
    pub(crate) const fn new(handle: Handle<'a, S>, kind: MessageType) -> Self {
        Self {
            handle,
            kind,
            stage: Stage::New,
            character: Vec::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageWriter<'_, S> {
    /// Sends the next part of the message as one fragment. In a text message, a part may end inside a character.
    ///
    /// # Errors
    ///
    /// [`Closed`](Error::Closed) if nothing can be sent any more.
    /// [`InvalidText`](Error::InvalidText) if the part of a text message is not UTF-8. The part was not sent.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future while it waits for room, the part was not sent.
    pub async fn write(&mut self, part: impl AsRef<[u8]>) -> Result<(), Error> {
        let part = part.as_ref();
        poll_fn(|cx| self.poll_part(cx, part)).await
    }

    /// Ends the message, and writes as much as the transport takes now.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write). [`InvalidText`](Error::InvalidText) if a text message ends inside a character.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future while it waits for room, the writer is dropped, too. If the message has begun, the
    /// connection is then closed with code 1011.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// Sends all bytes of `reader`, ends the message, and waits until it is written.
    pub(crate) async fn copy(mut self, reader: impl AsyncRead) -> io::Result<u64> {
        let mut reader = pin!(reader);
        let mut buffer = vec![0; READ];
        let mut total = 0;
        loop {
            let n = reader.read(&mut buffer).await?;
            if n == 0 {
                break;
            }
            self.write(&buffer[..n]).await?;
            total += n as u64;
        }
        poll_fn(|cx| self.poll_finish(cx)).await?;
        poll_fn(|cx| self.handle.poll(cx, Driver::poll_flush)).await?;
        Ok(total)
    }

    fn poll_part(&mut self, cx: &mut Context<'_>, part: &[u8]) -> Poll<Result<(), Error>> {
        if self.stage == Stage::Finished {
            return Poll::Ready(Err(Error::Closed));
        }
        match self.kind {
            MessageType::Binary => self.poll_fragment(cx, Fragment::Binary(part), false),
            MessageType::Text if self.character.is_empty() => {
                let (text, rest) = whole_characters(part)?;
                ready!(self.poll_fragment(cx, Fragment::Text(text), false))?;
                self.character.extend_from_slice(rest);
                Poll::Ready(Ok(()))
            }
            MessageType::Text => {
                let joined = [&self.character, part].concat();
                let (text, rest) = whole_characters(&joined)?;
                ready!(self.poll_fragment(cx, Fragment::Text(text), false))?;
                self.character = rest.to_vec();
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.stage == Stage::Finished {
            return Poll::Ready(Ok(()));
        }
        if !self.character.is_empty() {
            return Poll::Ready(Err(Error::InvalidText));
        }
        let last = match self.kind {
            MessageType::Text => Fragment::Text(""),
            MessageType::Binary => Fragment::Binary(&[]),
        };
        self.poll_fragment(cx, last, true)
    }

    fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        fragment: Fragment<'_>,
        fin: bool,
    ) -> Poll<Result<(), Error>> {
        ready!(self.handle.poll(cx, |driver, cx| {
            driver.poll_send_with(cx, fragment.len(), |connection| match fragment {
                Fragment::Text(text) => connection.send_text_fragment(text, fin),
                Fragment::Binary(data) => connection.send_binary_fragment(data, fin),
            })
        }))?;
        self.stage = if fin { Stage::Finished } else { Stage::Begun };
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone, Copy)]
enum Fragment<'p> {
    Text(&'p str),
    Binary(&'p [u8]),
}

impl Fragment<'_> {
    const fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }
}

/// The text, and the beginning of a character at its end.
fn whole_characters(bytes: &[u8]) -> Result<(&str, &[u8]), Error> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok((text, &[])),
        Err(error) if error.error_len().is_none() => {
            let (text, rest) = bytes.split_at(error.valid_up_to());
            Ok((str::from_utf8(text).unwrap_or_default(), rest))
        }
        Err(_) => Err(Error::InvalidText),
    }
}

/// Each write is one fragment, and `shutdown` ends the message.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MessageWriter<'_, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        part: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_part(cx, part))?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().handle.poll(cx, Driver::poll_flush))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_finish(cx))?;
        ready!(this.handle.poll(cx, Driver::poll_flush))?;
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for MessageWriter<'_, S> {
    fn drop(&mut self) {
        if self.stage == Stage::Begun {
            // Section 5.4: no other message may begin before this one ends. The code is valid, so this never fails.
            _ = self
                .handle
                .with(|driver| driver.close(CloseCode::INTERNAL_ERROR, "incomplete message"));
        }
    }
}
