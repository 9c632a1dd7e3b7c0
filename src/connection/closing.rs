//! How a connection ends, and what that means for the transport (RFC 6455, section 7).

use alloc::boxed::Box;
use core::fmt;

use crate::connection::deadlines::Timeout;
use crate::connection::output::Output;
use crate::connection::role::Role;
use crate::connection::timers::Awaited;
use crate::wire::{Bytes, CloseCode, CloseFrame, ProtocolError};

/// Where the connection is between its opening and its end (RFC 6455, sections 7.1.2 to 7.1.7), and how it got there.
///
/// ```text
///            close()                          peer's Close
///    .------------------> Closing ------------------------------.
///    |                                                          v
///  Open -- peer's Close, answered automatically -----------> Closed
///    |                                                        ^
///    '-- peer's Close, answer left to the caller              | close()
///                      '---------------> PeerClosing ---------'
///
///  Open, PeerClosing -- end of stream, failed write, deadline --> Ended
///  Open, Closing, Ended -- violation --> Failed
///
///  Refused, from the beginning
/// ```
#[derive(Debug)]
pub(crate) struct Closing {
    state: State,
    initiator: Initiator,
    stream: Stream,
    transport: Transport,
    peer_close: Option<Box<PeerClose>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// This side's Close frame is in the output. The peer's has not come.
    Closing,
    /// The peer's Close frame came. The application has not answered.
    PeerClosing,
    /// Both sides sent a Close frame.
    Closed,
    /// Nothing more can be sent, and the peer did not get a Close frame of this side. What the peer sent before is
    /// still delivered.
    Ended,
    /// The peer broke the protocol.
    Failed(ProtocolError),
    /// The opening handshake made no connection. The output is its answer.
    Refused,
}

/// What can still be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Flowing,
    /// This side has ended its direction, after it wrote everything.
    ShutDown,
    /// Writing failed. What the peer sent can still be read.
    ReadOnly,
    /// The peer has ended the stream. The output can still be written.
    AtEnd,
    /// Nothing more can be read or written.
    Broken,
    /// A deadline has passed, so the transport is to be closed.
    GivenUp(Timeout),
}

/// What carries the connection. This decides which side ends it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// The whole transport, such as TCP or TLS.
    Own,
    /// A stream of an HTTP/2 or HTTP/3 connection.
    HttpStream,
}

/// The code and reason of the peer's Close frame.
struct PeerClose {
    code: CloseCode,
    reason: Box<str>,
}

/// Shows how long the reason is, not its text.
impl fmt::Debug for PeerClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerClose")
            .field("code", &self.code)
            .field("reason", &Bytes(self.reason.len()))
            .finish()
    }
}

