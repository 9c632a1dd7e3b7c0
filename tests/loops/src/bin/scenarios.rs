//! Drives a WebSocket echo server, or a client, through stops of its process, slow peers and rude endings.
//!
//! It prints a line for each scenario. Ends with 1 if one failed, and with 2 if nothing could be tried.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use loops::Target;
use loops::scenarios::{CLIENT_NAMES, ClientPlan, NAMES, Plan, run, run_client};

const USAGE: &str = "\
usage: scenarios URL --pid PID [--timeout SECONDS] [--ca FILE] [--close-at PATH] [--unread BYTES] [NAME...]
       scenarios client [--timeout SECONDS] [NAME...] -- COMMAND...
  --pid PID          the process of the server, on this machine
  --timeout SECONDS  the length of all its deadlines (without it 10 for the opening handshake, 20 and 20 for
                     Ping and Pong, 10 for Close)
  --ca FILE          whom to trust, for https and wss
  --close-at PATH    where the server closes with 4001 and the reason bye
  --unread BYTES     how much it takes while its client reads no answers (8000000); less for a server of small output
  NAME...            only these scenarios
  COMMAND...         the client; it gets a URL as its last argument";

/// What the arguments ask for.
enum Task {
    Help,
    Server(Plan),
    Client(ClientPlan),
}

fn main() -> ExitCode {
    let task = match arguments() {
        Ok(task) => task,
        Err(error) => {
            complain(&format!("{error}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(2);
        }
    };
    let ok = match task {
        Task::Help => {
            let names = [&NAMES[..], &CLIENT_NAMES].concat().join(", ");
            _ = writeln!(io::stdout(), "{USAGE}\nscenarios: {names}");
            true
        }
        Task::Server(plan) => runtime.block_on(run(plan)).ok,
        Task::Client(plan) => runtime.block_on(run_client(plan)).ok,
    };
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn complain(error: &str) {
    _ = writeln!(io::stderr(), "scenarios: {error}");
}

fn arguments() -> Result<Task, lexopt::Error> {
    let (mut place, mut pid, mut timeout, mut ca) = (None, None, None, None::<PathBuf>);
    let (mut close_at, mut unread, mut names) = (None, 8_000_000, Vec::new());
    let mut arguments = lexopt::Parser::from_env();
    let mut command = Vec::new();
    while let Some(argument) = next(&mut arguments, &mut command)? {
        match argument {
            Long("pid") => pid = Some(arguments.value()?.parse()?),
            Long("timeout") => timeout = Some(Duration::from_secs(arguments.value()?.parse()?)),
            Long("ca") => ca = Some(arguments.value()?.into()),
            Long("unread") => unread = arguments.value()?.parse()?,
            Long("close-at") => close_at = Some(arguments.value()?.string()?),
            Long("help") | Short('h') => return Ok(Task::Help),
            Value(value) if place.is_none() => place = Some(value.string()?),
            Value(value) => names.push(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let place = place.ok_or("no URL")?;
    let is_client = place == "client";
    let known = if is_client { &CLIENT_NAMES[..] } else { &NAMES };
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("no scenario {unknown:?}, but {}", known.join(", ")).into());
    }
    if is_client {
        if command.is_empty() {
            return Err("no command after --".into());
        }
        return Ok(Task::Client(ClientPlan {
            command,
            timeout,
            names,
        }));
    }
    Ok(Task::Server(Plan {
        target: Target::new(&place, ca.as_deref(), "http/1.1")?,
        server: pid.ok_or("no --pid")?,
        timeout,
        unread,
        close_at,
        names,
    }))
}

/// The next argument. What follows `--` is the command.
fn next<'a>(
    arguments: &'a mut lexopt::Parser,
    command: &mut Vec<String>,
) -> Result<Option<lexopt::Arg<'a>>, lexopt::Error> {
    if let Some(mut raw) = arguments.try_raw_args()
        && raw.next_if(|argument| argument == "--").is_some()
    {
        for argument in raw {
            command.push(argument.string()?);
        }
        return Ok(None);
    }
    arguments.next()
}
