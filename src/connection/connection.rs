//! A connection after the opening handshake (RFC 6455 sections 5 to 7).

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
use crate::connection::timers::{Activity, Awaited, Due, Moved, Timers};
#[cfg(feature = "deflate")]
use crate::deflate::Codecs;
use crate::deflate::{Agreed, Deflation, Inflation};
use crate::wire::{CloseCode, CloseFrame, Opcode, ProtocolError, utf8};

/// One side of a WebSocket connection, without its socket.
///
/// Bytes read from the transport go into a [`ReadBuffer`](crate::ReadBuffer), [`next_event`](Self::next_event) takes
/// messages out of it, the sending methods queue bytes in [`output`](Self::output), and whoever owns the
/// transport writes those. Nothing else happens: no I/O, no clock, no randomness beyond the [`Seed`], no
/// threads. The same inputs always give the same outputs.
///
/// It comes from an opening handshake ([`ServerHandshake`](crate::handshake::ServerHandshake),
/// [`ClientHandshake`](crate::handshake::ClientHandshake)), or from [`server`](Self::server) or
/// [`client`](Self::client) after a handshake made elsewhere.
///
/// # Memory
///
/// A server connection without deadlines and compression owns no heap until something is sent. (The memory of the answer
/// to the opening handshake is given up once it is written.) The output holds at most [`Config::max_output`] bytes, the largest message sent,
/// [`Config::max_unsent_pongs`], one Ping and one Close frame, in a vector of at most 4 times that. It keeps its
/// memory for the next message, and gives it up in [`swap_output`](Self::swap_output). These take one small block each:
/// a Ping that waits for its answer because too many came, the reason of the peer's Close frame, the
/// [deadlines](Config::deadlines), and a client's key generator. What was received lies in the
/// [`ReadBuffer`](crate::ReadBuffer).
///
/// # Deadlines
///
/// A peer may be silent for ever, unless you set [`Config::deadlines`] and pass the time, also to a
/// [refused](Self::refused) connection:
/// [`handle_timeout`](Self::handle_timeout), [`timeout_at`](Self::timeout_at).
///
/// # Example: an echo server's loop
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use sockless::{Connection, Event, ReadBuffer, TransportAction};
///
/// /// `buffer` may hold bytes that followed the opening handshake.
/// fn echo(transport: &mut TcpStream, connection: &mut Connection, buffer: &mut ReadBuffer) {
///     loop {
///         // After an error the Close frame that tells the peer is in the output.
///         while let Ok(Some(event)) = connection.next_event(buffer) {
///             // This fails only if the connection is closing, since there is room.
///             _ = match event {
///                 Event::Text { text, .. } => connection.send_text(text),
///                 Event::Binary { data, .. } => connection.send_binary(data),
///                 Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // answered
///             };
///             if !connection.has_room() {
///                 connection.write_to(transport);
///             }
///         }
///         // At first the output is the answer to the opening handshake.
///         connection.write_to(transport);
///         match connection.transport_action() {
///             TransportAction::Close => return,
///             TransportAction::ShutdownWrite => _ = transport.shutdown(Shutdown::Write),
///             _ => {} // all is written: read
///         }
///         connection.handle_read(buffer.read_from(transport));
///     }
/// }
/// ```
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
    /// What was received since the time was last passed.
    received: Moved,
    /// What the next call fails with, after the good part of a bad chunk was delivered.
    next_error: Option<ProtocolError>,
}

/// # Construct
///
/// Most connections come from an [opening handshake](crate::handshake). These are for the other cases.
impl Connection {
    /// The server's side, after an opening handshake made elsewhere that agreed on no extension, whatever
    /// `Config::deflate` is. To agree on one, use [`Request::negotiate`](crate::handshake::Request::negotiate).
    #[must_use]
    pub fn server(config: &Config) -> Self {
        Self::opened(config, None, Vec::new())
    }

    /// The client's side, after an opening handshake made elsewhere that agreed on no extension, whatever
    /// `Config::deflate` is. All masking keys come from `seed`.
    #[must_use]
    pub fn client(config: &Config, seed: Seed) -> Self {
        Self::opened(config, Some(MaskingKeys::new(seed)), Vec::new())
    }

