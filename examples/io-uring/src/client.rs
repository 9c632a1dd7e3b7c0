//! One transport and what is on it, from the request to the end.
//!
//! At most one operation receives for it and at most one sends. Where other loops are told that a transport is ready and
//! then read, here the bytes are there already when the loop is told.

use std::mem;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use sockless::handshake::{Header, Request, RequestError, ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};

use crate::ring::{OperationId, Ring};

/// How much is sent at once.
const SEND: usize = 64 << 10;

/// How many vectors to send from are kept for later.
const SPARE: usize = 32;

/// A client and its transport.
pub(crate) struct Client {
    transport: Rc<TcpStream>,
    stage: Stage,
    /// What came and is not yet a whole frame. Owns no memory while that is nothing.
    unread: ReadBuffer,
    receiving: Option<OperationId>,
    sending: Option<OperationId>,
    cancelled: bool,
    /// For when it is in the list of timers.
    pub(crate) timer: Option<Duration>,
    /// Whether it has its turn soon.
    pub(crate) queued: bool,
    /// When a deadline that had come was left to this turn.
    deferred: Option<Duration>,
}

/// What a server waits for.
enum Stage {
    Request(ServerHandshake),
    /// Also for a request that was refused, since that has to be written, too.
    Connection(Connection),
}

/// What clients have in common.
pub(crate) struct Common {
    pub(crate) ring: Ring,
    pub(crate) options: ServerOptions<'static>,
    /// An empty buffer for whoever something has come for.
    pub(crate) buffer: ReadBuffer,
    /// Empty vectors to send from.
    spare: Vec<Vec<u8>>,
}

impl Common {
    pub(crate) const fn new(ring: Ring, options: ServerOptions<'static>) -> Self {
        Self {
            ring,
            options,
            buffer: ReadBuffer::new(),
            spare: Vec::new(),
        }
    }

    /// Keeps a vector whose bytes were sent for the next that are to be.
    pub(crate) fn reuse(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

impl Client {
    pub(crate) fn new(transport: TcpStream, config: &Config) -> Self {
        // What is sent is meant to go.
        _ = transport.set_nodelay(true);
        Self {
            transport: Rc::new(transport),
            stage: Stage::Request(ServerHandshake::new(config)),
            unread: ReadBuffer::new(),
            receiving: None,
            sending: None,
            cancelled: false,
            timer: None,
            queued: false,
            deferred: None,
        }
    }

    /// Something was received; nothing is the end of the stream.
    pub(crate) fn received(
        &mut self,
        bytes: &[u8],
        lent: &mut ReadBuffer,
        options: &ServerOptions<'_>,
    ) {
        self.receiving = None;
        if bytes.is_empty() {
            // All events were taken before this receive began.
            self.ended(Connection::handle_eof);
            return;
        }
        // An empty buffer of one's own gives way to the one with memory.
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, lent);
        }
        self.unread.extend_from_slice(bytes);
        self.take(lent, options);
    }

    /// Nothing was received, for want of buffers.
    pub(crate) const fn received_none(&mut self) {
        self.receiving = None;
    }

    /// So many bytes were sent, or none will be any more.
    pub(crate) fn sent(&mut self, bytes: Option<usize>) {
        self.sending = None;
        let Stage::Connection(connection) = &mut self.stage else {
            return;
        };
        match bytes {
            // What was not sent is still in the output, and goes next. A failed receive meanwhile has dropped it.
            Some(n) => connection.advance_output(n.min(connection.output_len())),
            // The peer may have said why it left, so receiving goes on.
            None => connection.handle_write_error(),
        }
    }

    /// Nothing more can be received.
    pub(crate) fn failed(&mut self) {
        self.receiving = None;
        self.ended(Connection::handle_reset);
    }

