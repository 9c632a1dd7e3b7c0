//! A chat with rooms on one thread, and a page for it. It runs on the event loop of `example-mio`, and encodes each
//! message once for all recipients.
//!
//! ```text
//! cargo run --package example-chat [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8080`. Port 0 means a free port. Open the page in two windows.
//!
//! No client waits for a slow reader. If 256 KiB or more of messages are unread when the next message follows, the
//! server closes with code 1008 and the reason "too slow". If the client does not read the Close frame within 5
//! seconds, the server closes the transport.

mod message;
mod rooms;

use std::process::ExitCode;
use std::time::Duration;

use example_mio::command_line::{Listen, Program, say};
use example_mio::{Application, ClientId, EventLoop, Outbox};
use sockless::handshake::{Header, Request, RequestError, ServerOptions};
use sockless::{CloseCode, CloseEvent, Config, Connection, Deadlines, Event};

use crate::message::ClientMessage;
use crate::rooms::{Delivery, Rooms};

const PAGE: &[u8] = include_bytes!("page.html");

/// The rooms, and the options of each WebSocket.
struct Chat {
    rooms: Rooms<ClientId>,
    /// Only pages of this host may connect, which is the default.
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
            // This also refuses requests that are not for a WebSocket.
            ("/chat", _) => return request.accept(&self.options),
            ("/", true) => (200, header(b"text/html; charset=utf-8"), PAGE),
            _ => (
                404,
                header(b"text/plain; charset=utf-8"),
                &b"the page is at / and the WebSocket is at /chat\n"[..],
            ),
        };
        let answer = request.respond(status, &[header], body)?;
        Ok(Connection::refused(answer, &self.options.config))
    }

    fn event(
        &mut self,
        client: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        outbox: &mut Outbox,
    ) {
        // Ignores the messages that arrive while the connection closes.
        if !connection.can_send() {
            return;
        }
        let deliveries = match event {
            Event::Text { text, .. } => match serde_json::from_str(text) {
                Ok(ClientMessage::Join { room, name }) => self.rooms.join(client, &room, &name),
                Ok(ClientMessage::Say { text }) => self.rooms.say(client, &text),
                Err(error) => {
                    // This fails only if the connection is closing.
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
        send(deliveries, outbox);
    }

    fn closed(&mut self, client: ClientId, _: Option<CloseEvent<'_>>, outbox: &mut Outbox) {
        send(self.rooms.leave(client), outbox);
    }
}

/// Encodes each message once.
fn send(deliveries: Vec<Delivery<ClientId>>, outbox: &mut Outbox) {
    for (clients, message) in deliveries {
        let message = message.encode();
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
    // Each client needs a file. If the limit cannot be raised, the server works with fewer.
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
