//! Why a call on a connection failed.

use std::io;
use std::sync::Arc;
use std::{error, fmt};

use sockless::{ProtocolError, SendError, Timeout};

/// Why a call on a [`WebSocket`](crate::WebSocket) or one of its halves failed.
///
/// A connection that ends with a closing handshake is not an error: `recv` then returns `Ok(None)`. An error of `recv`
/// means that messages of the peer may be missing. The connection has then ended. Every further `recv` returns the same
/// error, and every send fails with [`Closed`](Self::Closed).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// Nothing can be sent: one side has sent a Close frame, or the connection has ended. Nothing was queued.
    ///
    /// `close_event` says what has happened. `recv` still returns the messages that the peer sent before.
    Closed,
    /// The arguments of a send are invalid. Nothing was queued, and the connection is unchanged.
    Send(SendError),
    /// The text of a text message is not UTF-8. That part was not queued.
    InvalidText,
    /// This side failed the connection: the peer broke the protocol, or exceeded a limit of your [`Config`]. The Close
    /// frame of this side says why (RFC 6455, section 7.1.7).
    ///
    /// The limits are [`ProtocolError::FrameTooLarge`] and [`ProtocolError::MessageTooLarge`].
    ///
    /// [`Config`]: crate::Config
    Protocol(ProtocolError),
    /// The peer missed a deadline: see [`Deadlines`](crate::Deadlines).
    Timeout(Timeout),
    /// The peer ended the transport without a Close frame (RFC 6455, section 7.1.5).
    Eof,
    /// The transport failed.
    Transport(Arc<io::Error>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::Send(error) => error.fmt(f),
            Self::InvalidText => f.write_str("the text of a text message is not UTF-8"),
            Self::Protocol(error) => write!(f, "the connection failed: {error}"),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Eof => f.write_str("the peer ended the transport without a Close frame"),
            Self::Transport(error) => write!(f, "the transport failed: {error}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Send(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Transport(error) => Some(&**error),
            Self::Closed | Self::InvalidText | Self::Timeout(_) | Self::Eof => None,
        }
    }
}

/// Errors of the transport are equal if their kinds are equal.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Closed, Self::Closed)
            | (Self::InvalidText, Self::InvalidText)
            | (Self::Eof, Self::Eof) => true,
            (Self::Send(error), Self::Send(other)) => error == other,
            (Self::Protocol(error), Self::Protocol(other)) => error == other,
            (Self::Timeout(timeout), Self::Timeout(other)) => timeout == other,
            (Self::Transport(error), Self::Transport(other)) => error.kind() == other.kind(),
            _ => false,
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            error => Self::Send(error),
        }
    }
}

/// For functions that use `std::io`, such as `tokio::io::copy` into a message.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Closed => io::ErrorKind::BrokenPipe,
            Error::Send(_) => io::ErrorKind::InvalidInput,
            Error::InvalidText | Error::Protocol(_) => io::ErrorKind::InvalidData,
            Error::Timeout(_) => io::ErrorKind::TimedOut,
            Error::Eof => io::ErrorKind::UnexpectedEof,
            Error::Transport(error) => error.kind(),
        };
        Self::new(kind, error)
    }
}
