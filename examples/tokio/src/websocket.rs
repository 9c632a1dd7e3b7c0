//! One connection in one task.

use std::future::poll_fn;

use sockless::{CloseCode, CloseEvent, Connection, ReadBuffer, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::message::{Closed, Message};
use crate::split::{Receiver, Sender, halves};

/// A WebSocket connection over a transport.
///
/// While you wait for one of its methods, output is written and deadlines are kept. Only [`recv`](Self::recv) reads, and with
/// it Pings are answered and Pongs are seen. So keep receiving. To send and receive at the same time,
/// [split](Self::split) the connection.
///
/// A deadline that has passed ends the connection a second later. Bytes that arrived in time may still be on their way
/// through the layers below, such as TLS or HTTP/2.
#[derive(Debug)]
pub struct WebSocket<S>(pub(crate) Driver<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// After an opening handshake that was made elsewhere; `buffer` has what was read behind it.
    pub fn new(transport: S, connection: Connection, buffer: ReadBuffer) -> Self {
        Self(Driver::new(transport, connection, buffer))
    }

    /// The next message; `None` when the connection has ended. Then [`close_event`](Self::close_event) says how, and the
    /// transport can be dropped.
    ///
    /// If writing fails you still get the messages that the peer sent before. A peer that sends faster than you receive has
    /// to wait: its messages stay in the transport.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.0.poll_recv(cx)).await
    }

    /// Sends a message. It waits until there is room for the message, and writes what the transport takes at once. The rest
    /// goes out with the next calls, at the latest with [`flush`](Self::flush).
    ///
    /// It does not read while it waits. That is right for an answer: a peer that does not read its answers may send no more.
    /// But if both sides only send, each waits for the other to read, until a deadline ends the connection. So if you send
    /// much, or without being asked, [split](Self::split) the connection and receive in another task.
    ///
    /// It gives the peer up at a deadline only if the transport has taken no byte for 20 s.
    ///
    /// If you drop the future while it waits, the message is not sent.
    ///
    /// # Errors
    ///
    /// If one side has closed, or the transport has ended. The message was not sent.
    pub async fn send(&mut self, message: &Message) -> Result<(), Closed> {
        poll_fn(|cx| self.0.poll_room(cx)).await?;
        queue(&mut self.0.connection, message)?;
        poll_fn(|cx| {
            _ = self.0.poll_write(cx);
            std::task::Poll::Ready(())
        })
        .await;
        Ok(())
    }

    /// Waits until all that was sent is written. It does not read meanwhile, as [`send`](Self::send) does not.
    ///
    /// # Errors
    ///
    /// If the transport ended before.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| self.0.poll_flush(cx)).await
    }

    /// Closes the connection and waits for its end. Messages that still come are dropped.
    ///
    /// If you drop the future while it waits, the Close frame is sent, and [`recv`](Self::recv) goes on from there.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`]; nothing was done.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        close(&mut self.0.connection, code, reason)?;
        while self.recv().await.is_some() {}
        Ok(())
    }

    /// How the connection ended, once it has.
    #[must_use]
    pub fn close_event(&self) -> Option<CloseEvent<'_>> {
        self.0.connection.close_event()
    }

    /// Two halves, for two tasks. Neither waits for the other: one receives while the other waits for room.
    #[must_use]
    pub fn split(self) -> (Receiver<S>, Sender<S>) {
        halves(self.0)
    }
}

/// Queues a message for which there is room.
pub(crate) fn queue(connection: &mut Connection, message: &Message) -> Result<(), Closed> {
    let sent = match message {
        Message::Text(text) => connection.send_text(text),
        Message::Binary(data) => connection.send_binary(data),
    };
    // There is room, and no other message is half sent.
    sent.map_err(|_| Closed)
}

/// Queues a Close frame, unless one side has closed before.
pub(crate) fn close(
    connection: &mut Connection,
    code: CloseCode,
    reason: &str,
) -> Result<(), SendError> {
    match connection.close(code, reason) {
        Err(SendError::InvalidCloseCode(code)) => Err(SendError::InvalidCloseCode(code)),
        // Whoever was first, it is closing.
        _ => Ok(()),
    }
}
