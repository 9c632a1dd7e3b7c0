//! How a connection ends, and what that means for the transport (RFC 6455 section 7).

use alloc::boxed::Box;
use core::time::Duration;

use crate::close::CloseFrame;
use crate::close_code::CloseCode;
use crate::deadlines::Timeout;
use crate::error::ProtocolError;
use crate::output::Output;
use crate::role::Role;
use crate::timers::Awaited;

/// Where the connection is between its opening and its end (RFC 6455 sections 7.1.2 to 7.1.7), and what
/// is remembered of how it got there.
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
///  Open, Closing, PeerClosing -- end of stream, deadline --> Ended
///  Open, Closing -------------- violation ------> Failed
///
///  Refused, from the beginning
/// ```
#[derive(Debug)]
pub(crate) struct Closing {
    state: State,
    initiator: Initiator,
    stream: Stream,
    peer_close: Option<Box<PeerClose>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// This side's Close frame is in the output, the peer's is awaited.
    Closing,
    /// The peer's Close frame came, the application has still to answer.
    PeerClosing,
    /// Both Close frames were exchanged.
    Closed,
    /// The stream ended before they were.
    Ended,
    /// The peer broke the protocol.
    Failed(ProtocolError),
    /// The opening handshake did not make a connection of it: there is only an answer to be written.
    Refused,
}

/// What can still come from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Flowing,
    AtEnd,
    /// Nothing comes any more, nor can anything be written.
    Broken,
    /// Nobody waits any more for what may come, or for what was to be written.
    GivenUp(Timeout),
}

/// What the peer's Close frame said, kept for the record.
#[derive(Debug)]
struct PeerClose {
    code: CloseCode,
    reason: Box<str>,
}

