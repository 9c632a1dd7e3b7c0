//! A connection after the opening handshake (RFC 6455, sections 5 to 7).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::closing::{CloseEvent, Closing, State, TransportAction};
use crate::connection::config::{Config, Delivery, Reply};
use crate::connection::event::Event;
use crate::connection::masking_keys::{MaskingKeys, Seed};
use crate::connection::message_type::MessageType;
use crate::connection::outgoing::Outgoing;
use crate::connection::pongs::Pongs;
use crate::connection::read_buffer::ReadBuffer;
use crate::connection::receiver::{Received, Receiver};
use crate::connection::role::Role;
use crate::connection::send_error::SendError;
use crate::connection::sender::Sender;
#[cfg(target_has_atomic = "ptr")]
use crate::connection::shared_message::SharedMessage;
use crate::connection::taken_event::TakenEvent;
use crate::connection::timers::{Activity, Awaited, Due, Moved, Timers};
#[cfg(feature = "deflate")]
use crate::deflate::Codecs;
use crate::deflate::{Agreed, Deflation, Inflation};
use crate::wire::{CloseCode, CloseFrame, Opcode, ProtocolError, utf8};

/// One side of a WebSocket connection, without its socket.
///
/// You read bytes from the transport into a [`ReadBuffer`]. [`next_event`](Self::next_event) takes messages out of it.
/// The sending methods queue bytes in [`output`](Self::output). You write those bytes to the transport. The connection
/// does no I/O, has no clock and starts no threads. Its only randomness is the [`Seed`] of a client. The same inputs
/// always give the same outputs.
///
/// An opening handshake makes a connection: [`ServerHandshake`](crate::handshake::ServerHandshake) or
/// [`ClientHandshake`](crate::handshake::ClientHandshake). After a handshake made elsewhere, call
/// [`server`](Self::server) or [`client`](Self::client).
///
/// # Memory
///
/// A server connection without deadlines and compression owns no heap until it sends something. It frees the memory of
/// the handshake's answer once the answer is written. Received bytes are in the [`ReadBuffer`], which states its own
/// bound.
///
/// The output holds at most the sum of these:
///
/// - [`Config::max_output`] bytes
/// - the largest message sent
/// - [`Config::max_unsent_pongs`] bytes
/// - one Ping and one Close frame
///
/// The vector for the output takes at most 4 times that sum. The connection keeps this memory for the next message.
/// [`take_output`](Self::take_output) takes it away.
///
/// Each of these needs a little more heap:
///
/// - a Ping whose Pong must wait, because too many Pongs are in the output
/// - the code and reason of the peer's Close frame
/// - the [deadlines](Config::deadlines)
/// - the key generator of a client
///
/// # Deadlines
///
/// Without [`Config::deadlines`] a peer may be silent without limit. Set them, and pass the time to
/// [`handle_timeout`](Self::handle_timeout) in every turn of your loop. Do this for a [refused](Self::refused)
/// connection too.
///
/// # Example: an echo server's loop
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use sockless::{Connection, Event, ReadBuffer, TransportAction};
///
/// /// `buffer` may already hold bytes that followed the opening handshake.
/// fn echo(transport: &mut TcpStream, connection: &mut Connection, buffer: &mut ReadBuffer) {
///     loop {
///         // After an error, the output holds a Close frame for the peer.
///         while let Ok(Some(event)) = connection.next_event(buffer) {
///             // There is room, so this fails only if the connection is closing.
///             _ = match event {
///                 Event::Text { text, .. } => connection.send_text(text),
///                 Event::Binary { data, .. } => connection.send_binary(data),
///                 Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // answered
///             };
///             if !connection.has_room() {
///                 connection.write_to(transport);
///             }
///         }
///         // In the first turn, the output is the answer to the opening handshake.
///         connection.write_to(transport);
///         match connection.transport_action() {
///             TransportAction::Close => return,
///             TransportAction::ShutdownWrite => _ = transport.shutdown(Shutdown::Write),
///             _ => {} // all output is written: read
///         }
///         connection.handle_read(buffer.read_from(transport));
///     }
/// }
/// ```
#[doc(alias("WebSocket", "WebSocketStream", "session"))]
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    pub(super) sender: Sender,
    pongs: Pongs,
    closing: Closing,
    delivery: Delivery,
    ping_reply: Reply,
    close_reply: Reply,
    max_output: usize,
    timers: Option<Box<Timers>>,
    /// What was received since the last call of `handle_timeout`.
    received: Moved,
    /// The error that the next call returns, after the valid part of a bad chunk was delivered.
    next_error: Option<ProtocolError>,
}

