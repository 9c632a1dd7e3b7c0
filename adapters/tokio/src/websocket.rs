//! One connection in one task.

use std::future::poll_fn;
use std::task::{Poll, ready};

use sockless::{CloseCode, CloseEvent, Connection, ReadBuffer, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::message::{Closed, Message};
use crate::split::{Receiver, Sender, halves};

/// A WebSocket connection over a transport.
///
/// Every method writes output and keeps deadlines while you wait for it. Only [`recv`](Self::recv) reads, answers
/// Pings and sees Pongs. So keep receiving. To send and receive at the same time, [split](Self::split) the
/// connection.
///
/// The connection ends one second after a deadline. Until then, it reads bytes that arrived in time but are still in
/// a layer below, such as TLS or HTTP/2.
#[derive(Debug)]
pub struct WebSocket<S>(pub(crate) Driver<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes a connection after an opening handshake that was made elsewhere. `buffer` holds the bytes that were read
    /// after the handshake.
    pub fn new(transport: S, connection: Connection, buffer: ReadBuffer) -> Self {
        Self(Driver::new(transport, connection, buffer))
    }

    /// The next message, or `None` at the end of the connection.
    ///
    /// After `None` you can drop the transport, and [`close_event`](Self::close_event) says how the connection ended.
    ///
    /// If writing fails, you still receive the messages that the peer sent before. A peer that sends faster than you
    /// receive must wait, because its messages stay in the transport.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.0.poll_recv(cx)).await
    }

    /// Waits for room and sends a message. Writes as much as the transport takes at once.
    ///
    /// Later calls write the rest. [`flush`](Self::flush) waits until everything is written.
    ///
    /// This does not read while it waits. That is right for an answer: a peer that does not read its answers must not
    /// send more. But if both sides only send, each waits for the other side to read, until a deadline ends the
    /// connection. So if you send much, or without a request, [split](Self::split) the connection and receive in
    /// another task.
    ///
    /// A deadline ends the connection here only if the transport has taken no byte for the length of that deadline.
    /// This is 20 s by default.
    ///
    /// If you drop the future while it waits, the message is not sent.
    ///
    /// # Errors
    ///
    /// If one side has closed or the transport has ended. The message was not sent.
    pub async fn send(&mut self, message: &Message) -> Result<(), Closed> {
        poll_fn(|cx| {
            ready!(self.0.poll_room(cx))?;
            queue(&mut self.0.connection, message)?;
            _ = self.0.poll_write(cx);
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Waits until all output is written. Like [`send`](Self::send), this does not read.
    ///
    /// # Errors
    ///
    /// If the transport has ended before.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| self.0.poll_flush(cx)).await
    }

    /// Closes the connection and waits for its end. Drops the messages that still arrive.
    ///
    /// If you drop the future while it waits, the Close frame is still sent. [`recv`](Self::recv) then continues.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`]. The connection is unchanged.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        close(&mut self.0.connection, code, reason)?;
        while self.recv().await.is_some() {}
        Ok(())
    }

    /// How the connection ended. `None` before its end.
    #[must_use]
    pub fn close_event(&self) -> Option<CloseEvent<'_>> {
        self.0.connection.close_event()
    }

    /// Two halves, for two tasks. The receiver also reads while the sender waits for room.
    #[must_use]
    pub fn split(self) -> (Receiver<S>, Sender<S>) {
        halves(self.0)
    }
}

/// Queues a message. The connection must have room.
pub(crate) fn queue(connection: &mut Connection, message: &Message) -> Result<(), Closed> {
    let sent = match message {
        Message::Text(text) => connection.send_text(text),
        Message::Binary(data) => connection.send_binary(data),
    };
    // `Closed` is the only error that is left: there is room, and no other message is in progress.
    sent.map_err(|_| Closed)
}

/// Queues a Close frame, unless one side has already closed.
pub(crate) fn close(
    connection: &mut Connection,
    code: CloseCode,
    reason: &str,
) -> Result<(), SendError> {
    match connection.close(code, reason) {
        Err(SendError::InvalidCloseCode(code)) => Err(SendError::InvalidCloseCode(code)),
        // Otherwise the connection is closing, by either side.
        _ => Ok(()),
    }
}
