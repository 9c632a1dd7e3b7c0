//! How a connection ends, and what that means for the transport (RFC 6455 section 7).

use alloc::boxed::Box;

use crate::close::CloseFrame;
use crate::close_code::CloseCode;
use crate::error::ProtocolError;

/// Where the connection is between its opening and its end (RFC 6455 sections 7.1.2 to 7.1.7).
///
/// ```text
///            close()                          peer's Close
///    .------------------> Closing ------------------------------.
///    |                                                          v
///  Open -- peer's Close, answered automatically -----------> Closed
///    |                                                        ^ ^
///    '-- peer's Close, answer left to the caller -> PeerClosing |
///                                                   close() '---'
///
///  Open, Closing, PeerClosing -- end of stream --> Closed
///  Open, Closing -------------- violation ------> Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// This side's Close frame is in the output, the peer's is awaited.
    Closing,
    /// The peer's Close frame came, the application has still to answer.
    PeerClosing,
    /// Both Close frames were exchanged, or the stream ended.
    Closed,
    /// The peer broke the protocol.
    Failed(ProtocolError),
}

impl State {
    /// Whether data may be sent.
    pub(crate) const fn may_send(self) -> bool {
        matches!(self, Self::Open | Self::PeerClosing)
    }

    /// The state after this side's Close frame.
    pub(crate) const fn after_our_close(self) -> Self {
        match self {
            Self::PeerClosing => Self::Closed,
            _ => Self::Closing,
        }
    }
}

/// What the peer's Close frame said, kept for the record.
#[derive(Clone, Debug)]
pub(crate) struct PeerClose {
    code: CloseCode,
    reason: Box<str>,
}

impl PeerClose {
    pub(crate) fn new(close: CloseFrame<'_>) -> Self {
        Self {
            code: close.code,
            reason: close.reason.into(),
        }
    }

    pub(crate) fn frame(&self) -> CloseFrame<'_> {
        CloseFrame {
            code: self.code,
            reason: &self.reason,
        }
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
/// buffer.extend_from_slice(&[0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12]); // Close, 1000
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
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// This side: it was the first to send a Close frame.
    Local,
    /// The peer: its Close frame came before this side sent one.
    Peer,
    /// Neither: the transport ended without any Close frame.
    Transport,
}

/// What to do with the transport, now that the output is as it is.
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, Config, Connection, ReadBuffer, TransportAction};
///
/// let mut server = Connection::server(Config::default());
/// assert_eq!(server.transport_action(), TransportAction::Keep);
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(&[0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x34, 0x12]); // Close, 1000
/// while server.next_event(&mut buffer)?.is_some() {}
/// assert_eq!(server.transport_action(), TransportAction::Keep); // the answer is still to be written
/// server.advance_output(server.output().len());
/// assert_eq!(server.transport_action(), TransportAction::Close);
/// # Ok::<(), sockless::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportAction {
    /// Keep it: write the output, read what comes.
    Keep,
    /// Shut down the writing side, and read (events will be none) until the peer ends the stream or
    /// patience does. Closing at once could reset the connection and destroy the Close frame on its way
    /// (RFC 6455 section 7.1.1).
    ShutdownWrite,
    /// Close it. A server comes here first, a client once the server has closed (RFC 6455 section 7.1.1).
    Close,
}
