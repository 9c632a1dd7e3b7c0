//! What one receiver made of a stream, against sockless, and why.

use std::path::Path;

use crate::differences::{Class, Classes, DIFFERENCES};
use crate::model::predict;
use crate::outcome::Outcome;
use crate::peers::{Peer, fastwebsockets, tungstenite, wsproto};
use crate::stream::Stream;

/// How an outcome compares with sockless's.
#[derive(Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    /// Each of these is needed to come to the peer's outcome, and together they do.
    Explained(Vec<Class>),
    Unexplained,
}

/// The oracle is what sockless does: see [`ours`](crate::ours).
pub fn compare(peer: Peer, stream: &Stream, ours: &Outcome, theirs: &Outcome) -> Comparison {
    let all = Classes::of(peer);
    if predict(peer, all, stream) != *theirs {
        // Even an equal outcome, if the table says that it would differ.
        return Comparison::Unexplained;
    }
    if theirs == ours {
        return Comparison::Equal;
    }
    let mut needed = all;
    let mut classes = Vec::new();
    for difference in DIFFERENCES
        .iter()
        .filter(|difference| difference.peer == peer)
    {
        let fewer = needed.without(difference.class);
        if predict(peer, fewer, stream) == *theirs {
            needed = fewer;
        } else {
            classes.push(difference.class);
        }
    }
    Comparison::Explained(classes)
}

/// What the peer makes of each stream, whole and cut.
pub fn receive(peer: Peer, python: &Path, streams: &[Stream]) -> Result<Vec<[Outcome; 2]>, String> {
    let both = |receive: fn(&Stream, &[usize]) -> Outcome| {
        let both = |stream: &Stream| [receive(stream, &[]), receive(stream, &stream.places)];
        Ok(streams.iter().map(both).collect())
    };
    match peer {
        Peer::Tungstenite => both(tungstenite::receive),
        Peer::Fastwebsockets => both(fastwebsockets::receive),
        Peer::Wsproto => {
            let jobs: Vec<_> = streams.iter().flat_map(whole_and_cut).collect();
            let (_, outcomes) = wsproto::receive(python, &jobs)?;
            let (pairs, _) = outcomes.as_chunks();
            Ok(pairs.to_vec())
        }
    }
}

fn whole_and_cut(stream: &Stream) -> [wsproto::Job<'_>; 2] {
    [(stream, &[]), (stream, &stream.places)]
}
