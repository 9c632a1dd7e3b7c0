//! One transport and its connection, from the request to the end.
//!
//! At most one operation receives for a client, and at most one sends. Other loops learn that a transport is ready and
//! then read. This loop gets the bytes with the completion.

use std::mem;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use sockless::handshake::ServerOptions;
use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};

use crate::page::accept_or_page;
use crate::ring::{OperationId, Ring};
use crate::stage::Stage;

/// The maximum number of bytes to send at once.
const SEND: usize = 64 << 10;

/// The number of vectors that the server keeps for later sends.
const SPARE: usize = 32;

/// A client and its transport.
pub(crate) struct Client {
    transport: Rc<TcpStream>,
    stage: Stage,
    /// The bytes that are not yet a whole frame. Without such bytes it owns no memory.
    unread: ReadBuffer,
    receiving: Option<OperationId>,
    sending: Option<OperationId>,
    cancelled: bool,
    /// The deadline in the list of timers.
    pub(crate) timer: Option<Duration>,
    /// Whether the client is in the queue for a turn.
    pub(crate) queued: bool,
    /// Whether the last turn left a deadline to this one.
    deferred: bool,
}

/// What all clients share.
pub(crate) struct Common {
    pub(crate) ring: Ring,
    pub(crate) options: ServerOptions<'static>,
    /// An empty buffer with memory. The client that receives borrows it.
    pub(crate) buffer: ReadBuffer,
    /// Empty vectors with memory, for sends.
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

    /// Keeps the vector of a completed send for later.
    pub(crate) fn reuse(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

impl Client {
    pub(crate) fn new(transport: TcpStream, config: &Config) -> Self {
        // Small frames must not wait for more.
        _ = transport.set_nodelay(true);
        Self {
            transport: Rc::new(transport),
            stage: Stage::new(config),
            unread: ReadBuffer::new(),
            receiving: None,
            sending: None,
            cancelled: false,
            timer: None,
            queued: false,
            deferred: false,
        }
    }

    /// A receive has completed. No bytes mean the end of the stream.
    pub(crate) fn received(
        &mut self,
        bytes: &[u8],
        lent: &mut ReadBuffer,
        options: &ServerOptions<'_>,
    ) {
        self.receiving = None;
        if bytes.is_empty() {
            // The client took all events before this receive began.
            self.stage.end(Connection::handle_eof);
            return;
        }
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, lent);
        }
        self.unread.extend_from_slice(bytes);
        self.take(lent, options);
    }

    /// A receive has completed without a buffer. The client receives again.
    pub(crate) const fn received_none(&mut self) {
        self.receiving = None;
    }

    /// A send has completed. `None` means that it failed.
    pub(crate) fn sent(&mut self, bytes: Option<usize>) {
        self.sending = None;
        let Some(connection) = self.stage.connection_mut() else {
            return;
        };
        match bytes {
            // The rest is still in the output and goes next. A failed receive has dropped the output in the meantime.
            Some(n) => connection.advance_output(n.min(connection.output_len())),
            // The peer may have said why it left, so receiving goes on.
            None => connection.handle_write_error(),
        }
    }

    /// A receive has failed.
    pub(crate) fn failed(&mut self) {
        self.receiving = None;
        self.stage.end(Connection::handle_reset);
    }

    /// Takes events, starts the next operations, and passes the time.
    ///
    /// Returns false when no operation is pending any more. Then close the transport.
    pub(crate) fn go_on(&mut self, id: usize, common: &mut Common, now: Duration) -> bool {
        let drained = self.take(&mut common.buffer, &common.options);
        let receives = self.receiving.is_none() && drained && self.stage.wants_read();
        if receives {
            self.receiving = Some(common.ring.receive(id, &self.transport));
        }
        // A deadline takes effect in the next turn, which follows immediately. Before that the kernel looks for what
        // arrived in time. It looks only once, so a peer that sends without end has deadlines too.
        let due = self.timeout_at().is_some_and(|at| at <= now);
        self.deferred = receives && due && !self.deferred;
        if !self.deferred {
            self.stage.handle_timeout(now, &common.options.config);
        }
        match self.stage.connection().map(Connection::transport_action) {
            Some(TransportAction::Close) => return self.cancel(common),
            Some(TransportAction::ShutdownWrite) => {
                // This fails only if the peer is gone. The next receive reports that.
                _ = self.transport.shutdown(Shutdown::Write);
                if let Some(connection) = self.stage.connection_mut() {
                    connection.handle_shutdown();
                }
            }
            _ => {}
        }
        self.send(id, common);
        true
    }

