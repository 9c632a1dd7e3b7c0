//! One transport and its connection, from the request to the end.

use std::io::{self, ErrorKind, Read as _};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use sockless::{CloseCode, Config, Connection, ReadBuffer, TransportAction};

use crate::application::{Application, ClientId, Delivery, Outbox};
use crate::stage::Stage;

/// The least space for a read, in bytes. It fits into the fastest cache.
const READ: usize = 16 << 10;

/// The number of reads from a client in one turn. Then other clients have their turns.
pub(crate) const ROUNDS: usize = 4;

/// The most bytes to read at once, and the largest buffer that the loop keeps for other clients.
pub(crate) const KEPT: usize = 256 << 10;

/// Whether a read of fewer bytes than there was space for shows that the transport is empty.
///
/// On Linux, a read takes everything that has arrived, up to its space. The poll reports whatever arrives later. So
/// after a short read the client waits for the poll, without one more read that would find nothing. The end of the
/// stream is no bytes, so a short read does not show whether the end has arrived: see [`Arrived::End`]. Elsewhere, mio
/// may report nothing until a read has found nothing.
const SHORT_READ_EMPTIES: bool = cfg!(target_os = "linux");

/// A client and its transport.
pub(crate) struct Client {
    transport: TcpStream,
    stage: Stage,
    /// Whether the application has accepted the request.
    accepted: bool,
    /// The bytes that are not yet a whole frame. Without such bytes it owns no memory.
    unread: ReadBuffer,
    arrived: Arrived,
    /// The deadline in the list of timers. The client's own deadline may be later.
    pub(crate) timer: Option<Duration>,
    /// Whether the client is in the queue for a turn.
    pub(crate) queued: bool,
}

/// What the transport may have to read. The poll reports each change once, so the client must remember it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arrived {
    Nothing,
    Bytes,
    /// The end of the stream or an error, perhaps after bytes. The poll may report it together with the last bytes, and
    /// only once. So a short read shows nothing, and the client reads until it finds the end. An end that arrives after
    /// the report of the bytes has a report of its own. So no end is lost.
    End,
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
    /// The number of bytes that the client has read in this turn.
    pub(crate) received: usize,
}

impl Client {
    pub(crate) fn new(transport: TcpStream, config: &Config) -> Self {
        Self {
            transport,
            stage: Stage::new(config),
            accepted: false,
            unread: ReadBuffer::new(),
            arrived: Arrived::Nothing,
            timer: None,
            queued: false,
        }
    }

    /// The poll has reported this.
    pub(crate) fn note(&mut self, arrived: Arrived) {
        self.arrived = self.arrived.max(arrived);
    }

    /// Reads, takes events and writes as much as possible now, and passes the time.
    pub(crate) fn go_on<A: Application>(
        &mut self,
        id: ClientId,
        common: &mut Common<'_, A>,
    ) -> Next {
        let borrows = self.borrow_memory(common);
        let next = self.turn(id, common);
        self.return_memory(common, borrows);
        next
    }

    fn turn<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) -> Next {
        // Something may have arrived before a deadline, and the poll has not reported it yet.
        if self.timeout_at().is_some_and(|at| at <= common.now) {
            self.note(Arrived::Bytes);
        }
        let mut rounds = 0;
        loop {
            let drained = self.take_events(id, common);
            self.write();
            if common.outbox.is_full() {
                return Next::Again;
            }
            // Events that waited for room come before what the transport has.
            if !self.stage.has_room() || (drained && !self.may_read()) {
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

    /// Exchanges the client's empty buffers for those with memory. Returns whether it borrows the read buffer.
    fn borrow_memory<A>(&mut self, common: &mut Common<'_, A>) -> bool {
        let borrows = self.unread.is_empty();
        if borrows {
            mem::swap(&mut self.unread, common.unread);
        }
        if let Some(connection) = self.stage.connection_mut()
            && connection.output_len() == 0
        {
            connection.take_output(common.output);
        }
        borrows
    }

    /// Returns the memory of empty buffers. The larger memory stays for other clients. `borrowed` is whether the client borrowed the read buffer.
    fn return_memory<A>(&mut self, common: &mut Common<'_, A>, borrowed: bool) {
        if self.unread.is_empty() {
            let unread = mem::take(&mut self.unread);
            if (common.unread.capacity()..=KEPT).contains(&unread.capacity()) {
                *common.unread = unread;
            }
        } else if self.unread.capacity() <= 2 * READ
            || borrowed && common.received < self.unread.capacity() / 2
        {
            // The start of a frame may stay for long, in thousands of clients. If much has arrived in this turn, the
            // rest most likely follows soon, and a copy is not worth it. A larger buffer of the client holds a large
            // message, and moving that again and again would take too long.
            self.unread.shrink_to(0);
        }
        if let Some(connection) = self.stage.connection_mut()
            && connection.output_len() == 0
        {
            let mut output = Vec::new();
            connection.take_output(&mut output);
            if (common.output.capacity()..=KEPT).contains(&output.capacity()) {
                *common.output = output;
            }
        }
    }

    /// Reads once.
    fn read<A: Application>(&mut self, id: ClientId, common: &mut Common<'_, A>) {
        let space = self.unread.spare_mut(READ);
        // The buffer may have much more space, but other clients want their turns.
        let most = space.len().min(KEPT);
        let read = read_once(&self.transport, &mut space[..most]);
        if let Ok(n) = read {
            self.unread.advance_filled(n);
            common.received += n;
        }
        let is_empty = match &read {
            Ok(n @ 1..) => *n < most && SHORT_READ_EMPTIES && self.arrived != Arrived::End,
            Ok(0) => false,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        // After any other error there is more to read, if only the end of the stream.
        if is_empty {
            self.arrived = Arrived::Nothing;
        }
        if matches!(read, Ok(0)) && !common.outbox.is_empty() {
            // After the end the application cannot send. So the loop delivers the outbox first.
            return;
        }
        let has_ended = !is_empty && !matches!(read, Ok(1..));
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

    /// Whether there may be something to read that the connection takes.
    fn may_read(&self) -> bool {
        self.arrived != Arrived::Nothing && self.stage.wants_read()
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

/// Reads once. A signal does not interrupt it.
fn read_once(mut transport: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match transport.read(space) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
