//! A connection after the opening handshake (RFC 6455 sections 5 to 7).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::close::CloseFrame;
use crate::close_code::CloseCode;
use crate::closing::{CloseEvent, Initiator, PeerClose, State, TransportAction};
use crate::config::{Config, Reply};
use crate::error::{ProtocolError, SendError};
use crate::event::Event;
use crate::frame::{MessageType, Opcode};
use crate::masking_keys::{MaskingKeys, Seed};
use crate::pongs::Pongs;
use crate::read_buffer::ReadBuffer;
use crate::receiver::{Masking, Received, Receiver};
use crate::sender::Sender;
use crate::utf8;

/// One side of a WebSocket connection, without its socket.
///
/// Bytes read from the transport go into a [`ReadBuffer`], [`next_event`](Self::next_event) takes
/// messages out of it, the sending methods queue bytes in [`output`](Self::output), and whoever owns the
/// transport writes those. Nothing else happens: no I/O, no clock, no randomness beyond the [`Seed`], no
/// threads. The same inputs always give the same outputs.
///
/// It comes from an opening handshake ([`Request::accept`](crate::Request::accept),
/// [`ClientHandshake`](crate::ClientHandshake)), or from [`server`](Self::server) or
/// [`client`](Self::client) after a handshake made elsewhere.
///
/// # Memory
///
/// A server connection owns no heap until something is sent. The output holds at most
/// [`Config::max_output`] bytes, the largest message sent, [`Config::max_unsent_pongs`] and one Close
/// frame (times 2, as a vector grows); it keeps its memory for the next message, and gives it up in
/// [`swap_output`](Self::swap_output). A client owns one block more, the 400 or so bytes of its key
/// generator. What was received lies in the [`ReadBuffer`].
///
/// # Example: an echo server's loop
///
/// ```
/// use std::io::{Read, Write};
/// use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};
///
/// fn echo(mut transport: impl Read + Write, mut connection: Connection) -> Result<(), Box<dyn std::error::Error>> {
///     let mut buffer = ReadBuffer::new();
///     while connection.transport_action() == TransportAction::Keep {
///         let n = transport.read(buffer.spare_mut(4096))?;
///         buffer.advance(n);
///         while let Some(event) = connection.next_event(&mut buffer)? {
///             match event {
///                 Event::Text { text, .. } => connection.send_text(text)?,
///                 Event::Binary { data, .. } => connection.send_binary(data)?,
///                 Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {} // already answered
///             }
///         }
///         if n == 0 {
///             connection.handle_eof();
///         }
///         transport.write_all(connection.output())?;
///         connection.advance_output(connection.output().len());
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    pongs: Pongs,
    state: State,
    end_of_stream: bool,
    initiator: Initiator,
    role: Role,
    pong: Reply,
    close: Reply,
    max_output: usize,
    max_unsent_pongs: usize,
    peer_close: Option<Box<PeerClose>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

