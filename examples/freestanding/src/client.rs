//! One transport and its connection, from the request to the end.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use rustix::event::PollFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use sockless::handshake::ServerOptions;
use sockless::{Connection, Event, ReadBuffer, TransportAction};

use crate::limits::READ;
use crate::page::accept_or_page;
use crate::stage::Stage;

/// The number of reads from a client in one turn. Then other clients have their turns.
const READS: usize = 8;

/// A client and its transport.
pub(crate) struct Client {
    transport: OwnedFd,
    stage: Stage,
    /// The bytes that are not yet a whole frame. Without such bytes it owns no memory.
    unread: ReadBuffer,
}

impl Client {
    /// A client whose transport does not block.
    pub(crate) fn new(transport: OwnedFd, options: &ServerOptions<'_>) -> Self {
        Self {
            transport,
            stage: Stage::new(&options.config),
            unread: ReadBuffer::new(),
        }
    }

    /// What to wait for. At least one of both flags is set. So if poll reports an error, a read or a write fails next.
    pub(crate) fn interest(&self) -> PollFlags {
        let connection = self.stage.connection();
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, self.stage.wants_read());
        interest.set(
            PollFlags::OUT,
            connection.is_some_and(|it| it.output_len() > 0),
        );
        interest
    }

    /// The next deadline.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        self.stage.timeout_at()
    }

    pub(crate) const fn transport(&self) -> &OwnedFd {
        &self.transport
    }

    /// Reads, takes events and writes as much as possible now, and passes the time.
    ///
    /// Returns false at the end. Then close the transport.
    pub(crate) fn go_on(
        &mut self,
        options: &ServerOptions<'_>,
        lent: &mut ReadBuffer,
        now: Duration,
    ) -> bool {
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, lent);
        }
        self.turn(options);
        // The client has read everything that arrived, unless there is no room for answers. It writes a Ping when poll
        // says so. A write here could make room for events, and nothing would wake the client for them.
        self.stage.handle_timeout(now, &options.config);
        if self.unread.is_empty() {
            if lent.capacity() == 0 {
                mem::swap(&mut self.unread, lent);
            }
            self.unread = ReadBuffer::new();
        }
        let Some(connection) = self.stage.connection_mut() else {
            return true;
        };
        if connection.output_len() == 0 {
            // An idle client has no memory for output.
            connection.take_output(&mut Vec::new());
        }
        match connection.transport_action() {
            TransportAction::Close => return false,
            TransportAction::ShutdownWrite => {
                // This fails only if the peer is gone. The next read reports that.
                _ = shutdown(&self.transport, Shutdown::Write);
                connection.handle_shutdown();
            }
            _ => {}
        }
        true
    }

    fn turn(&mut self, options: &ServerOptions<'_>) {
        let mut reads = 0;
        loop {
            let drained = self.take_events();
            self.write();
            if !drained && self.stage.has_room() {
                continue;
            }
            // The rest has its turn soon. While each turn reads more, no deadline ends the connection too early.
            if !drained || !self.stage.wants_read() || reads == READS {
                return;
            }
            reads += 1;
            if !self.read() {
                return;
            }
            self.stage
                .read_request(&mut self.unread, &options.config, |request| {
                    accept_or_page(request, options)
                });
        }
    }

    /// Sends every piece of a message back as a fragment when it arrives, so no message needs memory. Returns whether
    /// it took all events. If not, the output has no room.
    fn take_events(&mut self) -> bool {
        self.stage
            .take_events(&mut self.unread, |connection, event| {
                // The output has room, so this fails only if the connection is closing.
                _ = match event {
                    Event::Text { text, fin } => connection.send_text_fragment(text, fin),
                    Event::Binary { data, fin } => connection.send_binary_fragment(data, fin),
                    Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // sockless has answered
                };
            })
    }

    /// Reads once. Returns whether there may be more.
    fn read(&mut self) -> bool {
        let spare = self.unread.spare_mut(READ);
        let most = spare.len().min(READ);
        match recv(&self.transport, &mut spare[..most], RecvFlags::empty()) {
            Ok((0, _)) => self.stage.end(Connection::handle_eof),
            Ok((n, _)) => self.unread.advance_filled(n),
            Err(Errno::AGAIN) => return false,
            Err(Errno::INTR) => {}
            Err(_) => self.stage.end(Connection::handle_reset),
        }
        true
    }

    /// Writes until the output is empty or the transport takes no more.
    fn write(&mut self) {
        let Some(connection) = self.stage.connection_mut() else {
            return;
        };
        while !connection.output().is_empty() {
            match send(&self.transport, connection.output(), SendFlags::NOSIGNAL) {
                Ok(n) if n > 0 => connection.advance_output(n),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // The peer may have said why it left, so reading goes on.
                _ => connection.handle_write_error(),
            }
        }
    }
}
