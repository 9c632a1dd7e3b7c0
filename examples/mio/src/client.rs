//! One transport and what is on it, from the request to the end.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use sockless::handshake::RequestReader;
use sockless::{Config, Connection, ReadBuffer, TransportAction};

use crate::application::{Application, ClientId, Outbox};

/// How much is read at once: what stays in the fastest cache.
const READ: usize = 16 << 10;

/// How often a client is read from before others have their turn.
const READS: usize = 8;

/// How many pieces of output go into one write.
const PARTS: usize = 16;

/// A client and its transport.
pub(crate) struct Client {
    transport: TcpStream,
    stage: Stage,
    /// What came and is not yet a whole frame. Owns no memory while that is nothing.
    unread: ReadBuffer,
    /// The transport says so once: what is not done then stays to be done.
    readable: bool,
    writable: bool,
    shut_down: bool,
    /// For when it is in the list of timers.
    pub(crate) timer: Option<Duration>,
}

/// What a server waits for.
enum Stage {
    Request(RequestReader),
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
    /// An empty buffer for whoever reads.
    pub(crate) buffer: &'a mut ReadBuffer,
    /// Since the program started.
    pub(crate) now: Duration,
}

impl Client {
    pub(crate) fn new(transport: TcpStream, config: &Config) -> Self {
        Self {
            transport,
            stage: Stage::Request(RequestReader::new(config)),
            unread: ReadBuffer::new(),
            readable: false,
            writable: true,
            shut_down: false,
            timer: None,
        }
    }

    /// The transport has something to read, or takes something again.
    pub(crate) const fn ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// Reads, takes events, tells the time and writes, as far as that goes now.
    pub(crate) fn go_on<A: Application>(
        &mut self,
        id: ClientId,
        common: &mut Common<'_, A>,
    ) -> Next {
        // An empty buffer of one's own gives way to the one with memory.
        let lent = self.unread.is_empty();
        if lent {
            mem::swap(&mut self.unread, common.buffer);
        }
        let next = self.turn(id, common);
        if lent {
            if self.unread.is_empty() {
                mem::swap(&mut self.unread, common.buffer);
            }
        } else if self.unread.is_empty() {
            self.unread = ReadBuffer::new();
        }
        next
    }

    fn turn<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) -> Next {
        let mut reads = 0;
        let stopped = loop {
            if let Stage::Request(_) = self.stage {
                self.take_request(id, common);
            }
            if let Stage::Connection { connection, .. } = &mut self.stage {
                while connection.has_room()
                    && let Ok(Some(event)) = connection.next_event(&mut self.unread)
                {
                    let application = &mut *common.application;
                    application.event(id, connection, event, common.outbox);
                }
            }
            self.write();
            // Who sends and does not read has to wait.
            if !self.readable || !self.has_room() {
                break Next::Wait;
            }
            if reads == READS {
                break Next::Again;
            }
            reads += 1;
            self.read();
        };
        if let Stage::Connection { connection, .. } = &mut self.stage {
            connection.handle_timeout(common.now);
        }
        self.write();
        match self.action() {
            TransportAction::Close => Next::End,
            TransportAction::ShutdownWrite { .. } if !self.shut_down => {
                self.shut_down = true;
                // Fails only if the peer is gone, which the next read shows.
                _ = self.transport.shutdown(Shutdown::Write);
                stopped
            }
            _ => stopped,
        }
    }

    /// Makes a connection of a request that is whole, or wrong, or late.
    fn take_request<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) {
        let Stage::Request(reader) = &mut self.stage else {
            return;
        };
        let answer = match reader.read(&mut self.unread) {
            Ok(None) => match reader.handle_timeout(common.now) {
                Ok(()) => return,
                Err(error) => Err(error.response()),
            },
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
            Err(answer) => Stage::Connection {
                connection: Connection::refused(answer, common.config),
                accepted: false,
            },
        };
    }

    /// Reads once.
    fn read(&mut self) {
        match self.transport.read(self.unread.spare_mut(READ)) {
            Ok(n) if n > 0 => self.unread.advance(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // All events that came before were taken.
            _ => self.handle_eof(),
        }
    }

    /// Writes until all is written or the transport takes no more.
    fn write(&mut self) {
        let Stage::Connection { connection, .. } = &mut self.stage else {
            return;
        };
        while self.writable && !connection.output().is_empty() {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let mut count = 0;
            for (place, part) in parts.iter_mut().zip(connection.output_parts()) {
                *place = IoSlice::new(part);
                count += 1;
            }
            match self.transport.write_vectored(&parts[..count]) {
                Ok(n) if n > 0 => connection.advance_output(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => {
                    self.handle_eof();
                    return;
                }
            }
        }
    }

    /// No more comes, or can be written.
    fn handle_eof(&mut self) {
        self.readable = false;
        match &mut self.stage {
            Stage::Connection { connection, .. } => connection.handle_eof(),
            // Nobody is there to be answered.
            Stage::Request(_) => {
                let mut connection = Connection::refused(Vec::new(), &Config::default());
                connection.handle_eof();
                self.stage = Stage::Connection {
                    connection,
                    accepted: false,
                };
            }
        }
    }

    fn action(&self) -> TransportAction {
        match &self.stage {
            Stage::Request(_) => TransportAction::Wait {
                until: self.next_timeout(),
            },
            Stage::Connection { connection, .. } => connection.transport_action(),
        }
    }

    fn has_room(&self) -> bool {
        match &self.stage {
            Stage::Request(_) => true,
            Stage::Connection { connection, .. } => connection.has_room(),
        }
    }

    /// When its time comes.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(reader) => reader.next_timeout(),
            Stage::Connection { connection, .. } => connection.next_timeout(),
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

    pub(crate) const fn transport(&mut self) -> &mut TcpStream {
        &mut self.transport
    }
}
