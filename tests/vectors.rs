//! Tables of streams and what must come of them (RFC 6455 sections 5 to 8 and 10.4). Every row is run whole,
//! cut at every byte and byte by byte, in both delivery modes, and in both roles where it applies to both.

#![cfg(feature = "alloc")]
// A test that cannot go on has failed; a table has as many columns as the rule has sides.
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
#[path = "vectors/text.rs"]
mod text;

use sockless::test_util::{
    Frame, OwnedCloseEvent, OwnedEvent, Role, Rules, encode, judge, refused_at, run,
    same_however_cut,
};
use sockless::{Config, Delivery, Initiator, ProtocolError, TransportAction};

const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

/// "κόσμε", then f4 90, which begins no character, then more.
const KOSME: &str = "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64";

fn config(delivery: Delivery) -> Config {
    Config::new().with_delivery(delivery)
}

fn both_deliveries(config: &Config) -> [Config; 2] {
    DELIVERIES.map(|delivery| config.clone().with_delivery(delivery))
}

/// What `role` has written, as its peer understands it; reasons are left out.
fn heard(role: Role, output: &[u8]) -> Vec<OwnedEvent> {
    let rules = Rules {
        server: role == Role::Client,
        max_frame: u64::MAX,
        max_message: u64::MAX,
        chunks: false,
    };
    let verdict = judge(&rules, output);
    assert_eq!(verdict.error, None, "{role:?} wrote {output:02x?}");
    verdict
        .events
        .into_iter()
        .map(OwnedEvent::without_reason)
        .collect()
}

/// The stream is legal, and gives these events and replies.
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
        assert_eq!(
            heard(role, &outcome.output),
            replies,
            "{role:?} {bytes:02x?}"
        );
    }
}

/// The frames in `good` are delivered and answered, then `bad` fails the connection after `after` bytes of it.
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
        assert_eq!(
            outcome.ending,
            Some(OwnedCloseEvent {
                code: 1006,
                reason: String::new(),
                was_clean: false,
                initiator: Initiator::Local,
                error: Some(error),
                timeout: None,
            }),
            "{what}"
        );
        assert_eq!(
            refused_at(role, &config, &bytes),
            Some(good_bytes.len() + after),
            "{what}"
        );
    }
}

/// The first two bytes of a frame to `role`, as given or with the mask bit the other way.
fn start(role: Role, first: u8, length: u8, masking_is_right: bool) -> [u8; 2] {
    let masked = (role == Role::Server) == masking_is_right;
    [first, length | if masked { 0x80 } else { 0 }]
}