/// # Construct
///
/// An [opening handshake](crate::handshake) returns a `Connection`. Call a constructor only if another library made the
/// handshake, or to answer a request without a WebSocket.
impl Connection {
    /// Makes the server's side of a connection, after an opening handshake made elsewhere.
    ///
    /// The connection uses no extension, whatever `Config::deflate` says. To agree on one, use
    /// [`Request::negotiate`](crate::handshake::Request::negotiate).
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection};
    ///
    /// let mut connection = Connection::server(&Config::default());
    /// connection.send_text("Hi")?;
    /// assert_eq!(connection.output(), b"\x81\x02Hi");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    #[doc(alias("from_raw_socket", "from_partially_read"))]
    #[must_use]
    pub fn server(config: &Config) -> Self {
        Self::opened(config, None, Vec::new())
    }

    /// Makes the client's side of a connection, after an opening handshake made elsewhere.
    ///
    /// All masking keys come from `seed`. The connection uses no extension, whatever `Config::deflate` says.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection, Seed};
    ///
    /// let mut connection = Connection::client(&Config::default(), Seed::new([7; 32])); // a test: not random
    /// connection.send_text("Hi")?;
    /// assert_eq!(connection.output_len(), 8); // a header of 2 bytes, a key of 4, and the text
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    #[must_use]
    pub fn client(config: &Config, seed: Seed) -> Self {
        Self::opened(config, Some(MaskingKeys::new(seed)), Vec::new())
    }

    /// Makes a connection that only sends an HTTP response: a refusal, a page or a file.
    ///
    /// Use it when a server refuses an opening handshake, or when a request asks for something other than a WebSocket.
    /// `answer` is the whole response, for instance from [`Request::respond`](crate::handshake::Request::respond). For
    /// a refusal, [`RequestError::refuse`](crate::handshake::RequestError::refuse) makes the response and this
    /// connection.
    ///
    /// Drive it like any other connection. The output is the answer. The connection drops all bytes that the peer
    /// sends, and delivers no events. [`transport_action`](Self::transport_action) says when to shut down writing and
    /// when to close. Closing earlier could destroy the answer on its way. [`Config::deadlines`] is the only part of
    /// `config` that has an effect.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{InputError, Request, RequestError, ServerOptions};
    /// use sockless::Connection;
    ///
    /// /// A WebSocket at `/chat`, and a page everywhere else. The loop that follows is the same.
    /// fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, InputError> {
    ///     if request.target() == "/chat" {
    ///         let accepted = request.accept(options);
    ///         return Ok(accepted.unwrap_or_else(|error| error.refuse(&options.config)));
    ///     }
    ///     let page = request.respond(200, &[], b"<h1>Hello</h1>")?;
    ///     Ok(Connection::refused(page, &options.config))
    /// }
    /// # let host = sockless::handshake::Header { name: "Host", value: b"a" };
    /// # let options = ServerOptions::default();
    /// # for (target, start) in [("/", &b"HTTP/1.1 200 "[..]), ("/chat", b"HTTP/1.1 426 ")] {
    /// #     let connection = answer(&Request::new("GET", target, vec![host]), &options)?;
    /// #     assert!(connection.output().starts_with(start));
    /// # }
    /// # Ok::<(), InputError>(())
    /// ```
    #[doc(alias("page", "reject", "http_response", "not_found"))]
    #[must_use]
    pub fn refused(answer: Vec<u8>, config: &Config) -> Self {
        Self {
            closing: Closing::refused(),
            ..Self::opened(config, None, answer)
        }
    }

    /// Returns which side of the connection this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.receiver.role()
    }

    /// Makes a connection whose output begins with `opening`. It is a client's if there are masking keys.
    pub(crate) fn opened(config: &Config, keys: Option<MaskingKeys>, opening: Vec<u8>) -> Self {
        let role = if keys.is_some() {
            Role::Client
        } else {
            Role::Server
        };
        let opening_length = opening.len();
        Self {
            receiver: Receiver::new(role, config),
            sender: Sender::new(keys, opening),
            pongs: Pongs::new(config.max_unsent_pongs),
            closing: Closing::new(),
            delivery: config.delivery,
            ping_reply: config.ping_reply,
            close_reply: config.close_reply,
            // An empty output accepts any message, whatever the limit.
            max_output: config.max_output.max(1),
            timers: config.deadlines.as_ref().map(|deadlines| {
                let mut timers = Box::new(Timers::new(deadlines));
                timers.control_queued(opening_length);
                timers
            }),
            received: Moved::Nothing,
            next_error: None,
        }
    }

    /// Adds the extension that the opening handshake agreed on.
    pub(crate) fn with_deflate(mut self, agreed: Option<&Agreed>) -> Self {
        self.receiver.inflation = agreed.map(Inflation::new);
        self.sender.deflation = agreed.map(Deflation::new);
        self
    }

    /// Makes this the connection on a stream of HTTP/2 or HTTP/3.
    pub(crate) fn over_http_stream(mut self) -> Self {
        self.closing.over_http_stream();
        self
    }
}

