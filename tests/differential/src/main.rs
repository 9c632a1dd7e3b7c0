//! Gives the same generated streams to sockless and to three other receivers, and explains every difference.
//!
//! See README.md.

mod compare;
mod differences;
mod frame;
mod minimise;
mod model;
mod ours;
mod outcome;
mod peers;
mod stream;
mod survey;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use sockless::test_util::Role;

use crate::compare::{compare, receive};
use crate::differences::{Classes, DIFFERENCES, Difference, Example};
use crate::model::predict;
use crate::peers::Peer;
use crate::stream::{Limits, Stream};
use crate::survey::Survey;

const USAGE: &str = "usage: differential PYTHON [--seed N] [--count N] [--write-table]
       differential PYTHON --stream (client|server) HEX...";

/// So many that every class shows.
const COUNT: usize = 200_000;
const SEED: u64 = 6455;

struct Options {
    python: PathBuf,
    seed: u64,
    count: usize,
    write_table: bool,
    stream: Option<Stream>,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = match &options.stream {
        Some(stream) => show(&options, stream),
        None => run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("not ok: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Option<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        python: arguments.next()?.into(),
        seed: SEED,
        count: COUNT,
        write_table: false,
        stream: None,
    };
    while let Some(argument) = arguments.next() {
        match &argument[..] {
            "--seed" => options.seed = arguments.next()?.parse().ok()?,
            "--count" => options.count = arguments.next()?.parse().ok().filter(|n| *n > 0)?,
            "--write-table" => options.write_table = true,
            "--stream" => {
                let role = match &arguments.next()?[..] {
                    "client" => Role::Client,
                    "server" => Role::Server,
                    _ => return None,
                };
                let hex = arguments.by_ref().collect::<Vec<_>>().join(" ");
                options.stream = Some(stream(role, Limits::Default, table::parse_hex(&hex)?));
            }
            _ => return None,
        }
    }
    Some(options)
}

/// A stream that is cut everywhere.
fn stream(role: Role, limits: Limits, bytes: Vec<u8>) -> Stream {
    let places = (1..bytes.len()).collect();
    Stream {
        role,
        limits,
        bytes,
        places,
    }
}

/// What each receiver makes of one stream.
fn show(options: &Options, stream: &Stream) -> Result<(), String> {
    let ours = ours::receive(stream)?;
    println!("sockless: {ours:?}");
    for peer in Peer::ALL {
        let outcomes = receive(peer, &options.python, std::slice::from_ref(stream))?;
        for theirs in &outcomes[0] {
            let comparison = compare(peer, stream, &ours, theirs);
            println!("{}: {comparison:?} {theirs:?}", peer.name());
        }
    }
    Ok(())
}

fn run(options: &Options) -> Result<(), String> {
    let about = check_versions(options)?;
    check_examples(options)?;
    if options.write_table {
        table::write()?;
    }
    table::check()?;

    let survey = Survey::take(&options.python, options.seed, options.count)?;
    println!(
        "{} streams from seed {}, each given whole and cut: {about}\n",
        survey.streams, options.seed
    );
    println!("{}", survey.table());
    survey.check(options.count >= COUNT)
}

/// What runs is what the table is about.
fn check_versions(options: &Options) -> Result<String, String> {
    let (about, _) = peers::wsproto::receive(&options.python, &[])?;
    let wanted = Peer::Wsproto.version();
    if about.split(' ').next() != Some(wanted) {
        return Err(format!("wsproto {wanted} is wanted, this is {about}"));
    }
    // Cargo sees to the other two.
    let rust = [Peer::Tungstenite, Peer::Fastwebsockets]
        .map(|peer| format!("{} {}", peer.name(), peer.version()))
        .join(", ");
    Ok(format!("{rust}, wsproto {about}"))
}

/// Each example shows its class and nothing else.
fn check_examples(options: &Options) -> Result<(), String> {
    for peer in Peer::ALL {
        let rows: Vec<_> = DIFFERENCES.iter().filter(|row| row.peer == peer).collect();
        let streams: Vec<_> = rows.iter().map(|row| example(&row.example)).collect();
        let outcomes = receive(peer, &options.python, &streams)?;
        for ((row, stream), outcomes) in rows.iter().zip(&streams).zip(&outcomes) {
            check_example(row, stream, outcomes)?;
        }
    }
    Ok(())
}

fn example(example: &Example) -> Stream {
    let bytes = table::parse_hex(example.bytes).expect("the table is written in hexadecimal");
    stream(example.role, example.limits, bytes)
}

fn check_example(
    row: &Difference,
    stream: &Stream,
    outcomes: &[outcome::Outcome; 2],
) -> Result<(), String> {
    let classes = row.example.along.iter();
    let classes = classes.fold(Classes::default().with(row.class), |all, along| {
        all.with(*along)
    });
    let ours = ours::receive(stream).map_err(|error| format!("{}\n{error}", row.example.bytes))?;
    for theirs in outcomes {
        let found = match compare(row.peer, stream, &ours, theirs) {
            compare::Comparison::Explained(found) => found,
            _ => Vec::new(),
        };
        let found = found.into_iter().fold(Classes::default(), Classes::with);
        if found != classes || predict(row.peer, found, stream) != *theirs {
            let (peer, class, bytes) = (row.peer.name(), row.class, row.example.bytes);
            return Err(format!(
                "the example {bytes} does not show {class:?} of {peer}:\n  sockless: {ours:?}\n  {peer}: {theirs:?}"
            ));
        }
    }
    Ok(())
}
