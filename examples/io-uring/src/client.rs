//! One transport and what is on it, from the request to the end.
//!
//! At most one operation receives for it and at most one sends. Where other loops are told that a transport is ready and
//! then read, here the bytes are there already when the loop is told.

use std::io;
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use sockless::handshake::{Header, Request, RequestError, RequestReader, ServerOptions};
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
    /// Nothing more will come.
    at_end: bool,
    shut_down: bool,
    cancelled: bool,
    /// For when it is in the list of timers.
    pub(crate) timer: Option<Duration>,
}

/// What a server waits for.
enum Stage {
    Request(RequestReader),
    /// Also for a request that was refused, since that has to be written, too.
    Connection(Connection),
}

/// What clients have in common.
pub(crate) struct Common {
    pub(crate) ring: Ring,
    options: ServerOptions<'static>,
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
    pub(crate) fn new(transport: TcpStream, common: &Common) -> Self {
        // What is sent is meant to go.
        _ = transport.set_nodelay(true);
        Self {
            transport: Rc::new(transport),
            stage: Stage::Request(RequestReader::new(&common.options.config)),
            unread: ReadBuffer::new(),
            receiving: None,
            sending: None,
            at_end: false,
            shut_down: false,
            cancelled: false,
            timer: None,
        }
    }

    /// Something was received; nothing is the end of the stream.
    pub(crate) fn received(&mut self, bytes: &[u8], lent: &mut ReadBuffer) {
        self.receiving = None;
        if bytes.is_empty() {
            self.handle_eof();
            return;
        }
        // An empty buffer of one's own gives way to the one with memory.
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, lent);
        }
        self.unread.extend_from_slice(bytes);
    }

    /// Nothing was received, for want of buffers.
    pub(crate) const fn received_none(&mut self) {
        self.receiving = None;
    }

    /// So many bytes were sent, or none will be any more.
    pub(crate) fn sent(&mut self, result: io::Result<usize>) {
        self.sending = None;
        match (result, &mut self.stage) {
            // What was not sent is still in the output, and goes next.
            (Ok(n), Stage::Connection(connection)) => connection.advance_output(n),
            _ => self.handle_reset(),
        }
    }

    /// Nothing more can be received or sent.
    pub(crate) fn failed(&mut self) {
        self.receiving = None;
        self.handle_reset();
    }

    /// Takes events, tells the time, and has the next operations done. Whether that goes on; if not, no operation is
    /// under way any more, and the transport can be closed.
    pub(crate) fn go_on(&mut self, id: usize, common: &mut Common, now: Duration) -> bool {
        if let Stage::Request(_) = self.stage {
            self.take_request(common, now);
        }
        let action = match &mut self.stage {
            Stage::Request(reader) => TransportAction::Wait {
                until: reader.next_timeout(),
            },
            Stage::Connection(connection) => {
                while connection.has_room()
                    && let Ok(Some(event)) = connection.next_event(&mut self.unread)
                {
                    // Refused only if the connection is closing: there is room.
                    _ = match event {
                        Event::Text { text, .. } => connection.send_text(text),
                        Event::Binary { data, .. } => connection.send_binary(data),
                        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
                    };
                }
                connection.handle_timeout(now);
                connection.transport_action()
            }
        };
        if self.unread.is_empty() {
            // With its memory, if no other has any.
            if self.unread.capacity() > common.buffer.capacity() {
                mem::swap(&mut self.unread, &mut common.buffer);
            }
            self.unread = ReadBuffer::new();
        }
        match action {
            TransportAction::Close => return self.cancel(common),
            TransportAction::ShutdownWrite { .. } if !self.shut_down => {
                self.shut_down = true;
                // Fails only if the peer is gone, which the next receive shows.
                _ = self.transport.shutdown(Shutdown::Write);
            }
            _ => {}
        }
        self.send(id, common);
        // Who sends and does not read has to wait.
        if self.receiving.is_none() && !self.at_end && self.has_room() {
            self.receiving = Some(common.ring.receive(id, &self.transport));
        }
        true
    }

    /// Makes a connection of a request that is whole, or wrong, or late.
    fn take_request(&mut self, common: &Common, now: Duration) {
        let Stage::Request(reader) = &mut self.stage else {
            return;
        };
        let answer = match reader.read(&mut self.unread) {
            Ok(None) => match reader.handle_timeout(now) {
                Ok(()) => return,
                Err(error) => Err(error.response()),
            },
            Ok(Some(request)) => answer(&request, &common.options),
            Err(error) => Err(error.response()),
        };
        let refused = |answer| Connection::refused(answer, &common.options.config);
        self.stage = Stage::Connection(answer.unwrap_or_else(refused));
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

    fn handle_eof(&mut self) {
        self.at_end = true;
        if let Stage::Request(_) = self.stage {
            // Nobody is there to be answered.
            let nothing = Connection::refused(Vec::new(), &Config::default());
            self.stage = Stage::Connection(nothing);
        }
        if let Stage::Connection(connection) = &mut self.stage {
            connection.handle_eof();
        }
    }

    /// Nor can any more be written.
    fn handle_reset(&mut self) {
        self.handle_eof();
        if let Stage::Connection(connection) = &mut self.stage {
            connection.handle_reset();
        }
    }

    fn has_room(&self) -> bool {
        match &self.stage {
            Stage::Request(_) => true,
            Stage::Connection(connection) => connection.has_room(),
        }
    }

    /// When its time comes.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(reader) => reader.next_timeout(),
            Stage::Connection(connection) => connection.next_timeout(),
        }
    }
}

/// A connection, or the whole answer to anything else.
fn answer(request: &Request<'_>, options: &ServerOptions<'_>) -> Result<Connection, Vec<u8>> {
    if request.is_upgrade() {
        return request.accept(options).map_err(RequestError::response);
    }
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    let answer = request.respond(200, &[text], b"an echo server: connect with a WebSocket\n");
    // The header is constant, so it is never refused; an empty answer would only close.
    Err(answer.unwrap_or_default())
}