/// # Receive
///
/// Read bytes from the transport into a [`ReadBuffer`]. After every read, call [`next_event`](Self::next_event) until
/// it returns `None` or an error.
impl Connection {
    /// Takes the next event from `buffer`, or returns `None` if that needs more bytes.
    ///
    /// After every read, call this until it returns `None` or an error. It looks no further than the frame that
    /// completes the event. The event borrows the buffer and not the connection, so you can answer while you hold the
    /// event.
    ///
    /// After [`handle_eof`](Self::handle_eof), [`handle_reset`](Self::handle_reset) and
    /// [`handle_write_error`](Self::handle_write_error) it still delivers the events that were received before. After
    /// the peer's Close frame it drops all bytes in the buffer and returns `None`.
    ///
    /// # Errors
    ///
    /// Fails if the peer breaks the protocol. The connection has then failed (RFC 6455, section 7.1.7), and every
    /// further call returns the same error. The output holds a Close frame with the code of the error and a short
    /// reason, if this side could still send one.
    ///
    /// Go on with your loop after an error: write the output, read, call this method, and follow
    /// [`transport_action`](Self::transport_action) until it says to close. The connection now drops every frame of the
    /// peer. Its Close frame still counts: after it, you need not wait for the end of the stream.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection, Event, ReadBuffer};
    ///
    /// let mut server = Connection::server(&Config::default());
    /// let mut buffer = ReadBuffer::new();
    /// buffer.extend_from_slice(b"\x81\x82\0\0\0\0Hi"); // a text message, masked with zeros
    /// while let Some(event) = server.next_event(&mut buffer)? {
    ///     if let Event::Text { text, .. } = event {
    ///         server.send_text(text)?;
    ///     }
    /// }
    /// assert_eq!(server.output(), b"\x81\x02Hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("recv", "read", "poll", "next_message", "read_message"))]
    #[expect(
        clippy::inline_always,
        reason = "inlined into the caller's loop, the event stays in registers"
    )]
    #[inline(always)]
    pub fn next_event<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        // A whole message in one frame takes a shorter path.
        if self.takes_messages()
            && let Some((kind, header)) = self.receiver.whole_message(buffer)
        {
            self.received = Moved::Data;
            let data = self.receiver.take_whole(header, buffer);
            return match kind {
                MessageType::Binary => Ok(Some(Event::Binary { data, fin: true })),
                MessageType::Text => match utf8::text(data) {
                    Ok(text) => Ok(Some(Event::Text { text, fin: true })),
                    Err(error) => self.wrong_text(data, error).map(Some),
                },
            };
        }
        self.next_in_parts(buffer)
    }

    /// Takes the next event like [`next_event`](Self::next_event), and takes the memory of a large message.
    ///
    /// Use it if your program keeps messages. It returns a whole message of at least 64 KiB with the memory that the
    /// message was received in. So you need not copy it. For instance, `bytes::Bytes::from(memory).slice(payload)`
    /// copies nothing. But the buffer needs new memory for the next message. So what this saves depends on the length,
    /// on the allocator, and on how long you keep messages. `benches/run take` in the repository measures it.
    ///
    /// The event [borrows](TakenEvent::Borrowed) from the buffer in these cases. Then copy it if you keep it:
    ///
    /// - The message is shorter, or the event is not a message.
    /// - The memory is more than twice as large as the message.
    /// - The whole text arrived in one read.
    /// - [`Config::delivery`] is [`Chunks`](crate::Delivery::Chunks).
    ///
    /// You may call both methods in any order.
    ///
    /// # Errors
    ///
    /// The same as for [`next_event`](Self::next_event).
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Connection, Event, ProtocolError, ReadBuffer, TakenEvent};
    ///
    /// /// A binary message in memory that is cheap to share.
    /// type Shared = (std::sync::Arc<Vec<u8>>, std::ops::Range<usize>);
    ///
    /// fn next(server: &mut Connection, buffer: &mut ReadBuffer) -> Result<Option<Shared>, ProtocolError> {
    ///     while let Some(event) = server.take_event(buffer)? {
    ///         match event {
    ///             TakenEvent::Binary { memory, payload } => return Ok(Some((memory.into(), payload))),
    ///             TakenEvent::Borrowed(Event::Binary { data, .. }) => {
    ///                 return Ok(Some((data.to_vec().into(), 0..data.len())));
    ///             }
    ///             _ => {} // this program ignores text
    ///         }
    ///     }
    ///     Ok(None)
    /// }
    /// # let mut server = Connection::server(&sockless::Config::default());
    /// # let mut buffer = ReadBuffer::new();
    /// # for size in [0_u64, 10, 100_000] {
    /// #     buffer.extend_from_slice(&[&[0x82, 0xff][..], &size.to_be_bytes(), &[0; 4]].concat()[..]);
    /// # }
    /// # buffer.clear();
    /// # buffer.extend_from_slice(&[&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &[7; 1 << 16][..]].concat());
    /// # let (memory, payload) = next(&mut server, &mut buffer)?.unwrap();
    /// # assert_eq!(memory[payload], [7; 1 << 16]);
    /// # assert_eq!(buffer.capacity(), 0);
    /// # buffer.extend_from_slice(b"\x82\x82\0\0\0\0Hi");
    /// # assert_eq!(*next(&mut server, &mut buffer)?.unwrap().0, b"Hi");
    /// # Ok::<(), ProtocolError>(())
    /// ```
    #[doc(alias("take_payload", "zero_copy", "into_bytes", "next_owned"))]
    pub fn take_event<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<TakenEvent<'b>>, ProtocolError> {
        if self.takes_messages() && self.receiver.whole_message(buffer).is_some() {
            // It has less than 64 KiB.
            let event = self.next_event(buffer)?;
            return Ok(event.map(TakenEvent::Borrowed));
        }
        let Some(received) = self.next_received(buffer)? else {
            return Ok(None);
        };
        if self.delivery == Delivery::Messages {
            match received {
                Received::AssembledText if buffer.text().is_worth_taking() => {
                    return Ok(Some(TakenEvent::Text(buffer.text_mut().take())));
                }
                Received::Binary(place, span, _) if buffer.is_worth_taking(place, span) => {
                    return Ok(Some(TakenEvent::Binary {
                        memory: buffer.take_message(place, span),
                        payload: span.start..span.end,
                    }));
                }
                _ => {}
            }
        }
        let event = self.deliver(received, buffer)?;
        Ok(Some(TakenEvent::Borrowed(event)))
    }

    /// Whether the connection is open and no error waits to be reported.
    #[inline]
    const fn takes_messages(&self) -> bool {
        self.closing.is_open() && self.next_error.is_none()
    }

    /// Takes the next event on the general path: it may need several frames and several calls.
    #[inline(never)]
    fn next_in_parts<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.next_received(buffer)? {
            Some(received) => self.deliver(received, buffer).map(Some),
            None => Ok(None),
        }
    }

    /// Takes the next event on the general path, as places in the buffer.
    #[expect(
        clippy::inline_always,
        reason = "inlined into its two callers, the result stays in registers"
    )]
    #[inline(always)]
    fn next_received(
        &mut self,
        buffer: &mut ReadBuffer,
    ) -> Result<Option<Received>, ProtocolError> {
        match self.closing.state() {
            State::Open | State::Closing | State::Ended => {}
            State::PeerClosing | State::Closed | State::Refused => {
                // Section 5.5.1: bytes after a Close frame are dropped. Their arrival still counts for the deadlines.
                self.note_unread(buffer);
                buffer.clear();
                self.note_unread(buffer);
                return Ok(None);
            }
            State::Failed(error) => {
                self.note_unread(buffer);
                if let Some(close) = self.receiver.close_after_failure(buffer) {
                    self.closing.record(close);
                }
                self.note_unread(buffer);
                return Err(error);
            }
        }
        if let Some(error) = self.next_error.take() {
            return Err(self.fail(error));
        }
        let received = self.receiver.next(buffer);
        if self.receiver.take_progress() {
            self.received = Moved::Data;
        }
        match received {
            Ok(None) => {
                self.note_unread(buffer);
                if !self.closing.is_open() && !self.closing.may_deliver() {
                    // The remaining bytes never become a whole message, or they follow a Close frame.
                    buffer.clear();
                    self.receiver.end();
                }
                Ok(None)
            }
            Ok(Some(received)) => {
                if self.timers.is_some() {
                    // The receiver reports no progress for a control frame.
                    self.received = self.received.at_least_control();
                }
                Ok(Some(received))
            }
            Err(error) => {
                buffer.abandon_message();
                Err(self.fail(error))
            }
        }
    }

    /// Notes that something was received, if the number of unread bytes has changed.
    #[inline]
    fn note_unread(&mut self, buffer: &ReadBuffer) {
        if let Some(timers) = &mut self.timers
            && timers.left_unread(buffer.unread().len())
        {
            self.received = self.received.at_least_control();
        }
    }

    /// Makes an event of a place in the buffer, and queues the automatic answer.
    fn deliver<'b>(
        &mut self,
        received: Received,
        buffer: &'b ReadBuffer,
    ) -> Result<Event<'b>, ProtocolError> {
        Ok(match received {
            Received::Text(place, span, fin) => self.text(buffer.slice(place, span), fin)?,
            Received::Binary(place, span, fin) => Event::Binary {
                data: buffer.slice(place, span),
                fin,
            },
            Received::AssembledText => Event::Text {
                text: buffer.text().text(),
                fin: true,
            },
            Received::Ping(span) => {
                let payload = buffer.received().slice(span);
                self.answer_ping(payload);
                Event::Ping(payload)
            }
            Received::Pong(span) => {
                let payload = buffer.received().slice(span);
                self.note_pong(payload);
                Event::Pong(payload)
            }
            Received::Close(span) => {
                let close = self
                    .receiver
                    .close_frame(buffer.received().slice(span))
                    .map_err(|error| self.fail(error))?;
                self.answer_close(close);
                Event::Close(close)
            }
        })
    }

    fn text<'b>(&mut self, bytes: &'b [u8], fin: bool) -> Result<Event<'b>, ProtocolError> {
        match utf8::text(bytes) {
            Ok(text) => Ok(Event::Text { text, fin }),
            Err(error) => self.wrong_text(bytes, error),
        }
    }

    /// Delivers the valid part of a bad chunk before the error. So the delivered text does not depend on how the stream
    /// was cut.
    #[cold]
    fn wrong_text<'b>(
        &mut self,
        bytes: &'b [u8],
        error: ProtocolError,
    ) -> Result<Event<'b>, ProtocolError> {
        let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        if self.delivery == Delivery::Messages || good.is_empty() {
            return Err(self.fail(error));
        }
        self.next_error = Some(error);
        Ok(Event::Text {
            text: good,
            fin: false,
        })
    }

    /// Answers the peer's Close frame with the same code (section 5.5.1).
    fn answer_close(&mut self, close: CloseFrame<'_>) {
        self.closing.received(close);
        if self.close_reply == Reply::Automatic && self.closing.state() == State::PeerClosing {
            // A code that passes the parser may also be sent, so this never fails.
            _ = self.close(close.code, "");
        }
    }

    /// Fails the connection, with a Close frame if it is open (section 7.1.7).
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        if self.closing.state() == State::Open {
            // The code of every `ProtocolError` may be sent, so this never fails.
            _ = self.close(error.close_code(), error.reason());
        }
        self.closing.failed(error);
        self.receiver.abandon_message();
        error
    }
}

