//! An echo server on threads: a page to play with at `/`, a WebSocket behind every path, and every
//! frame it receives printed bit by bit.
//!
//! ```text
//! cargo run --example echo_server [-- [ADDRESS] [--quiet] [--timeout SECONDS]]
//! cargo run --features deflate --example echo_server -- --deflate
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. `--quiet` leaves out the greeting
//! and the printing. A WebSocket to `/close/4001/bye` is closed by the server with that code and reason;
//! one to `/refuse` is refused with status 403.
//!
//! `--deflate` accepts compression with permessage-deflate; `--deflate=no-context-takeover` then
//! compresses every message by itself.

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
    options:
        "  ADDRESS            where to listen, 127.0.0.1:8080 unless given; port 0 takes a free one
  --quiet            leaves out the greeting and the printing
  --deflate          accepts compression; =no-context-takeover: of every message by itself",
};

/// How long not to accept after that has failed: most likely there are no more files, and there will be.
const PAUSE: Duration = Duration::from_millis(100);

const PAGE: &[u8] = include_bytes!("echo_server.html");
const GREETING: &str = "Hello! Whatever you send comes back to you.";

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
    // Nothing here is secret or done in a visitor's name, so pages from everywhere may try it.
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
            // This client left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Said once, not ten times a second.
                if !fails {
                    complain(format_args!("cannot accept: {error}"));
                }
                fails = true;
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Answers one request, and stays for the whole connection if it is for a WebSocket.
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
        // What can send nothing was refused: the answer has to be written, and to arrive. There are no events.
        Ok(Some((refused, _))) => {
            Shared::new(refused).run(transport, &mut buffer, Events::Heard, |_| {}, |_| {});
        }
        Ok(None) => {}
        Err(error) => complain(format_args!("[{number}] {error}")),
    }
}

/// Reads the request and answers it, unless the client goes away. The connection, and what it is to.
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

/// A connection, also for what gets a plain HTTP answer.
fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, RequestError> {
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    let html = Header {
        name: "Content-Type",
        value: b"text/html; charset=utf-8",
    };
    let (status, header, body) = match (request.is_websocket(), request.target()) {
        (true, "/refuse") => (403, text, &b"refused, as asked for\n"[..]),
        (true, _) => return request.accept(options),
        (false, "/") => (200, html, PAGE),
        (false, _) => (404, text, &b"there is only the page at /\n"[..]),
    };
    let answer = request
        .respond(status, &[header], body)
        .map_err(RequestError::Input)?;
    Ok(Connection::refused(answer, &options.config))
}

/// Echoes until the end, and says how it ended.
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
        // The output is empty but for the handshake, so a greeting is never refused.
        _ = connection.send_text(GREETING);
    }
    if let Some((code, reason)) = asked_to_close(target) {
        // A code that must not be sent is refused, and the connection goes on as an echo.
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
    let clean = if ending.was_clean {
        "clean"
    } else {
        "not clean"
    };
    let error = ending
        .error
        .map_or(String::new(), |error| format!(", failed: {error}"));
    let timeout = ending
        .timeout
        .map_or(String::new(), |timeout| format!(", too late: {timeout:?}"));
    format!(
        "closed {} {:?}, {clean}, by {:?}{error}{timeout}",
        ending.code, ending.reason, ending.initiator
    )
}

fn echo(shared: &Shared, event: Event<'_>) {
    // Refused only if the connection closes: there is room.
    _ = shared.with(|connection| match event {
        Event::Text { text, .. } => connection.send_text(text),
        Event::Binary { data, .. } => connection.send_binary(data),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
    });
}

/// The code and reason in a target like `/close/4001/bye`.
fn asked_to_close(target: &str) -> Option<(CloseCode, &str)> {
    let (code, reason) = target.strip_prefix("/close/")?.split_once('/')?;
    Some((CloseCode::new(code.parse().ok()?), reason))
}
