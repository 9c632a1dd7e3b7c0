//! Many streams, what became of them, and how many times each class explains a difference.

use std::fmt::Write as _;
use std::path::Path;
use std::slice;
use std::thread;

use crate::compare::{Comparison, compare, receive};
use crate::differences::{Class, Classes, DIFFERENCES};
use crate::minimise::minimise;
use crate::model::predict;
use crate::outcome::Outcome;
use crate::peers::{Peer, fastwebsockets, tungstenite};
use crate::stream::{BATCH, Stream, batch};
use crate::{ours, table};

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    pub streams: usize,
    /// In the order of [`Peer::ALL`].
    tallies: [Tally; 3],
    /// In the order of [`DIFFERENCES`].
    counts: Vec<usize>,
    /// What must not be, told in full.
    faults: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    equal: usize,
    explained: usize,
    unexplained: usize,
}

/// How many faults each thread tells.
const TOLD: usize = 5;

impl Survey {
    /// Gives `count` streams to all receivers, on two threads and two child processes.
    pub fn take(python: &Path, seed: u64, count: usize) -> Result<Self, String> {
        let halves = thread::scope(|scope| {
            let half = |half| scope.spawn(move || Self::take_half(python, seed, count, half));
            [half(0), half(1)].map(|half| half.join().expect("a thread does not panic"))
        });
        let mut survey = Self::new();
        for half in halves {
            survey.add(half?);
        }
        Ok(survey)
    }

    /// Every other batch.
    fn take_half(python: &Path, seed: u64, count: usize, half: usize) -> Result<Self, String> {
        let batches = (0..count.div_ceil(BATCH)).skip(half).step_by(2);
        let streams: Vec<Stream> = batches
            .flat_map(|number| {
                let mut streams = batch(seed, number);
                streams.truncate(count - number * BATCH);
                streams
            })
            .collect();
        let mut survey = Self::new();
        survey.streams = streams.len();
        thread::scope(|scope| {
            let wsproto = scope.spawn(|| receive(Peer::Wsproto, python, &streams));
            let ours: Vec<Outcome> = streams.iter().map(|s| survey.judge(s)).collect();
            for (stream, ours) in streams.iter().zip(&ours) {
                for (peer, receive) in RUST_PEERS {
                    let theirs = [receive(stream, &[]), receive(stream, &stream.places)];
                    survey.count(peer, python, stream, ours, &theirs);
                }
            }
            let outcomes = wsproto.join().expect("a thread does not panic")?;
            for ((stream, ours), theirs) in streams.iter().zip(&ours).zip(&outcomes) {
                survey.count(Peer::Wsproto, python, stream, ours, theirs);
            }
            Ok(survey)
        })
    }

    fn new() -> Self {
        Self {
            counts: vec![0; DIFFERENCES.len()],
            ..Self::default()
        }
    }

    /// sockless and the model without switches have to agree with the oracle.
    fn judge(&mut self, stream: &Stream) -> Outcome {
        let expected = match ours::receive(stream) {
            Ok(outcome) => outcome,
            Err(difference) => {
                let stream = describe(stream);
                self.faults.push(format!(
                    "sockless is not the oracle\n{stream}\n{difference}"
                ));
                return Outcome::default();
            }
        };
        let plain = predict(Peer::Wsproto, Classes::default(), stream);
        if plain != expected {
            let stream = describe(stream);
            self.tell(|| {
                format!(
                    "the model is not the oracle\n{stream}\noracle: {expected:?}\nmodel:  {plain:?}"
                )
            });
        }
        expected
    }