    /// A server's transport that carries no WebSocket, because the opening handshake was refused or asked for something
    /// else. `answer` is a whole HTTP response.
    ///
    /// The answer comes from [`Request::respond`](crate::handshake::Request::respond). For a refusal,
    /// [`RequestError::refuse`](crate::handshake::RequestError::refuse) does the same. Drive it like any other connection: the
    /// answer is the output, what the peer sends is dropped, and there are no events.
    /// [`transport_action`](Self::transport_action) says when to shut down writing and when to close, so
    /// that the answer arrives. Of `config` only [`Config::deadlines`] counts.
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
    #[must_use]
    pub fn refused(answer: Vec<u8>, config: &Config) -> Self {
        Self {
            closing: Closing::refused(),
            ..Self::opened(config, None, answer)
        }
    }

    /// Which side of the connection this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.receiver.role()
    }

    /// A connection whose output begins with `opening`: a client's if it has masking keys.
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
            // Into an empty output anything can be sent, whatever the limit.
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

    /// The connection with the extension as agreed on.
    pub(crate) fn with_deflate(mut self, agreed: Option<&Agreed>) -> Self {
        self.receiver.inflation = agreed.map(Inflation::new);
        self.sender.deflation = agreed.map(Deflation::new);
        self
    }

    /// The connection as a stream of an HTTP/2 or HTTP/3 connection.
    pub(crate) fn over_http_stream(mut self) -> Self {
        self.closing.over_http_stream();
        self
    }
}

/// # Receive
///
/// Bytes from the transport come in a [`ReadBuffer`], events go out.
impl Connection {
    /// The next event in `buffer`, or `None` if it needs more bytes.
    ///
    /// Call it until it returns `None` after every read. It looks no further than the frame that completes
    /// the event. The event borrows the buffer and not the connection, so the application can answer
    /// while it holds it.
    ///
    /// What was received is delivered even after [`handle_eof`](Self::handle_eof),
    /// [`handle_reset`](Self::handle_reset) or [`handle_write_error`](Self::handle_write_error). After the peer's Close frame
    /// it drops what is in the buffer and returns `None`.
    ///
    /// # Errors
    ///
    /// When the peer breaks the protocol. The connection has failed (RFC 6455 section 7.1.7): every
    /// further call returns the same error, and a Close frame with its code and a short reason is in the
    /// output, unless this side had sent one before. Write it, then follow
    /// [`transport_action`](Self::transport_action). Until that says to close the transport, go on reading
    /// and calling. Everything is dropped except the peer's Close frame, which ends the connection.
    #[expect(
        clippy::inline_always,
        reason = "in the caller's loop the event need not go through memory"
    )]
    #[inline(always)]
    pub fn next_event<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        // A whole message in one frame has a short way of its own.
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

    /// Whether the connection is open, and no error is to be reported next.
    #[inline]
    const fn takes_messages(&self) -> bool {
        self.closing.is_open() && self.next_error.is_none()
    }

    /// The next event, however many frames and calls it takes.
    #[inline(never)]
    fn next_in_parts<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.closing.state() {
            State::Open | State::Closing | State::Ended => {}
            State::PeerClosing | State::Closed | State::Refused => {
                // Section 5.5.1: what follows a Close frame is no part of the connection, and is dropped. That it came counts
                // for the deadlines.
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
                    // What is left will never be whole, or follows a Close frame.
                    buffer.clear();
                    self.receiver.end();
                }
                Ok(None)
            }
            Ok(Some(received)) => {
                if self.timers.is_some() {
                    // A control frame, if nothing else.
                    self.received = self.received.at_least_control();
                }
                self.deliver(received, buffer).map(Some)
            }
            Err(error) => {
                buffer.abandon_message();
                Err(self.fail(error))
            }
        }
    }

    /// If the number of unread bytes has changed, something was received.
    #[inline]
    fn note_unread(&mut self, buffer: &ReadBuffer) {
        if let Some(timers) = &mut self.timers
            && timers.left_unread(buffer.unread().len())
        {
            self.received = self.received.at_least_control();
        }
    }

    /// Turns a place in the buffer into an event, and answers it.
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

    /// Of a bad chunk the good part comes first, so that what is delivered does not depend on how the stream
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

    /// Section 5.5.1: a Close frame is answered with one, usually with the same code.
    fn answer_close(&mut self, close: CloseFrame<'_>) {
        self.closing.received(close);
        if self.close_reply == Reply::Automatic && self.closing.state() == State::PeerClosing {
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
        self.receiver.abandon_message();
        error
    }
}

