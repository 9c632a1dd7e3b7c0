//! Runs one stream of bytes in many pieces, and compares the results.

use std::vec::Vec;

use crate::test_util::{
    OwnedCloseEvent, OwnedEvent, Peer, Role, Rules, Verdict, cuts_at, every_cut, join_parts, judge,
};
use crate::{Config, Delivery, ProtocolError, TransportAction};

/// Everything that a connection shows after it received a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests take it apart, so that they look at all there is to see"
)]
pub struct Outcome {
    /// The events, with the parts of each message joined.
    pub events: Vec<OwnedEvent>,
    /// The delivered part of an unfinished message.
    pub open: Option<OwnedEvent>,
    /// Why the connection failed.
    pub error: Option<ProtocolError>,
    /// Everything that it wrote.
    pub output: Vec<u8>,
    /// How it ended.
    pub ending: Option<OwnedCloseEvent>,
    /// The transport action at the end, before the output is written.
    pub action: TransportAction,
}

/// Passes the bytes to a new connection, cut at `places`, which must be in ascending order.
///
/// # Panics
///
/// If the connection breaks its promises: see [`Peer::take_events`].
#[must_use]
pub fn run(role: Role, config: &Config, bytes: &[u8], places: &[usize]) -> Outcome {
    run_peer(Peer::new(role, config), bytes, places)
}

/// Passes the bytes to an existing connection, cut at `places`, which must be in ascending order.
///
/// # Panics
///
/// If the connection breaks its promises: see [`Peer::take_events`].
#[must_use]
pub fn run_peer(mut peer: Peer, bytes: &[u8], places: &[usize]) -> Outcome {
    for piece in cuts_at(bytes, places) {
        peer.receive(piece);
    }
    // An empty part inside a message would have no meaning.
    let empty = |part: &OwnedEvent| {
        matches!(part, OwnedEvent::TextPart(_) | OwnedEvent::BinaryPart(_))
            && part.data().is_empty()
    };
    assert!(!peer.events.iter().any(empty), "{:?}", peer.events);
    let (events, open) = join_parts(&peer.events);
    Outcome {
        events,
        open,
        error: peer.error,
        output: peer.connection.output().to_vec(),
        ending: peer.close_event(),
        action: peer.connection.transport_action(),
    }
}

/// Passes the bytes to new connections in each way of [`every_cut`], and returns the common outcome.
///
/// # Panics
///
/// If one outcome differs.
#[must_use]
pub fn same_however_cut(role: Role, config: &Config, bytes: &[u8]) -> Outcome {
    let whole = run(role, config, bytes, &[]);
    for places in every_cut(bytes.len()) {
        let mut outcome = run(role, config, bytes, &places);
        // Any number of chunks may have been delivered before a message failed.
        if config.delivery == Delivery::Chunks && whole.error.is_some() {
            outcome.open.clone_from(&whole.open);
        }
        assert_eq!(outcome, whole, "{role:?} {bytes:02x?} cut at {places:?}");
    }
    whole
}

/// Passes the bytes one by one to a new connection. Returns the number of bytes after which it fails.
#[must_use]
pub fn refused_at(role: Role, config: &Config, bytes: &[u8]) -> Option<usize> {
    let mut peer = Peer::new(role, config);
    let mut given = (1..).zip(bytes.chunks(1));
    let (n, _) = given.find(|(_, byte)| {
        peer.receive(byte);
        peer.error.is_some()
    })?;
    Some(n)
}

/// Asserts that a connection delivers the events of the [oracle](judge) for these bytes, and finds the same violation
/// after the same number of bytes.
///
/// `config` must have automatic replies and a large [`Config::max_unsent_pongs`].
///
/// # Panics
///
/// If they do not agree.
pub fn assert_agrees_with_oracle(role: Role, config: &Config, bytes: &[u8]) {
    let verdict = judge(&Rules::new(role, config), bytes);
    let all: Vec<usize> = (1..bytes.len()).collect();
    for places in [&[][..], &all] {
        let outcome = run(role, config, bytes, places);
        assert_eq!(outcome.events, verdict.events);
        let error = outcome.error.map(|error| u16::from(error.close_code()));
        assert_eq!(error, verdict.error, "{:?}", outcome.error);
        let replies = assert_legal(role, &outcome.output).into_iter();
        let replies: Vec<OwnedEvent> = replies.map(OwnedEvent::without_reason).collect();
        assert_eq!(replies, verdict.replies);
        assert_open_parts_agree(outcome.open.as_ref(), &verdict);
    }
    assert_eq!(refused_at(role, config, bytes), verdict.refused_at);
}

/// The delivered part of an unfinished message must be complete. If the message failed, it may be less.
fn assert_open_parts_agree(open: Option<&OwnedEvent>, verdict: &Verdict) {
    match (open, &verdict.open) {
        (None, _) if verdict.error.is_some() => {}
        (Some(part), Some(all)) if verdict.error.is_some() => {
            assert!(all.data().starts_with(part.data()), "{part:?} of {all:?}");
        }
        (open, all) => assert_eq!(open, all.as_ref()),
    }
}

/// Asserts that the output of a connection in this role is legal, ends with a whole frame, and has nothing after a
/// Close frame. Returns its messages and control frames, in order.
///
/// # Panics
///
/// If it is not.
#[must_use]
pub fn assert_legal(role: Role, output: &[u8]) -> Vec<OwnedEvent> {
    let verdict = judge(&Rules::new(role.other(), &Config::default()), output);
    assert_eq!(verdict.error, None, "{role:?} wrote {output:02x?}");
    assert_eq!(verdict.end, output.len(), "{role:?} wrote {output:02x?}");
    verdict.events
}
