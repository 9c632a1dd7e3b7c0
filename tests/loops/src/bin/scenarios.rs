//! Drives a WebSocket echo server, or a client, through stops of its process, slow peers and abrupt endings.
//!
//! It prints a line for each scenario. The exit status is 1 if one failed, and 2 if the program could not start.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use loops::scenarios::{CLIENT_NAMES, ClientPlan, NAMES, Plan, run, run_client};
use loops::{Failure, Target, command_line};

const USAGE: &str = "\
usage: scenarios URL --pid PID [--timeout SECONDS] [--ca FILE] [--close-at PATH] [--unread BYTES] [NAME...]
       scenarios client [--timeout SECONDS] [NAME...] -- COMMAND...
  --pid PID          the process of the server, on this machine
  --timeout SECONDS  the length of all its deadlines (default: 10 for the opening handshake, 20 for the Ping,
                     20 for the Pong, 10 for the Close)
  --ca FILE          the certificate authority to trust, for https and wss
  --close-at PATH    the path where the server closes with 4001 and the reason bye
  --unread BYTES     how much the server takes while its client reads no answers (8000000); use less for a server
                     with small output
  NAME...            run only these scenarios
  COMMAND...         the client; its last argument will be a URL";

enum Task {
    Server(Plan),
    Client(ClientPlan),
}

fn main() -> ExitCode {
    let names = [&NAMES[..], &CLIENT_NAMES].concat().join(", ");
    let usage = format!("{USAGE}\nscenarios: {names}");
    command_line::run("scenarios", &usage, task, async |task| {
        let report = match task {
            Task::Server(plan) => run(plan).await,
            Task::Client(plan) => run_client(plan).await,
        };
        if report.ok() {
            return Ok(());
        }
        Err(Failure::Lost(String::from("a scenario failed")))
    })
}

fn task(arguments: &mut lexopt::Parser) -> Result<Option<Task>, lexopt::Error> {
    let (mut place, mut pid, mut timeout, mut ca) = (None, None, None, None::<PathBuf>);
    let (mut close_at, mut unread, mut names) = (None, 8_000_000, Vec::new());
    let mut command = Vec::new();
    loop {
        // Everything after `--` is the command.
        if let Some(mut raw) = arguments.try_raw_args()
            && raw.next_if(|argument| argument == "--").is_some()
        {
            command = raw.map(ValueExt::string).collect::<Result<_, _>>()?;
        }
        let Some(argument) = arguments.next()? else {
            break;
        };
        match argument {
            Long("pid") => pid = Some(arguments.value()?.parse()?),
            Long("timeout") => timeout = Some(Duration::from_secs(arguments.value()?.parse()?)),
            Long("ca") => ca = Some(arguments.value()?.into()),
            Long("unread") => unread = arguments.value()?.parse()?,
            Long("close-at") => close_at = Some(arguments.value()?.string()?),
            Long("help") | Short('h') => return Ok(None),
            Value(value) if place.is_none() => place = Some(value.string()?),
            Value(value) => names.push(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let place = place.ok_or("no URL")?;
    let is_client = place == "client";
    let known = if is_client { &CLIENT_NAMES[..] } else { &NAMES };
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!(
            "unknown scenario {unknown:?}, known are {}",
            known.join(", ")
        )
        .into());
    }
    if is_client {
        if command.is_empty() {
            return Err("no command after --".into());
        }
        return Ok(Some(Task::Client(ClientPlan {
            command,
            timeout,
            names,
        })));
    }
    Ok(Some(Task::Server(Plan {
        target: Target::new(&place, ca.as_deref(), "http/1.1")?,
        server: pid.ok_or("no --pid")?,
        timeout,
        unread,
        close_at,
        names,
    })))
}