    fn count(
        &mut self,
        peer: Peer,
        python: &Path,
        stream: &Stream,
        ours: &Outcome,
        theirs: &[Outcome; 2],
    ) {
        let tally = &mut self.tallies[peer as usize];
        let mut classes: Vec<Class> = Vec::new();
        // Cutting changes nothing, or is looked at.
        let different = if theirs[0] == theirs[1] { 1 } else { 2 };
        for theirs in &theirs[..different] {
            match compare(peer, stream, ours, theirs) {
                Comparison::Equal => {}
                Comparison::Explained(found) => classes.extend(found),
                Comparison::Unexplained => {
                    tally.unexplained += 1;
                    self.tell(|| unexplained(peer, python, stream, ours, theirs));
                    return;
                }
            }
        }
        if classes.is_empty() {
            tally.equal += 1;
            return;
        }
        tally.explained += 1;
        for (row, count) in DIFFERENCES.iter().zip(&mut self.counts) {
            *count += usize::from(row.peer == peer && classes.contains(&row.class));
        }
    }

    /// The first faults are enough to know.
    fn tell(&mut self, fault: impl FnOnce() -> String) {
        if self.faults.len() < TOLD {
            self.faults.push(fault());
        }
    }

    fn add(&mut self, other: Self) {
        self.streams += other.streams;
        for (tally, other) in self.tallies.iter_mut().zip(other.tallies) {
            tally.equal += other.equal;
            tally.explained += other.explained;
            tally.unexplained += other.unexplained;
        }
        for (count, other) in self.counts.iter_mut().zip(other.counts) {
            *count += other;
        }
        self.faults.extend(other.faults);
    }

    /// The totals and the classes, in Markdown.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| peer | streams | equal | explained | unexplained |\n|---|---|---|---|---|\n",
        );
        for (peer, tally) in Peer::ALL.iter().zip(self.tallies) {
            let (name, streams) = (peer.name(), self.streams);
            let Tally {
                equal,
                explained,
                unexplained,
            } = tally;
            let _ = writeln!(
                table,
                "| {name} | {streams} | {equal} | {explained} | {unexplained} |"
            );
        }
        table.push('\n');
        table.push_str(&table::rows(Some(&self.counts)));
        table
    }

    /// Nothing is unexplained, and with enough streams every class of the table has been met.
    pub fn check(&self, enough: bool) -> Result<(), String> {
        if !self.faults.is_empty() {
            for fault in &self.faults {
                println!("{fault}\n");
            }
            return Err("not every difference is explained".into());
        }
        for (row, count) in DIFFERENCES.iter().zip(&self.counts) {
            if enough && *count == 0 {
                let peer = row.peer.name();
                return Err(format!("{:?} of {peer} was never met", row.class));
            }
        }
        Ok(())
    }
}

type Receive = fn(&Stream, &[usize]) -> Outcome;

const RUST_PEERS: [(Peer, Receive); 2] = [
    (Peer::Tungstenite, tungstenite::receive),
    (Peer::Fastwebsockets, fastwebsockets::receive),
];

/// What cannot be explained, as it was and made smaller.
fn unexplained(
    peer: Peer,
    python: &Path,
    stream: &Stream,
    ours: &Outcome,
    theirs: &Outcome,
) -> String {
    let told = outcomes(peer, stream, ours, theirs);
    let smaller = minimise(peer, python, stream).and_then(|small| {
        let ours = ours::receive(&small)?;
        let theirs = receive(peer, python, slice::from_ref(&small))?;
        Ok(outcomes(peer, &small, &ours, &theirs[0][1]))
    });
    let smaller = smaller.unwrap_or_else(|error| error);
    format!("{told}\nmade smaller: {smaller}")
}

fn outcomes(peer: Peer, stream: &Stream, ours: &Outcome, theirs: &Outcome) -> String {
    let name = peer.name();
    let predicted = predict(peer, Classes::of(peer), stream);
    let stream = describe(stream);
    format!(
        "{name} is not explained\n{stream}\nsockless: {ours:?}\n{name}: {theirs:?}\nby the table: {predicted:?}"
    )
}

fn describe(stream: &Stream) -> String {
    let role = format!("{:?}", stream.role).to_lowercase();
    let (hex, places) = (table::hex(&stream.bytes), &stream.places);
    let limits = stream.limits;
    if (1..stream.bytes.len()).eq(places.iter().copied()) {
        format!("--stream {role} {hex} (cut everywhere, limits: {limits:?})")
    } else {
        format!("--stream {role} {hex} (cut at {places:?}, limits: {limits:?})")
    }
}
