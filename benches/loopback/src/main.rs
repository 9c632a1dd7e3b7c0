//! Measures echo servers over loopback. `benches/loopback/run` prepares the servers and runs this program.

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use sockless_loopback::grid::{Grid, Visit};
use sockless_loopback::load::Job;
use sockless_loopback::{report, servers};

const USAGE: &str = "\
usage: benches/loopback/run [--quick | --check] [OPTION]...

--quick               fewer connections, one turn
--check               a few connections; says ok for each server that echoes correctly
--connections N,...   the numbers of connections (1,100,1000,10000)
--sizes BYTES,...     the lengths of messages (16,1024,65536)
--in-flight N,...     the numbers of messages that a connection sends at once (1,16)
--turns N             the number of turns of each server (5)
--servers NAME,...    only these servers; the others are compared to the first one";

/// The files of a process that are not connections.
const OTHER_FILES: u64 = 64;

#[derive(Debug, PartialEq, Eq)]
struct Options {
    quick: bool,
    check: bool,
    connections: Option<Vec<usize>>,
    sizes: Option<Vec<usize>>,
    in_flight: Option<Vec<usize>>,
    turns: Option<usize>,
    servers: Option<Vec<String>>,
    /// The servers that cannot run here.
    not_run: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", name] => serve(name),
        ["--help" | "-h"] => {
            println!("{USAGE}\n\nservers: {}", names());
            Ok(())
        }
        _ => parse(lexopt::Parser::from_args(arguments))
            .map_err(|error| format!("{error}\n{USAGE}"))
            .and_then(|options| run(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(name: &str) -> Result<(), String> {
    // Each connection needs a file, so this raises the limit as far as the system allows.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    servers::by_name(name).ok_or_else(|| unknown(name))?.serve()
}

fn names() -> String {
    servers::ALL.map(|server| server.name).join(", ")
}

fn unknown(name: &str) -> String {
    format!("no server {name:?}: there are {}", names())
}

fn parse(mut parser: lexopt::Parser) -> Result<Options, lexopt::Error> {
    let mut options = Options {
        quick: false,
        check: false,
        connections: None,
        sizes: None,
        in_flight: None,
        turns: None,
        servers: None,
        not_run: Vec::new(),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("check") => options.check = true,
            Long("connections") => options.connections = Some(numbers(&mut parser)?),
            Long("sizes") => options.sizes = Some(numbers(&mut parser)?),
            Long("in-flight") => options.in_flight = Some(numbers(&mut parser)?),
            Long("turns") => options.turns = Some(positive(&parser.value()?.string()?)?),
            Long("servers") => {
                let names = parser.value()?.string()?;
                options.servers = Some(names.split(',').map(str::to_owned).collect());
            }
            // From the script.
            Long("not-run") => options.not_run.push(parser.value()?.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

fn numbers(parser: &mut lexopt::Parser) -> Result<Vec<usize>, lexopt::Error> {
    parser.value()?.string()?.split(',').map(positive).collect()
}

fn positive(number: &str) -> Result<usize, lexopt::Error> {
    match number.parse() {
        Ok(positive @ 1..) => Ok(positive),
        _ => Err(format!("{number:?} is not a positive number").into()),
    }
}

impl Options {
    fn grid(&self) -> Result<Grid, String> {
        let servers: Vec<_> = match &self.servers {
            None => servers::ALL.into_iter().filter(|it| it.default).collect(),
            Some(names) => {
                let find = |name: &String| servers::by_name(name).ok_or_else(|| unknown(name));
                names.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        let servers: Vec<_> = servers
            .into_iter()
            .filter(|server| !self.not_run.iter().any(|name| name == server.name))
            .collect();
        if servers.is_empty() {
            return Err("no server can run here".into());
        }
        let (connections, turns, millis): (&[_], _, _) = match (self.check, self.quick) {
            (true, _) => (&[1, 20], 1, 10),
            (_, true) => (&[1, 1000], 1, 100),
            _ => (&[1, 100, 1000, 10_000], 5, 300),
        };
        let sizes = self.sizes.clone().unwrap_or_else(|| vec![16, 1024, 65536]);
        let in_flight = self.in_flight.clone().unwrap_or_else(|| vec![1, 16]);
        let jobs = sizes.iter().flat_map(|&size| {
            let job = move |&in_flight| Job { size, in_flight };
            in_flight.iter().map(job)
        });
        Ok(Grid {
            servers,
            connections: self
                .connections
                .clone()
                .unwrap_or_else(|| connections.to_vec()),
            jobs: jobs.collect(),
            turns: self.turns.unwrap_or(turns),
            settle: Duration::from_millis(2 * millis),
            warm_up: Duration::from_millis(millis / 3),
            interval: Duration::from_millis(millis),
        })
    }
}

fn run(options: &Options) -> Result<(), String> {
    let grid = options.grid()?;
    let most = grid.connections.iter().max().copied().unwrap_or_default();
    let limit = rlimit::increase_nofile_limit(u64::MAX).map_err(|error| error.to_string())?;
    if limit < most as u64 + OTHER_FILES {
        return Err(format!(
            "{most} connections need more than {limit} open files (ulimit -n)"
        ));
    }
    if options.check {
        let ok = |visit: &Visit| {
            println!(
                "ok {}, {} connections",
                visit.server.name, visit.connections
            );
        };
        return grid.run(ok).map(|_| ());
    }
    let visits = grid.run(|visit| {
        eprintln!(
            "{} with {} connections",
            visit.server.name, visit.connections
        );
    })?;
    print!("{}", report::markdown(&grid, &visits));
    Ok(())
}