    /// Takes events, has the next operations done, and passes the time. Whether that goes on; if not, no operation is under
    /// way any more, and the transport can be closed.
    pub(crate) fn go_on(&mut self, id: usize, common: &mut Common, now: Duration) -> bool {
        let drained = self.take(&mut common.buffer, &common.options);
        let receives = self.receiving.is_none() && drained && self.wants_read();
        if receives {
            self.receiving = Some(common.ring.receive(id, &self.transport));
        }
        // A deadline passes in the next turn, which is at once: first the kernel looks for what arrived in time. But it does
        // so once: a peer that sends without end has deadlines, too.
        let early =
            receives && self.deferred.is_none() && self.timeout_at().is_some_and(|at| at <= now);
        self.deferred = early.then_some(now);
        if !early {
            self.handle_timeout(&common.options.config, now);
        }
        if let Stage::Connection(connection) = &mut self.stage {
            match connection.transport_action() {
                TransportAction::Close => return self.cancel(common),
                TransportAction::ShutdownWrite => {
                    // Fails only if the peer is gone, which the next receive shows.
                    _ = self.transport.shutdown(Shutdown::Write);
                    connection.handle_shutdown();
                }
                _ => {}
            }
        }
        self.send(id, common);
        true
    }

    /// Takes what was received. Whether all events were taken; if not, there is no room.
    fn take(&mut self, lent: &mut ReadBuffer, options: &ServerOptions<'_>) -> bool {
        self.take_request(options);
        let drained = self.take_events();
        if self.unread.is_empty() {
            // With its memory, if no other has any.
            if self.unread.capacity() > lent.capacity() {
                mem::swap(&mut self.unread, lent);
            }
            self.unread = ReadBuffer::new();
        }
        drained
    }

    /// Sends every message back. Whether all events were taken; if not, there is no room.
    fn take_events(&mut self) -> bool {
        let Stage::Connection(connection) = &mut self.stage else {
            return true;
        };
        while connection.has_room() {
            let Ok(Some(event)) = connection.next_event(&mut self.unread) else {
                return true;
            };
            // This fails only if the connection is closing, since there is room.
            _ = match event {
                Event::Text { text, .. } => connection.send_text(text),
                Event::Binary { data, .. } => connection.send_binary(data),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
            };
        }
        false
    }

    /// Makes a connection of a request that is whole or wrong.
    fn take_request(&mut self, options: &ServerOptions<'_>) {
        let Stage::Request(handshake) = &mut self.stage else {
            return;
        };
        let opened = match handshake.read_request(&mut self.unread) {
            Ok(None) => return,
            Ok(Some(request)) => answer(&request, options),
            Err(error) => Err(error),
        };
        let refuse = |error: RequestError| error.refuse(&options.config);
        self.stage = Stage::Connection(opened.unwrap_or_else(refuse));
    }

    /// Has the output sent, or the first part of it.
    ///
    /// What is sent is a copy. `Connection::swap_output` would give the bytes themselves, but then the connection takes them
    /// for written, while they may wait for a peer that does not read: nothing would bound how long. And the memory of
    /// an output that is empty again is given up, so that who is idle has none.
    fn send(&mut self, id: usize, common: &mut Common) {
        let Stage::Connection(connection) = &mut self.stage else {
            return;
        };
        if self.sending.is_some() {
            return;
        }
        if connection.output().is_empty() {
            connection.swap_output(&mut Vec::new());
            return;
        }
        let mut bytes = common.spare.pop().unwrap_or_default();
        for part in connection.output_parts() {
            let room = SEND - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(room)]);
        }
        self.sending = Some(common.ring.send(id, &self.transport, bytes));
    }

    /// Ends what is still under way; whether that goes on.
    fn cancel(&mut self, common: &mut Common) -> bool {
        let operations = [self.receiving, self.sending];
        if !self.cancelled {
            self.cancelled = true;
            for operation in operations.into_iter().flatten() {
                common.ring.cancel(operation);
            }
        }
        operations.iter().any(Option::is_some)
    }

    /// Passes the time. Everything that arrived was received, unless there is no room for answers.
    fn handle_timeout(&mut self, config: &Config, now: Duration) {
        match &mut self.stage {
            Stage::Request(handshake) => {
                if let Err(error) = handshake.handle_timeout(now) {
                    self.stage = Stage::Connection(error.refuse(config));
                }
            }
            Stage::Connection(connection) => connection.handle_timeout(now),
        }
    }

    /// Nothing more can be received, which `report` tells the connection.
    fn ended(&mut self, report: fn(&mut Connection)) {
        if let Stage::Request(_) = self.stage {
            // The request will never be whole, so it has no answer.
            self.stage = Stage::Connection(Connection::refused(Vec::new(), &Config::new()));
        }
        if let Stage::Connection(connection) = &mut self.stage {
            report(connection);
        }
    }

    /// Whether to receive. A peer that does not read the answers must wait, until there are no more answers.
    fn wants_read(&self) -> bool {
        match &self.stage {
            Stage::Request(_) => true,
            Stage::Connection(connection) => connection.wants_read() && connection.has_room(),
        }
    }

    /// When its time comes.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(handshake) => handshake.timeout_at(),
            Stage::Connection(connection) => connection.timeout_at(),
        }
    }
}

