//! Measures all series with all implementations, and reports.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use sockless_benches::machine::Machine;
use sockless_benches::measure::{Contestant, Effort, measure};
use sockless_benches::page;
use sockless_benches::peers::{self, Peer};
use sockless_benches::plot;
use sockless_benches::report::{self, Figure, Method, Row, Table, ratio, time};
use sockless_benches::series::{Series, groups};
use sockless_benches::versions::Versions;

const USAGE: &str = "\
usage: benches/run [--quick] [--only PREFIX]... [--out DIR]
  --quick        a sixth of the turns
  --only PREFIX  only series whose id begins so; may be given again
  --out DIR      write results.md and results.svg there";

const TURNS: usize = 90;

/// What the command line says.
struct Arguments {
    turns: usize,
    only: Vec<String>,
    out: Option<PathBuf>,
    /// What of the command line has a say in the figures.
    command: String,
}

impl Arguments {
    /// `None` if help is wanted.
    fn parse(arguments: &[OsString]) -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut parsed = Self {
            turns: TURNS,
            only: Vec::new(),
            out: None,
            command: "benches/run".to_owned(),
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("quick") => {
                    parsed.turns = TURNS / 6;
                    parsed.command += " --quick";
                }
                Long("only") => {
                    let prefix = parser.value()?.string()?;
                    parsed.command += " --only ";
                    parsed.command += &prefix;
                    parsed.only.push(prefix);
                }
                Long("out") => parsed.out = Some(parser.value()?.into()),
                Long("help") | Short('h') => return Ok(None),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(parsed))
    }

    fn wants(&self, series: &Series) -> bool {
        let mut prefixes = self.only.iter();
        self.only.is_empty() || prefixes.any(|prefix| series.id.starts_with(prefix))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let result = match Arguments::parse(&arguments) {
        Ok(Some(arguments)) => run(arguments),
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => Err(format!("{error}\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let mut groups = groups();
    for group in &mut groups {
        group.series.retain(|series| arguments.wants(series));
    }
    groups.retain(|group| !group.series.is_empty());
    if groups.is_empty() {
        return Err("no series begins so".to_owned());
    }
    let peers = peers::all();
    let versions = Versions::built();
    let count: usize = groups.iter().map(|group| group.series.len()).sum();
    let mut done = 0;
    let mut tables = Vec::new();
    for group in groups {
        let mut rows = Vec::new();
        for series in group.series {
            done += 1;
            eprint!("{done}/{count} {}", series.id);
            let row = measured(&series, &peers, &versions, arguments.turns)?;
            eprintln!("{}", in_short(&row));
            rows.push(row);
        }
        let title = group.title;
        tables.push(Table { title, rows });
    }

    let method = Method {
        command: arguments.command,
        turns: arguments.turns,
        machine: Machine::this(),
    };
    let markdown = report::markdown(&tables, &method);
    print!("{markdown}");
    if let Some(out) = arguments.out {
        let write = |name, text: &str| {
            let path = out.join(name);
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        write("results.md", &markdown)?;
        if let Some(plot) = plot::svg(&tables, &method) {
            write("results.svg", &plot)?;
        }
    }
    Ok(())
}

/// Checks everyone, then measures.
fn measured(
    series: &Series,
    peers: &[Box<dyn Peer>],
    versions: &Versions,
    turns: usize,
) -> Result<Row, String> {
    let mut contestants = implementations(series, peers, versions, 0)?;
    let count = contestants.len();
    contestants.extend(limits(series, 0)?);
    for place in 1..series.job.places() {
        let mut again = implementations(series, peers, versions, place)?;
        again.extend(limits(series, place)?);
        for (contestant, again) in contestants.iter_mut().zip(again) {
            contestant.passes.extend(again.passes);
        }
    }
    let effort = Effort {
        turns,
        rounds: series.rounds,
    };
    let times = measure(&mut contestants, series.job.messages(), effort);
    let mut figures = contestants
        .into_iter()
        .zip(times)
        .map(|(Contestant { name, .. }, time)| Figure { name, time });
    let mut own_and_peers = figures.by_ref().take(count);
    let sockless = own_and_peers.next().expect("it does every job");
    Ok(Row {
        title: series.title.clone(),
        sockless,
        peers: own_and_peers.collect(),
        limits: figures.collect(),
        plotted: series.plotted,
    })
}

/// Sockless and the peers that can do it, each with one pass, in memory that depends on `place`.
fn implementations(
    series: &Series,
    peers: &[Box<dyn Peer>],
    versions: &Versions,
    place: usize,
) -> Result<Vec<Contestant>, String> {
    let mut contestants = Vec::new();
    for (i, peer) in peers.iter().enumerate() {
        page::skip(place);
        let name = versions.name(peer.name());
        match series.job.pass(&**peer) {
            Some(pass) => contestants.push(checked(series, name, pass)?),
            None if i == 0 => return Err(format!("{name} must do every job: {}", series.id)),
            None => {}
        }
    }
    Ok(contestants)
}

/// The limits, in the same manner.
fn limits(series: &Series, place: usize) -> Result<Vec<Contestant>, String> {
    let limits = series.job.limits().into_iter();
    limits
        .map(|limit| {
            page::skip(place);
            checked(series, limit.name.to_owned(), limit.pass)
        })
        .collect()
}

fn checked(series: &Series, name: String, mut pass: peers::Pass) -> Result<Contestant, String> {
    let expected = series
        .job
        .check(&mut pass)
        .map_err(|error| format!("{}: {name}: {error}", series.id))?;
    Ok(Contestant {
        name,
        passes: vec![pass],
        expected,
    })
}

fn in_short(row: &Row) -> String {
    let beside = [row.best_peer(), row.limit()];
    let beside = beside.into_iter().flatten().map(|figure| {
        let ratio = ratio(row.sockless.time / figure.time);
        format!(", {ratio} times {}", figure.name)
    });
    format!(
        ": {}{}",
        time(row.sockless.time),
        beside.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<Arguments>, lexopt::Error> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        Arguments::parse(&arguments)
    }

    #[test]
    fn arguments() {
        let plain = parse(&[]).unwrap().unwrap();
        assert_eq!((plain.turns, plain.out), (90, None));
        let given = ["--quick", "--only", "send-", "--only=echo-1", "--out", "x"];
        let given = parse(&given).unwrap().unwrap();
        assert_eq!(given.turns, 15);
        assert_eq!(
            given.command,
            "benches/run --quick --only send- --only echo-1"
        );
        assert_eq!(given.out, Some(PathBuf::from("x")));
        let ids: Vec<_> = groups()
            .into_iter()
            .flat_map(|group| group.series)
            .filter(|series| given.wants(series))
            .map(|series| series.id)
            .collect();
        assert_eq!(ids.len(), 14 + 4, "{ids:?}");
        assert!(parse(&["--help"]).unwrap().is_none());
        assert!(parse(&["--only"]).is_err());
        assert!(parse(&["--fast"]).is_err());
    }
}
