//! One transport and its connection, from the request to the end.
//!
//! At most one operation receives for a client, and at most one sends. Other loops learn that a transport is ready and
//! then read. This loop gets the bytes with the completion.

use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use sockless::handshake::ServerOptions;
use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};

use crate::page::accept_or_page;
use crate::ring::{OperationId, Ring, SIZE, Unsent};
use crate::stage::Stage;

/// The number of vectors of each kind that the server keeps.
const SPARE: usize = 128;

/// The largest vector that the server keeps, in bytes.
const KEPT: usize = 2 * SIZE;

/// A client and its transport.
pub(crate) struct Client {
    transport: Rc<TcpStream>,
    stage: Stage,
    /// The bytes that are not yet a whole frame. Without such bytes it owns no memory.
    unread: ReadBuffer,
    receiving: Receiving,
    sending: Option<OperationId>,
    /// Output that the transport did not take at once.
    unsent: Option<Unsent>,
    cancelled: bool,
    /// The deadline in the list of timers.
    pub(crate) timer: Option<Duration>,
    /// Whether the client is in the queue for a turn.
    pub(crate) queued: bool,
    /// Whether the last turn left a deadline to this one.
    deferred: bool,
}

/// Whether a client receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    No,
    /// There was no free buffer. Bytes may have arrived, so no deadline ends the connection now.
    Starved,
    Pending(OperationId),
}

/// What all clients share.
pub(crate) struct Common {
    pub(crate) ring: Ring,
    pub(crate) options: ServerOptions<'static>,
    pub(crate) memory: Memory,
}

/// Memory for later.
#[derive(Default)]
pub(crate) struct Memory {
    /// For received bytes.
    pub(crate) received: Vec<Vec<u8>>,
    output: Vec<Vec<u8>>,
}

impl Memory {
    fn keep_received(&mut self, memory: Vec<u8>) {
        if self.received.len() < SPARE && (SIZE..=KEPT).contains(&memory.len()) {
            self.received.push(memory);
        }
    }

    fn keep_output(&mut self, memory: Vec<u8>) {
        if self.output.len() < SPARE && (1..=KEPT).contains(&memory.capacity()) {
            self.output.push(memory);
        }
    }
}

impl Common {
    pub(crate) fn new(ring: Ring, options: ServerOptions<'static>) -> Self {
        Self {
            ring,
            options,
            memory: Memory::default(),
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
            receiving: Receiving::No,
            sending: None,
            unsent: None,
            cancelled: false,
            timer: None,
            queued: false,
            deferred: false,
        }
    }

    /// A receive has completed, with bytes at the start of `received`. No bytes mean the end of the stream.
    ///
    /// If the client has no other bytes, it copies nothing: `received` becomes its buffer. Afterwards `memory` has
    /// that memory, unless it holds a part of a frame.
    pub(crate) fn received(
        &mut self,
        received: Vec<u8>,
        length: usize,
        memory: &mut Memory,
        options: &ServerOptions<'_>,
    ) {
        self.receiving = Receiving::No;
        if length == 0 {
            memory.keep_received(received);
            // The client took all events before this receive began.
            self.stage.end(Connection::handle_eof);
            return;
        }
        let adopts = self.unread.is_empty();
        if adopts {
            self.unread = ReadBuffer::from_filled(received, length);
        } else {
            self.unread.extend_from_slice(&received[..length]);
            memory.keep_received(received);
        }
        self.take(memory, options);
        if adopts && length < SIZE / 2 {
            // The start of a frame may stay for long, in thousands of clients. If more has arrived, the rest most likely
            // follows soon, and a copy is not worth it.
            self.unread.shrink_to(0);
        }
    }

    /// A receive has completed without a buffer. The client waits until there is one.
    pub(crate) const fn starve(&mut self) {
        self.receiving = Receiving::Starved;
    }

    /// There is a free buffer. Returns whether the client was starved. Then it receives in its next turn.
    pub(crate) fn feed(&mut self) -> bool {
        let starved = self.receiving == Receiving::Starved;
        if starved {
            self.receiving = Receiving::No;
            self.deferred = false;
        }
        starved
    }

    /// A send has completed. `taken` is the number of bytes that the transport took. `None` means that it failed.
    pub(crate) fn sent(&mut self, mut bytes: Unsent, taken: Option<usize>, memory: &mut Memory) {
        self.sending = None;
        let Some(connection) = self.stage.connection_mut() else {
            return;
        };
        if let Some(n) = taken {
            // If the connection has failed in the meantime, this does nothing.
            connection.advance_output(n);
            bytes.advance(n);
            if !bytes.is_empty() {
                // The rest goes next.
                self.unsent = Some(bytes);
                return;
            }
        } else {
            // The peer may have said why it left, so receiving goes on.
            connection.handle_write_error();
        }
        memory.keep_output(bytes.into_memory());
    }

