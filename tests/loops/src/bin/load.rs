//! Drives a WebSocket echo server with many connections at once.
//!
//! All of them are open before the first message is sent. Every echo has to be exactly what was sent, in order, every
//! Ping has to be answered, and a Close with 1000 has to come back and be followed by the end of the stream. Ends with 1
//! if anything was lost, and with 2 if nothing could be tried.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use loops::load::{raise_file_limit, run};
use loops::{Failure, Plan, Target};

const USAGE: &str = "\
usage: load URL [--connections N] [--messages M] [--size BYTES] [--http2 K] [--ca FILE]
            [--resident PID] [--seconds S]
  --connections N  so many connections at once (1000)
  --messages M     so many messages on each (10)
  --size BYTES     the longest message, but for one on each connection, which is 16 times as long (4096)
  --http2 K        by HTTP/2, with K of them on each TCP connection
  --ca FILE        whom to trust, for https and wss
  --resident PID   the process of the server: says how much memory a connection takes there
  --seconds S      what takes longer has hung (300)";

fn main() -> ExitCode {
    let result = plan().and_then(|plan| {
        let Some(plan) = plan else {
            return say(USAGE);
        };
        raise_file_limit(plan.connections).map_err(Failure::Unable)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unable(error.to_string()))?;
        say(&runtime.block_on(run(plan))?.to_string())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(io::stderr(), "load: {error}");
            ExitCode::from(match error {
                Failure::Lost(_) => 1,
                Failure::Unable(_) => 2,
            })
        }
    }
}

fn say(line: &str) -> Result<(), Failure> {
    let cannot = |error| Failure::Unable(format!("cannot write to stdout: {error}"));
    writeln!(io::stdout(), "{line}").map_err(cannot)
}

/// What the arguments ask for; nothing if that is help.
fn plan() -> Result<Option<Plan>, Failure> {
    arguments().map_err(|error| Failure::Unable(format!("{error}\n{USAGE}")))
}

fn arguments() -> Result<Option<Plan>, lexopt::Error> {
    let (mut connections, mut messages, mut size, mut seconds) = (1000, 10, 4096, 300);
    let (mut url, mut http2, mut ca, mut server) = (None, None, None, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("connections") => connections = arguments.value()?.parse()?,
            Long("messages") => messages = arguments.value()?.parse()?,
            Long("size") => size = arguments.value()?.parse()?,
            Long("seconds") => seconds = arguments.value()?.parse()?,
            Long("http2") => http2 = Some(arguments.value()?.parse::<NonZeroUsize>()?.get()),
            Long("ca") => ca = Some(PathBuf::from(arguments.value()?)),
            Long("resident") => server = Some(arguments.value()?.parse()?),
            Long("help") | Short('h') => return Ok(None),
            Value(value) if url.is_none() => url = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let url = url.ok_or("no URL")?;
    let protocol = if http2.is_some() { "h2" } else { "http/1.1" };
    let target = Target::new(&url, ca.as_deref(), protocol)?;
    Ok(Some(Plan {
        target,
        connections,
        messages,
        size,
        http2,
        server,
        limit: Duration::from_secs(seconds),
    }))
}