impl Connection {
    /// The server's side, after the opening handshake.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::opened(&config, None, Vec::new())
    }

    /// The client's side, after the opening handshake. All masking keys come from `seed`.
    #[must_use]
    pub fn client(config: Config, seed: Seed) -> Self {
        Self::opened(&config, Some(MaskingKeys::new(&seed)), Vec::new())
    }

    /// A connection whose output begins with `opening`: a client's if it has masking keys.
    pub(crate) fn opened(config: &Config, keys: Option<MaskingKeys>, opening: Vec<u8>) -> Self {
        let (role, masking) = match keys {
            Some(_) => (Role::Client, Masking::Forbidden),
            None => (Role::Server, Masking::Required),
        };
        Self {
            receiver: Receiver::new(masking, config),
            sender: Sender::new(keys, opening),
            pongs: Pongs::default(),
            state: State::Open,
            end_of_stream: false,
            initiator: Initiator::Transport,
            role,
            pong: config.pong,
            close: config.close,
            max_output: config.max_output,
            max_unsent_pongs: config.max_unsent_pongs,
            peer_close: None,
        }
    }

    /// The next event in `buffer`, or `None` if it needs more bytes.
    ///
    /// Call it until it returns `None` after every read. It looks no further than the frame that completes
    /// the event. The event borrows the buffer and not the connection, so the application can answer
    /// while it holds it. After the peer's Close frame, and after [`handle_eof`](Self::handle_eof), it
    /// drops what is in the buffer and returns `None`.
    ///
    /// # Errors
    ///
    /// When the peer breaks the protocol. The connection has failed (RFC 6455 section 7.1.7): every
    /// further call returns the same error, and a Close frame with its code is in the output, unless
    /// this side had sent one before. Write it, then follow [`transport_action`](Self::transport_action).
    pub fn next_event<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.state {
            State::Open | State::Closing => {}
            State::PeerClosing | State::Closed => {
                // Section 5.5.1: what follows a Close frame is no part of the connection.
                buffer.clear();
                return Ok(None);
            }
            State::Failed(error) => {
                if let Some(close) = self.receiver.discard(buffer) {
                    self.peer_close = Some(Box::new(PeerClose::new(close)));
                }
                return Err(error);
            }
        }
        match self.receiver.next(buffer) {
            Ok(None) => Ok(None),
            Ok(Some(received)) => self
                .deliver(received, buffer)
                .map(Some)
                .map_err(|error| self.fail(error)),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Queues a text message in one frame.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen);
    /// nothing was queued.
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
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.message(MessageType::Binary, data)
    }

    /// Queues the next fragment of a text message, the last one with `fin` (RFC 6455 section 5.4).
    ///
    /// The first call begins the message. A fragment may be empty; Pings, Pongs and a Close may be sent
    /// between fragments.
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
    /// between fragments.
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
        self.sender.control(Opcode::Ping, payload)
    }

    /// Queues a Pong with a payload of at most 125 bytes (RFC 6455 section 5.5.3).
    ///
    /// Needed only with [`Reply::Manual`], to answer a Ping, or as a sign of life nobody asked for.
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
    /// bytes is cut at the last character that fits. [`CloseCode::NO_STATUS_RECEIVED`] sends an empty
    /// Close frame. A message of which fragments are still to be sent is given up. The Close frame is
    /// queued even if the output is full.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`] for a code that must not be sent, [`SendError::Closed`] if a Close
    /// frame was sent before or the connection is at its end; nothing was queued.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if !self.state.may_send() {
            return Err(SendError::Closed);
        }
        self.sender.close(CloseFrame { code, reason })?;
        if self.state == State::Open {
            self.initiator = Initiator::Local;
        }
        self.state = self.state.after_our_close();
        self.pongs.forget();
        Ok(())
    }

    /// Says that `n` bytes of [`output`](Self::output) were written to the transport.
    ///
    /// # Panics
    ///
    /// If `n` is more than the length of the output, which is a mistake of the caller.
    pub fn advance_output(&mut self, n: usize) {
        self.sender.output_mut().advance(n);
        self.after_write(n);
    }

    /// Exchanges the output for an empty vector, whose memory is used from now on.
    ///
    /// What `output` held is dropped; it then holds all bytes that are to be written, and the connection
    /// counts them as written. This serves transports that take over a buffer to write it, and pools:
    /// a connection that is given `Vec::new()` when it has nothing to send owns no memory for output.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection};
    ///
    /// let mut server = Connection::server(Config::default());
    /// server.send_text("Hi")?;
    /// let mut output = Vec::new();
    /// server.swap_output(&mut output);
    /// assert_eq!(output, b"\x81\x02Hi");
    /// assert!(server.output().is_empty());
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn swap_output(&mut self, output: &mut Vec<u8>) {
        self.sender.output_mut().swap(output);
        self.after_write(output.len());
    }

    /// Says that the peer has ended the stream: no further bytes will come.
    ///
    /// Call it after [`next_event`](Self::next_event) has returned `None` for all that came before.
    /// Without a Close frame from the peer the connection has then ended with 1006, and not cleanly
    /// (RFC 6455 section 7.1.5); see [`close_event`](Self::close_event).
    pub fn handle_eof(&mut self) {
        self.end_of_stream = true;
        if !matches!(self.state, State::Failed(_)) {
            self.state = State::Closed;
        }
        self.pongs.forget();
    }

    /// The bytes to write to the transport, in one piece; empty if there are none.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.sender.output().unsent()
    }

    /// Whether messages can be sent: no Close frame was sent and the connection is not at its end.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.state.may_send()
    }

    /// What to do with the transport now: ask after every write and every end of stream.
    #[must_use]
    pub fn transport_action(&self) -> TransportAction {
        match self.state {
            State::Open | State::Closing | State::PeerClosing => TransportAction::Keep,
            // The stream ended with no Close frame from the peer, so nobody waits for the rest.
            State::Closed if self.peer_close.is_none() => TransportAction::Close,
            State::Closed | State::Failed(_) if !self.output().is_empty() => TransportAction::Keep,
            // Section 7.1.1: the server closes first, the client waits for it.
            State::Closed | State::Failed(_) if self.end_of_stream => TransportAction::Close,
            State::Closed => match self.role {
                Role::Server => TransportAction::Close,
                Role::Client => TransportAction::Keep,
            },
            State::Failed(_) if self.peer_close.is_some() => TransportAction::Close,
            State::Failed(_) => TransportAction::ShutdownWrite,
        }
    }

    /// How the connection ended, once it has: both Close frames were exchanged, the stream ended, or the
    /// connection failed.
    #[must_use]
    pub fn close_event(&self) -> Option<CloseEvent<'_>> {
        let error = match self.state {
            State::Open | State::Closing | State::PeerClosing => return None,
            State::Closed => None,
            State::Failed(error) => Some(error),
        };
        let (code, reason) = match &self.peer_close {
            Some(close) => (close.frame().code, close.frame().reason),
            None => (CloseCode::ABNORMAL_CLOSURE, ""),
        };
        let was_clean = self.peer_close.is_some() && error.is_none();
        Some(CloseEvent {
            code,
            reason,
            was_clean,
            initiator: self.initiator,
            error,
        })
    }

    /// Turns a place in the buffer into an event, and answers it.
    fn deliver<'b>(
        &mut self,
        received: Received,
        buffer: &'b ReadBuffer,
    ) -> Result<Event<'b>, ProtocolError> {
        Ok(match received {
            Received::Text(span, fin) => Event::Text {
                text: utf8::parse(buffer.slice(span))?,
                fin,
            },
            Received::Binary(span, fin) => Event::Binary {
                data: buffer.slice(span),
                fin,
            },
            Received::Ping(span) => {
                let payload = buffer.slice(span);
                self.answer_ping(payload);
                Event::Ping(payload)
            }
            Received::Pong(span) => Event::Pong(buffer.slice(span)),
            Received::Close(span) => {
                let close = CloseFrame::parse(buffer.slice(span))?;
                self.answer_close(close);
                Event::Close(close)
            }
        })
    }

    /// Section 5.5.2: a Ping is answered with a Pong, unless a Close frame was sent.
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.pong == Reply::Manual || self.state != State::Open {
            return;
        }
        let before = self.output().len();
        let size = 2 + payload.len() + if self.role == Role::Client { 4 } else { 0 };
        if self.pongs.has_room(size, self.max_unsent_pongs)
            && self.sender.control(Opcode::Pong, payload).is_ok()
        {
            self.pongs
                .sent(self.output().len() - before, self.output().len());
        } else {
            self.pongs.defer(payload);
        }
    }

    /// Section 5.5.1: a Close frame is answered with one, usually with the same code.
    fn answer_close(&mut self, close: CloseFrame<'_>) {
        self.peer_close = Some(Box::new(PeerClose::new(close)));
        if self.state == State::Closing {
            self.state = State::Closed;
            return;
        }
        self.initiator = Initiator::Peer;
        self.state = State::PeerClosing;
        // What parsed can be sent, so closing cannot be refused.
        if self.close == Reply::Automatic && self.close(close.code, "").is_err() {
            self.state = State::Closed;
        }
    }

    /// Section 7.1.7: fails the connection, with a Close frame unless one was sent.
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        if self.state == State::Open && self.close(error.close_code(), error.reason()).is_ok() {
            self.initiator = Initiator::Local;
        }
        self.state = State::Failed(error);
        error
    }

    /// A Pong that found no room goes out once those before it are written.
    fn after_write(&mut self, n: usize) {
        if let Some(payload) = self.pongs.written(n) {
            self.answer_ping(payload.as_slice());
        }
    }

    fn may_send(&self) -> Result<(), SendError> {
        if !self.state.may_send() {
            return Err(SendError::Closed);
        }
        if self.output().len() >= self.max_output {
            return Err(SendError::Full);
        }
        Ok(())
    }
}
