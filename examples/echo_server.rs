//! An echo server on threads. It serves a page at `/`, accepts a WebSocket at every path, and prints each received
//! frame bit by bit.
//!
//! ```text
//! cargo run --example echo_server [-- [ADDRESS] [--quiet] [--timeout SECONDS]]
//! cargo run --features deflate --example echo_server -- --deflate
//! ```
//!
//! - ADDRESS defaults to `127.0.0.1:8080`. Port 0 means a free port.
//! - `--quiet` omits the greeting and the printed frames.
//! - `--deflate` accepts permessage-deflate. `--deflate=no-context-takeover` compresses each message without the
//!   context of earlier messages.
//!
//! The server closes a WebSocket to `/close/4001/bye` with this code and reason. It refuses a WebSocket to `/refuse`
//! with status 403.
//!
//! `open` and `answer` show a blocking opening handshake with a deadline, a page, a refusal, and subprotocols.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use lexopt::prelude::*;
use sockless::handshake::{Header, Origins, Request, RequestError, ServerHandshake, ServerOptions};
use sockless::{CloseCode, CloseEvent, Config, Connection, Deadlines, Event, ReadBuffer};

use crate::command_line::{Program, complain, say, timeout};
use crate::frame_log::FrameLog;
use crate::threads::{Events, READ, Shared, is_late, now, read};

#[path = "common/command_line.rs"]
#[expect(dead_code, unreachable_pub, reason = "other programs include it, too")]
mod command_line;
#[path = "common/deflate.rs"]
mod deflate;
#[path = "echo_server/frame_log.rs"]
mod frame_log;
#[path = "common/threads.rs"]
mod threads;

const PROGRAM: Program = Program {
    name: "echo_server",
    arguments: "[ADDRESS] [--quiet] [--deflate[=no-context-takeover]] [--timeout SECONDS]",
    options: "  ADDRESS            where to listen (127.0.0.1:8080). Port 0 means a free port
  --quiet            omits the greeting and the printed frames
  --deflate          accepts compression. =no-context-takeover compresses each message without context",
};

/// The pause after a failed `accept`. Most likely no file is free, and a client that leaves frees one.
const PAUSE: Duration = Duration::from_millis(100);

const PAGE: &[u8] = include_bytes!("echo_server.html");
const GREETING: &str = "Hello! This server sends every message back.";

struct Arguments {
    address: String,
    quiet: bool,
    config: Config,
}

fn main() -> ExitCode {
    match PROGRAM.read(parse_arguments) {
        Ok(arguments) => PROGRAM.ended(run(arguments)),
        Err(status) => status,
    }
}

fn parse_arguments(parser: &mut lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let (mut address, mut quiet) = (None, false);
    let mut config = Config::new().with_deadlines(Deadlines::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("quiet") => quiet = true,
            Long("deflate") => deflate::configure(&mut config, parser.optional_value())?,
            Long("timeout") => config.deadlines = Some(timeout(parser)?),
            Value(value) if address.is_none() => address = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(Arguments {
        address: address.unwrap_or_else(|| String::from("127.0.0.1:8080")),
        quiet,
        config,
    }))
}