    /// A receive has failed.
    pub(crate) fn failed(&mut self) {
        self.receiving = Receiving::No;
        self.stage.end(Connection::handle_reset);
    }

    /// Takes events, starts the next operations, and passes the time.
    ///
    /// Returns false when no operation is pending any more. Then close the transport.
    pub(crate) fn go_on(&mut self, id: usize, common: &mut Common, now: Duration) -> bool {
        let drained = self.take(&mut common.memory, &common.options);
        let receives = self.receiving == Receiving::No && drained && self.stage.wants_read();
        if receives {
            self.receiving = Receiving::Pending(common.ring.receive(id, &self.transport));
        }
        // A deadline takes effect in the next turn, which follows immediately. Before that the kernel looks for what
        // arrived in time. It looks only once, so a peer that sends without end has deadlines too.
        let due = self.timeout_at().is_some_and(|at| at <= now);
        let looks = receives && !self.deferred || self.receiving == Receiving::Starved;
        self.deferred = due && looks;
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
    fn take(&mut self, memory: &mut Memory, options: &ServerOptions<'_>) -> bool {
        self.stage
            .read_request(&mut self.unread, &options.config, |request| {
                accept_or_page(request, options)
            });
        if let Some(connection) = self.stage.connection_mut()
            && !self.unread.is_empty()
            && connection.output_len() == 0
            && let Some(mut output) = memory.output.pop()
        {
            connection.take_output(&mut output);
        }
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
            if let Some(received) = self.unread.take_memory() {
                memory.keep_received(received);
            }
            self.unread = ReadBuffer::new();
        }
        drained
    }

    /// Sends the output.
    ///
    /// It takes the output with its memory, so it copies nothing. The connection counts the bytes as written when the
    /// kernel has taken them. An idle client has no memory for output.
    fn send(&mut self, id: usize, common: &mut Common) {
        let Some(connection) = self.stage.connection_mut() else {
            return;
        };
        if self.sending.is_some() {
            return;
        }
        let unsent = self.unsent.take().unwrap_or_else(|| {
            let mut output = Vec::new();
            connection.take_output(&mut output);
            Unsent::new(output)
        });
        if unsent.is_empty() {
            common.memory.keep_output(unsent.into_memory());
        } else {
            self.sending = Some(common.ring.send(id, &self.transport, unsent));
        }
    }

    /// Cancels the pending operations. Returns whether there are any.
    fn cancel(&mut self, common: &mut Common) -> bool {
        let receiving = match self.receiving {
            Receiving::Pending(operation) => Some(operation),
            Receiving::No | Receiving::Starved => None,
        };
        let operations = [receiving, self.sending];
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
        let options = ServerOptions::new();
        client.received(
            bytes.to_vec(),
            bytes.len(),
            &mut Memory::default(),
            &options,
        );
    }

    fn connection(client: &Client) -> &Connection {
        client.stage.connection().unwrap()
    }

    #[test]
    fn a_send_may_complete_after_a_failed_receive() {
        let mut client = client(REQUEST);
        let sent = connection(&client).output_len();
        client.failed();
        let bytes = Unsent::new(vec![0; sent]);
        client.sent(bytes, Some(sent), &mut Memory::default());
        let action = connection(&client).transport_action();
        assert_eq!(action, TransportAction::Close);
    }

    #[test]
    fn the_last_words_of_a_peer_arrive_after_a_failed_send() {
        let mut client = client(REQUEST);
        client.sent(Unsent::new(Vec::new()), None, &mut Memory::default());
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
        let bytes = Unsent::new(vec![0; 4]);
        client.sent(bytes, Some(4), &mut Memory::default());
        assert!(client.take(&mut Memory::default(), &ServerOptions::new()));
        assert!(connection(&client).close_event().is_some());
    }

    #[test]
    fn a_starved_client_is_fed_once() {
        let mut client = client(REQUEST);
        client.starve();
        assert_eq!((client.feed(), client.feed()), (true, false));
    }

    /// The memory of whole frames comes back. A client with the start of a payload keeps only that.
    #[test]
    fn memory_is_adopted_and_comes_back() {
        let mut client = client(REQUEST);
        let options = ServerOptions::new();
        let frame = &LAST_WORDS[..8];
        for (bytes, kept) in [(frame, 0), (&frame[..7], 1)] {
            let mut received = vec![0; SIZE];
            received[..bytes.len()].copy_from_slice(bytes);
            let place = received.as_ptr();
            let mut memory = Memory::default();
            client.received(received, bytes.len(), &mut memory, &options);
            let back: Vec<_> = memory.received.iter().map(Vec::as_ptr).collect();
            assert_eq!(back.contains(&place), kept == 0);
            assert_eq!(client.unread.capacity(), kept);
        }
        assert!(connection(&client).output().ends_with(b"\x81\x02Hi"));
    }
}
