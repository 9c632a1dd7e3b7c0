//! A connection after the opening handshake (RFC 6455 sections 5 to 7).

use alloc::vec::Vec;

use crate::close::CloseFrame;
use crate::closing::{CloseEvent, Closing, State, TransportAction};
use crate::config::{Config, Reply};
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::Opcode;
use crate::masking_keys::{MaskingKeys, Seed};
use crate::pongs::Pongs;
use crate::read_buffer::ReadBuffer;
use crate::receiver::{Received, Receiver};
use crate::role::Role;
use crate::sender::Sender;
use crate::utf8;

mod send;

/// One side of a WebSocket connection, without its socket.
///
/// Bytes read from the transport go into a [`ReadBuffer`], [`next_event`](Self::next_event) takes
/// messages out of it, the sending methods queue bytes in [`output`](Self::output), and whoever owns the
/// transport writes those. Nothing else happens: no I/O, no clock, no randomness beyond the [`Seed`], no
/// threads. The same inputs always give the same outputs.
///
/// It comes from an opening handshake ([`Request::accept`](crate::handshake::Request::accept),
/// [`ClientHandshake`](crate::handshake::ClientHandshake)), or from [`server`](Self::server) or
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
    closing: Closing,
    pong: Reply,
    close: Reply,
    max_output: usize,
    max_unsent_pongs: usize,
}

impl Connection {
    /// The server's side, after the opening handshake.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::opened(&config, None, Vec::new())
    }

    /// The client's side, after the opening handshake. All masking keys come from `seed`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used up")]
    pub fn client(config: Config, seed: Seed) -> Self {
        Self::opened(&config, Some(MaskingKeys::new(&seed)), Vec::new())
    }

    /// A connection whose output begins with `opening`: a client's if it has masking keys.
    pub(crate) fn opened(config: &Config, keys: Option<MaskingKeys>, opening: Vec<u8>) -> Self {
        let role = if keys.is_some() {
            Role::Client
        } else {
            Role::Server
        };
        Self {
            receiver: Receiver::new(role, config),
            sender: Sender::new(keys, opening),
            pongs: Pongs::default(),
            closing: Closing::new(),
            pong: config.pong,
            close: config.close,
            max_output: config.max_output,
            max_unsent_pongs: config.max_unsent_pongs,
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
        match self.closing.state() {
            State::Open | State::Closing => {}
            State::PeerClosing | State::Closed | State::Ended => {
                // Section 5.5.1: what follows a Close frame is no part of the connection.
                buffer.clear();
                return Ok(None);
            }
            State::Failed(error) => {
                if let Some(close) = self.receiver.discard(buffer) {
                    self.closing.record(close);
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
        self.closing.ended();
    }

    /// The bytes to write to the transport, in one piece; empty if there are none.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.sender.output().unsent()
    }

    /// Whether messages can be sent: no Close frame was sent and the connection is not at its end.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closing.may_send()
    }

    /// What to do with the transport now: ask after every write and every end of stream.
    #[must_use]
    pub fn transport_action(&self) -> TransportAction {
        self.closing
            .transport_action(self.receiver.role(), self.sender.output())
    }

    /// How the connection ended, once it has: both Close frames were exchanged, the stream ended, or the
    /// connection failed.
    #[must_use]
    pub fn close_event(&self) -> Option<CloseEvent<'_>> {
        self.closing.event()
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
        if self.pong == Reply::Manual || self.closing.state() != State::Open {
            return;
        }
        let size = self.sender.control_size(payload);
        if self.pongs.has_room(size, self.max_unsent_pongs)
            && self.sender.control(Opcode::Pong, payload).is_ok()
        {
            self.pongs.sent(size, self.output().len());
        } else {
            self.pongs.defer(payload);
        }
    }

    /// Section 5.5.1: a Close frame is answered with one, usually with the same code.
    fn answer_close(&mut self, close: CloseFrame<'_>) {
        self.closing.received(close);
        if self.close == Reply::Automatic && self.closing.state() == State::PeerClosing {
            // What parsed may also be sent, so this is never refused.
            _ = self.close(close.code, "");
        }
    }

    /// Section 7.1.7: fails the connection, with a Close frame unless one was sent.
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        if self.closing.state() == State::Open {
            // All of these codes may be sent, so this is never refused.
            _ = self.close(error.close_code(), error.reason());
        }
        self.closing.failed(error);
        self.receiver.failed(error);
        error
    }

    /// A Pong that found no room goes out once those before it are written.
    fn after_write(&mut self, n: usize) {
        if let Some(payload) = self.pongs.written(n) {
            self.answer_ping(payload.as_slice());
        }
    }
}
