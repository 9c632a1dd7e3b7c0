//! Why a message was not sent.

use core::fmt;

use crate::wire::CloseCode;

/// A send was refused. Nothing was queued, and the connection is as it was.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use sockless::{Config, Connection, SendError};
///
/// let mut connection = Connection::server(&Config::default());
/// assert_eq!(connection.send_ping(&[0; 126]), Err(SendError::ControlFrameTooLong));
/// assert_eq!(connection.send_ping(&[0; 125]), Ok(()));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed, so nothing can be sent any more (RFC 6455 section 5.5.1).
    ///
    /// A normal race rather than a mistake: the peer may close while the application sends.
    Closed,
    /// The output holds [`Config::max_output`](crate::Config::max_output) bytes or more. Write some of
    /// it to the transport, then send again.
    Full,
    /// The last fragment of a message of this side is still to be sent; no other message can begin
    /// before it (RFC 6455 section 5.4).
    MessageOpen,
    /// The payload of a Ping or Pong is over 125 bytes (RFC 6455 section 5.5).
    ControlFrameTooLong,
    /// The code must not stand in a Close frame (RFC 6455 section 7.4).
    InvalidCloseCode(CloseCode),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::Full => f.write_str("the output is full"),
            Self::MessageOpen => f.write_str(
                "the fragments of another message are still to be finished (RFC 6455 section 5.4)",
            ),
            Self::ControlFrameTooLong => {
                f.write_str("control frame over 125 bytes (RFC 6455 section 5.5)")
            }
            Self::InvalidCloseCode(code) => {
                write!(
                    f,
                    "close code {} must not be sent (RFC 6455 section 7.4)",
                    u16::from(*code)
                )
            }
        }
    }
}

impl core::error::Error for SendError {}
