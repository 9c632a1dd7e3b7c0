//! One stream of bytes, cut in many ways: the result must always be the same.

use sockless::{Config, Delivery, ProtocolError, TransportAction};

use super::{Ending, Owned, Peer, Side, joined};

/// All there is to see of a connection that was given a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// With the parts of a message joined.
    pub(crate) events: Vec<Owned>,
    /// What was delivered of a message that has not ended.
    pub(crate) open: Option<Owned>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) output: Vec<u8>,
    pub(crate) ending: Option<Ending>,
    pub(crate) action: TransportAction,
}

/// Gives the bytes to a fresh connection, cut at `cuts`, which ascend.
pub(crate) fn run(side: Side, config: Config, bytes: &[u8], cuts: &[usize]) -> Outcome {
    run_peer(Peer::new(side, config), bytes, cuts)
}

/// The same for a connection that exists already.
pub(crate) fn run_peer(mut peer: Peer, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        peer.receive(&bytes[from..to]);
        from = to;
    }
    // RFC 6455 section 5.4: an empty part in the middle of a message would say nothing.
    let empty = |part: &Owned| {
        matches!(part, Owned::TextPart(_) | Owned::BinaryPart(_)) && part.data().is_empty()
    };
    assert!(!peer.events.iter().any(empty), "{:?}", peer.events);
    let (events, open) = joined(&peer.events);
    Outcome {
        events,
        open,
        error: peer.error,
        output: peer.connection.output().to_vec(),
        ending: peer.ending(),
        action: peer.connection.transport_action(),
    }
}

/// Ways to cut `length` bytes: not at all, once at every position, between all bytes. A long stream is
/// cut once only near its ends and at some places between.
pub(crate) fn cuts(length: usize) -> Vec<Vec<usize>> {
    let near = |at: &usize| {
        length <= 600 || *at < 32 || *at + 32 > length || at.is_multiple_of(length / 16 + 1)
    };
    let once = (0..=length).filter(near).map(|at| vec![at]);
    let everywhere = (1..length).collect();
    [vec![], everywhere].into_iter().chain(once).collect()
}

/// Gives the bytes to fresh connections in all those ways, and returns what came out every time.
pub(crate) fn same_however_cut(side: Side, config: Config, bytes: &[u8]) -> Outcome {
    let whole = run(side, config, bytes, &[]);
    for cuts in cuts(bytes.len()) {
        let mut outcome = run(side, config, bytes, &cuts);
        // Of a message that failed, chunks of any number may have been delivered before.
        if config.delivery == Delivery::Chunks && whole.error.is_some() {
            outcome.open.clone_from(&whole.open);
        }
        assert_eq!(outcome, whole, "{side:?} {bytes:02x?} cut at {cuts:?}");
    }
    whole
}

/// After how many bytes, given one at a time, the connection fails.
pub(crate) fn refused_at(side: Side, config: Config, bytes: &[u8]) -> Option<usize> {
    let mut peer = Peer::new(side, config);
    (1..=bytes.len()).find(|&n| {
        peer.receive(&bytes[n - 1..n]);
        peer.error.is_some()
    })
}