/// # Send
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
    pub fn send_text_borrowed<'a>(&'a mut self, text: &'a str) -> Result<Outgoing<'a>, SendError> {
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
    pub fn send_binary_borrowed<'a>(
        &'a mut self,
        data: &'a [u8],
    ) -> Result<Outgoing<'a>, SendError> {
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
    /// let mut server = Connection::server(&Config::default());
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
        self.note_ping(payload);
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
        self.sender.control(Opcode::Pong, payload)?;
        self.note_control(payload);
        Ok(())
    }

    /// Queues a Close frame: begins the closing handshake, or answers the peer's Close frame where that is
    /// left to the application (RFC 6455 section 7.1.2).
    ///
    /// Messages of the peer are still delivered until its Close frame comes. A reason of more than 123
    /// bytes is cut at the last character that fits. (An automatic answer repeats the peer's code and has no
    /// reason.) [`CloseCode::NO_STATUS_RECEIVED`] sends an empty
    /// Close frame, without the reason. A message whose last fragment was not sent yet is given up. The
    /// Close frame is queued even if the output is full.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`] for a code that must not be sent, [`SendError::Closed`] if a Close
    /// frame was sent before or the connection is at its end; nothing was queued.
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

    /// Whether the output has room for the next message: less than [`Config::max_output`] bytes wait to be written.
    ///
    /// It is also true when nothing can be sent any more. Events need no answers then, so the loop goes on taking them.
    ///
    /// A loop whose events make output, such as an echo, takes them only while this is so. A peer that sends without
    /// reading must wait then, and its messages wait in the [`ReadBuffer`](crate::ReadBuffer) and in the transport.
    #[must_use]
    #[inline]
    #[doc(alias = "backpressure")]
    pub fn has_room(&self) -> bool {
        self.output_fits() || !self.closing.may_send()
    }

    /// Whether messages can be sent: this side has sent no Close frame, writing has not failed, and the stream has not ended.
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

    /// The same, where one look does not tell.
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

    /// Whether the output is under its limit.
    #[inline]
    fn output_fits(&self) -> bool {
        self.output_len() < self.max_output
    }
}

#[cfg(feature = "deflate")]
/// # Compress
///
/// With the feature `deflate`, on connections whose opening handshake has agreed on permessage-deflate.
impl Connection {
    /// Whether messages begun from now on are compressed, if they are long enough; they are at first.
    ///
    /// Worth turning off for what is compressed already, such as images, and for what must not share a
    /// window with secrets (see RFC 7692 section 8). Without the extension it changes nothing.
    pub fn compress_messages(&mut self, compress: bool) {
        if let Some(deflation) = &mut self.sender.deflation {
            deflation.want(compress);
        }
    }

    /// Lends codecs to the connection, for messages without context takeover: see [`Codecs`].
    ///
    /// It takes those that fit what was agreed on, and makes the others as it needs them.
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
    /// Inside a message the connection still needs its codec and keeps it: call
    /// [`lend_codecs`](Self::lend_codecs) and this again when the next events are taken. At the end of a connection take the
    /// events once more first, until there are none.
    pub fn reclaim_codecs(&mut self, codecs: &mut Codecs) {
        if let Some(inflation) = &mut self.receiver.inflation {
            inflation.reclaim(codecs);
        }
        if let Some(deflation) = &mut self.sender.deflation {
            deflation.reclaim(codecs);
        }
    }

    /// Whether the opening handshake has agreed on permessage-deflate.
    #[must_use]
    pub fn uses_deflate(&self) -> bool {
        self.receiver.inflation.is_some()
    }
}

