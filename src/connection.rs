//! A connection after the opening handshake (RFC 6455 sections 5 to 7).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::closing::{CloseEvent, Closing, State, TransportAction};
use crate::config::{Config, Delivery, Reply};
use crate::error::ProtocolError;
use crate::frame::Opcode;
use crate::masking_keys::{MaskingKeys, Seed};
use crate::pongs::Pongs;
use crate::receiver::Receiver;
use crate::role::Role;
use crate::sender::Sender;
use crate::timers::Timers;

#[cfg(feature = "deflate")]
mod compress;
mod outgoing;
mod receive;
mod send;
mod time;

pub use outgoing::Outgoing;

/// One side of a WebSocket connection, without its socket.
///
/// Bytes read from the transport go into a [`ReadBuffer`](crate::ReadBuffer), [`next_event`](Self::next_event) takes
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
/// A server connection owns no heap until something is sent (the answer to the opening handshake is given
/// up once it is written). The output holds at most [`Config::max_output`] bytes, the largest message sent,
/// [`Config::max_unsent_pongs`], one Ping and one Close frame, in a vector of at most 4 times that; it keeps its
/// memory for the next message, and gives it up in [`swap_output`](Self::swap_output). A Ping that waits
/// for its answer because too many came costs one block of 136 bytes meanwhile, and a Close frame keeps
/// its reason. A client owns one block more, the 400 or so bytes of its key
/// generator. What was received lies in the [`ReadBuffer`](crate::ReadBuffer).
///
/// # Deadlines
///
/// A peer may be silent for ever, unless you set [`Config::deadlines`] and pass the time:
/// [`handle_timeout`](Self::handle_timeout), [`next_timeout`](Self::next_timeout).
///
/// # Example: an echo server's loop
///
/// ```
/// use std::io::{ErrorKind, Read, Write};
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
///                 write(transport, connection);
///             }
///         }
///         // At first the output is the answer to the opening handshake.
///         write(transport, connection);
///         match connection.transport_action() {
///             TransportAction::Close => return,
///             TransportAction::ShutdownWrite { .. } => _ = transport.shutdown(Shutdown::Write),
///             _ => {} // all is written: read
///         }
///         match transport.read(buffer.spare_mut(4096)) {
///             Ok(0) => connection.handle_eof(),
///             Ok(n) => buffer.advance(n),
///             Err(error) if error.kind() == ErrorKind::Interrupted => {}
///             Err(_) => connection.handle_reset(),
///         }
///     }
/// }
///
/// fn write(transport: &mut impl Write, connection: &mut Connection) {
///     while !connection.output().is_empty() {
///         match transport.write(connection.output()) {
///             Ok(n) if n > 0 => connection.advance_output(n),
///             Err(error) if error.kind() == ErrorKind::Interrupted => {}
///             // The peer may have said why it left, so reading goes on.
///             _ => connection.handle_write_error(),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    pongs: Pongs,
    closing: Closing,
    delivery: Delivery,
    pong: Reply,
    close: Reply,
    max_output: usize,
    timers: Option<Box<Timers>>,
    /// Whether payload was received since the time was last passed.
    received: bool,
    /// What the next call fails with, after the good part of a bad chunk was delivered.
    overdue: Option<ProtocolError>,
}