/// # Send
///
/// Each sending method queues one frame in the [`output`](Self::output), or fails and changes nothing. Write the output
/// to the transport afterwards.
impl Connection {
    /// Queues a text message in one frame (RFC 6455, section 5.6).
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen),
    /// and queues nothing.
    #[doc(alias("send", "write_message", "send_message"))]
    #[expect(
        clippy::inline_always,
        reason = "inlined, the type of message is known, and a short message needs no call"
    )]
    #[inline(always)]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.message(MessageType::Text, text.as_bytes())
    }

    /// Queues a binary message in one frame (RFC 6455, section 5.6).
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen),
    /// and queues nothing.
    #[doc(alias("send", "write_message", "send_message", "send_bytes"))]
    #[expect(
        clippy::inline_always,
        reason = "inlined, the type of message is known, and a short message needs no call"
    )]
    #[inline(always)]
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.message(MessageType::Binary, data)
    }

    /// Sends a text message in one frame without a copy of the payload: see [`Outgoing`].
    ///
    /// This is faster than [`send_text`](Self::send_text) from about 1 KiB on. The payload is copied into the output
    /// all the same if it must be masked (on a client) or is compressed.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen),
    /// and queues nothing.
    #[doc(alias("zero_copy", "writev"))]
    #[inline]
    pub fn send_text_borrowed<'a>(&'a mut self, text: &'a str) -> Result<Outgoing<'a>, SendError> {
        self.message_from(MessageType::Text, text.as_bytes())
    }

    /// Sends a binary message in one frame without a copy of the payload: see [`Outgoing`].
    ///
    /// This is faster than [`send_binary`](Self::send_binary) from about 1 KiB on. The payload is copied into the
    /// output all the same if it must be masked (on a client) or is compressed.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen),
    /// and queues nothing.
    #[doc(alias("zero_copy", "writev"))]
    #[inline]
    pub fn send_binary_borrowed<'a>(
        &'a mut self,
        data: &'a [u8],
    ) -> Result<Outgoing<'a>, SendError> {
        self.message_from(MessageType::Binary, data)
    }

    /// Queues a message that many connections send. It is encoded and compressed once for all of them.
    ///
    /// A server does not copy a payload of 4 KiB or more, measured after compression. The
    /// output then has several pieces: write all [`output_parts`](Self::output_parts), or write
    /// [`output`](Self::output) until it is empty. A shorter message is copied into the output. A client masks every
    /// message, so it always makes a copy.
    ///
    /// With permessage-deflate, `Deflate::min_size` and `compress_messages` decide whether the message is compressed,
    /// as for `send_text`. All connections that agreed on the same window share the compressed message.
    /// [`SharedMessage`] states what that costs.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or [`MessageOpen`](SendError::MessageOpen),
    /// and queues nothing.
    #[doc(alias("broadcast", "fan-out", "multicast", "publish"))]
    #[cfg(target_has_atomic = "ptr")]
    pub fn send_shared(&mut self, message: &SharedMessage) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.shared(message)
    }

    /// Queues the next fragment of a text message (RFC 6455, section 5.4).
    ///
    /// The first call begins the message. The call with `fin` ends it. A fragment may be empty. You may send Pings,
    /// Pongs and a Close frame between fragments. A Close frame gives up the message.
    ///
    /// Some peers fail on a Ping between the fragments of a compressed message, for instance wsproto, tornado and
    /// cowlib. So an automatic Ping waits for the last fragment, but no longer than [one
    /// interval](crate::Deadlines::ping_interval). Finish a compressed message soon, and send no Ping before its end.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full), or [`MessageOpen`](SendError::MessageOpen)
    /// if a binary message has begun. It then queues nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection};
    ///
    /// let mut server = Connection::server(&Config::default());
    /// server.send_text_fragment("Hel", false)?;
    /// server.send_text_fragment("lo", true)?;
    /// assert_eq!(server.output(), b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    #[doc(alias("stream", "continuation", "frame"))]
    pub fn send_text_fragment(&mut self, text: &str, fin: bool) -> Result<(), SendError> {
        self.may_send()?;
        self.sender
            .fragment(MessageType::Text, text.as_bytes(), fin)
    }

    /// Queues the next fragment of a binary message (RFC 6455, section 5.4).
    ///
    /// The first call begins the message. The call with `fin` ends it. A fragment may be empty. You may send Pings,
    /// Pongs and a Close frame between fragments. [`send_text_fragment`](Self::send_text_fragment) says when not to
    /// send a Ping.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full), or [`MessageOpen`](SendError::MessageOpen)
    /// if a text message has begun. It then queues nothing.
    #[doc(alias("stream", "continuation", "frame"))]
    pub fn send_binary_fragment(&mut self, data: &[u8], fin: bool) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.fragment(MessageType::Binary, data, fin)
    }

    /// Queues a Ping with a payload of at most 125 bytes (RFC 6455, section 5.5.2).
    ///
    /// The peer answers with a Pong of the same payload. It may answer only the newest of several Pings. To keep a
    /// connection alive, set [`Deadlines::ping_interval`](crate::Deadlines::ping_interval) instead.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or
    /// [`ControlFrameTooLong`](SendError::ControlFrameTooLong), and queues nothing.
    pub fn send_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.control(Opcode::Ping, payload)?;
        self.note_ping(payload);
        Ok(())
    }

    /// Queues a Pong with a payload of at most 125 bytes (RFC 6455, section 5.5.3).
    ///
    /// You need this only to answer a Ping with [`Reply::Manual`], or to send a Pong without a Ping as a sign of life.
    ///
    /// # Errors
    ///
    /// Fails with [`Closed`](SendError::Closed), [`Full`](SendError::Full) or
    /// [`ControlFrameTooLong`](SendError::ControlFrameTooLong), and queues nothing.
    pub fn send_pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.may_send()?;
        self.sender.control(Opcode::Pong, payload)?;
        self.note_control(payload);
        Ok(())
    }

    /// Queues a Close frame, which begins the closing handshake (RFC 6455, section 7.1.2).
    ///
    /// With [`Reply::Manual`] in [`Config::close_reply`], it also answers the peer's Close frame. (An automatic answer
    /// repeats the peer's code and has no reason.) You still receive messages until the peer's Close frame arrives. Go
    /// on with your loop until [`transport_action`](Self::transport_action) says to close.
    ///
    /// - `reason` has at most 123 bytes. A longer one is cut at the last character that fits.
    /// - [`CloseCode::NO_STATUS_RECEIVED`] sends an empty Close frame without `reason`.
    /// - The Close frame is queued even if the output is full.
    /// - If you have not sent the last fragment of a message, you can no longer send it. The peer discards that
    ///   message.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidCloseCode`](SendError::InvalidCloseCode) if the code must not be sent (RFC 6455, section
    /// 7.4). Fails with [`Closed`](SendError::Closed) if this side sent a Close frame before, or if the connection has
    /// ended. In both cases it queues nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{CloseCode, Config, Connection, SendError};
    ///
    /// let mut server = Connection::server(&Config::default());
    /// server.close(CloseCode::GOING_AWAY, "restart")?;
    /// assert_eq!(server.output(), b"\x88\x09\x03\xe9restart");
    /// assert_eq!(server.send_text("too late"), Err(SendError::Closed));
    /// # Ok::<(), SendError>(())
    /// ```
    #[doc(alias("disconnect", "hang_up", "send_close"))]
    #[doc(alias = "drain")]
    #[doc(alias = "shutdown")]
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closed);
        }
        let before = self.output_len();
        self.sender.close(CloseFrame { code, reason })?;
        let size = self.output_len().saturating_sub(before);
        if let Some(timers) = &mut self.timers {
            timers.control_queued(size);
        }
        self.closing.sent();
        self.nothing_more_is_sent();
        Ok(())
    }

    /// Whether the output has room for the next message: fewer than [`Config::max_output`] bytes wait.
    ///
    /// It also returns true if the output is empty, and after this side has sent its Close frame: events then need no
    /// answer.
    ///
    /// If your loop answers events, as an echo does, take events only while this is true. A peer that sends without
    /// reading must then wait: its messages stay in the [`ReadBuffer`] and in the transport.
    #[doc(alias("flow_control", "high_water_mark", "poll_ready"))]
    #[must_use]
    #[inline]
    #[doc(alias = "backpressure")]
    pub fn has_room(&self) -> bool {
        self.output_fits() || !self.closing.may_send()
    }

    /// Whether this side can still send messages.
    ///
    /// It cannot after its Close frame, a failure of the connection, a failed read or write, the end of the stream, or
    /// a missed deadline. A [refused](Self::refused) connection never can.
    #[doc(alias("is_open", "is_closed", "is_connected", "readyState"))]
    #[must_use]
    pub const fn can_send(&self) -> bool {
        self.closing.may_send()
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
        self.why_not_send()
    }

    /// Finds the error, if there is one.
    #[cold]
    fn why_not_send(&self) -> Result<(), SendError> {
        if !self.closing.may_send() {
            return Err(SendError::Closed);
        }
        if !self.output_fits() {
            return Err(SendError::Full);
        }
        Ok(())
    }

    /// Whether the output is below its limit.
    #[inline]
    fn output_fits(&self) -> bool {
        self.output_len() < self.max_output
    }
}

