//! Events and endings that outlive the buffer they were lent from.

use sockless::{CloseEvent, Event, Initiator, ProtocolError};

/// An [`Event`] that owns its contents; parts are what comes without `fin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    Text(String),
    Binary(Vec<u8>),
    TextPart(String),
    BinaryPart(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

impl Owned {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn binary(data: &[u8]) -> Self {
        Self::Binary(data.into())
    }

    pub(crate) fn ping(payload: &[u8]) -> Self {
        Self::Ping(payload.into())
    }

    pub(crate) fn pong(payload: &[u8]) -> Self {
        Self::Pong(payload.into())
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::Close(code, reason.into())
    }

    /// Without the reason of a Close frame, which nobody prescribes where it tells of a violation.
    pub(crate) fn without_reason(self) -> Self {
        match self {
            Self::Close(code, _) => Self::close(code, ""),
            other => other,
        }
    }

    /// The bytes of a message or of a part of one.
    pub(crate) fn data(&self) -> &[u8] {
        match self {
            Self::Text(text) | Self::TextPart(text) => text.as_bytes(),
            Self::Binary(data) | Self::BinaryPart(data) => data,
            _ => panic!("{self:?} is no data"),
        }
    }
}

impl From<Event<'_>> for Owned {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text { text, fin: true } => Self::text(text),
            Event::Text { text, fin: false } => Self::TextPart(text.into()),
            Event::Binary { data, fin: true } => Self::binary(data),
            Event::Binary { data, fin: false } => Self::BinaryPart(data.into()),
            Event::Ping(payload) => Self::ping(payload),
            Event::Pong(payload) => Self::pong(payload),
            Event::Close(close) => Self::close(close.code.into(), close.reason),
        }
    }
}

/// The events with the parts of every message joined, each message where it ended, and what came of a
/// message that did not end.
pub(crate) fn joined(events: &[Owned]) -> (Vec<Owned>, Option<Owned>) {
    let mut whole = Vec::new();
    let mut open: Option<Owned> = None;
    for event in events {
        let mut event = event.clone();
        match &mut event {
            Owned::Text(part) | Owned::TextPart(part) => match open.take() {
                Some(Owned::TextPart(text)) => *part = text + part,
                open => assert_eq!(open, None, "a message of one type goes on as another"),
            },
            Owned::Binary(part) | Owned::BinaryPart(part) => match open.take() {
                Some(Owned::BinaryPart(mut data)) => {
                    data.append(part);
                    *part = data;
                }
                open => assert_eq!(open, None, "a message of one type goes on as another"),
            },
            Owned::Ping(_) | Owned::Pong(_) | Owned::Close(..) => {}
        }
        match event {
            Owned::TextPart(_) | Owned::BinaryPart(_) => open = Some(event),
            _ => whole.push(event),
        }
    }
    (whole, open)
}

/// A [`CloseEvent`] that owns its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) was_clean: bool,
    pub(crate) initiator: Initiator,
    pub(crate) error: Option<ProtocolError>,
}

impl From<CloseEvent<'_>> for Ending {
    fn from(event: CloseEvent<'_>) -> Self {
        Self {
            code: event.code.into(),
            reason: event.reason.into(),
            was_clean: event.was_clean,
            initiator: event.initiator,
            error: event.error,
        }
    }
}
