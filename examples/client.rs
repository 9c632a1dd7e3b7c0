//! A client on threads. It sends lines of standard input as text, and prints events.
//!
//! ```text
//! cargo run --example client -- [--echo] [--protocol a,b] [--header 'Name: value'] [--timeout SECONDS]
//! ws://127.0.0.1:8080/ cargo run --features deflate --example client -- --deflate ws://127.0.0.1:8080/
//! ```
//!
//! Lines that begin with a slash are commands: `/close 1000 bye` closes, `/ping x` sends a Ping, `/help` lists all
//! commands. At the end of input the client closes with 1000. `--echo` sends back every message and reads no input. The
//! exit status is 0 after a clean close with 1000, 1 after any other ending, and 2 for bad arguments.
//!
//! `--deflate` offers compression with permessage-deflate. `--deflate=no-context-takeover` also offers to compress each
//! message without the context of earlier ones. The client does so whatever the server answers.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, BufRead};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use lexopt::prelude::*;
use sockless::handshake::{ClientHandshake, ClientOptions, Header};
use sockless::{CloseCode, Config, Connection, Deadlines, Event, ReadBuffer, Seed, SendError};

use crate::command_line::{Program, complain, say, timeout};
use crate::threads::{Events, READ, Shared, is_late, now, read, write};

#[path = "common/advice.rs"]
#[expect(unreachable_pub, reason = "libraries include it too")]
mod advice;
#[path = "common/command_line.rs"]
#[expect(dead_code, unreachable_pub, reason = "servers include it too")]
mod command_line;
#[path = "common/deflate.rs"]
mod deflate;
#[path = "common/threads.rs"]
mod threads;

const PROGRAM: Program = Program {
    name: "client",
    arguments: "[--echo] [--deflate[=no-context-takeover]] [--protocol a,b] \
        [--header 'Name: value'] [--timeout SECONDS] URL",
    options: "  URL                ws://HOST[:PORT]/PATH
  --echo             send back every message, and do not read the input
  --deflate          offer compression; =no-context-takeover: without the context of earlier messages
  --protocol a,b     offer these subprotocols, the preferred one first
  --header HEADER    also send this header; may be used more than once",
};

const COMMANDS: &str = "/ping [PAYLOAD]         send a Ping
/pong [PAYLOAD]         send a Pong
/close [CODE [REASON]]  close with this code (1000)
/help                   print this
//TEXT                  send text that begins with a slash: /TEXT";

struct Arguments {
    echo: bool,
    config: Config,
    protocols: Vec<String>,
    headers: Vec<(String, String)>,
    url: String,
}