#[cfg(feature = "deflate")]
/// # Compress
///
/// These methods need the feature `deflate`. They affect connections whose opening handshake agreed on
/// permessage-deflate (RFC 7692).
impl Connection {
    /// Turns compression on or off for messages that begin after this call. Compression is on at first.
    ///
    /// Turn it off for data that is already compressed, such as images. Turn it off for data that must not share a
    /// window with secrets (RFC 7692, section 8). While compression is on, messages shorter than
    /// [`Deflate::min_size`](crate::Deflate::min_size) stay uncompressed. Without permessage-deflate this has no
    /// effect.
    pub fn compress_messages(&mut self, compress: bool) {
        if let Some(deflation) = &mut self.sender.deflation {
            deflation.want(compress);
        }
    }

    /// Lends codecs to this connection, for messages without context takeover: see [`Codecs`].
    ///
    /// The connection takes the codecs that fit the agreed parameters. If no lent codec fits, the connection makes
    /// its own.
    pub fn lend_codecs(&mut self, codecs: &mut Codecs) {
        if let Some(inflation) = &mut self.receiver.inflation {
            inflation.lend(codecs);
        }
        if let Some(deflation) = &mut self.sender.deflation {
            deflation.lend(codecs);
        }
    }

    /// Takes the codecs back, for the next connection.
    ///
    /// In the middle of a message, the connection needs its codec and keeps it. When you take its next events, call
    /// [`lend_codecs`](Self::lend_codecs) before and this method after. Before you drop a connection, take its events
    /// until there are none, and then call this. Otherwise a codec that is in use for a message is lost.
    pub fn reclaim_codecs(&mut self, codecs: &mut Codecs) {
        if let Some(inflation) = &mut self.receiver.inflation {
            inflation.reclaim(codecs);
        }
        if let Some(deflation) = &mut self.sender.deflation {
            deflation.reclaim(codecs);
        }
    }

