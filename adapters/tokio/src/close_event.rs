//! How a connection has ended.

use std::fmt;

use sockless::{CloseCode, Initiator, ProtocolError, Timeout};

/// How a connection has ended, as in the Web API's `CloseEvent`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent {
    /// The code in the peer's Close frame. 1005 if the frame had no code, 1006 if no Close frame came (RFC 6455,
    /// section 7.1.5).
    pub code: CloseCode,
    /// The reason in the peer's Close frame, or an empty string (RFC 6455, section 7.1.6).
    pub reason: String,
    /// Whether both sides sent a Close frame and neither side failed the connection (RFC 6455, section 7.1.4).
    pub was_clean: bool,
    /// Which side ended the connection.
    pub initiator: Initiator,
    /// The violation of the protocol for which this side failed the connection, if it did.
    pub error: Option<ProtocolError>,
    /// The deadline that the peer missed, if that ended the connection.
    pub timeout: Option<Timeout>,
}

impl From<sockless::CloseEvent<'_>> for CloseEvent {
    fn from(event: sockless::CloseEvent<'_>) -> Self {
        Self {
            code: event.code,
            reason: event.reason.to_owned(),
            was_clean: event.was_clean,
            initiator: event.initiator,
            error: event.error,
            timeout: event.timeout,
        }
    }
}

/// Shows how long the reason is, not its text.
impl fmt::Debug for CloseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseEvent")
            .field("code", &self.code)
            .field("reason", &format_args!("{} B", self.reason.len()))
            .field("was_clean", &self.was_clean)
            .field("initiator", &self.initiator)
            .field("error", &self.error)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Says the code, the reason, and what ended the connection. Control characters in the reason are escaped.
impl fmt::Display for CloseEvent {
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
