//! One transport and what is on it, from the request to the end.

use std::io::{ErrorKind, Read as _};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use sockless::handshake::ServerHandshake;
use sockless::{CloseCode, Config, Connection, ReadBuffer, TransportAction};

use crate::application::{Application, ClientId, Delivery, Outbox};

/// How much is read at once: what stays in the fastest cache.
const READ: usize = 16 << 10;

/// How often a client is read from before others have their turn.
pub(crate) const ROUNDS: usize = 8;

/// Up to which size memory is kept for whoever comes next.
pub(crate) const KEPT: usize = 64 << 10;

/// A client and its transport.
pub(crate) struct Client {
    transport: TcpStream,
    stage: Stage,
    /// What came and is not yet a whole frame. Owns no memory while that is nothing.
    unread: ReadBuffer,
    /// The transport says so once: what is not done then stays to be done.
    readable: bool,
    /// For when it is in the list of timers.
    pub(crate) timer: Option<Duration>,
    /// Whether it has its turn soon.
    pub(crate) queued: bool,
}

/// What a server waits for.
enum Stage {
    Request(ServerHandshake),
    /// Also for a request that was refused, since that has to be written, too.
    Connection {
        connection: Connection,
        accepted: bool,
    },
}

/// Whether to go on with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// When the transport or the timer says so.
    Wait,
    /// As soon as others have had their turn: there is more to read.
    Again,
    /// Never: the transport is to be closed.
    End,
}

/// What the clients of a thread share.
pub(crate) struct Common<'a, A> {
    pub(crate) application: &'a mut A,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) config: &'a Config,
    /// An empty buffer for whoever reads, so that memory for that is needed once.
    pub(crate) unread: &'a mut ReadBuffer,
    /// The same for whoever writes.
    pub(crate) output: &'a mut Vec<u8>,
    /// Since the program started.
    pub(crate) now: Duration,
}

impl Client {
    pub(crate) fn new(transport: TcpStream, config: &Config) -> Self {
        Self {
            transport,
            stage: Stage::Request(ServerHandshake::new(config)),
            unread: ReadBuffer::new(),
            readable: false,
            timer: None,
            queued: false,
        }
    }

    /// The transport has something to read.
    pub(crate) const fn set_readable(&mut self) {
        self.readable = true;
    }

    /// Reads, takes events and writes as far as that goes now, and passes the time.
    pub(crate) fn go_on<A: Application>(
        &mut self,
        id: ClientId,
        common: &mut Common<'_, A>,
    ) -> Next {
        self.borrow_memory(common);
        let next = self.turn(id, common);
        self.return_memory(common);
        next
    }

