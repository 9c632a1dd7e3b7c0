//! Drives a WebSocket echo server with many connections at once.
//!
//! It opens all connections before it sends the first message. Every echo must be exactly the message, in order. Every
//! Ping must be answered. The server must answer a Close with 1000 by the same code, then end the stream. The exit
//! status is 1 if anything was lost, and 2 if the program could not start.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use loops::command_line::{self, say};
use loops::load::{raise_file_limit, run};
use loops::{Failure, Plan, Target};

const USAGE: &str = "\
usage: load URL [--connections N] [--messages M] [--size BYTES] [--http2 K] [--ca FILE]
            [--resident PID] [--seconds S]
  --connections N  the number of connections, all open at once (1000)
  --messages M     the number of messages on each connection (10)
  --size BYTES     the longest message (4096); one message on each connection is 16 times longer
  --http2 K        use HTTP/2, with K WebSockets on each TCP connection
  --ca FILE        the certificate authority to trust, for https and wss
  --resident PID   the process of the server: print the memory that each connection takes there
  --seconds S      the time limit for everything (300)";

fn main() -> ExitCode {
    command_line::run("load", USAGE, plan, async |plan| {
        raise_file_limit(plan.connections).map_err(Failure::Unable)?;
        say(run(plan).await?);
        Ok(())
    })
}

fn plan(arguments: &mut lexopt::Parser) -> Result<Option<Plan>, lexopt::Error> {
    let (mut connections, mut messages, mut size, mut seconds) = (1000, 10, 4096, 300);
    let (mut url, mut http2, mut ca, mut server) = (None, None, None, None);
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
    Ok(Some(Plan {
        target: Target::new(&url, ca.as_deref(), protocol)?,
        connections,
        messages,
        size,
        http2,
        server,
        limit: Duration::from_secs(seconds),
    }))
}