impl Closing {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Open,
            initiator: Initiator::Transport,
            stream: Stream::Flowing,
            transport: Transport::Own,
            peer_close: None,
        }
    }

    /// A connection that only sends the answer to a refused opening handshake.
    pub(crate) fn refused() -> Self {
        Self {
            state: State::Refused,
            initiator: Initiator::Local,
            ..Self::new()
        }
    }

    pub(crate) const fn over_http_stream(&mut self) {
        self.transport = Transport::HttpStream;
    }

    /// This side's Close frame went into the output.
    pub(crate) fn sent(&mut self) {
        if self.state == State::PeerClosing {
            self.state = State::Closed;
        } else {
            self.state = State::Closing;
            self.initiator = Initiator::Local;
        }
    }

    /// The peer's Close frame came.
    pub(crate) fn received(&mut self, close: CloseFrame<'_>) {
        self.record(close);
        match self.state {
            State::Closing => self.state = State::Closed,
            State::Ended => {}
            _ => self.state = State::PeerClosing,
        }
    }

    /// Stores the peer's Close frame, even if it came after a failure.
    pub(crate) fn record(&mut self, close: CloseFrame<'_>) {
        self.peer_close = Some(Box::new(PeerClose {
            code: close.code,
            reason: close.reason.into(),
        }));
        if self.initiator == Initiator::Transport {
            self.initiator = Initiator::Peer;
        }
    }

    pub(crate) const fn failed(&mut self, error: ProtocolError) {
        self.state = State::Failed(error);
    }

    /// The peer has ended the stream.
    pub(crate) const fn ended(&mut self) {
        self.stream = match self.stream {
            Stream::Flowing | Stream::ShutDown => Stream::AtEnd,
            Stream::ReadOnly => Stream::Broken,
            stream => stream,
        };
        self.end();
    }

    /// Writing failed. `unsent` says whether the dropped output held any bytes.
    pub(crate) const fn write_failed(&mut self, unsent: bool) {
        self.stream = match self.stream {
            Stream::Flowing | Stream::ShutDown => Stream::ReadOnly,
            Stream::AtEnd => Stream::Broken,
            stream => stream,
        };
        self.output_dropped(unsent);
    }

    pub(crate) const fn shut_down(&mut self) {
        if matches!(self.stream, Stream::Flowing) {
            self.stream = Stream::ShutDown;
        }
    }

    /// Reading failed. `unsent` says whether the dropped output held any bytes.
    pub(crate) const fn reset(&mut self, unsent: bool) {
        if !matches!(self.stream, Stream::GivenUp(_)) {
            self.stream = Stream::Broken;
        }
        self.output_dropped(unsent);
    }

    /// A deadline has passed. `unsent` says whether the output holds bytes that are never written.
    pub(crate) const fn gave_up(&mut self, timeout: Timeout, unsent: bool) {
        self.stream = Stream::GivenUp(timeout);
        self.output_dropped(unsent);
    }

    /// Nothing more is sent. If the output held bytes, this side's Close frame was among them. So the end is not clean.
    const fn output_dropped(&mut self, unsent: bool) {
        if unsent && matches!(self.state, State::Closing | State::Closed) {
            self.state = State::Ended;
        }
        self.end();
    }

    /// Nothing more is sent. If this side sent a Close frame before, the answer may still be among the received bytes.
    const fn end(&mut self) {
        if matches!(self.state, State::Open | State::PeerClosing) {
            self.state = State::Ended;
        }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Whether no Close frame was sent or received, and nothing has ended the connection.
    #[inline]
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether frames may be sent.
    #[inline]
    pub(crate) const fn may_send(&self) -> bool {
        matches!(self.state, State::Open | State::PeerClosing)
    }

    /// Whether more events can come: bytes can still come, and the peer has sent no Close frame.
    pub(crate) const fn may_deliver(&self) -> bool {
        self.may_receive() && self.peer_close.is_none()
    }

    /// Whether more bytes can come.
    pub(crate) const fn may_receive(&self) -> bool {
        matches!(
            self.stream,
            Stream::Flowing | Stream::ShutDown | Stream::ReadOnly
        )
    }

    pub(crate) fn transport_action(&self, role: Role, output: &Output) -> TransportAction {
        match (self.state, self.stream) {
            // Section 7.1.5: the peer's Close frame decides the code, and it may still be on its way.
            (State::Ended | State::Closing | State::Failed(_), Stream::ReadOnly)
                if self.peer_close.is_none() =>
            {
                TransportAction::Wait
            }
            (_, Stream::ReadOnly | Stream::Broken | Stream::GivenUp(_)) => TransportAction::Close,
            // This holds after the end of the stream too: the peer may have ended only its own direction.
            _ if !output.unsent().is_empty() => TransportAction::Write,
            // The caller has the rest, and reports when it is written.
            _ if output.has_taken() => TransportAction::Wait,
            (_, Stream::AtEnd) => TransportAction::Close,
            (State::Open | State::Closing | State::PeerClosing | State::Ended, _) => {
                TransportAction::Wait
            }
            (State::Closed, _) => match (role, self.transport) {
                // Section 7.1.1: the server closes first, and the client waits for it.
                (Role::Server, _) => TransportAction::Close,
                (Role::Client, Transport::Own) => TransportAction::Wait,
                // The client waits because of TCP's TIME_WAIT, which a stream does not have. RFC 8441, section 5:
                // END_STREAM means the same as TCP's FIN. Some servers wait for the client's.
                (Role::Client, Transport::HttpStream) => self.end_own_direction(),
            },
            (State::Failed(_), _) if self.peer_close.is_some() => TransportAction::Close,
            (State::Failed(_) | State::Refused, _) => self.end_own_direction(),
        }
    }

    /// Whether the output was dropped, or is never written.
    pub(crate) const fn writes_nothing(&self) -> bool {
        matches!(
            self.stream,
            Stream::ReadOnly | Stream::Broken | Stream::GivenUp(_)
        )
    }

    /// What to do with the transport when everything is written and the stream has not ended.
    const fn end_own_direction(&self) -> TransportAction {
        match self.stream {
            Stream::ShutDown => TransportAction::Wait,
            _ => TransportAction::ShutdownWrite,
        }
    }

    /// What the deadlines wait for.
    pub(crate) fn awaited(&self, role: Role, output: &Output) -> Awaited {
        match self.state {
            State::Open => Awaited::Messages,
            State::Closing | State::PeerClosing if self.may_receive() => Awaited::Close,
            _ if self.transport_action(role, output) == TransportAction::Close => Awaited::Nothing,
            _ => Awaited::EndOfStream,
        }
    }

    pub(crate) fn event(&self) -> Option<CloseEvent<'_>> {
        let error = match self.state {
            State::Open | State::PeerClosing => return None,
            State::Closing if self.may_receive() => return None,
            // Section 7.1.5: the peer's Close frame may still come.
            State::Ended if self.may_receive() && self.peer_close.is_none() => return None,
            State::Closing | State::Closed | State::Ended | State::Refused => None,
            State::Failed(error) => Some(error),
        };
        let (code, reason) = match &self.peer_close {
            Some(close) => (close.code, &*close.reason),
            // Section 7.1.5: without a Close frame from the peer, the code is 1006.
            None => (CloseCode::ABNORMAL_CLOSURE, ""),
        };
        let was_clean = self.state == State::Closed;
        let timeout = match self.stream {
            Stream::GivenUp(timeout) => Some(timeout),
            _ => None,
        };
        Some(CloseEvent {
            code,
            reason,
            was_clean,
            initiator: self.initiator,
            error,
            timeout,
        })
    }
}