    /// Whether the opening handshake agreed on permessage-deflate.
    #[doc(alias("is_compressed", "extensions"))]
    #[must_use]
    pub fn uses_deflate(&self) -> bool {
        self.receiver.inflation.is_some()
    }
}

/// # Time
///
/// A connection has no clock. If you set [`Config::deadlines`], pass the time to
/// [`handle_timeout`](Self::handle_timeout) in every turn of your loop. The time is a [`Duration`] since an origin of
/// your choice. Keep the same origin for the whole life of a connection.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sockless::Connection;
///
/// /// Call this in every turn of the loop, after you have read and taken the events.
/// fn pass_time(connection: &mut Connection, origin: Instant) -> Option<Duration> {
///     connection.handle_timeout(origin.elapsed());
///     // Write the output, then wait no longer than this.
///     let until = connection.timeout_at()?;
///     Some(until.saturating_sub(origin.elapsed()))
/// }
/// # let mut server = Connection::server(&sockless::Config::default());
/// # assert_eq!(pass_time(&mut server, Instant::now()), None);
/// ```
impl Connection {
    /// Passes the time to the connection, which then does what is due.
    ///
    /// When [`Deadlines::ping_interval`](crate::Deadlines::ping_interval) has passed, an open connection queues a Ping.
    /// It does so even if the output is full, but not while an earlier automatic Ping waits in the output. If the peer
    /// misses a deadline, this ends the connection. Then [`transport_action`](Self::transport_action) says to close the
    /// transport, and [`close_event`](Self::close_event) names the deadline.
    ///
    /// This takes two calls, because the answer may have arrived in time and still be unread. The first call after the
    /// deadline only makes [`timeout_at`](Self::timeout_at) zero. Read without waiting, take the events, and call this
    /// again. If nothing arrived, the second call ends the connection. So call this once in every turn of your loop,
    /// after you tried to read. If you cannot read because there is no [room](Self::has_room), try to write first.
    ///
    /// If your program stops reading for another reason than missing [room](Self::has_room), do not call this until you
    /// read again. Otherwise the connection misses the Pong, which is unread.
    ///
    /// More turns than needed are cheap, and make [`round_trip_time`](Self::round_trip_time) more exact. If `now` is
    /// earlier than in a previous call, the latest time so far is used. Without deadlines this does nothing.
    #[doc(alias("tick", "timer", "keepalive"))]
    pub fn handle_timeout(&mut self, now: Duration) {
        let awaited = self.awaited();
        let Some(timers) = &mut self.timers else {
            return;
        };
        let activity = Activity {
            received: core::mem::replace(&mut self.received, Moved::Nothing),
            written: self.sender.written(),
        };
        match timers.due(now, awaited, activity) {
            None => {}
            Some(Due::Ping(payload)) => {
                // Only one automatic Ping is in the output at a time, so the output stays bounded. A payload of 4 bytes
                // never fails.
                _ = self.sender.control(Opcode::Ping, &payload);
                timers.control_queued(self.sender.control_size(&payload).into());
                let output = self.sender.output().len();
                timers.queued(output);
                self.pongs.ping_sent(output);
            }
            Some(Due::GiveUp(timeout)) => {
                let unsent = self.output_len() > 0;
                self.closing.gave_up(timeout, unsent);
                self.nothing_more_is_sent();
            }
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next, or `None` if no deadline runs.
    ///
    /// The time counts from your origin. Ask again after every call on the connection. It is [`Duration::ZERO`], which
    /// means now, in two cases:
    ///
    /// - A deadline starts with your next call of `handle_timeout`, because the connection must learn the time: after
    ///   the opening handshake, after a Close frame, and after a Pong.
    /// - A deadline has passed, and you have one more turn to read.
    #[doc(alias("poll_timeout", "deadline", "timer"))]
    #[must_use]
    pub fn timeout_at(&self) -> Option<Duration> {
        self.timers.as_ref()?.next(self.awaited())
    }

    /// Returns the latest time that you have passed to [`handle_timeout`](Self::handle_timeout). `None` without
    /// deadlines.
    ///
    /// Use it if you move a connection to another loop, whose clock has another origin: go on from this time.
    #[must_use]
    pub fn latest_time(&self) -> Option<Duration> {
        Some(self.timers.as_ref()?.latest_time())
    }

    /// Returns how long the peer took to answer an automatic Ping, the last one that it answered. `None` before the
    /// first one.
    ///
    /// This is the time from the call of [`handle_timeout`](Self::handle_timeout) that queued the Ping, to the first
    /// call after you took its Pong from the buffer.
    #[doc(alias("rtt", "latency"))]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.timers.as_ref()?.round_trip_time()
    }

    /// Notes a Pong of the peer.
    fn note_pong(&mut self, payload: &[u8]) {
        if let Some(timers) = &mut self.timers {
            timers.pong(payload);
        }
    }

    /// Notes a control frame with this payload in the output.
    fn note_control(&mut self, payload: &[u8]) {
        if let Some(timers) = &mut self.timers {
            timers.control_queued(self.sender.control_size(payload).into());
        }
    }

    /// Notes a Ping of the application in the output.
    fn note_ping(&mut self, payload: &[u8]) {
        self.note_control(payload);
        if let Some(timers) = &mut self.timers {
            let output = self.sender.output().len();
            timers.pinged(output);
            self.pongs.ping_sent(output);
        }
    }

    fn awaited(&self) -> Awaited {
        let role = self.receiver.role();
        match self.closing.awaited(role, self.sender.output()) {
            Awaited::Messages if self.sender.is_fragmenting_compressed() => {
                Awaited::MessagesWithoutPing
            }
            awaited => awaited,
        }
    }
}

/// # Transport
///
/// Write the [`output`](Self::output), and report what the transport did. Then do what
/// [`transport_action`](Self::transport_action) says. For a transport with the traits of `std::io`, the next group
/// writes and reports for you.
///
/// A transport that keeps the bytes until a write completes, such as `io_uring`, [takes](Self::take_output) the output
/// and reports later.
impl Connection {
    /// Reports that you wrote the next `n` bytes of the output to the transport.
    ///
    /// They are first the bytes that you [took](Self::take_output), and then the bytes of [`output`](Self::output) and
    /// [`output_parts`](Self::output_parts). This call does not copy bytes.
    ///
    /// After [`handle_write_error`](Self::handle_write_error), [`handle_reset`](Self::handle_reset) or a missed
    /// deadline, nothing remains to report. So a report of a write that ends later does nothing.
    ///
    /// # Panics
    ///
    /// If `n` is more than [`output_len`](Self::output_len), unless nothing remains to report.
    #[inline]
    pub fn advance_output(&mut self, n: usize) {
        if self.sender.advance_output(n) {
            return self.after_write(n);
        }
        self.advanced_too_far();
    }

