//! One stream of bytes, cut in many ways: the result must always be the same.

use std::vec::Vec;

use crate::test_util::{
    OwnedCloseEvent, OwnedEvent, Peer, Role, Rules, Verdict, cuts_at, every_cut, join_parts, judge,
};
use crate::{Config, Delivery, ProtocolError, TransportAction};

/// All there is to see of a connection that was given a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests take it apart, so that they look at all there is to see"
)]
pub struct Outcome {
    /// What was delivered, with the parts of a message joined.
    pub events: Vec<OwnedEvent>,
    /// What was delivered of a message that has not ended.
    pub open: Option<OwnedEvent>,
    /// Why the connection failed.
    pub error: Option<ProtocolError>,
    /// All that it wrote.
    pub output: Vec<u8>,
    /// How it ended.
    pub ending: Option<OwnedCloseEvent>,
    /// What it asks of the transport in the end, with the output still to be written.
    pub action: TransportAction,
}

/// Gives the bytes to a fresh connection, cut at `places`, which ascend.
///
/// # Panics
///
/// If the connection breaks its promises: see [`Peer::take_events`].
#[must_use]
pub fn run(role: Role, config: &Config, bytes: &[u8], places: &[usize]) -> Outcome {
    run_peer(Peer::new(role, config), bytes, places)
}

/// The same for a connection that exists already.
///
/// # Panics
///
/// If the connection breaks its promises: see [`Peer::take_events`].
#[must_use]
pub fn run_peer(mut peer: Peer, bytes: &[u8], places: &[usize]) -> Outcome {
    for piece in cuts_at(bytes, places) {
        peer.receive(piece);
    }
    // RFC 6455 section 5.4: an empty part in the middle of a message would say nothing.
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

/// Gives the bytes to fresh connections, cut in [`every_cut`], and returns what came out every time.
///
/// # Panics
///
/// If something else came out of one of them.
#[must_use]
pub fn same_however_cut(role: Role, config: &Config, bytes: &[u8]) -> Outcome {
    let whole = run(role, config, bytes, &[]);
    for places in every_cut(bytes.len()) {
        let mut outcome = run(role, config, bytes, &places);
        // Of a message that failed, chunks of any number may have been delivered before.
        if config.delivery == Delivery::Chunks && whole.error.is_some() {
            outcome.open.clone_from(&whole.open);
        }
        assert_eq!(outcome, whole, "{role:?} {bytes:02x?} cut at {places:?}");
    }
    whole
}

/// After how many bytes, given one at a time, the connection fails.
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

/// The connection makes of these bytes what the [oracle](judge) does, and fails at the same byte.
///
/// It needs a configuration with automatic replies and [`Config::max_unsent_pongs`] out of reach.
///
/// # Panics
///
/// If it does not.
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

/// What was delivered of an open message is all that came; of one that failed, no more than that.
fn assert_open_parts_agree(open: Option<&OwnedEvent>, verdict: &Verdict) {
    match (open, &verdict.open) {
        (None, _) if verdict.error.is_some() => {}
        (Some(part), Some(all)) if verdict.error.is_some() => {
            assert!(all.data().starts_with(part.data()), "{part:?} of {all:?}");
        }
        (open, all) => assert_eq!(open, all.as_ref()),
    }
}

/// What a connection in this role has written, judged by the rules of its peer: it must be legal and end
/// with a whole frame, and nothing may follow a Close frame.
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