/// # Time
///
/// A connection has no clock. Where [`Config::deadlines`](crate::Config::deadlines) are set, you pass the time to
/// [`handle_timeout`](Self::handle_timeout), as a [`Duration`] since an origin of your choice. The origin is the same for
/// the whole life of a connection.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sockless::Connection;
///
/// /// Call it in every turn of the loop, after reading and taking the events.
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
    /// Passes the time, and does what is due.
    ///
    /// On an open connection that is a Ping when [`Deadlines::ping_interval`](crate::Deadlines::ping_interval) has passed. The
    /// Ping goes into the output even if that is full, but never while an earlier Ping waits there. When the peer has not done its part
    /// in time, the connection is at its end: [`transport_action`](Self::transport_action) says to close the
    /// transport, and [`close_event`](Self::close_event) says which deadline it was.
    ///
    /// A deadline that passes does not end the connection at once: what arrived in time may still be unread. It makes
    /// [`timeout_at`](Self::timeout_at) zero. Then read what there is without waiting, take the events, and call this
    /// again. That call ends the connection if nothing came. So call it once in every turn of your loop, after you have tried
    /// to read (or to write, if there is no room for answers).
    ///
    /// If your application pauses reading for a reason of its own, do not call it meanwhile: the Pong could not be seen. But
    /// do call it while you wait for [room](Self::has_room), since a peer that does not read has to be given up.
    ///
    /// Calling it more often than needed is cheap and makes [`round_trip_time`](Self::round_trip_time) more exact. Every
    /// `now` is safe: one that is earlier than a time before counts as the latest so far. Without deadlines nothing happens.
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
                // There is at most one in the output, which stays bounded; it is short, so it is never refused.
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

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is nothing to wait for.
    ///
    /// Ask again after every call on the connection. It is [`Duration::ZERO`], which is in the past, in two cases. Something
    /// has begun that counts from the time you pass next: a new connection, a Close frame, or the interval after a Pong. Or
    /// a deadline has passed and you have one more turn to read.
    #[must_use]
    pub fn timeout_at(&self) -> Option<Duration> {
        self.timers.as_ref()?.next(self.awaited())
    }

    /// How long the peer took to answer the last automatic Ping that it answered.
    ///
    /// It counts from the call of [`handle_timeout`](Self::handle_timeout) that queued the Ping to the first call after its
    /// Pong was taken from the buffer.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.timers.as_ref()?.round_trip_time()
    }

    /// The peer sent a Pong.
    fn note_pong(&mut self, payload: &[u8]) {
        if let Some(timers) = &mut self.timers {
            timers.pong(payload);
        }
    }

    /// A control frame with this payload went into the output.
    fn note_control(&mut self, payload: &[u8]) {
        if let Some(timers) = &mut self.timers {
            timers.control_queued(self.sender.control_size(payload).into());
        }
    }

    /// The application sent a Ping.
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
/// What was written, what failed, and what to do next.
impl Connection {
    /// Says that `n` bytes of [`output`](Self::output), or of all its parts, were written to the transport. No bytes
    /// are moved.
    ///
    /// # Panics
    ///
    /// If `n` is more than the length of the output, which is a mistake of the caller.
    #[inline]
    pub fn advance_output(&mut self, n: usize) {
        self.sender.advance_output(n);
        self.after_write(n);
    }

    /// Exchanges the output for an empty vector, whose memory is used from now on. Shared messages are copied.
    ///
    /// What `output` held is dropped; it then holds all bytes that are to be written, and the connection
    /// counts them as written, so write them before the next look at
    /// [`transport_action`](Self::transport_action). This serves transports that take over a buffer to write it, and pools:
    /// a connection that is given `Vec::new()` when it has nothing to send owns no memory for output.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::{Config, Connection};
    ///
    /// let mut server = Connection::server(&Config::default());
    /// server.send_text("Hi")?;
    /// let mut output = Vec::new();
    /// server.swap_output(&mut output);
    /// assert_eq!(output, b"\x81\x02Hi");
    /// assert!(server.output().is_empty());
    /// # Ok::<(), sockless::SendError>(())
    /// ```
    pub fn swap_output(&mut self, output: &mut Vec<u8>) {
        self.sender.swap_output(output);
        self.after_write(output.len());
    }

    /// Reports the end of the stream: no further bytes will come.
    ///
    /// Call it when a read returns 0. Nothing can be sent after it. Events that are still in the buffer are delivered, before
    /// or after this call. Go on writing the output that was queued before, since the peer may have ended only its own side:
    /// [`transport_action`](Self::transport_action) says when to close. To give the connection up at once, call
    /// [`handle_reset`](Self::handle_reset) and close the transport.
    ///
    /// Without a Close frame from the peer the connection has then ended with 1006, and not cleanly
    /// (RFC 6455 section 7.1.5); see [`close_event`](Self::close_event).
    pub fn handle_eof(&mut self) {
        self.closing.ended();
        self.nothing_more_is_sent();
    }