impl Closing {
    /// An open connection.
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Open,
            initiator: Initiator::Transport,
            stream: Stream::Flowing,
            peer_close: None,
        }
    }

    /// None at all: the opening handshake was refused.
    pub(crate) fn refused() -> Self {
        Self {
            state: State::Refused,
            initiator: Initiator::Local,
            ..Self::new()
        }
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
        if self.state == State::Closing {
            self.state = State::Closed;
        } else {
            self.state = State::PeerClosing;
            self.initiator = Initiator::Peer;
        }
    }

    /// The peer's Close frame came after the connection had failed, and changes nothing.
    pub(crate) fn record(&mut self, close: CloseFrame<'_>) {
        self.peer_close = Some(Box::new(PeerClose {
            code: close.code,
            reason: close.reason.into(),
        }));
    }

    /// The peer broke the protocol.
    pub(crate) const fn failed(&mut self, error: ProtocolError) {
        self.state = State::Failed(error);
    }

    /// The stream ended.
    pub(crate) const fn ended(&mut self) {
        if matches!(self.stream, Stream::Flowing) {
            self.stream = Stream::AtEnd;
        }
        self.end();
    }

    /// The transport failed.
    pub(crate) const fn reset(&mut self) {
        if !matches!(self.stream, Stream::GivenUp(_)) {
            self.stream = Stream::Broken;
        }
        self.end();
    }

    /// A deadline has passed.
    pub(crate) const fn gave_up(&mut self, timeout: Timeout) {
        self.stream = Stream::GivenUp(timeout);
        self.end();
    }

    const fn end(&mut self) {
        if !matches!(
            self.state,
            State::Closed | State::Failed(_) | State::Refused
        ) {
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

    /// Whether data may be sent.
    #[inline]
    pub(crate) const fn may_send(&self) -> bool {
        matches!(self.state, State::Open | State::PeerClosing)
    }

    /// What to do with the transport, which may wait `until` then.
    pub(crate) fn transport_action(
        &self,
        role: Role,
        output: &Output,
        until: Option<Duration>,
    ) -> TransportAction {
        match (self.state, self.stream) {
            // Nobody waits for the rest of the output.
            (State::Ended, _) | (_, Stream::Broken | Stream::GivenUp(_)) => TransportAction::Close,
            _ if !output.is_empty() => TransportAction::Write,
            (State::Open | State::Closing | State::PeerClosing, _) => {
                TransportAction::Wait { until }
            }
            (State::Closed | State::Failed(_) | State::Refused, Stream::AtEnd) => {
                TransportAction::Close
            }
            // Section 7.1.1: the server closes first, the client waits for it.
            (State::Closed, Stream::Flowing) => match role {
                Role::Server => TransportAction::Close,
                Role::Client => TransportAction::Wait { until },
            },
            (State::Failed(_), Stream::Flowing) if self.peer_close.is_some() => {
                TransportAction::Close
            }
            (State::Failed(_) | State::Refused, Stream::Flowing) => {
                TransportAction::ShutdownWrite { until }
            }
        }
    }

    /// What the deadlines are for.
    pub(crate) fn awaited(&self, role: Role, output: &Output) -> Awaited {
        match self.state {
            State::Open => Awaited::Messages,
            State::Closing | State::PeerClosing => Awaited::Close,
            _ if self.transport_action(role, output, None) == TransportAction::Close => {
                Awaited::Nothing
            }
            _ => Awaited::EndOfStream,
        }
    }

    pub(crate) fn event(&self) -> Option<CloseEvent<'_>> {
        let error = match self.state {
            State::Open | State::Closing | State::PeerClosing => return None,
            State::Closed | State::Ended | State::Refused => None,
            State::Failed(error) => Some(error),
        };
        let (code, reason) = match &self.peer_close {
            Some(close) => (close.code, &*close.reason),
            // Section 7.1.5: without a Close frame from the peer the code is 1006.
            None => (CloseCode::ABNORMAL_CLOSURE, ""),
        };
        let was_clean = self.state == State::Closed;
        let timeout = match self.stream {
            Stream::GivenUp(timeout) => Some(timeout),
            Stream::Flowing | Stream::AtEnd | Stream::Broken => None,
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

/// How a connection ended: what the browser's `CloseEvent` says, and a little more.
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, Config, Connection, Initiator, ReadBuffer};
///
/// let mut connection = Connection::server(Config::default());
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent<'a> {
    /// The code in the peer's Close frame; 1005 if it had none, 1006 if no Close frame came
    /// (RFC 6455 section 7.1.5).
    pub code: CloseCode,
    /// The reason in the peer's Close frame, or empty (RFC 6455 section 7.1.6).
    pub reason: &'a str,
    /// Whether both sides sent a Close frame and neither failed the connection (RFC 6455 section 7.1.4).
    pub was_clean: bool,
    /// Who ended it.
    pub initiator: Initiator,
    /// The violation for which this side failed the connection, if that was the end of it.
    pub error: Option<ProtocolError>,
    /// The deadline that this side did not wait any longer than, if that was the end of it.
    pub timeout: Option<Timeout>,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// This side: it was the first to send a Close frame, or it [refused](crate::Connection::refused) the opening
    /// handshake.
    Local,
    /// The peer: its Close frame came before this side sent one.
    Peer,
    /// Neither: the transport or this side's patience ended without any Close frame.
    Transport,
}

/// What to do with the transport, now that the output is as it is and all events were taken. Where some were left for
/// want of [room](crate::Connection::has_room), take them as soon as there is, before any wait.
///
/// Whatever it says but [`Close`](Self::Close), read what comes and take the events, unless the application needs a
/// pause, and tell the time when [`Connection::next_timeout`](crate::Connection::next_timeout) comes.
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, Config, Connection, ReadBuffer, TransportAction};
///
/// let mut server = Connection::server(Config::default());
/// assert_eq!(server.transport_action(), TransportAction::Wait { until: None });
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
    /// Write the output.
    Write,
    /// Nothing but to wait for bytes to read, or for the time to be told. A client waits after a clean close, too,
    /// until the server ends the stream.
    Wait {
        /// What [`Connection::next_timeout`](crate::Connection::next_timeout) says.
        until: Option<Duration>,
    },
    /// Shut down the writing side, then wait as above: there will be no events. It says so until the stream ends;
    /// to shut down a second time does nothing, and an error of it means nothing. Closing at once could reset the
    /// connection and destroy the Close frame on its way (RFC 6455 section 7.1.1).
    ShutdownWrite {
        /// What [`Connection::next_timeout`](crate::Connection::next_timeout) says.
        until: Option<Duration>,
    },
    /// Close it; output that is left has nobody to read it. A server comes here first, a client once the
    /// server has closed (RFC 6455 section 7.1.1).
    Close,
}
