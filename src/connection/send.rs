//! The sending half of a connection's interface (RFC 6455 sections 5.4, 5.5 and 6.1).

use crate::close::CloseFrame;
use crate::close_code::CloseCode;
use crate::connection::{Connection, Outgoing};
use crate::error::SendError;
use crate::frame::{MessageType, Opcode};
#[cfg(target_has_atomic = "ptr")]
use crate::shared_message::SharedMessage;

/// # Sending
///
/// Each of these queues one frame in the [`output`](Connection::output), or changes nothing.
impl Connection {
    /// Queues a text message in one frame.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen);
    /// nothing was queued.
    #[expect(
        clippy::inline_always,
        reason = "in the caller's code the kind of message is known, and a short one is queued without a call"
    )]
    #[inline(always)]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.message(MessageType::Text, text.as_bytes())
    }

    /// Queues a binary message in one frame.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen);
    /// nothing was queued.
    #[expect(
        clippy::inline_always,
        reason = "in the caller's code the kind of message is known, and a short one is queued without a call"
    )]
    #[inline(always)]
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.message(MessageType::Binary, data)
    }

    /// Sends a text message in one frame from where it is: see [`Outgoing`].
    ///
    /// From about a kilobyte on it saves the copy into the output. A client masks what it sends, and what is
    /// compressed is new; there the message is queued, as [`send_text`](Self::send_text) does it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen);
    /// nothing was queued.
    #[inline]
    pub fn send_text_from<'a>(&'a mut self, text: &'a str) -> Result<Outgoing<'a>, SendError> {
        self.message_from(MessageType::Text, text.as_bytes())
    }

    /// Sends a binary message in one frame from where it is: see [`Outgoing`].
    ///
    /// From about a kilobyte on it saves the copy into the output. A client masks what it sends, and what is
    /// compressed is new; there the message is queued, as [`send_binary`](Self::send_binary) does it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen);
    /// nothing was queued.
    #[inline]
    pub fn send_binary_from<'a>(&'a mut self, data: &'a [u8]) -> Result<Outgoing<'a>, SendError> {
        self.message_from(MessageType::Binary, data)
    }

    /// Queues a message that is sent to others, too, encoded and compressed once for all of them.
    ///
    /// From 4 KiB on, as it goes out, a server does not copy it: the output then comes in several
    /// [parts](Self::output_parts), and [`output`](Self::output) is the first of them: write until it is empty. A
    /// shorter one is copied into the output, and a client, which masks what it sends, copies it always.
    ///
    /// A connection with permessage-deflate compresses the same messages as with the other methods, but together with
    /// all that have agreed on the same window, and at the price that [`SharedMessage`] tells of.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen);
    /// nothing was queued.
    #[cfg(target_has_atomic = "ptr")]
    pub fn send_shared(&mut self, message: &SharedMessage) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.shared(message)
    }

    /// Queues the next fragment of a text message, the last one with `fin` (RFC 6455 section 5.4).
    ///
    /// The first call begins the message. A fragment may be empty; Pings, Pongs and a Close may be sent
    /// between fragments.
    ///
    /// Some peers (wsproto, tornado and cowlib among them) fail on a Ping between the fragments of a compressed message. So
    /// an automatic Ping waits for the last fragment of such a message, for
    /// [one interval](crate::Deadlines::ping_interval) at most. Finish a compressed message soon, and do not send a Ping of
    /// your own before.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full), or [`MessageOpen`](SendError::MessageOpen) if a
    /// binary message has begun; nothing was queued.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection};
    ///
    /// let mut server = Connection::server(Config::default());
    /// server.send_text_fragment("Hel", false)?;
    /// server.send_text_fragment("lo", true)?;
    /// assert_eq!(server.output(), b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn send_text_fragment(&mut self, text: &str, fin: bool) -> Result<(), SendError> {
        self.may_send()?;
        self.sender
            .fragment(MessageType::Text, text.as_bytes(), fin)
    }

    /// Queues the next fragment of a binary message, the last one with `fin` (RFC 6455 section 5.4).
    ///
    /// The first call begins the message. A fragment may be empty; Pings, Pongs and a Close may be sent
    /// between fragments. For a Ping inside a compressed message see
    /// [`send_text_fragment`](Self::send_text_fragment).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full), or [`MessageOpen`](SendError::MessageOpen) if a
    /// text message has begun; nothing was queued.
    pub fn send_binary_fragment(&mut self, data: &[u8], fin: bool) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.fragment(MessageType::Binary, data, fin)
    }

    /// Queues a Ping with a payload of at most 125 bytes (RFC 6455 section 5.5.2).
    ///
    /// The peer answers with a Pong of the same payload, or only the newest of several Pings.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or
    /// [`ControlFrameTooLong`](SendError::ControlFrameTooLong); nothing was queued.
    pub fn send_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.control(Opcode::Ping, payload)?;
        self.note_ping();
        Ok(())
    }

    /// Queues a Pong with a payload of at most 125 bytes (RFC 6455 section 5.5.3).
    ///
    /// Needed only with [`Reply::Manual`](crate::Reply::Manual), to answer a Ping, or as a sign of life nobody asked for.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or
    /// [`ControlFrameTooLong`](SendError::ControlFrameTooLong); nothing was queued.
    pub fn send_pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.control(Opcode::Pong, payload)
    }

    /// Queues a Close frame: begins the closing handshake, or answers the peer's Close frame where that is
    /// left to the application (RFC 6455 section 7.1.2).
    ///
    /// Messages of the peer are still delivered until its Close frame comes. A reason of more than 123
    /// bytes is cut at the last character that fits. (An automatic answer repeats the peer's code and has no
    /// reason.) [`CloseCode::NO_STATUS_RECEIVED`] sends an empty
    /// Close frame, without the reason. A message of which fragments are still to be sent is given up. The
    /// Close frame is queued even if the output is full.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`] for a code that must not be sent, [`SendError::Closed`] if a Close
    /// frame was sent before or the connection is at its end; nothing was queued.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closed);
        }
        self.sender.close(CloseFrame { code, reason })?;
        self.closing.sent();
        self.nothing_more_is_sent();
        Ok(())
    }

    #[inline]
    fn message_from<'a>(
        &'a mut self,
        kind: MessageType,
        payload: &'a [u8],
    ) -> Result<Outgoing<'a>, SendError> {
        self.may_send()?;
        let payload = self.sender.message_from(kind, payload)?;
        Ok(Outgoing::new(self, payload))
    }

    #[inline]
    fn may_send(&self) -> Result<(), SendError> {
        if self.closing.is_open() && self.output_fits() {
            return Ok(());
        }
        self.may_send_still()
    }

    /// The same, where one look does not tell.
    #[cold]
    fn may_send_still(&self) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closed);
        }
        if !self.output_fits() {
            return Err(SendError::Full);
        }
        Ok(())
    }
}
