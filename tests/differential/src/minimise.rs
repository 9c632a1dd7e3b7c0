//! Makes a stream that is not explained smaller.

use std::path::Path;

use crate::compare::{Comparison, compare, receive};
use crate::frame::Frame;
use crate::ours;
use crate::peers::Peer;
use crate::stream::Stream;

/// The same stream with as many frames and bytes left out as can be; it is cut between all that are left.
pub fn minimise(peer: Peer, python: &Path, stream: &Stream) -> Result<Stream, String> {
    let mut small = stream.clone();
    let mut size = small.bytes.len();
    while size > 0 {
        let mut candidates = without_frames(&small);
        let places = (0..small.bytes.len()).step_by(size.div_ceil(2));
        candidates.extend(places.map(|at| without(&small, at, at + size)));
        match first_unexplained(peer, python, candidates)? {
            Some(smaller) => small = smaller,
            None => size /= 2,
        }
    }
    Ok(small)
}

/// Without one or more frames in a row, most of them first.
fn without_frames(stream: &Stream) -> Vec<Stream> {
    let mut bounds = vec![0];
    let mut at = 0;
    while let Some(frame) = Frame::read(&stream.bytes[at..], false) {
        at += frame.size;
        bounds.push(at);
    }
    let all = |length: usize| bounds.iter().zip(&bounds[length..]);
    (1..bounds.len())
        .rev()
        .flat_map(all)
        .map(|(from, to)| without(stream, *from, *to))
        .collect()
}

fn without(stream: &Stream, from: usize, to: usize) -> Stream {
    let mut smaller = stream.clone();
    let to = smaller.bytes.len().min(to);
    smaller.bytes.drain(from..to);
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
        let unexplained = |theirs| compare(peer, &stream, &ours, theirs) == Comparison::Unexplained;
        if outcomes.iter().any(unexplained) {
            return Ok(Some(stream));
        }
    }
    Ok(None)
}
