//! sockless, and the oracle it has to agree with.

use sockless::test_util::{OwnedEvent, Rules, assert_legal, judge, refused_at, run};

use crate::outcome::Outcome;
use crate::stream::Stream;

/// What sockless must make of the stream. An error says how it differs from the oracle.
pub fn receive(stream: &Stream) -> Result<Outcome, String> {
    let config = stream.limits.config();
    let verdict = judge(&Rules::new(stream.role, &config), &stream.bytes);
    let expected = Outcome {
        events: verdict.events,
        refused: verdict.error,
        replies: verdict.replies,
    };
    for places in [&[][..], &stream.places] {
        let outcome = run(stream.role, &config, &stream.bytes, places);
        let replies = assert_legal(stream.role, &outcome.output).into_iter();
        let outcome = Outcome {
            events: outcome.events,
            refused: outcome.error.map(|error| error.close_code().into()),
            replies: replies.map(OwnedEvent::without_reason).collect(),
        };
        if outcome != expected {
            return Err(format!(
                "oracle:   {expected:?}\nsockless: {outcome:?}\ncut at {places:?}"
            ));
        }
    }
    let at = refused_at(stream.role, &config, &stream.bytes);
    if at != verdict.refused_at {
        let expected = verdict.refused_at;
        return Err(format!(
            "oracle:   refuses after {expected:?} bytes\nsockless: after {at:?}"
        ));
    }
    Ok(expected)
}