fn main() -> ExitCode {
    let arguments = match PROGRAM.read(parse_arguments) {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn parse_arguments(parser: &mut lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let (mut echo, mut protocols, mut headers) = (false, Vec::new(), Vec::new());
    let mut config = Config::new().with_deadlines(Deadlines::new());
    let mut url = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("echo") => echo = true,
            Long("deflate") => deflate::configure(&mut config, parser.optional_value())?,
            Long("timeout") => config.deadlines = Some(timeout(parser)?),
            Long("protocol") => {
                let names = parser.value()?.string()?;
                protocols = names.split(',').map(|name| name.trim().into()).collect();
            }
            Long("header") => {
                let header = parser.value()?.string()?;
                let (name, value) = header
                    .split_once(':')
                    .ok_or_else(|| format!("--header needs 'Name: value', not {header:?}"))?;
                headers.push((name.into(), value.trim().into()));
            }
            Value(value) if url.is_none() => url = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let url = url.ok_or("the URL is missing, such as ws://127.0.0.1:8080/")?;
    advice::uri_without_tls(&url)?;
    Ok(Some(Arguments {
        echo,
        config,
        protocols,
        headers,
        url,
    }))
}

/// Connects and talks. Returns whether the connection ended cleanly with 1000.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let protocols: Vec<_> = arguments.protocols.iter().map(String::as_str).collect();
    let headers: Vec<_> = arguments
        .headers
        .iter()
        .map(|(name, value)| Header {
            name,
            value: value.as_bytes(),
        })
        .collect();
    let options = ClientOptions::new()
        .with_config(arguments.config.clone())
        .with_subprotocols(&protocols)
        .with_headers(&headers);

    let uri = advice::uri_without_tls(&arguments.url)?;
    let seed = Seed::from_os().map_err(|error| error.to_string())?;
    let handshake =
        ClientHandshake::new(&uri, &options, seed).map_err(|error| error.to_string())?;
    let transport = TcpStream::connect((uri.host(), uri.port()))
        .map_err(|error| format!("cannot connect to {}: {error}", arguments.url))?;
    let mut buffer = ReadBuffer::with_capacity(READ);
    let connection = open(&transport, handshake, &mut buffer)?;
    Ok(talk(&transport, connection, buffer, arguments.echo))
}

/// Sends the request and reads the response.
fn open(
    transport: &TcpStream,
    mut handshake: ClientHandshake,
    buffer: &mut ReadBuffer,
) -> Result<Connection, String> {
    let failed = |error: io::Error| format!("opening handshake: {error}");
    transport.set_nodelay(true).map_err(failed)?;
    loop {
        handshake
            .handle_timeout(now())
            .map_err(|error| advice::broken(error, buffer.unread()))?;
        let until = handshake.timeout_at();
        if !handshake.output().is_empty() {
            let n = write(transport, handshake.output(), until).map_err(failed)?;
            handshake.advance_output(n);
            continue;
        }
        match read(transport, buffer, until) {
            Ok(0) => return Err(String::from(advice::ENDED)),
            Err(error) if !is_late(&error) => {
                return Err(format!("opening handshake: {error}: {}", advice::OTHER));
            }
            _ => {}
        }
        let start = buffer.unread().iter().take(5).copied().collect::<Vec<_>>();
        let read = handshake.read_response(buffer);
        let Some((response, connection)) = read.map_err(|error| advice::broken(error, &start))?
        else {
            continue;
        };
        let header = |name: &str| {
            let value = response.single_header(name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let connection = connection.ok_or_else(|| advice::refused(response.status(), header))?;
        let subprotocol = response
            .subprotocol()
            .map_or(String::new(), |name| format!(" subprotocol={name}"));
        say(format_args!(
            "open{subprotocol}{}",
            deflate::agreed(&connection)
        ));
        return Ok(connection);
    }
}

/// Talks until the end. Returns whether that was clean and with 1000.
fn talk(transport: &TcpStream, connection: Connection, mut buffer: ReadBuffer, echo: bool) -> bool {
    let shared = Shared::new(connection);
    let shared = &*Box::leak(Box::new(shared));
    // Nothing waits for this thread, because nothing can interrupt a read from standard input.
    if !echo {
        thread::spawn(move || send_lines(shared));
    }
    let take = |event: Event<'_>| {
        if echo {
            send_back(shared, event);
        } else {
            print(event);
        }
    };
    let events = if echo {
        Events::Answered
    } else {
        Events::Heard
    };
    shared.run(transport, &mut buffer, events, |_| {}, take);
    shared.with(|connection| {
        let Some(ending) = connection.close_event() else {
            return false;
        };
        let clean = if ending.was_clean {
            "clean"
        } else {
            "not clean"
        };
        say(format_args!(
            "closed {} {:?} {clean}",
            u16::from(ending.code),
            ending.reason
        ));
        if let Some(error) = ending.error {
            complain(format_args!("failed: {error}"));
        }
        if let Some(timeout) = ending.timeout {
            complain(format_args!("too late: {timeout:?}"));
        }
        ending.was_clean && ending.code == CloseCode::NORMAL
    })
}

/// Sends every line of standard input, then closes.
fn send_lines(shared: &Shared) {
    let mut code = CloseCode::NORMAL;
    for line in io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                complain(format_args!("standard input: {error}"));
                code = CloseCode::GOING_AWAY;
                break;
            }
        };
        // Without room the connection is at its end. The error of the send says so.
        shared.wait_for_room(None);
        let sent = shared.with(|connection| send_line(connection, &line));
        if let Err(error) = sent {
            complain(format_args!("not sent: {error}"));
        }
    }
    // This fails if `/close` or the server came first. That does no harm.
    _ = shared.with(|connection| connection.close(code, ""));
}

/// Sends a line as text, or runs its command.
fn send_line(connection: &mut Connection, line: &str) -> Result<(), String> {
    let Some(command) = line.strip_prefix('/') else {
        return connection
            .send_text(line)
            .map_err(|error| error.to_string());
    };
    let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
    let sent = match command {
        "ping" => connection.send_ping(rest.as_bytes()),
        "pong" => connection.send_pong(rest.as_bytes()),
        "close" => {
            let (code, reason) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
            connection.close(parse_close_code(code.trim())?, reason.trim_start())
        }
        "help" => {
            say(COMMANDS);
            Ok(())
        }
        _ if command.starts_with('/') => connection.send_text(&line[1..]),
        _ => {
            return Err(format!(
                "unknown command /{command}: /help lists all commands, //{command} sends text"
            ));
        }
    };
    sent.map_err(|error| error.to_string())
}

/// The code of `/close`. It must be a code that an endpoint may send.
fn parse_close_code(code: &str) -> Result<CloseCode, String> {
    if code.is_empty() {
        return Ok(CloseCode::NORMAL);
    }
    let number: u16 = code
        .parse()
        .map_err(|_| format!("{code:?} is not a close code: write /close 1000 bye"))?;
    match CloseCode::new(number) {
        // `Connection::close` would send no code for this one (RFC 6455, section 7.4.1). The user asked for a code.
        CloseCode::NO_STATUS_RECEIVED => {
            Err(SendError::InvalidCloseCode(CloseCode::NO_STATUS_RECEIVED).to_string())
        }
        code => Ok(code),
    }
}

fn send_back(shared: &Shared, event: Event<'_>) {
    // The output has room, so this fails only if the connection is closing.
    _ = shared.with(|connection| match event {
        Event::Text { text, .. } => connection.send_text(text),
        Event::Binary { data, .. } => connection.send_binary(data),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // sockless has answered
    });
}

fn print(event: Event<'_>) {
    match event {
        Event::Text { text, .. } => say(format_args!("text: {text}")),
        Event::Binary { data, .. } => say(format_args!("binary: {} bytes", data.len())),
        Event::Ping(payload) => say(format_args!("ping: {}", String::from_utf8_lossy(payload))),
        Event::Pong(payload) => say(format_args!("pong: {}", String::from_utf8_lossy(payload))),
        Event::Close(_) => {} // sockless has answered; `talk` prints the end
    }
}