    /// Takes what was received. Returns whether it took all events. If not, the output has no room.
    fn take(&mut self, lent: &mut ReadBuffer, options: &ServerOptions<'_>) -> bool {
        self.stage
            .read_request(&mut self.unread, &options.config, |request| {
                accept_or_page(request, options)
            });
        let drained = self
            .stage
            .take_events(&mut self.unread, |connection, event| {
                // The output has room, so this fails only if the connection is closing.
                _ = match event {
                    Event::Text { text, .. } => connection.send_text(text),
                    Event::Binary { data, .. } => connection.send_binary(data),
                    Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // sockless has answered
                };
            });
        if self.unread.is_empty() {
            // The buffer with the larger memory stays.
            if self.unread.capacity() > lent.capacity() {
                mem::swap(&mut self.unread, lent);
            }
            self.unread = ReadBuffer::new();
        }
        drained
    }

    /// Sends the output, or its first part.
    ///
    /// It sends a copy. It also frees the memory of an empty output, so an idle client has none.
    fn send(&mut self, id: usize, common: &mut Common) {
        let Some(connection) = self.stage.connection_mut() else {
            return;
        };
        if self.sending.is_some() {
            return;
        }
        if connection.output().is_empty() {
            connection.take_output(&mut Vec::new());
            return;
        }
        let mut bytes = common.spare.pop().unwrap_or_default();
        for part in connection.output_parts() {
            let room = SEND - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(room)]);
        }
        self.sending = Some(common.ring.send(id, &self.transport, bytes));
    }

    /// Cancels the pending operations. Returns whether there are any.
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

    /// The next deadline.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        self.stage.timeout_at()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    /// The text "Hi", and a Close frame with 1008.
    const LAST_WORDS: &[u8] = b"\x81\x82\0\0\0\0Hi\x88\x82\0\0\0\0\x03\xf0";

    /// A client that has received these bytes.
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
        client.stage.connection().unwrap()
    }

    #[test]
    fn a_send_may_complete_after_a_failed_receive() {
        let mut client = client(REQUEST);
        let sent = connection(&client).output_len();
        client.failed();
        client.sent(Some(sent));
        let action = connection(&client).transport_action();
        assert_eq!(action, TransportAction::Close);
    }

    #[test]
    fn the_last_words_of_a_peer_arrive_after_a_failed_send() {
        let mut client = client(REQUEST);
        client.sent(None);
        assert!(client.stage.wants_read());
        receive(&mut client, LAST_WORDS);
        let ending = connection(&client).close_event().unwrap();
        assert_eq!(u16::from(ending.code), 1008);
        assert!(!client.stage.wants_read());
    }

    /// A client that ends the stream after the request gets all answers. One that ends it before gets none.
    #[test]
    fn answers_after_the_end_of_the_stream() {
        let whole = [REQUEST, LAST_WORDS].concat();
        for (bytes, action) in [
            (&whole[..], TransportAction::Write),
            (&REQUEST[..40], TransportAction::Close),
        ] {
            let mut client = client(bytes);
            receive(&mut client, b"");
            assert!(!client.stage.wants_read());
            let connection = connection(&client);
            assert_eq!(connection.transport_action(), action);
            let output = connection.output();
            if action == TransportAction::Close {
                assert!(output.is_empty());
            } else {
                assert!(output.starts_with(b"HTTP/1.1 101 "));
                assert!(output.ends_with(b"\x81\x02Hi\x88\x02\x03\xf0"));
            }
        }
    }

    #[test]
    fn events_that_wait_for_room_come_before_more_bytes() {
        let mut client = client(REQUEST);
        let config = Config::new().with_max_output(1);
        client.stage = Stage::Connection(Connection::server(&config));
        receive(&mut client, LAST_WORDS);
        // The answer to the text fills the output.
        assert!(!client.stage.wants_read());
        client.sent(Some(4));
        assert!(client.take(&mut ReadBuffer::new(), &ServerOptions::new()));
        assert!(connection(&client).close_event().is_some());
    }
}
