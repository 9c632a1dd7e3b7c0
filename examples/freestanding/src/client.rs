//! One transport and what is on it, from the request to the end.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use rustix::event::PollFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use sockless::handshake::{Header, Request, RequestError, ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};

use crate::limits::READ;

/// How often a client is read from before others have their turn.
const READS: usize = 8;

/// A client and its transport.
pub(crate) struct Client {
    transport: OwnedFd,
    stage: Stage,
    /// What came and is not yet a whole frame. Owns no memory while that is nothing.
    unread: ReadBuffer,
}

/// What a server waits for.
enum Stage {
    Request(ServerHandshake),
    /// Also for a request that was refused, since that has to be written, too.
    Connection(Connection),
}

impl Client {
    /// A client whose transport does not block.
    pub(crate) fn new(transport: OwnedFd, options: &ServerOptions<'_>) -> Self {
        Self {
            transport,
            stage: Stage::Request(ServerHandshake::new(&options.config)),
            unread: ReadBuffer::new(),
        }
    }

    /// What to wait for. One of both is always set, so an error that poll reports unasked makes a read or a write fail.
    pub(crate) fn interest(&self) -> PollFlags {
        let to_write = self.connection().is_some_and(|it| it.output_len() > 0);
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, self.wants_read());
        interest.set(PollFlags::OUT, to_write);
        interest
    }

    /// When its time comes.
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(handshake) => handshake.timeout_at(),
            Stage::Connection(connection) => connection.timeout_at(),
        }
    }

    pub(crate) const fn transport(&self) -> &OwnedFd {
        &self.transport
    }

    /// Reads, takes events and writes as far as that goes now, and passes the time. Whether that is not the end.
    pub(crate) fn go_on(
        &mut self,
        options: &ServerOptions<'_>,
        lent: &mut ReadBuffer,
        now: Duration,
    ) -> bool {
        // An empty buffer of one's own gives way to the one with memory.
        if self.unread.is_empty() {
            mem::swap(&mut self.unread, lent);
        }
        self.turn(options, now);
        if self.unread.is_empty() {
            if lent.capacity() == 0 {
                mem::swap(&mut self.unread, lent);
            }
            self.unread = ReadBuffer::new();
        }
        if let Stage::Connection(connection) = &mut self.stage {
            if connection.output_len() == 0 {
                // Who is idle has no memory for output either.
                connection.swap_output(&mut Vec::new());
            }
            match connection.transport_action() {
                TransportAction::Close => return false,
                TransportAction::ShutdownWrite => {
                    // Fails only if the peer is gone, which the next read shows.
                    _ = shutdown(&self.transport, Shutdown::Write);
                    connection.handle_shutdown();
                }
                _ => {}
            }
        }
        true
    }

    fn turn(&mut self, options: &ServerOptions<'_>, now: Duration) {
        let mut reads = 0;
        loop {
            let drained = self.take_events();
            self.write();
            if !drained && self.has_room() {
                continue;
            }
            // What is unread after so many reads has its turn soon. While each turn brings more, no deadline ends the
            // connection too early.
            if !drained || !self.wants_read() || reads == READS {
                break;
            }
            reads += 1;
            let more = self.read();
            // The time passes after a read, never before: what has arrived is not late.
            if let Stage::Request(handshake) = &mut self.stage
                && let Some(connection) = open(handshake, &mut self.unread, options, now)
            {
                self.stage = Stage::Connection(connection);
            }
            if !more {
                break;
            }
        }
        // Everything that arrived was read, unless there is no room for answers. A Ping is written when poll says so. To
        // write now could make room for events, which would wait for nothing.
        if let Stage::Connection(connection) = &mut self.stage {
            connection.handle_timeout(now);
        }
    }

    /// Sends every piece of a message back as a fragment, as soon as it is there: no message has to be held. Whether all
    /// events were taken; if not, there is no room.
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
                Event::Text { text, fin } => connection.send_text_fragment(text, fin),
                Event::Binary { data, fin } => connection.send_binary_fragment(data, fin),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
            };
        }
        false
    }

    /// Reads once. Whether there may be more to read.
    fn read(&mut self) -> bool {
        let spare = self.unread.spare_mut(READ);
        let most = spare.len().min(READ);
        match recv(&self.transport, &mut spare[..most], RecvFlags::empty()) {
            Ok((0, _)) => self.ended(Connection::handle_eof),
            Ok((n, _)) => self.unread.advance_filled(n),
            Err(Errno::AGAIN) => return false,
            Err(Errno::INTR) => {}
            Err(_) => self.ended(Connection::handle_reset),
        }
        true
    }

    /// Writes until all is written or the transport takes no more.
    fn write(&mut self) {
        let Stage::Connection(connection) = &mut self.stage else {
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

    /// Nothing more can be read, which `report` tells the connection.
    fn ended(&mut self, report: fn(&mut Connection)) {
        if let Stage::Request(_) = self.stage {
            // The request will never be whole, so it has no answer.
            self.stage = Stage::Connection(Connection::refused(Vec::new(), &Config::new()));
        }
        if let Stage::Connection(connection) = &mut self.stage {
            report(connection);
        }
    }

    /// Whether events may be taken. A peer that does not read the answers must wait.
    fn has_room(&self) -> bool {
        self.connection().is_none_or(Connection::has_room)
    }

    fn wants_read(&self) -> bool {
        self.connection().is_none_or(Connection::wants_read) && self.has_room()
    }

    const fn connection(&self) -> Option<&Connection> {
        match &self.stage {
            Stage::Request(_) => None,
            Stage::Connection(connection) => Some(connection),
        }
    }
}

/// What [`ServerHandshake::accept`] does, but for requests that are for no WebSocket: these get a page.
fn open(
    handshake: &mut ServerHandshake,
    unread: &mut ReadBuffer,
    options: &ServerOptions<'_>,
    now: Duration,
) -> Option<Connection> {
    let opened = match handshake.read_request(unread) {
        Ok(Some(request)) => answer(&request, options),
        Ok(None) => Err(handshake.handle_timeout(now).err()?),
        Err(error) => Err(error),
    };
    Some(opened.unwrap_or_else(|error| error.refuse(&options.config)))
}

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
