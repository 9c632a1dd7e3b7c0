//! A chat with rooms on one thread: the loop of `example-mio`, messages that are encoded once for all who get them, and
//! a page to use it.
//!
//! ```text
//! cargo run --package example-chat [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. Open the page in two windows.
//!
//! The rule for slow readers: whoever has 256 KiB or more of messages unread when the next one comes is closed with code
//! 1008 and "too slow". If that is not read within 5 seconds either, the transport is closed. Nobody else waits for it.

mod notice;
mod rooms;

use std::process::ExitCode;
use std::time::Duration;

use example_mio::command_line::{Listen, Program, say};
use example_mio::{Application, ClientId, EventLoop, Outbox};
use sockless::handshake::{Header, Request, RequestError, ServerOptions};
use sockless::{CloseCode, CloseEvent, Config, Connection, Deadlines, Event};

use crate::notice::Wish;
use crate::rooms::{Mail, Rooms};

const PAGE: &[u8] = include_bytes!("page.html");

/// Rooms, and on what terms a client may come in.
struct Chat {
    rooms: Rooms<ClientId>,
    /// Only pages from this very host may connect: that is the default.
    options: ServerOptions<'static>,
}

impl Application for Chat {
    fn request(&mut self, _: ClientId, request: &Request<'_>) -> Result<Connection, RequestError> {
        let header = |value| Header {
            name: "Content-Type",
            value,
        };
        let is_page = matches!(request.method(), "GET" | "HEAD") && !request.is_websocket();
        let (status, header, body) = match (request.target(), is_page) {
            // What is no WebSocket is refused here, too.
            ("/chat", _) => return request.accept(&self.options),
            ("/", true) => (200, header(b"text/html; charset=utf-8"), PAGE),
            _ => (
                404,
                header(b"text/plain; charset=utf-8"),
                &b"there is a page at / and a WebSocket at /chat\n"[..],
            ),
        };
        let answer = request
            .respond(status, &[header], body)
            .map_err(RequestError::Input)?;
        Ok(Connection::refused(answer, &self.options.config))
    }

    fn event(
        &mut self,
        client: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        outbox: &mut Outbox,
    ) {
        // Who is being closed may still send, and is heard no more.
        if !connection.can_send() {
            return;
        }
        let mail = match event {
            Event::Text { text, .. } => match serde_json::from_str(text) {
                Ok(Wish::Join { room, name }) => self.rooms.join(client, &room, &name),
                Ok(Wish::Say { text }) => self.rooms.say(client, &text),
                Err(error) => {
                    // Refused only if the connection is closing.
                    _ = connection.close(CloseCode::INVALID_PAYLOAD, &error.to_string());
                    return;
                }
            },
            Event::Binary { .. } => {
                _ = connection.close(CloseCode::UNSUPPORTED_DATA, "text only");
                return;
            }
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => return,
        };
        send(mail, outbox);
    }

    fn closed(&mut self, client: ClientId, _: Option<CloseEvent<'_>>, outbox: &mut Outbox) {
        send(self.rooms.leave(client), outbox);
    }
}

/// Each notice is encoded once.
fn send(mail: Vec<Mail<ClientId>>, outbox: &mut Outbox) {
    for (clients, notice) in mail {
        let message = notice.encode();
        for client in clients {
            outbox.send(client, &message);
        }
    }
}

fn main() -> ExitCode {
    let program = Program::server("chat");
    match program.read(Listen::read) {
        Ok(listen) => program.ended(run(&listen)),
        Err(status) => status,
    }
}

fn run(listen: &Listen) -> Result<(), String> {
    let address = listen.resolve()?;
    // A file for each client; as many as the system lets it have.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let deadlines = Deadlines::new().with_close(Duration::from_secs(5));
    let config = Config::new()
        .with_deadlines(listen.deadlines.clone().unwrap_or(deadlines))
        .with_max_message_size(16 << 10)
        .with_max_output(256 << 10);
    let chat = Chat {
        rooms: Rooms::new(),
        options: ServerOptions::new().with_config(config.clone()),
    };
    let mut event_loop = EventLoop::bind(address, config, chat)
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let local = event_loop.local_addr().map_err(|error| error.to_string())?;
    say(format_args!("listening on http://{local}/"));
    event_loop
        .run()
        .map_err(|error| format!("cannot wait for clients: {error}"))
}
