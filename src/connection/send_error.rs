//! Why a message was not sent.

use core::fmt;

use crate::wire::CloseCode;

/// Why a send failed. Nothing was queued, and the connection is unchanged.
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
    /// The connection is closing or closed, so nothing more can be sent (RFC 6455, section 5.5.1).
    ///
    /// This is a normal race and no mistake: the peer may close while you send.
    #[doc(alias("ConnectionClosed", "AlreadyClosed", "SendAfterClosing"))]
    Closed,
    /// The output is not empty, and holds at least [`Config::max_output`](crate::Config::max_output) bytes. Write
    /// some of it to the transport, then send again.
    #[doc(alias("backpressure", "WriteBufferFull", "WouldBlock"))]
    Full,
    /// Another message of this side is not finished: its last fragment was not sent (RFC 6455, section 5.4).
    MessageOpen,
    /// The payload of a Ping or Pong is longer than 125 bytes (RFC 6455, section 5.5).
    ControlFrameTooLong,
    /// A Close frame must not contain this code (RFC 6455, section 7.4).
    InvalidCloseCode(CloseCode),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::Full => f.write_str("the output is full"),
            Self::MessageOpen => f.write_str(
                "another message is unfinished: send its last fragment first (RFC 6455 section 5.4)",
            ),
            Self::ControlFrameTooLong => {
                f.write_str("the payload of a Ping or Pong is over 125 bytes (RFC 6455 section 5.5)")
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
