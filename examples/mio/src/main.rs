//! An echo server for many clients on one thread, with mio.
//!
//! ```text
//! cargo run --package example-mio [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! The default ADDRESS is `127.0.0.1:8080`. Port 0 takes a free port. The server sends Pings to silent clients and
//! closes their connections if no Pong comes. A client that sends without reading must wait. An idle client has no
//! buffers. This file has only the echo. The loop is in the library of this package.

use std::process::ExitCode;

use example_mio::command_line::{Listen, Program, say};
use example_mio::{Application, ClientId, EventLoop, Outbox};
use sockless::handshake::{Origins, Request, RequestError, ServerOptions};
use sockless::{Config, Connection, Event};

#[path = "../../common/page.rs"]
mod page;

/// Sends everything back.
struct Echo {
    options: ServerOptions<'static>,
}

impl Application for Echo {
    fn request(&mut self, _: ClientId, request: &Request<'_>) -> Result<Connection, RequestError> {
        page::accept_or_page(request, &self.options)
    }

    fn event(
        &mut self,
        _: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        _: &mut Outbox,
    ) {
        // The output has room, so this fails only if the connection is closing.
        _ = match event {
            Event::Text { text, .. } => connection.send_text(text),
            Event::Binary { data, .. } => connection.send_binary(data),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // sockless has answered
        };
    }
}

fn main() -> ExitCode {
    let program = Program::server("mio");
    match program.read(Listen::read) {
        Ok(listen) => program.ended(run(&listen)),
        Err(status) => status,
    }
}

fn run(listen: &Listen) -> Result<(), String> {
    let address = listen.resolve()?;
    // Each client needs a file, so this raises the limit as far as the system allows.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let config = Config::new().with_deadlines(listen.deadlines.clone().unwrap_or_default());
    // An echo has no secrets and does nothing in a visitor's name, so every page may use it.
    let options = ServerOptions::new()
        .with_config(config.clone())
        .with_origins(Origins::Any);
    let mut event_loop = EventLoop::bind(address, config, Echo { options })
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let local = event_loop.local_addr().map_err(|error| error.to_string())?;
    say(format_args!("listening on http://{local}/"));
    event_loop
        .run()
        .map_err(|error| format!("cannot wait for clients: {error}"))
}
