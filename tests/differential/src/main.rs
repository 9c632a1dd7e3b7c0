//! Gives the same generated streams to sockless and to three other receivers, and explains every difference.
//!
//! See README.md.

mod compare;
mod frame;
mod model;
mod outcome;
mod peers;
mod stream;
mod table;

use std::process::ExitCode;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use sockless::test_util::Role;

use crate::compare::{explain, ours};
use crate::peers::Peer;
use crate::stream::{Limits, Stream, streams};
use crate::table::{ROWS, Row, Switches, parse_hex};

const USAGE: &str = "usage: differential PYTHON [--seed N] [--count N]
       differential PYTHON --stream (client|server) HEX...";

/// Every row of the table explains some of this many streams.
const COUNT: u32 = 20_000;
const SEED: u64 = 6455;

struct Options {
    python: String,
    seed: u64,
    count: u32,
    stream: Option<Stream>,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = match &options.stream {
        Some(stream) => show(&options.python, stream),
        None => run(&options),
    };
    if let Err(error) = result {
        println!("not ok: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        python: arguments.next()?,
        seed: SEED,
        count: COUNT,
        stream: None,
    };
    while let Some(argument) = arguments.next() {
        match &argument[..] {
            "--seed" => options.seed = arguments.next()?.parse().ok()?,
            "--count" => options.count = arguments.next()?.parse().ok().filter(|n| *n > 0)?,
            "--stream" => {
                let role = match &arguments.next()?[..] {
                    "client" => Role::Client,
                    "server" => Role::Server,
                    _ => return None,
                };
                let hex = arguments.by_ref().collect::<Vec<_>>().join(" ");
                options.stream = Some(Stream::new(role, Limits::Default, parse_hex(&hex)?));
            }
            _ => return None,
        }
    }
    Some(options)
}

/// Prints what each receiver makes of one stream.
fn show(python: &str, stream: &Stream) -> Result<(), String> {
    let ours = ours(stream);
    println!("sockless: {ours:?}");
    for peer in &mut peers::all(python)? {
        for places in [&[], &stream.places[..]] {
            let theirs = peer.receive(stream, places);
            let switches = explain(peer.name(), stream, &ours, &theirs);
            println!("{}: {theirs:?} {switches:?}", peer.name());
        }
    }
    Ok(())
}

fn run(options: &Options) -> Result<(), String> {
    let mut peers = peers::all(&options.python)?;
    for row in ROWS.iter() {
        check_example(row, &mut peers)?;
    }
    let half = |half| thread_counts(options, half);
    let [one, other] = thread::scope(|scope| {
        [0, 1]
            .map(|i| scope.spawn(move || half(i)))
            .map(|half| half.join().expect("no panic"))
    });
    let (one, other) = (one?, other?);
    for ((row, one), other) in ROWS.iter().zip(one).zip(other) {
        let (peer, switch, count) = (row.peer, row.switch, one + other);
        println!("{peer} {switch:?}: {count} streams");
        if count == 0 && options.count >= COUNT {
            return Err(format!("{switch:?} of {peer} explains no stream"));
        }
    }
    println!("ok: {} streams from seed {}", options.count, options.seed);
    Ok(())
}

/// The example of a row needs the switch of the row, and no others than it names.
fn check_example(row: &Row, peers: &mut [Box<dyn Peer>]) -> Result<(), String> {
    let mut peers = peers.iter_mut();
    let peer = peers.find(|peer| peer.name() == row.peer);
    let peer = peer.ok_or_else(|| format!("unknown peer: {}", row.peer))?;
    let (stream, ours) = (&row.example, ours(&row.example));
    for places in [&[], &stream.places[..]] {
        let theirs = peer.receive(stream, places);
        let switches = explain(row.peer, stream, &ours, &theirs);
        if switches != Some(row.example_switches) {
            return Err(format!(
                "the example {stream:?} does not show {:?} of {}, but {switches:?}\n\
                 sockless: {ours:?}\ntheirs: {theirs:?}",
                row.switch, row.peer
            ));
        }
    }
    Ok(())
}

/// Gives half of the streams to all receivers. Returns how many streams each row explains.
fn thread_counts(options: &Options, half: u32) -> Result<Vec<usize>, String> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&options.seed.to_be_bytes());
    seed[8..12].copy_from_slice(&half.to_be_bytes());
    let config = ProptestConfig {
        cases: options.count / 2 + options.count % 2 * half,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let state = (peers::all(&options.python)?, vec![0; ROWS.len()]);
    let state = std::cell::RefCell::new(state);
    let result = runner.run(&streams(), |stream| {
        let (peers, counts) = &mut *state.borrow_mut();
        check(&stream, peers, counts).map_err(TestCaseError::fail)
    });
    result.map_err(|error| error.to_string())?;
    Ok(state.into_inner().1)
}

/// Explains every difference on one stream, which each receiver gets whole and cut.
fn check(stream: &Stream, peers: &mut [Box<dyn Peer>], counts: &mut [usize]) -> Result<(), String> {
    let ours = ours(stream);
    for peer in peers {
        let name = peer.name();
        let mut switches = Switches::default();
        for places in [&[], &stream.places[..]] {
            let theirs = peer.receive(stream, places);
            let needed = explain(name, stream, &ours, &theirs);
            switches = switches.and(needed.ok_or_else(|| {
                let predicted = model::predict(name, Switches::of(name), stream);
                format!(
                    "no switches explain {name}, cut at {places:?}\n\
                     sockless:  {ours:?}\n{name}: {theirs:?}\nthe table: {predicted:?}"
                )
            })?);
        }
        for (row, count) in ROWS.iter().zip(&mut *counts) {
            *count += usize::from(row.peer == name && switches.contains(row.switch));
        }
    }
    Ok(())
}