/// A connection, also for what is answered with a page.
fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, RequestError> {
    if request.is_websocket() {
        return request.accept(options);
    }
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    let page = b"an echo server: connect with a WebSocket\n";
    let page = request
        .respond(200, &[text], page)
        .map_err(RequestError::Input)?;
    Ok(Connection::refused(page, &options.config))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    /// The text "Hi", and a Close frame with 1008.
    const LAST_WORDS: &[u8] = b"\x81\x82\0\0\0\0Hi\x88\x82\0\0\0\0\x03\xf0";

    /// A client from which these bytes came.
    fn client(bytes: &[u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let transport = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut client = Client::new(transport, &Config::new());
        receive(&mut client, bytes);
        client
    }

    fn receive(client: &mut Client, bytes: &[u8]) {
        client.received(bytes, &mut ReadBuffer::new(), &ServerOptions::new());
    }

    fn connection(client: &Client) -> &Connection {
        match &client.stage {
            Stage::Connection(connection) => connection,
            Stage::Request(_) => panic!("no connection"),
        }
    }

    #[test]
    fn a_send_may_complete_after_a_failed_receive() {
        let mut client = client(REQUEST);
        let sent = connection(&client).output_len();
        client.failed();
        client.sent(Some(sent));
        assert_eq!(
            connection(&client).transport_action(),
            TransportAction::Close
        );
    }

    #[test]
    fn the_last_words_of_a_peer_are_heard_after_a_failed_send() {
        let mut client = client(REQUEST);
        client.sent(None);
        assert!(client.wants_read());
        receive(&mut client, LAST_WORDS);
        let ending = connection(&client).close_event().unwrap();
        assert_eq!(u16::from(ending.code), 1008);
        assert!(!client.wants_read());
    }

    #[test]
    fn who_ends_the_stream_after_the_request_gets_all_answers() {
        let mut client = client(&[REQUEST, LAST_WORDS].concat());
        receive(&mut client, b"");
        let connection = connection(&client);
        assert!(connection.output().starts_with(b"HTTP/1.1 101 "));
        assert!(connection.output().ends_with(b"\x81\x02Hi\x88\x02\x03\xf0"));
        assert_eq!(connection.transport_action(), TransportAction::Write);
        assert!(!client.wants_read());
    }

    #[test]
    fn who_ends_the_stream_before_the_request_is_whole_gets_no_answer() {
        let mut client = client(&REQUEST[..40]);
        receive(&mut client, b"");
        assert!(connection(&client).output().is_empty());
        assert_eq!(
            connection(&client).transport_action(),
            TransportAction::Close
        );
    }

    #[test]
    fn events_that_wait_for_room_are_taken_before_more_is_received() {
        let mut client = client(REQUEST);
        let config = Config::new().with_max_output(1);
        client.stage = Stage::Connection(Connection::server(&config));
        receive(&mut client, LAST_WORDS);
        // The answer to the text fills the output.
        assert!(!client.wants_read());
        client.sent(Some(4));
        assert!(client.take(&mut ReadBuffer::new(), &ServerOptions::new()));
        assert!(connection(&client).close_event().is_some());
    }
}
