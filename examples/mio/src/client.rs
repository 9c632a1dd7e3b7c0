//! One transport and what is on it, from the request to the end.

use std::io::{ErrorKind, IoSlice, Read, Write};
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

/// How many pieces of output go into one write.
const PARTS: usize = 16;

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
    writing: Writing,
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

impl Stage {
    /// Where an answer is all that the client gets.
    fn refused(answer: Vec<u8>, config: &Config) -> Self {
        Self::Connection {
            connection: Connection::refused(answer, config),
            accepted: false,
        }
    }
}

/// What the writing side of the transport does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// It takes something, as far as is known.
    Ready,
    /// It says so when it takes something again.
    Full,
    /// It was shut down.
    Ended,
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
            writing: Writing::Ready,
            timer: None,
            queued: false,
        }
    }

    /// The transport has something to read, or takes something again.
    pub(crate) fn ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        if writable && self.writing == Writing::Full {
            self.writing = Writing::Ready;
        }
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
            self.take_request(id, common);
            let drained = self.take_events(id, common);
            self.write();
            if common.outbox.is_full() {
                return Next::Again;
            }
            // Events that waited for room come before what is still to be read.
            if !self.takes_events() || (drained && !(self.readable && self.wants_read())) {
                break;
            }
            if rounds == ROUNDS {
                // What is unread has its turn soon. While each turn brings more, no deadline ends the connection too early.
                self.handle_timeout(common);
                return Next::Again;
            }
            rounds += 1;
            if drained {
                self.read(common.outbox);
            }
        }
        self.handle_timeout(common);
        self.write();
        match self.action() {
            // A deadline may end a connection that had no room for its last events.
            TransportAction::Close if self.take_events(id, common) => Next::End,
            TransportAction::Close => Next::Again,
            TransportAction::ShutdownWrite if self.writing != Writing::Ended => {
                self.writing = Writing::Ended;
                // Fails only if the peer is gone, which the next read shows.
                _ = self.transport.shutdown(Shutdown::Write);
                Next::Wait
            }
            _ => Next::Wait,
        }
    }

    /// Whether all events were taken. If not, there is no room, or the outbox is full.
    fn take_events<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) -> bool {
        while self.takes_events() && !common.outbox.is_full() {
            let Stage::Connection { connection, .. } = &mut self.stage else {
                return true;
            };
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
        if self.connection().is_some_and(|it| !it.has_room()) {
            self.write();
        }
        let Some(connection) = self.connection() else {
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

    /// Makes a connection of a request that is whole or wrong.
    fn take_request<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) {
        let Stage::Request(reader) = &mut self.stage else {
            return;
        };
        let answer = match reader.read(&mut self.unread) {
            Ok(None) => return,
            Ok(Some(request)) => common.application.request(id, &request),
            Err(error) => Err(error.response()),
        };
        self.stage = match answer {
            Ok(mut connection) => {
                common
                    .application
                    .opened(id, &mut connection, common.outbox);
                Stage::Connection {
                    connection,
                    accepted: true,
                }
            }
            Err(answer) => Stage::refused(answer, common.config),
        };
    }

    /// Passes the time. Everything that arrived was read, unless there is no room for answers.
    fn handle_timeout<A>(&mut self, common: &Common<'_, A>) {
        match &mut self.stage {
            Stage::Request(reader) => {
                if let Err(error) = reader.handle_timeout(common.now) {
                    self.stage = Stage::refused(error.response(), common.config);
                }
            }
            Stage::Connection { connection, .. } => connection.handle_timeout(common.now),
        }
    }

    /// Reads once.
    fn read(&mut self, outbox: &Outbox) {
        let spare = self.unread.spare_mut(READ);
        // There may be much more than that, and others want their turn.
        let size = spare.len().min(KEPT);
        match self.transport.read(&mut spare[..size]) {
            // Nothing can be sent after the end, so what was said before is delivered first.
            Ok(0) if !outbox.is_empty() => {}
            Ok(0) => self.ended(Connection::handle_eof),
            Ok(n) => self.unread.advance(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.ended(Connection::handle_reset),
        }
    }

    /// Writes until all is written or the transport takes no more.
    fn write(&mut self) {
        let Stage::Connection { connection, .. } = &mut self.stage else {
            return;
        };
        while self.writing == Writing::Ready && !connection.output().is_empty() {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let mut count = 0;
            for (place, part) in parts.iter_mut().zip(connection.output_parts()) {
                *place = IoSlice::new(part);
                count += 1;
            }
            match self.transport.write_vectored(&parts[..count]) {
                Ok(n) if n > 0 => connection.advance_output(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writing = Writing::Full,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The peer may have said why it left, so reading goes on.
                _ => connection.handle_write_error(),
            }
        }
    }

    /// Nothing more can be read, which `report` tells the connection.
    fn ended(&mut self, report: fn(&mut Connection)) {
        self.readable = false;
        if let Stage::Request(_) = self.stage {
            // The request will never be whole, so it has no answer.
            self.stage = Stage::refused(Vec::new(), &Config::default());
        }
        if let Stage::Connection { connection, .. } = &mut self.stage {
            report(connection);
        }
    }

    fn action(&self) -> TransportAction {
        match &self.stage {
            Stage::Request(_) => TransportAction::Wait {
                until: self.timeout_at(),
            },
            Stage::Connection { connection, .. } => connection.transport_action(),
        }
    }

    /// Whether events may be taken. A peer that does not read the answers must wait.
    fn takes_events(&self) -> bool {
        match &self.stage {
            Stage::Connection { connection, .. } => connection.has_room(),
            Stage::Request(_) => true,
        }
    }

    fn wants_read(&self) -> bool {
        match &self.stage {
            Stage::Request(_) => true,
            Stage::Connection { connection, .. } => connection.wants_read(),
        }
    }

    /// When its time comes.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(reader) => reader.timeout_at(),
            Stage::Connection { connection, .. } => connection.timeout_at(),
        }
    }

    /// The connection, if the request was accepted.
    pub(crate) const fn connection(&mut self) -> Option<&mut Connection> {
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
