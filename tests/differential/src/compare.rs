//! What sockless makes of a stream, and why another receiver makes something else of it.

use sockless::test_util::{Rules, assert_agrees_with_oracle, judge, run};

use crate::model::predict;
use crate::outcome::Outcome;
use crate::peers::Name;
use crate::stream::Stream;
use crate::table::Switches;

/// What sockless makes of the stream.
///
/// # Panics
///
/// If sockless does not agree with the oracle, or depends on where the stream is cut. Also if the model without
/// switches does not agree with the oracle.
pub fn ours(stream: &Stream) -> Outcome {
    let (role, config) = (stream.role, stream.limits.config());
    assert_agrees_with_oracle(role, &config, &stream.bytes);
    let whole = run(role, &config, &stream.bytes, &[]);
    assert_eq!(run(role, &config, &stream.bytes, &stream.places), whole);
    let verdict = judge(&Rules::new(role, &config), &stream.bytes);
    let outcome = Outcome {
        events: verdict.events,
        refused: verdict.error,
        replies: verdict.replies,
    };
    for peer in Name::ALL {
        let model = predict(peer, Switches::default(), stream);
        assert_eq!(model, outcome, "the model does not agree with the oracle");
    }
    outcome
}

/// The smallest set of switches with which the model gives the outcome of the peer. `None` means that no set explains it.
///
/// The model with all switches of a peer must always give its outcome, also where it equals the outcome of sockless.
pub fn explain(peer: Name, stream: &Stream, ours: &Outcome, theirs: &Outcome) -> Option<Switches> {
    let all = Switches::of(peer);
    if predict(peer, all, stream) != *theirs {
        return None;
    }
    if theirs == ours {
        return Some(Switches::default());
    }
    let mut needed = all;
    for switch in all.iter() {
        let fewer = needed.without(switch);
        if predict(peer, fewer, stream) == *theirs {
            needed = fewer;
        }
    }
    Some(needed)
}