    /// Reports that you have shut down the writing side, as [`TransportAction::ShutdownWrite`] asks.
    ///
    /// From then on [`transport_action`](Self::transport_action) is [`Wait`](TransportAction::Wait) until the stream ends.
    /// Otherwise this changes nothing.
    pub fn handle_shutdown(&mut self) {
        if self.transport_action() == TransportAction::ShutdownWrite {
            self.closing.shut_down();
        }
    }

    /// Reports that writing failed, for instance with `BrokenPipe` or `ConnectionReset`.
    ///
    /// The output is dropped, and nothing can be sent any more. What the peer sent before can still be read: its last
    /// messages, and its Close frame, which says why the connection ended (RFC 6455 section 7.1.5). So read on until the
    /// end of the stream or an error, as [`transport_action`](Self::transport_action) says.
    /// [`Deadlines::close`](crate::Deadlines::close) bounds that.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::{ErrorKind, Write};
    /// use sockless::Connection;
    ///
    /// /// Writes as much as the transport takes.
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

    /// Reports that reading failed: the transport was reset, or is broken in another way.
    ///
    /// Nothing more can be read or written, so the [`transport_action`](Self::transport_action) is
    /// [`Close`](TransportAction::Close). Take the events that are still in the buffer before you close: they are delivered,
    /// before or after this call. If it was a write that failed, call
    /// [`handle_write_error`](Self::handle_write_error) instead.
    pub fn handle_reset(&mut self) {
        let unsent = self.output_len() > 0;
        self.drop_output();
        self.closing.reset(unsent);
        self.nothing_more_is_sent();
    }

    /// The bytes to write to the transport, in one piece; empty if there are none.
    ///
    /// While [shared messages](Self::send_shared) wait it is only the first piece, so go on until it is empty, or
    /// write all [`output_parts`](Self::output_parts).
    #[must_use]
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.sender.output().unsent()
    }

    /// The bytes to write to the transport, in the pieces they lie in, for vectored writes.
    ///
    /// There is at most one piece, unless [shared messages](Self::send_shared) wait; none is empty.
    #[inline]
    pub fn output_parts(&self) -> impl Iterator<Item = &[u8]> {
        self.sender.output().parts(&[])
    }

    /// How many bytes of output wait to be written, in all parts.
    #[must_use]
    #[inline]
    pub fn output_len(&self) -> usize {
        self.sender.output().len()
    }

    /// Whether the transport should be watched for bytes to read: more may come.
    ///
    /// It is false once the stream has ended, and when the transport is to be closed. A level-triggered poller that goes on
    /// watching would report the end of the stream again and again. (`poll` and `epoll` report a hang-up or an error even
    /// to those that watch for nothing. If one comes while there is output, write: the write says what is wrong.)
    ///
    /// An application whose events make output, such as an echo, also stops reading while it does not
    /// [have room](Self::has_room). Any other application reads on even then: if both sides stop reading because
    /// the other does not read, neither ever goes on.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.closing.may_receive() && self.transport_action() != TransportAction::Close
    }

    /// What to do with the transport now. Ask at the end of every turn of your loop.
    #[must_use]
    pub fn transport_action(&self) -> TransportAction {
        self.closing
            .transport_action(self.receiver.role(), self.sender.output())
    }

    /// How the connection ended, once it has: both Close frames were exchanged, the stream ended, the
    /// connection failed, or there never was one, since it was [refused](Self::refused).
    ///
    /// That is not the end of the loop: there may be last words to write. Only
    /// [`TransportAction::Close`] is.
    #[must_use]
    pub fn close_event(&self) -> Option<CloseEvent<'_>> {
        self.closing.event()
    }
}

impl Connection {
    /// Section 5.5.2: a Ping is answered with a Pong, unless a Close frame was sent.
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.ping_reply == Reply::Manual || self.closing.state() != State::Open {
            return;
        }
        let size = self.sender.control_size(payload);
        if !self.pongs.has_room(size) {
            self.pongs.defer(payload);
            return;
        }
        // The payload of a Ping is short enough, so this is never refused.
        _ = self.sender.control(Opcode::Pong, payload);
        self.pongs.sent(size, self.sender.output().len());
        if let Some(timers) = &mut self.timers {
            timers.control_queued(size.into());
        }
    }

    /// A Pong that found no room goes out once those before it are written, and so may the next Ping.
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

    /// The sending half has come to its end, perhaps in the middle of a message.
    fn nothing_more_is_sent(&mut self) {
        self.sender.abandon_message();
    }
}