    /// Moves the output into `output`, and uses the memory of `output` from now on.
    ///
    /// This serves transports that take ownership of a buffer, and pools of buffers. It copies no bytes, except for
    /// shared messages. The old contents of `output` are dropped.
    ///
    /// The moved bytes are then *taken*. Write them, and report with [`advance_output`](Self::advance_output) how many
    /// bytes were written. Until then:
    ///
    /// - They count in [`output_len`](Self::output_len), and so for [`has_room`](Self::has_room) and the limits.
    /// - [`output`](Self::output) and [`output_parts`](Self::output_parts) return only bytes that are not taken.
    /// - [`transport_action`](Self::transport_action) is [`Wait`](TransportAction::Wait) if everything is taken.
    /// - [`Config::deadlines`] run as for unwritten bytes. If the bytes are never reported, the peer misses them.
    ///
    /// You may take the output again before that. The bytes of both calls are then taken, and are reported in their
    /// order. After a failed write, call [`handle_write_error`](Self::handle_write_error). Then no bytes are taken any
    /// more.
    ///
    /// If you pass `Vec::new()` when the output is empty, the connection owns no memory for output.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection, TransportAction};
    ///
    /// let mut server = Connection::server(&Config::default());
    /// server.send_text("Hi")?;
    /// let mut output = Vec::new();
    /// server.take_output(&mut output);
    /// assert_eq!(output, b"\x81\x02Hi");
    ///
    /// // While something else writes them, the bytes still count.
    /// assert!(server.output().is_empty());
    /// assert_eq!(server.output_len(), 4);
    /// assert_eq!(server.transport_action(), TransportAction::Wait);
    ///
    /// server.advance_output(4);
    /// assert_eq!(server.output_len(), 0);
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    #[doc(alias(
        "swap_output",
        "drain",
        "poll_transmit",
        "completion",
        "io_uring",
        "zero_copy"
    ))]
    pub fn take_output(&mut self, output: &mut Vec<u8>) {
        self.sender.take_output(output);
    }

    /// Reports the end of the stream: the peer sends no more bytes.
    ///
    /// Call it when a read returns 0. Nothing can be sent after this call. Events in the buffer are delivered, before
    /// or after this call. Go on writing the output that was queued before, because the peer may have ended only its
    /// own direction. [`transport_action`](Self::transport_action) says when to close. To give up at once, call
    /// [`handle_reset`](Self::handle_reset) and close the transport.
    ///
    /// If the peer sent no Close frame, the connection has ended with 1006 and not cleanly (RFC 6455, section 7.1.5).
    /// See [`close_event`](Self::close_event).
    #[doc(alias("eof", "disconnected"))]
    pub fn handle_eof(&mut self) {
        self.closing.ended();
        self.nothing_more_is_sent();
    }

    /// Reports that you shut down the writing side, as [`TransportAction::ShutdownWrite`] asks.
    ///
    /// From then on, [`transport_action`](Self::transport_action) is [`Wait`](TransportAction::Wait) until the stream
    /// ends. If the action is not [`ShutdownWrite`](TransportAction::ShutdownWrite), this does nothing.
    pub fn handle_shutdown(&mut self) {
        if self.transport_action() == TransportAction::ShutdownWrite {
            self.closing.shut_down();
        }
    }

    /// Reports that a write failed, for instance with `BrokenPipe` or `ConnectionReset`.
    ///
    /// The output is dropped, also the bytes that you [took](Self::take_output). Nothing can be sent any more. You can
    /// still read the bytes that the peer sent before. They may hold its last messages and its Close frame, which says
    /// why the connection ended (RFC 6455, section 7.1.5). So read until the end of the stream or an error, as
    /// [`transport_action`](Self::transport_action) says.
    /// [`Deadlines::close`](crate::Deadlines::close) limits how long this takes.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::{ErrorKind, Write};
    /// use sockless::Connection;
    ///
    /// /// Writes the bytes that the transport takes now.
    /// fn write(connection: &mut Connection, transport: &mut impl Write) {
    ///     while !connection.output().is_empty() {
    ///         match transport.write(connection.output()) {
    ///             Ok(n) if n > 0 => connection.advance_output(n),
    ///             Err(error) if error.kind() == ErrorKind::WouldBlock => return,
    ///             Err(error) if error.kind() == ErrorKind::Interrupted => {}
    ///             _ => return connection.handle_write_error(),
    ///         }
    ///     }
    /// }
    /// # use sockless::{Config, Event, ReadBuffer, TransportAction};
    /// # let mut server = Connection::server(&Config::default());
    /// # server.send_text("Hi").unwrap();
    /// # write(&mut server, &mut Vec::new());
    /// # assert!(server.can_send());
    /// # server.send_text("Hi").unwrap();
    /// # write(&mut server, &mut &mut [][..]);
    /// # assert!(!server.can_send() && server.wants_read());
    /// # let mut buffer = ReadBuffer::new();
    /// # buffer.extend_from_slice(b"\x81\x82\0\0\0\0Hi\x88\x82\0\0\0\0\x03\xe9");
    /// # let event = server.next_event(&mut buffer).unwrap();
    /// # assert_eq!(event, Some(Event::Text { text: "Hi", fin: true }));
    /// # while server.next_event(&mut buffer).unwrap().is_some() {}
    /// # assert_eq!(u16::from(server.close_event().unwrap().code), 1001);
    /// # assert_eq!(server.transport_action(), TransportAction::Close);
    /// ```
    pub fn handle_write_error(&mut self) {
        let unsent = self.output_len() > 0;
        self.drop_output();
        self.closing.write_failed(unsent);
        self.nothing_more_is_sent();
    }

    /// Reports that a read failed: the transport was reset, or is broken in another way.
    ///
    /// The output is dropped, also the bytes that you [took](Self::take_output). Nothing more can be read or written. So
    /// the [`transport_action`](Self::transport_action) is [`Close`](TransportAction::Close). Events in the buffer are
    /// delivered, before or after this call. Take them before you close. If a write failed, call
    /// [`handle_write_error`](Self::handle_write_error) instead.
    #[doc(alias("abort", "disconnected"))]
    pub fn handle_reset(&mut self) {
        let unsent = self.output_len() > 0;
        self.drop_output();
        self.closing.reset(unsent);
        self.nothing_more_is_sent();
    }

    /// Returns the bytes to write to the transport, in one piece. The slice is empty if there are none, or if all are
    /// [taken](Self::take_output).
    ///
    /// While [shared messages](Self::send_shared) wait, this is only the first piece. Write until it is empty, or write
    /// all [`output_parts`](Self::output_parts).
    #[doc(alias("flush", "wants_write", "poll_transmit"))]
    #[must_use]
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.sender.output().unsent()
    }

    /// Returns the bytes to write to the transport, in pieces for vectored writes.
    ///
    /// There is at most one piece, unless [shared messages](Self::send_shared) wait. No piece is empty. Bytes that you
    /// [took](Self::take_output) are not among them.
    #[doc(alias("writev", "write_vectored"))]
    #[inline]
    pub fn output_parts(&self) -> impl Iterator<Item = &[u8]> {
        self.sender.output().parts(&[])
    }

    /// Returns how many bytes of output wait to be written, in all pieces.
    ///
    /// This includes bytes that you [took](Self::take_output) and did not report yet. If something else writes those,
    /// take or write more only if [`output`](Self::output) is not empty.
    #[doc(alias("bufferedAmount", "wants_write"))]
    #[must_use]
    #[inline]
    pub fn output_len(&self) -> usize {
        self.sender.output().len()
    }

    /// Whether to watch the transport for bytes to read.
    ///
    /// It is false once the stream has ended, and when the transport is to be closed. If you watched it then, a
    /// level-triggered poller would report the end of the stream again and again. `poll` and `epoll` report a hang-up
    /// or an error even if you watch for nothing. If that happens while there is output, write: the write reports what
    /// is wrong.
    ///
    /// If your loop answers events, as an echo does, also stop reading while there is no [room](Self::has_room). Any
    /// other loop must go on reading. Otherwise both sides may wait until the other side reads, and neither goes on.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.closing.may_receive() && self.transport_action() != TransportAction::Close
    }

    /// Returns what to do with the transport now. Ask at the end of every turn of your loop.
    #[must_use]
    pub fn transport_action(&self) -> TransportAction {
        self.closing
            .transport_action(self.receiver.role(), self.sender.output())
    }

    /// Returns how the connection ended, or `None` if it has not.
    ///
    /// It has ended when both Close frames were exchanged, when the stream ended, when the connection failed, or when a
    /// deadline ended it. A [refused](Self::refused) connection has ended from the start.
    ///
    /// Your loop goes on after that, because the output may hold a last frame. Only [`TransportAction::Close`] ends the
    /// loop.
    #[doc(alias("is_closed", "onclose", "close_code", "close_reason"))]
    #[must_use]
    pub fn close_event(&self) -> Option<CloseEvent<'_>> {
        self.closing.event()
    }
}