fn run(arguments: Arguments) -> Result<(), String> {
    let Arguments {
        address,
        quiet,
        config,
    } = arguments;
    // An echo has no secrets and no users, so it accepts pages of any origin.
    let options = ServerOptions::new()
        .with_config(config)
        .with_subprotocols(&["echo", "chat"])
        .with_origins(Origins::Any);
    let cannot = |error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(&address).map_err(cannot)?;
    let local = listener.local_addr().map_err(cannot)?;
    say(format_args!("listening on http://{local}/"));

    let mut fails = false;
    let mut numbers = 1..;
    loop {
        match listener.accept() {
            Ok((transport, _)) => {
                fails = false;
                let number = numbers.next().unwrap_or_default();
                let options = options.clone();
                let thread = thread::Builder::new()
                    .spawn(move || serve(&transport, &options, number, quiet));
                if let Err(error) = thread {
                    complain(format_args!("[{number}] no thread: {error}"));
                }
            }
            // The client has left already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // One line is enough for repeated failures.
                if !fails {
                    complain(format_args!("cannot accept: {error}"));
                }
                fails = true;
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Serves one request. If it asks for a WebSocket, serves the connection until its end.
fn serve(transport: &TcpStream, options: &ServerOptions<'_>, number: u64, quiet: bool) {
    let mut buffer = ReadBuffer::with_capacity(READ);
    let opened = transport
        .set_nodelay(true)
        .and_then(|()| open(transport, options, &mut buffer));
    match opened {
        Ok(Some((connection, target))) if connection.can_send() => {
            let ending = talk(transport, connection, &mut buffer, &target, number, quiet);
            if !quiet {
                say(format_args!("[{number}] {ending}"));
            }
        }
        // A refused connection has no events, but must write its response.
        Ok(Some((refused, _))) => {
            Shared::new(refused).run(transport, &mut buffer, Events::Heard, |_| {}, |_| {});
        }
        Ok(None) => {}
        Err(error) => complain(format_args!("[{number}] {error}")),
    }
}

/// Reads the request and answers it before the deadline. Returns the connection and the request target, or `None` if
/// the client leaves.
fn open(
    transport: &TcpStream,
    options: &ServerOptions<'_>,
    buffer: &mut ReadBuffer,
) -> io::Result<Option<(Connection, String)>> {
    let mut handshake = ServerHandshake::new(&options.config);
    loop {
        let mut target = String::new();
        let opened = match handshake.read_request(buffer) {
            Ok(Some(request)) => {
                request.target().clone_into(&mut target);
                answer(&request, options).map(Some)
            }
            Ok(None) => handshake.handle_timeout(now()).map(|()| None),
            Err(error) => Err(error),
        };
        let opened = opened.unwrap_or_else(|error| Some(error.refuse(&options.config)));
        if let Some(connection) = opened {
            return Ok(Some((connection, target)));
        }
        match read(transport, buffer, handshake.timeout_at()) {
            Ok(0) => return Ok(None),
            Err(error) if !is_late(&error) => return Err(error),
            _ => {}
        }
    }
}

/// The connection that answers a request. A page is the response of a refused connection.
fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, RequestError> {
    let text = &b"text/plain; charset=utf-8"[..];
    let html = &b"text/html; charset=utf-8"[..];
    let (status, value, body) = match (request.is_websocket(), request.target()) {
        (true, "/refuse") => (403, text, &b"refused, as you requested\n"[..]),
        (true, _) => return request.accept(options),
        (false, "/") => (200, html, PAGE),
        (false, _) => (404, text, &b"the only page is at /\n"[..]),
    };
    let name = "Content-Type";
    let answer = request.respond(status, &[Header { name, value }], body)?;
    Ok(Connection::refused(answer, &options.config))
}

/// Sends every message back until the end. Returns how the connection ended.
fn talk(
    transport: &TcpStream,
    mut connection: Connection,
    buffer: &mut ReadBuffer,
    target: &str,
    number: u64,
    quiet: bool,
) -> String {
    let extensions = deflate::agreed(&connection);
    let mut log = FrameLog::new(number, !extensions.is_empty());
    if !quiet {
        say(format_args!("[{number}] open {target}{extensions}"));
        log.watch(buffer.unread());
        // There is room, since the output contains only the response. So this never fails.
        _ = connection.send_text(GREETING);
    }
    if let Some((code, reason)) = asked_to_close(target) {
        // An invalid code is an error, which leaves the connection open.
        _ = connection.close(code, reason);
    }
    let shared = Shared::new(connection);
    let watch = |bytes: &[u8]| {
        if !quiet {
            log.watch(bytes);
        }
    };
    let take = |event: Event<'_>| echo(&shared, event);
    shared.run(transport, buffer, Events::Answered, watch, take);
    shared.with(|connection| connection.close_event().map_or(String::new(), describe))
}

fn describe(ending: CloseEvent<'_>) -> String {
    let not = if ending.was_clean { "" } else { "not " };
    let error = ending.error.map(|error| format!(", failed: {error}"));
    let timeout = ending.timeout.map(|it| format!(", too late: {it:?}"));
    format!(
        "closed {} {:?}, {not}clean, by {:?}{}{}",
        ending.code,
        ending.reason,
        ending.initiator,
        error.unwrap_or_default(),
        timeout.unwrap_or_default()
    )
}

fn echo(shared: &Shared, event: Event<'_>) {
    // This fails only if the connection is closing, since there is room.
    _ = shared.with(|connection| match event {
        Event::Text { text, .. } => connection.send_text(text),
        Event::Binary { data, .. } => connection.send_binary(data),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // the connection has answered
    });
}

/// The code and the reason in a target such as `/close/4001/bye`.
fn asked_to_close(target: &str) -> Option<(CloseCode, &str)> {
    let (code, reason) = target.strip_prefix("/close/")?.split_once('/')?;
    Some((CloseCode::new(code.parse().ok()?), reason))
}
