//! One transport and what is on it, from the request to the end.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use rustix::event::PollFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use sockless::handshake::{Header, Request, RequestError, RequestReader, ServerOptions};
use sockless::{Connection, Event, ReadBuffer, TransportAction};

use crate::limits::READ;

/// How often a client is read from before others have their turn.
const READS: usize = 8;

/// A client and its transport.
pub(crate) struct Client {
    transport: OwnedFd,
    stage: Stage,
    /// What came and is not yet a whole frame. Owns no memory while that is nothing.
    unread: ReadBuffer,
    /// Nothing more will come.
    at_end: bool,
    shut_down: bool,
}

/// What a server waits for.
enum Stage {
    Request(RequestReader),
    /// Also for a request that was refused, since that has to be written, too.
    Connection(Connection),
}

impl Client {
    /// A client whose transport does not block.
    pub(crate) fn new(transport: OwnedFd, options: &ServerOptions<'_>) -> Self {
        Self {
            transport,
            stage: Stage::Request(RequestReader::new(&options.config)),
            unread: ReadBuffer::new(),
            at_end: false,
            shut_down: false,
        }
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> PollFlags {
        let mut interest = PollFlags::empty();
        // Who sends and does not read has to wait.
        interest.set(PollFlags::IN, !self.at_end && self.has_room());
        let to_write = match &self.stage {
            Stage::Request(_) => false,
            Stage::Connection(connection) => connection.output_len() > 0,
        };
        interest.set(PollFlags::OUT, to_write);
        interest
    }

    /// When its time comes.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Request(reader) => reader.next_timeout(),
            Stage::Connection(connection) => connection.next_timeout(),
        }
    }

    pub(crate) const fn transport(&self) -> &OwnedFd {
        &self.transport
    }

    /// Reads, takes events, tells the time and writes, as far as that goes now. Whether that is not the end.
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
                TransportAction::ShutdownWrite { .. } if !self.shut_down => {
                    self.shut_down = true;
                    // Fails only if the peer is gone, which the next read shows.
                    _ = shutdown(&self.transport, Shutdown::Write);
                }
                _ => {}
            }
        }
        true
    }

    fn turn(&mut self, options: &ServerOptions<'_>, now: Duration) {
        for _ in 0..READS {
            self.take_request(options, now);
            self.take_events();
            self.write();
            if !self.has_room() || !self.read() {
                break;
            }
        }
        // What was read last.
        self.take_request(options, now);
        self.take_events();
        if let Stage::Connection(connection) = &mut self.stage {
            connection.handle_timeout(now);
        }
        self.write();
    }

    /// Makes a connection of a request that is whole, or wrong, or late.
    fn take_request(&mut self, options: &ServerOptions<'_>, now: Duration) {
        let Stage::Request(reader) = &mut self.stage else {
            return;
        };
        let answer = match reader.read(&mut self.unread) {
            Ok(None) => match reader.handle_timeout(now) {
                Ok(()) => return,
                Err(error) => Err(error.response()),
            },
            Ok(Some(request)) => answer(&request, options),
            Err(error) => Err(error.response()),
        };
        let refused = |answer| Connection::refused(answer, &options.config);
        self.stage = Stage::Connection(answer.unwrap_or_else(refused));
    }

    /// Sends every piece of a message back as a fragment, as soon as it is there: no message has to be held.
    fn take_events(&mut self) {
        let Stage::Connection(connection) = &mut self.stage else {
            return;
        };
        while connection.has_room()
            && let Ok(Some(event)) = connection.next_event(&mut self.unread)
        {
            // Refused only if the connection is closing: there is room.
            _ = match event {
                Event::Text { text, fin } => connection.send_text_fragment(text, fin),
                Event::Binary { data, fin } => connection.send_binary_fragment(data, fin),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // already answered
            };
        }
    }

    /// Reads once; whether anything came.
    fn read(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        let spare = self.unread.spare_mut(READ);
        let most = spare.len().min(READ);
        match recv(&self.transport, &mut spare[..most], RecvFlags::empty()) {
            Ok((n, _)) if n > 0 => {
                self.unread.advance(n);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            // All events that came before were taken.
            _ => {
                self.handle_eof();
                false
            }
        }
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
                // What is left will never be written.
                _ => {
                    connection.handle_reset();
                    self.at_end = true;
                    return;
                }
            }
        }
    }

    /// No more comes.
    fn handle_eof(&mut self) {
        self.at_end = true;
        if let Stage::Request(_) = self.stage {
            // Nobody is there to be answered.
            let nothing = Connection::refused(Vec::new(), &crate::limits::config());
            self.stage = Stage::Connection(nothing);
        }
        if let Stage::Connection(connection) = &mut self.stage {
            connection.handle_eof();
        }
    }

    fn has_room(&self) -> bool {
        match &self.stage {
            Stage::Request(_) => true,
            Stage::Connection(connection) => connection.has_room(),
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
    let body = b"an echo server: connect with a WebSocket\n";
    let answer = request.respond(200, &[text], body);
    // The header is constant, so it is never refused; an empty answer would only close.
    Err(answer.unwrap_or_default())
}
