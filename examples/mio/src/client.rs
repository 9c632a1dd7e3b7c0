//! One transport and its connection, from the request to the end.

use std::io::{ErrorKind, Read as _};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use sockless::{CloseCode, Config, Connection, ReadBuffer, TransportAction};

use crate::application::{Application, ClientId, Delivery, Outbox};
use crate::stage::Stage;

/// The number of bytes to read at once. They fit into the fastest cache.
const READ: usize = 16 << 10;

/// The number of reads from a client in one turn. Then other clients have their turns.
pub(crate) const ROUNDS: usize = 8;

/// The largest buffer that the loop keeps for other clients, in bytes.
pub(crate) const KEPT: usize = 64 << 10;

/// A client and its transport.
pub(crate) struct Client {
    transport: TcpStream,
    stage: Stage,
    /// Whether the application has accepted the request.
    accepted: bool,
    /// The bytes that are not yet a whole frame. Without such bytes it owns no memory.
    unread: ReadBuffer,
    /// Whether the transport may have more to read. The poll reports each change once, so the client must remember it.
    readable: bool,
    /// The deadline in the list of timers.
    pub(crate) timer: Option<Duration>,
    /// Whether the client is in the queue for a turn.
    pub(crate) queued: bool,
}

/// What the loop does next with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for the transport or the timer.
    Wait,
    /// Give the client another turn, after the other clients. It has more to read.
    Again,
    /// Close the transport.
    End,
}

/// What all clients share.
pub(crate) struct Common<'a, A> {
    pub(crate) application: &'a mut A,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) config: &'a Config,
    /// An empty buffer with memory. The client that reads borrows it.
    pub(crate) unread: &'a mut ReadBuffer,
    /// An empty vector with memory. The client that writes borrows it.
    pub(crate) output: &'a mut Vec<u8>,
    /// The time since the loop was created.
    pub(crate) now: Duration,
}

impl Client {
    pub(crate) fn new(transport: TcpStream, config: &Config) -> Self {
        Self {
            transport,
            stage: Stage::new(config),
            accepted: false,
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

    /// Reads, takes events and writes as much as possible now, and passes the time.
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
        // Something may have arrived before a deadline, and the poll has not reported it yet.
        self.readable |= self.timeout_at().is_some_and(|at| at <= common.now);
        let mut rounds = 0;
        loop {
            let drained = self.take_events(id, common);
            self.write();
            if common.outbox.is_full() {
                return Next::Again;
            }
            // Events that waited for room come before what the transport has.
            if !self.stage.has_room() || (drained && !(self.readable && self.stage.wants_read())) {
                break;
            }
            if rounds == ROUNDS {
                // The rest has its turn soon. While each turn reads more, no deadline ends the connection too early.
                self.stage.handle_timeout(common.now, common.config);
                return Next::Again;
            }
            rounds += 1;
            if drained {
                self.read(id, common);
            }
        }
        let had_room = self.stage.has_room();
        // The client has read everything that arrived, unless there is no room for answers.
        self.stage.handle_timeout(common.now, common.config);
        self.write();
        match self.stage.connection().map(Connection::transport_action) {
            // A deadline may end a connection that had no room for its last events.
            Some(TransportAction::Close) if self.take_events(id, common) => Next::End,
            Some(TransportAction::Close) => Next::Again,
            Some(TransportAction::ShutdownWrite) => {
                // This fails only if the peer is gone. The next read reports that.
                _ = self.transport.shutdown(Shutdown::Write);
                if let Some(connection) = self.stage.connection_mut() {
                    connection.handle_shutdown();
                }
                Next::Wait
            }
            // The last write made room for events that wait.
            _ if !had_room && self.stage.has_room() => Next::Again,
            _ => Next::Wait,
        }
    }

    /// Returns whether it took all events. If not, the output or the outbox is full.
    fn take_events<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) -> bool {
        let Some(connection) = self.stage.connection_mut() else {
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

    /// Puts a message from another client into the output. If the output has no room even after a write, the client
    /// does not read, and this closes the connection.
    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        if !self.stage.has_room() {
            self.write();
        }
        let Some(connection) = self.accepted() else {
            return;
        };
        // This fails only if the connection is closing.
        _ = match delivery {
            Delivery::Message(message) if connection.has_room() => connection.send_shared(&message),
            Delivery::Message(_) => connection.close(CloseCode::POLICY_VIOLATION, "too slow"),
            Delivery::Close(code, reason) => connection.close(code, reason),
        };
    }

    /// Exchanges the client's empty buffers for those with memory.
    fn borrow_memory<A>(&mut self, common: &mut Common<'_, A>) {
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, common.unread);
        }
        if let Some(connection) = self.stage.connection_mut()
            && connection.output_len() == 0
        {
            connection.take_output(common.output);
        }
    }

    /// Returns the memory of empty buffers.
    fn return_memory<A>(&mut self, common: &mut Common<'_, A>) {
        if self.unread.is_empty() {
            let unread = mem::take(&mut self.unread);
            if unread.capacity() <= KEPT {
                *common.unread = unread;
            }
        } else if self.unread.capacity() <= KEPT {
            // The start of a frame may stay for long, in thousands of clients. A larger buffer holds a large message.
            // Moving that again and again would take too long.
            self.unread.shrink_to(0);
        }
        if let Some(connection) = self.stage.connection_mut()
            && connection.output_len() == 0
        {
            let mut output = Vec::new();
            connection.take_output(&mut output);
            if output.capacity() <= KEPT {
                *common.output = output;
            }
        }
    }

    /// Reads once.
    fn read<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) {
        _ = self.unread.spare_mut(READ);
        // The buffer may have much more space, but other clients want their turns.
        let mut transport = (&self.transport).take(KEPT as u64);
        let read = self.unread.read_from(&mut transport);
        // After any other error there is more to read, if only the end of the stream. The poll does not report it
        // again.
        self.readable = !matches!(&read, Err(it) if it.kind() == ErrorKind::WouldBlock);
        if matches!(read, Ok(0)) && !common.outbox.is_empty() {
            // After the end the application cannot send. So the loop delivers the outbox first.
            return;
        }
        let has_ended = self.readable && !matches!(read, Ok(1..));
        if self.stage.connection().is_some() || has_ended {
            self.stage
                .end(|connection| _ = connection.handle_read(read));
            return;
        }
        self.stage
            .read_request(&mut self.unread, common.config, |request| {
                common.application.request(id, request)
            });
        // A refused connection has already ended.
        if let Some(connection) = self.stage.connection_mut()
            && connection.close_event().is_none()
        {
            self.accepted = true;
            common.application.opened(id, connection, common.outbox);
        }
    }

    /// Writes until the output is empty or the transport takes no more. Then the poll reports when it does.
    fn write(&mut self) {
        if let Some(connection) = self.stage.connection_mut() {
            connection.write_to(&mut self.transport);
        }
    }

    /// The next deadline.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        self.stage.timeout_at()
    }

    /// The connection, if the application has accepted the request.
    pub(crate) const fn accepted(&mut self) -> Option<&mut Connection> {
        if !self.accepted {
            return None;
        }
        self.stage.connection_mut()
    }

    /// The memory of the read buffer, in bytes.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.unread.capacity()
    }

    pub(crate) const fn transport(&mut self) -> &mut TcpStream {
        &mut self.transport
    }
}
