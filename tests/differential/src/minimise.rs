//! Makes a stream that is not explained smaller.

use std::path::Path;

use crate::compare::{Comparison, compare, receive};
use crate::ours;
use crate::peers::Peer;
use crate::stream::Stream;

/// The same stream with as many bytes left out as can be; it is cut between all that are left.
pub fn minimise(peer: Peer, python: &Path, stream: &Stream) -> Result<Stream, String> {
    let mut small = stream.clone();
    let mut size = small.bytes.len();
    while size > 0 {
        let candidates: Vec<Stream> = (0..small.bytes.len())
            .step_by(size.div_ceil(2))
            .map(|at| without(&small, at, size))
            .collect();
        match first_unexplained(peer, python, candidates)? {
            Some(smaller) => small = smaller,
            None => size /= 2,
        }
    }
    Ok(small)
}

fn without(stream: &Stream, at: usize, size: usize) -> Stream {
    let mut smaller = stream.clone();
    let end = smaller.bytes.len().min(at + size);
    smaller.bytes.drain(at..end);
    smaller.places = (1..smaller.bytes.len()).collect();
    smaller
}

fn first_unexplained(
    peer: Peer,
    python: &Path,
    candidates: Vec<Stream>,
) -> Result<Option<Stream>, String> {
    let outcomes = receive(peer, python, &candidates)?;
    for (stream, outcomes) in candidates.into_iter().zip(outcomes) {
        let Ok(ours) = ours::receive(&stream) else {
            continue;
        };
        let unexplained =
            |theirs| compare(peer, &stream, &ours, theirs) == Comparison::Unexplained;
        if outcomes.iter().any(unexplained) {
            return Ok(Some(stream));
        }
    }
    Ok(None)
}
