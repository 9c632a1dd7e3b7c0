//! An echo server for many clients on one thread, with mio.
//!
//! ```text
//! cargo run --package example-mio [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. A silent client is pinged and given up, one that
//! sends and does not read has to wait, and one that is idle takes no memory for buffers. What is special to the echo is
//! here; the loop is in the library of this package.

use std::process::ExitCode;

use example_mio::command_line::{Listen, Program, say};
use example_mio::{Application, ClientId, EventLoop, Outbox};
use sockless::handshake::{Header, Origins, Request, RequestError, ServerOptions};
use sockless::{Config, Connection, Event};

/// Sends everything back.
struct Echo {
    options: ServerOptions<'static>,
}

impl Application for Echo {
    fn request(&mut self, _: ClientId, request: &Request<'_>) -> Result<Connection, RequestError> {
        let is_page = matches!(request.method(), "GET" | "HEAD") && !request.is_websocket();
        if !is_page {
            // Or the refusal of what is neither.
            return request.accept(&self.options);
        }
        let text = Header {
            name: "Content-Type",
            value: b"text/plain; charset=utf-8",
        };
        let page = b"an echo server: connect with a WebSocket\n";
        let page = request
            .respond(200, &[text], page)
            .map_err(RequestError::Input)?;
        Ok(Connection::refused(page, &self.options.config))
    }

    fn event(
        &mut self,
        _: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        _: &mut Outbox,
    ) {
        // Refused only if the connection is closing: there is room.
        _ = match event {
            Event::Text { text, .. } => connection.send_text(text),
            Event::Binary { data, .. } => connection.send_binary(data),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
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
    // A file for each client; as many as the system lets it have.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let config = Config::new().with_deadlines(listen.deadlines.clone().unwrap_or_default());
    // Nothing here is secret or done in a visitor's name, so pages from everywhere may try it.
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
