//! Tables of streams and their results (RFC 6455 sections 5 to 8 and 10.4). Each row runs as a whole, cut at every
//! byte, and in single bytes. It runs in both delivery modes, and in both roles if it applies to both.

#![cfg(feature = "alloc")]
// A failed test may panic. A table has one column for each part of a rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::type_complexity)]

mod support;

#[path = "vectors/close.rs"]
mod close;
#[path = "vectors/closing.rs"]
mod closing;
#[path = "vectors/delivery.rs"]
mod delivery;
#[path = "vectors/frames.rs"]
mod frames;
#[path = "vectors/limits.rs"]
mod limits;
#[path = "vectors/pings.rs"]
mod pings;
#[path = "vectors/sending.rs"]
mod sending;
#[path = "vectors/shared.rs"]
mod shared;
#[path = "vectors/take_event.rs"]
mod take_event;
#[path = "vectors/taken.rs"]
mod taken;
#[path = "vectors/text.rs"]
mod text;

use sockless::test_util::{
    Frame, OwnedCloseEvent, OwnedEvent, Peer, Role, assert_legal, encode, refused_at, run,
    same_however_cut,
};
use sockless::{Config, Delivery, Initiator, ProtocolError, TransportAction};

const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

/// "κόσμε", then f4 90, which cannot begin a character, then more bytes.
const KOSME: &str = "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64";

fn config(delivery: Delivery) -> Config {
    Config::new().with_delivery(delivery)
}

fn both_deliveries(config: &Config) -> [Config; 2] {
    DELIVERIES.map(|delivery| config.clone().with_delivery(delivery))
}

/// Returns what the peer reads in the output of `role`, without the reasons of Close frames.
fn heard(role: Role, output: &[u8]) -> Vec<OwnedEvent> {
    let events = assert_legal(role, output).into_iter();
    events.map(OwnedEvent::without_reason).collect()
}

/// Takes the output of the peer and compares what the other side reads in it.
fn writes(peer: &mut Peer, events: &[OwnedEvent]) {
    let role = peer.connection.role();
    assert_eq!(heard(role, &peer.write_all()), events, "{role:?}");
}

/// Asserts that the stream is legal, and that it leads to these events and replies.
fn accepts(
    role: Role,
    config: &Config,
    bytes: &[u8],
    events: &[OwnedEvent],
    replies: &[OwnedEvent],
) {
    for config in both_deliveries(config) {
        let outcome = same_however_cut(role, &config, bytes);
        assert_eq!(outcome.error, None, "{role:?} {bytes:02x?}");
        assert_eq!(outcome.events, events, "{role:?} {bytes:02x?}");
        let found = heard(role, &outcome.output);
        assert_eq!(found, replies, "{role:?} {bytes:02x?}");
    }
}

/// Asserts that the connection delivers and answers the frames in `good`, and then fails after `after` bytes of `bad`.
fn refuses(
    role: Role,
    config: &Config,
    good: &[Frame],
    bad: &[u8],
    error: ProtocolError,
    after: usize,
) {
    let good_bytes = encode(good, role);
    let good_outcome = run(role, config, &good_bytes, &[]);
    assert_eq!(good_outcome.error, None);
    let mut replies = heard(role, &good_outcome.output);
    replies.push(OwnedEvent::close(error.close_code().into(), ""));
    let bytes = [
        good_bytes.clone(),
        bad.to_vec(),
        Frame::new(0x81, "never delivered").encode(role),
        Frame::new(0x89, "never answered").encode(role),
    ]
    .concat();

    for config in both_deliveries(config) {
        let what = format!("{role:?} {:?} {bad:02x?}", config.delivery);
        let outcome = same_however_cut(role, &config, &bytes);
        assert_eq!(outcome.error, Some(error), "{what}");
        assert_eq!(outcome.events, good_outcome.events, "{what}");
        assert_eq!(heard(role, &outcome.output), replies, "{what}");
        assert_eq!(outcome.action, TransportAction::Write, "{what}");
        let mut ending = ended(1006, false, Initiator::Local);
        ending.error = Some(error);
        assert_eq!(outcome.ending, Some(ending), "{what}");
        let refused_at = refused_at(role, &config, &bytes);
        assert_eq!(refused_at, Some(good_bytes.len() + after), "{what}");
    }
}

/// The end of a connection, without a reason, an error or a timeout.
fn ended(code: u16, was_clean: bool, initiator: Initiator) -> OwnedCloseEvent {
    OwnedCloseEvent {
        code,
        reason: String::new(),
        was_clean,
        initiator,
        error: None,
        timeout: None,
    }
}

/// The first two bytes of a frame to `role`, with the correct or the wrong mask bit.
fn start(role: Role, first: u8, length: u8, masking_is_right: bool) -> [u8; 2] {
    let masked = (role == Role::Server) == masking_is_right;
    [first, length | if masked { 0x80 } else { 0 }]
}