/// How a connection ended: the fields of the browser's `CloseEvent`, and a few more.
///
/// [`Connection::close_event`](crate::Connection::close_event) returns it.
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, Config, Connection, Initiator, ReadBuffer};
///
/// let mut connection = Connection::server(&Config::default());
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(&[0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12]); // Close 1000
/// while connection.next_event(&mut buffer)?.is_some() {}
///
/// let ending = connection.close_event().expect("the connection has ended");
/// assert_eq!(ending.code, CloseCode::NORMAL);
/// assert_eq!(ending.initiator, Initiator::Peer);
/// assert!(ending.was_clean);
/// # Ok::<(), sockless::ProtocolError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent<'a> {
    /// The code in the peer's Close frame. 1005 if the frame had no code, 1006 if no Close frame came (RFC 6455,
    /// section 7.1.5).
    pub code: CloseCode,
    /// The reason in the peer's Close frame, or an empty string (RFC 6455, section 7.1.6).
    pub reason: &'a str,
    /// Whether both sides sent a Close frame and neither side failed the connection (RFC 6455, section 7.1.4).
    pub was_clean: bool,
    /// Which side ended the connection.
    pub initiator: Initiator,
    /// The violation of the protocol for which this side failed the connection, if it did.
    pub error: Option<ProtocolError>,
    /// The deadline that the peer missed, if that ended the connection.
    pub timeout: Option<Timeout>,
}

/// Shows how long the reason is, not its text.
impl fmt::Debug for CloseEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseEvent")
            .field("code", &self.code)
            .field("reason", &Bytes(self.reason.len()))
            .field("was_clean", &self.was_clean)
            .field("initiator", &self.initiator)
            .field("error", &self.error)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Says the code, the reason, and what ended the connection, for instance `1001 (going away): "bye", by the peer`.
///
/// The reason comes from the peer, so control characters in it are escaped.
impl fmt::Display for CloseEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, ": {:?}", self.reason)?;
        }
        write!(f, ", {}", self.initiator)?;
        if let Some(error) = self.error {
            write!(f, ": {error}")?;
        }
        match self.timeout {
            Some(timeout) => write!(f, ": {timeout}"),
            None => Ok(()),
        }
    }
}