impl Connection {
    /// Answers a Ping with a Pong if the connection is open (section 5.5.2).
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.ping_reply == Reply::Manual || self.closing.state() != State::Open {
            return;
        }
        let size = self.sender.control_size(payload);
        if !self.pongs.has_room(size) {
            self.pongs.defer(payload);
            return;
        }
        // A Ping has at most 125 bytes of payload, so this never fails.
        _ = self.sender.control(Opcode::Pong, payload);
        self.pongs.sent(size, self.sender.output().len());
        if let Some(timers) = &mut self.timers {
            timers.control_queued(size.into());
        }
    }

    /// Whether bytes are taken and not reported.
    #[cfg(feature = "std")]
    pub(super) const fn has_taken_output(&self) -> bool {
        self.sender.output().has_taken()
    }

    /// The caller reports more bytes than the output has. They may have been dropped after they were taken.
    #[cold]
    #[inline(never)]
    fn advanced_too_far(&self) {
        assert!(
            self.closing.writes_nothing(),
            "advanced by more than the output"
        );
    }

    /// Notes that output was written. A Pong that found no room may go out then, and so may the next automatic Ping.
    #[inline]
    pub(super) fn after_write(&mut self, n: usize) {
        if self.pongs.are_unsent() && (self.timers.is_some() || !self.pongs.all_written(n)) {
            self.after_writing_control(n);
        }
    }

    #[inline(never)]
    fn after_writing_control(&mut self, n: usize) {
        if let Some(timers) = &mut self.timers {
            timers.written(n);
        }
        if let Some(payload) = self.pongs.written(n) {
            self.answer_ping(payload.as_slice());
        }
    }

    fn drop_output(&mut self) {
        self.sender.drop_output();
        self.pongs.clear();
    }

    /// Ends the sending half, perhaps in the middle of a message.
    fn nothing_more_is_sent(&mut self) {
        self.sender.abandon_message();
    }
}
