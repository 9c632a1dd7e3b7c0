//! A client on threads: lines from standard input go out as text, events are printed.
//!
//! ```text
//! cargo run --example client -- [--echo] [--protocol a,b] [--header 'Name: value'] ws://127.0.0.1:8080/
//! cargo run --features deflate --example client -- --deflate ws://127.0.0.1:8080/
//! ```
//!
//! `/close 1000 bye` closes, `/ping x` sends a Ping, the end of input closes with 1000. `--echo` sends back
//! every message instead of reading input. The exit status is 0 after a clean close with 1000, 1 after
//! any other ending, 2 for bad arguments.
//!
//! `--deflate` offers compression with permessage-deflate; `--deflate=no-context-takeover` offers, too,
//! to compress every message by itself, and does so whatever the server answers.

use std::io::{self, BufRead};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use sockless::handshake::{ClientHandshake, ClientOptions, Header, Opening, Uri};
use sockless::{CloseCode, Config, Connection, Deadlines, Event, ReadBuffer, Seed, SendError};

use crate::threads::{Shared, now, read, say, write};

#[path = "shared/deflate.rs"]
mod deflate;
#[path = "shared/threads.rs"]
mod threads;

const USAGE: &str = "usage: client [--echo] [--deflate[=no-context-takeover]] [--protocol a,b] \
    [--header 'Name: value'] URL";

#[derive(Default)]
struct Arguments {
    echo: bool,
    config: Config,
    protocols: Vec<String>,
    headers: Vec<(String, String)>,
    url: String,
}

fn main() -> ExitCode {
    let arguments = match parse_arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("client: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse_arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    arguments.config.deadlines = Some(Deadlines::default());
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--echo" => arguments.echo = true,
            "--protocol" => {
                let names = given.next().ok_or("--protocol needs a value")?;
                arguments.protocols = names
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect();
            }
            "--header" => {
                let header = given.next().ok_or("--header needs a value")?;
                let (name, value) = header
                    .split_once(':')
                    .ok_or("--header needs 'Name: value'")?;
                arguments
                    .headers
                    .push((name.to_owned(), value.trim().to_owned()));
            }
            _ if deflate::is_option(&argument) => {
                deflate::configure(&mut arguments.config, &argument)?;
            }
            _ if argument.starts_with('-') || !arguments.url.is_empty() => {
                return Err(format!("unexpected argument {argument:?}"));
            }
            _ => arguments.url = argument,
        }
    }
    let uri =
        Uri::parse(&arguments.url).map_err(|error| format!("{:?}: {error}", arguments.url))?;
    if uri.is_secure() {
        return Err(String::from(
            "wss: needs TLS, which this example leaves out",
        ));
    }
    Ok(arguments)
}

/// Connects and talks; whether the connection ended cleanly with 1000.
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
    let mut options = ClientOptions::default();
    options.config = arguments.config;
    options.subprotocols = &protocols;
    options.headers = &headers;

    let uri = Uri::parse(&arguments.url).map_err(|error| error.to_string())?;
    let seed = Seed::from_os().map_err(|error| error.to_string())?;
    let handshake =
        ClientHandshake::new(&uri, &options, seed).map_err(|error| error.to_string())?;
    let transport = TcpStream::connect((uri.host(), uri.port()))
        .map_err(|error| format!("cannot connect to {}: {error}", arguments.url))?;
    let mut buffer = ReadBuffer::new();
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
            .map_err(|error| error.to_string())?;
        let until = handshake.next_timeout();
        if !handshake.output().is_empty() {
            let n = write(transport, handshake.output(), until).map_err(failed)?;
            handshake.advance_output(n);
            continue;
        }
        if read(transport, buffer, until).map_err(failed)? == Some(0) {
            return Err(String::from(
                "opening handshake: the server ended the stream",
            ));
        }
        match handshake
            .read_response(buffer)
            .map_err(|error| error.to_string())?
        {
            None => {}
            Some(Opening::Established {
                connection,
                response,
                ..
            }) => {
                let subprotocol = response
                    .subprotocol()
                    .map_or(String::new(), |name| format!(" subprotocol={name}"));
                say(&format!(
                    "open{subprotocol}{}",
                    deflate::agreed(&connection)
                ));
                return Ok(connection);
            }
            Some(Opening::Refused(response)) => {
                return Err(format!("refused {}", response.status()));
            }
        }
    }
}

/// Talks until the end; whether it was a clean one with 1000.
fn talk(transport: &TcpStream, connection: Connection, mut buffer: ReadBuffer, echo: bool) -> bool {
    let shared = Shared::new(connection);
    let shared = &*Box::leak(Box::new(shared));
    // Not waited for: a thread that reads standard input cannot be woken at the end of the connection.
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
    shared.run(transport, &mut buffer, |_| {}, take);
    shared.with(|connection| {
        let Some(ending) = connection.close_event() else {
            return false;
        };
        let clean = if ending.was_clean {
            "clean"
        } else {
            "not clean"
        };
        say(&format!(
            "closed {} {:?} {clean}",
            u16::from(ending.code),
            ending.reason
        ));
        if let Some(error) = ending.error {
            eprintln!("failed: {error}");
        }
        if let Some(timeout) = ending.timeout {
            eprintln!("too late: {timeout:?}");
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
                eprintln!("standard input: {error}");
                code = CloseCode::GOING_AWAY;
                break;
            }
        };
        // If there is none, the connection is at its end, which is what the error says.
        shared.wait_for_room();
        let sent = shared.with(|connection| send_line(connection, &line));
        if let Err(error) = sent {
            eprintln!("not sent: {error}");
        }
    }
    // Refused if `/close` or the server came first, which serves as well.
    _ = shared.with(|connection| connection.close(code, ""));
}

fn send_line(connection: &mut Connection, line: &str) -> Result<(), SendError> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("/ping", payload) => connection.send_ping(payload.as_bytes()),
        ("/close", how) => {
            let (code, reason) = how.split_once(' ').unwrap_or((how, ""));
            let code = code
                .parse()
                .map_or(CloseCode::NO_STATUS_RECEIVED, CloseCode::new);
            connection.close(code, reason)
        }
        _ => connection.send_text(line),
    }
}

fn send_back(shared: &Shared, event: Event<'_>) {
    // Refused only if the connection closes: there is room.
    _ = shared.with(|connection| match event {
        Event::Text { text, .. } => connection.send_text(text),
        Event::Binary { data, .. } => connection.send_binary(data),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
    });
}

fn print(event: Event<'_>) {
    match event {
        Event::Text { text, .. } => say(&format!("text: {text}")),
        Event::Binary { data, .. } => say(&format!("binary: {} bytes", data.len())),
        Event::Ping(payload) => say(&format!("ping: {}", String::from_utf8_lossy(payload))),
        Event::Pong(payload) => say(&format!("pong: {}", String::from_utf8_lossy(payload))),
        Event::Close(_) => {} // already answered; said at the end
    }
}