    fn turn<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) -> Next {
        // The poll may not have reported yet what arrived before a deadline.
        self.readable |= self.timeout_at().is_some_and(|at| at <= common.now);
        let mut rounds = 0;
        loop {
            let drained = self.take_events(id, common);
            self.write();
            if common.outbox.is_full() {
                return Next::Again;
            }
            // Events that waited for room come before what is still to be read.
            if !self.has_room() || (drained && !(self.readable && self.wants_read())) {
                break;
            }
            if rounds == ROUNDS {
                // What is unread has its turn soon. While each turn brings more, no deadline ends the connection too early.
                self.handle_timeout(common.now);
                return Next::Again;
            }
            rounds += 1;
            if drained {
                self.read(id, common);
            }
        }
        let had_room = self.has_room();
        self.handle_timeout(common.now);
        self.write();
        match self.connection().map(Connection::transport_action) {
            // A deadline may end a connection that had no room for its last events.
            Some(TransportAction::Close) if self.take_events(id, common) => Next::End,
            Some(TransportAction::Close) => Next::Again,
            Some(TransportAction::ShutdownWrite) => {
                // Fails only if the peer is gone, which the next read shows.
                _ = self.transport.shutdown(Shutdown::Write);
                if let Stage::Connection { connection, .. } = &mut self.stage {
                    connection.handle_shutdown();
                }
                Next::Wait
            }
            // The last write has made some for events that wait.
            _ if !had_room && self.has_room() => Next::Again,
            _ => Next::Wait,
        }
    }

    /// Whether all events were taken. If not, there is no room, or the outbox is full.
    fn take_events<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) -> bool {
        let Stage::Connection { connection, .. } = &mut self.stage else {
            return true;
        };
        while connection.has_room() && !common.outbox.is_full() {
            let Ok(Some(event)) = connection.next_event(&mut self.unread) else {
                return true;
            };
            let application = &mut *common.application;
            application.event(id, connection, event, common.outbox);
        }
        false
    }

    /// Puts something from another client into the output. What has no room there even after a write is the end: it is
    /// for somebody who does not read.
    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        if !self.has_room() {
            self.write();
        }
        let Some(connection) = self.accepted() else {
            return;
        };
        // Refused only if the connection is closing.
        _ = match delivery {
            Delivery::Message(message) if connection.has_room() => connection.send_shared(&message),
            Delivery::Message(_) => connection.close(CloseCode::POLICY_VIOLATION, "too slow"),
            Delivery::Close(code, reason) => connection.close(code, reason),
        };
    }

    /// Instead of its own empty buffers the client gets those with memory.
    fn borrow_memory<A>(&mut self, common: &mut Common<'_, A>) {
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, common.unread);
        }
        if let Stage::Connection { connection, .. } = &mut self.stage
            && connection.output_len() == 0
        {
            connection.swap_output(common.output);
        }
    }

    /// The client keeps what it needs for what is in there, and nothing if that is nothing.
    fn return_memory<A>(&mut self, common: &mut Common<'_, A>) {
        if self.unread.is_empty() {
            let unread = mem::take(&mut self.unread);
            if unread.capacity() <= KEPT {
                *common.unread = unread;
            }
        } else if self.unread.capacity() <= KEPT {
            // The start of a frame may stay for long, in thousands of clients. What is larger is so because a message is,
            // and to move that again and again would take too long.
            self.unread.shrink_to(0);
        }
        if let Stage::Connection { connection, .. } = &mut self.stage
            && connection.output_len() == 0
        {
            let mut output = Vec::new();
            connection.swap_output(&mut output);
            if output.capacity() <= KEPT {
                *common.output = output;
            }
        }
    }

    /// Passes the time. Everything that arrived was read, unless there is no room for answers.
    fn handle_timeout(&mut self, now: Duration) {
        if let Stage::Connection { connection, .. } = &mut self.stage {
            connection.handle_timeout(now);
        }
    }

    /// Reads once.
    fn read<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) {
        _ = self.unread.spare_mut(READ);
        // There may be much more space than that, and others want their turn.
        let mut transport = (&self.transport).take(KEPT as u64);
        let read = self.unread.read_from(&mut transport);
        // After any other error there is more to read, if only the end of the stream, which is not reported again.
        self.readable = !matches!(&read, Err(it) if it.kind() == ErrorKind::WouldBlock);
        if let Stage::Request(_) = self.stage
            && self.readable
            && !matches!(read, Ok(1..))
        {
            // The request will never be whole, so it has no answer.
            self.stage = Stage::Connection {
                connection: Connection::refused(Vec::new(), common.config),
                accepted: false,
            };
        }
        match &mut self.stage {
            // Nothing can be sent after the end, so what was said before is delivered first.
            _ if matches!(read, Ok(0)) && !common.outbox.is_empty() => {}
            Stage::Connection { connection, .. } => _ = connection.handle_read(read),
            // The time passes after a read, never before: what has arrived is not late.
            Stage::Request(handshake) => {
                if let Some(mut connection) = open(handshake, &mut self.unread, id, common) {
                    // A refused one has ended already.
                    let accepted = connection.close_event().is_none();
                    if accepted {
                        let application = &mut *common.application;
                        application.opened(id, &mut connection, common.outbox);
                    }
                    self.stage = Stage::Connection {
                        connection,
                        accepted,
                    };
                }
            }
        }
    }

    /// Writes until all is written or the transport takes no more. Then it says so when it takes something again.
    fn write(&mut self) {
        if let Stage::Connection { connection, .. } = &mut self.stage {
            connection.write_to(&mut self.transport);
        }
    }

    /// Whether events may be taken. A peer that does not read the answers must wait.
    fn has_room(&self) -> bool {
        self.connection().is_none_or(Connection::has_room)
    }

    fn wants_read(&self) -> bool {
        self.connection().is_none_or(Connection::wants_read)
    }

    /// When its time comes.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(handshake) => handshake.timeout_at(),
            Stage::Connection { connection, .. } => connection.timeout_at(),
        }
    }

    /// The connection, also to who was refused.
    const fn connection(&self) -> Option<&Connection> {
        match &self.stage {
            Stage::Request(_) => None,
            Stage::Connection { connection, .. } => Some(connection),
        }
    }

    /// The connection, if the request was accepted.
    pub(crate) const fn accepted(&mut self) -> Option<&mut Connection> {
        match &mut self.stage {
            Stage::Connection {
                connection,
                accepted: true,
            } => Some(connection),
            _ => None,
        }
    }

    /// How much it keeps of what came.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.unread.capacity()
    }

    pub(crate) const fn transport(&mut self) -> &mut TcpStream {
        &mut self.transport
    }
}

/// The connection that comes of the request, once that is whole, wrong or late.
fn open<A: Application>(
    handshake: &mut ServerHandshake,
    unread: &mut ReadBuffer,
    id: ClientId,
    common: &mut Common<'_, A>,
) -> Option<Connection> {
    let opened = match handshake.read_request(unread) {
        Ok(Some(request)) => common.application.request(id, &request),
        Ok(None) => Err(handshake.handle_timeout(common.now).err()?),
        Err(error) => Err(error),
    };
    Some(opened.unwrap_or_else(|error| error.refuse(common.config)))
}