impl Connection {
    /// The server's side, after an opening handshake made elsewhere that agreed on no extension, whatever
    /// `Config::deflate` is; with one, it comes from
    /// [`ServerHandshake::connection`](crate::handshake::ServerHandshake::connection).
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::opened(&config, None, Vec::new())
    }

    /// The client's side, after an opening handshake made elsewhere that agreed on no extension, whatever
    /// `Config::deflate` is. All masking keys come from `seed`.
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
            pongs: Pongs::new(config.max_unsent_pongs),
            closing: Closing::new(),
            delivery: config.delivery,
            pong: config.pong,
            close: config.close,
            // Into an empty output anything can be sent, whatever the limit.
            max_output: config.max_output.max(1),
            timers: config
                .deadlines
                .map(|deadlines| Box::new(Timers::new(&deadlines))),
            received: false,
            overdue: None,
        }
    }

    /// The connection as a stream of an HTTP/2 or HTTP/3 connection.
    pub(crate) fn over_http_stream(mut self) -> Self {
        self.closing.over_http_stream();
        self
    }

    /// A server's transport that carries no WebSocket, since the opening handshake was refused or asked for something
    /// else: what is left is to write `answer`, a whole HTTP response, and to end the stream.
    ///
    /// The answer comes from [`RequestError::response`](crate::handshake::RequestError::response) or
    /// [`Request::respond`](crate::handshake::Request::respond). The transport is driven as any other: the answer is the
    /// output, what the peer sends is dropped, there are no events, and
    /// [`transport_action`](Self::transport_action) says when to shut down writing and when to close, so
    /// that the answer arrives. Of `config` only [`Config::deadlines`] counts.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{Request, ServerOptions};
    /// use sockless::{Connection, ReadBuffer};
    ///
    /// /// Whatever the answer is, the loop that follows is the same.
    /// fn answer(buffer: &mut ReadBuffer, options: &ServerOptions<'_>) -> Option<Connection> {
    ///     let accepted = match Request::read(buffer, &options.config) {
    ///         Ok(request) => request?.accept(options),
    ///         Err(error) => Err(error),
    ///     };
    ///     Some(accepted.unwrap_or_else(|error| Connection::refused(error.response(), &options.config)))
    /// }
    /// # let mut buffer = ReadBuffer::new();
    /// # let options = ServerOptions::default();
    /// # assert!(answer(&mut buffer, &options).is_none());
    /// # buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// # assert!(answer(&mut buffer, &options).unwrap().output().starts_with(b"HTTP/1.1 426 "));
    /// ```
    #[must_use]
    pub fn refused(answer: Vec<u8>, config: &Config) -> Self {
        Self {
            closing: Closing::refused(),
            ..Self::opened(config, None, answer)
        }
    }

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
    /// let mut server = Connection::server(Config::default());
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
    /// Call it when a read returns 0, or when you do not want to wait any longer. Nothing can be sent after it. Events that
    /// are still in the buffer are delivered, before or after this call. Output that was queued before is still offered to
    /// the transport, since the peer may have ended only its own side:
    /// [`transport_action`](Self::transport_action) says when to close.
    ///
    /// Without a Close frame from the peer the connection has then ended with 1006, and not cleanly
    /// (RFC 6455 section 7.1.5); see [`close_event`](Self::close_event).
    pub fn handle_eof(&mut self) {
        self.closing.ended();
        self.nothing_more_is_sent();
    }

    /// Reports that writing failed, for instance with `BrokenPipe` or `ConnectionReset`.
    ///
    /// The output is dropped, and nothing can be sent any more. What the peer sent before can still be read: its last
    /// messages, and its Close frame, which says why the connection ended (RFC 6455 section 7.1.5). So read on until the
    /// end of the stream or an error, as [`transport_action`](Self::transport_action) says.
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
    /// # let mut server = Connection::server(Config::default());
    /// # server.send_text("Hi").unwrap();
    /// # write(&mut server, &mut Vec::new());
    /// # assert!(server.is_open());
    /// # server.send_text("Hi").unwrap();
    /// # write(&mut server, &mut &mut [][..]);
    /// # assert!(!server.is_open() && server.wants_read());
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
    /// [`Close`](TransportAction::Close). Events that are still in the buffer are delivered, before or after this call. For
    /// an error from a write call [`handle_write_error`](Self::handle_write_error) instead.
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

    /// Whether no send is refused with [`SendError::Full`](crate::SendError::Full): less than [`Config::max_output`] waits to
    /// be written, or nothing can be sent any more.
    ///
    /// A loop whose events make output, such as an echo, takes them only while this is so. A peer that sends without
    /// reading must wait then, and its messages wait in the [`ReadBuffer`](crate::ReadBuffer) and in the transport.
    #[must_use]
    #[inline]
    pub fn has_room(&self) -> bool {
        self.output_fits() || !self.closing.may_send()
    }

    /// Whether the output is under its limit.
    #[inline]
    fn output_fits(&self) -> bool {
        self.output_len() < self.max_output
    }

    /// Whether the transport should be watched for bytes to read: more may come.
    ///
    /// It is false once the stream has ended, and when the transport is to be closed. A poller that goes on watching then
    /// reports the end of the stream again and again.
    ///
    /// An application whose events make output, such as an echo, also stops reading while it does not
    /// [have room](Self::has_room). Any other application reads on even then: if both sides stop reading because
    /// the other does not read, neither ever goes on.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.closing.may_receive() && self.transport_action() != TransportAction::Close
    }

    /// Whether messages can be sent: no Close frame was sent and the connection is not at its end.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closing.may_send()
    }

    /// What to do with the transport now: ask after every write, every end of stream, and whenever the time was told.
    #[must_use]
    pub fn transport_action(&self) -> TransportAction {
        let until = self.next_timeout();
        self.closing
            .transport_action(self.receiver.role(), self.sender.output(), until)
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

    /// Section 5.5.2: a Ping is answered with a Pong, unless a Close frame was sent.
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.pong == Reply::Manual || self.closing.state() != State::Open {
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
    }

    /// A Pong that found no room goes out once those before it are written, and so may the next Ping.
    #[inline]
    fn after_write(&mut self, n: usize) {
        if self.pongs.are_unsent() {
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