/// Which side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Initiator {
    /// This side: it sent a Close frame first, or it [refused](crate::Connection::refused) the opening handshake.
    Local,
    /// The peer: its Close frame came before this side sent one.
    Peer,
    /// Neither side: the transport ended, or a deadline passed, before any Close frame.
    Transport,
}

/// Says which side it was: `by this side`, `by the peer` or `by the transport`.
impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "by this side",
            Self::Peer => "by the peer",
            Self::Transport => "by the transport",
        })
    }
}

/// What to do with the transport now.
///
/// Ask [`Connection::transport_action`](crate::Connection::transport_action) after you have taken the events. If events
/// wait in the buffer because there was no [room](crate::Connection::has_room) for answers, take them as soon as there
/// is room, before you wait.
///
/// Unless the action is [`Close`](Self::Close), go on reading while [`wants_read`](crate::Connection::wants_read) is
/// true. Also call [`handle_timeout`](crate::Connection::handle_timeout) at the time of
/// [`timeout_at`](crate::Connection::timeout_at).
///
/// A loop over a poller needs only `Close` and `ShutdownWrite`. It knows what to wait for from `wants_read`,
/// `output_len` and `timeout_at`. Later versions may add actions. Treat an action that you do not know as
/// [`Wait`](Self::Wait).
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, Config, Connection, ReadBuffer, TransportAction};
///
/// let mut server = Connection::server(&Config::default());
/// assert_eq!(server.transport_action(), TransportAction::Wait);
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(&[0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12]); // Close 1000
/// while server.next_event(&mut buffer)?.is_some() {}
/// assert_eq!(server.transport_action(), TransportAction::Write); // the answer
/// server.advance_output(server.output().len());
/// assert_eq!(server.transport_action(), TransportAction::Close);
/// # Ok::<(), sockless::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportAction {
    /// Write the [output](crate::Connection::output), or [take](crate::Connection::take_output) it.
    ///
    /// Output that was queued before the peer ended the stream is still written, because the peer may have ended only
    /// its own direction. [`Deadlines::close`](crate::Deadlines::close) limits how long this takes.
    Write,
    /// Wait until there are bytes to read, until the next timeout, or until output that you
    /// [took](crate::Connection::take_output) is written.
    ///
    /// After a clean close, a client waits until the server ends the stream. After a [failed
    /// write](crate::Connection::handle_write_error), you read what the peer sent before.
    Wait,
    /// Shut down the writing side of the transport. Then wait as for [`Wait`](Self::Wait): no more events come.
    ///
    /// After the shutdown, call [`Connection::handle_shutdown`](crate::Connection::handle_shutdown), and the action
    /// becomes [`Wait`](Self::Wait). Without that call, the action stays `ShutdownWrite` until the stream ends. Ignore
    /// an error of the shutdown. A second shutdown is harmless, but an edge-triggered poller may report each one as an
    /// event.
    ///
    /// Do not close at once. That could reset the connection, and the peer could lose the Close frame (RFC 6455,
    /// section 7.1.1).
    ///
    /// On a stream of HTTP/2 or HTTP/3, a client also gets this action after a clean close. TCP's `TIME_WAIT`, the
    /// reason to wait for the server, does not exist there.
    #[doc(alias("half_close", "FIN"))]
    ShutdownWrite,
    /// Close the transport, and discard any output.
    ///
    /// After a closing handshake, the server gets this action first. The client gets it when the server has closed the
    /// transport (RFC 6455, section 7.1.1).
    #[doc(alias = "disconnect")]
    Close,
}

/// # Over HTTP/2 and HTTP/3
impl TransportAction {
    /// The HTTP/2 error code for a `RST_STREAM` that closes a stream before its end, as TCP's RST does (RFC 8441,
    /// section 5).
    pub const CANCEL: u32 = 0x8;

    /// The HTTP/3 error code for a `RESET_STREAM` and `STOP_SENDING` that close a stream before its end (RFC 9114,
    /// section 8.1).
    pub const H3_REQUEST_CANCELLED: u64 = 0x10c;
}
