//! Owned events and close events, which tests create and compare.

use std::string::String;
use std::vec::Vec;

use crate::{CloseEvent, Initiator, OwnedEvent, ProtocolError, Timeout};

/// # For tests, with the feature `test-util`
impl OwnedEvent {
    /// Makes a whole text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// Makes a whole binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::Binary(data.into())
    }

    /// Makes a Ping.
    #[must_use]
    pub fn ping(payload: &[u8]) -> Self {
        Self::Ping(payload.into())
    }

    /// Makes a Pong.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        Self::Pong(payload.into())
    }

    /// Makes a Close frame. The code 1005 means a frame without a code.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        Self::Close(code, reason.into())
    }

    /// Removes the reason of a Close frame. Use it to compare Close frames: no RFC says which text they contain.
    #[must_use]
    pub fn without_reason(self) -> Self {
        match self {
            Self::Close(code, _) => Self::close(code, ""),
            other => other,
        }
    }

    /// Returns the bytes of a message or of a part of one.
    ///
    /// # Panics
    ///
    /// For a control frame.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        let data = match self {
            Self::Text(text) | Self::TextPart(text) => Some(text.as_bytes()),
            Self::Binary(data) | Self::BinaryPart(data) => Some(data.as_slice()),
            Self::Ping(_) | Self::Pong(_) | Self::Close(..) => None,
        };
        assert!(data.is_some(), "{self:?} is no data");
        data.unwrap_or_default()
    }
}

/// Joins the parts of each message. Returns the events, with each message at the position of its last part, and the
/// parts of an unfinished message.
///
/// # Panics
///
/// If a text message continues as binary, or the reverse.
#[must_use]
pub fn join_parts(events: &[OwnedEvent]) -> (Vec<OwnedEvent>, Option<OwnedEvent>) {
    let mut whole = Vec::new();
    let mut open: Option<OwnedEvent> = None;
    for event in events {
        let mut event = event.clone();
        match &mut event {
            OwnedEvent::Text(part) | OwnedEvent::TextPart(part) => match open.take() {
                Some(OwnedEvent::TextPart(mut text)) => {
                    text.push_str(part);
                    *part = text;
                }
                open => assert_eq!(open, None, "a message of one type goes on as another"),
            },
            OwnedEvent::Binary(part) | OwnedEvent::BinaryPart(part) => match open.take() {
                Some(OwnedEvent::BinaryPart(mut data)) => {
                    data.append(part);
                    *part = data;
                }
                open => assert_eq!(open, None, "a message of one type goes on as another"),
            },
            OwnedEvent::Ping(_) | OwnedEvent::Pong(_) | OwnedEvent::Close(..) => {}
        }
        match event {
            OwnedEvent::TextPart(_) | OwnedEvent::BinaryPart(_) => open = Some(event),
            _ => whole.push(event),
        }
    }
    (whole, open)
}

/// A [`CloseEvent`] that owns its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests make up the ending that they expect"
)]
pub struct OwnedCloseEvent {
    /// The code, as in [`CloseEvent::code`].
    pub code: u16,
    /// The reason.
    pub reason: String,
    /// Whether the end was clean.
    pub was_clean: bool,
    /// The side that ended the connection.
    pub initiator: Initiator,
    /// The violation, if one ended the connection.
    pub error: Option<ProtocolError>,
    /// The deadline, if one ended the connection.
    pub timeout: Option<Timeout>,
}

impl From<CloseEvent<'_>> for OwnedCloseEvent {
    fn from(event: CloseEvent<'_>) -> Self {
        Self {
            code: event.code.into(),
            reason: event.reason.into(),
            was_clean: event.was_clean,
            initiator: event.initiator,
            error: event.error,
            timeout: event.timeout,
        }
    }
}
