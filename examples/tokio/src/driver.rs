//! A connection with its transport and its clock, as functions to poll.
//!
//! All state is in here and none is in a future, so every future on it is safe to drop.

use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockless::{Connection, Event, ReadBuffer, TransportAction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;
use crate::message::{Closed, Message};

/// How much is read at once: what stays in the fastest cache.
const READ: usize = 16 << 10;

/// How much memory of either direction an idle connection keeps: enough for the next short message.
const KEPT: usize = 2 * READ;

/// How many reads one turn makes before other tasks have theirs.
const READS: u32 = 32;

/// More bytes than a transport holds. After so many, all that had arrived when the time was last passed has been read, even
/// if there is always more.
const BACKLOG: usize = 16 << 20;

/// How many pieces of output go into one write.
const PARTS: usize = 16;

/// How long the last bytes may stay in a transport that holds back what it was given, as TLS does: 10 s, in the short waits
/// of the clock.
const LINGER: usize = 40;

#[derive(Debug)]
pub(crate) struct Driver<S> {
    transport: S,
    pub(crate) connection: Connection,
    buffer: ReadBuffer,
    clock: Clock,
    /// The reads of this turn.
    reads: u32,
    /// How many bytes were read since the time was last passed.
    unpassed: usize,
    outgoing: Outgoing,
    /// Since when output waits and the transport takes none of it.
    stuck: Option<Duration>,
    /// How far away the next deadline was when the time was last passed, in other words how long one of them is.
    patience: Duration,
    /// Whether the connection is over, and waits only for what the transport holds back.
    lingering: bool,
    /// Whether the transport can be dropped.
    over: bool,
    /// Changes whenever something did that the other half of a split connection may wait for.
    pub(crate) progress: u64,
}

/// The way to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    /// All that was written has gone.
    Flushed,
    /// The transport may hold back some of what was written.
    Unflushed,
    ShutDown,
    /// Writing has failed. What the peer sent before can still be read.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// `buffer` has what was read behind the opening handshake.
    pub(crate) fn new(transport: S, connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            transport,
            connection,
            buffer,
            clock: Clock::new(),
            reads: 0,
            unpassed: 0,
            outgoing: Outgoing::Flushed,
            stuck: None,
            patience: Duration::ZERO,
            lingering: false,
            over: false,
            progress: 0,
        }
    }

    /// The next message, `None` when the connection has ended and the transport can be dropped.
    ///
    /// Writes what is to be written, answers to Pings included, and keeps to all deadlines.
    ///
    /// It reads even while the output is full. An application that answers waits for room in [`poll_room`](Self::poll_room),
    /// and Pongs have a limit of their own. If each side read only after the other, neither would ever go on.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.take_message() {
                // What waits, a Pong perhaps, need not wait for the next call.
                _ = self.poll_write(cx);
                return Poll::Ready(Some(message));
            }
            if self.reads < READS && self.poll_read(cx).is_ready() {
                self.reads += 1;
                continue;
            }
            let unread = self.reads == READS;
            self.reads = 0;
            // What is still unread may be the Pong that is awaited.
            if !unread || self.unpassed >= BACKLOG {
                self.pass_time(Duration::ZERO);
            }
            let due = self.poll_turn(cx);
            if self.over {
                return Poll::Ready(None);
            }
            if unread {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // When a deadline comes, the transport is read before the time is passed again.
            ready!(due);
        }
    }

    /// Ready when a message may be sent.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_until(cx, |driver| {
            if driver.over || !driver.connection.can_send() {
                return Some(Err(Closed));
            }
            driver.connection.has_room().then_some(Ok(()))
        })
    }

    /// Ready when all that was sent is written, or never will be.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_until(cx, |driver| {
            let sent = matches!(driver.outgoing, Outgoing::Flushed | Outgoing::ShutDown);
            if sent && driver.connection.output_len() == 0 {
                return Some(Ok(()));
            }
            (driver.over || driver.outgoing == Outgoing::Broken).then_some(Err(Closed))
        })
    }

    /// Writes until `found` has something to say.
    ///
    /// It reads nothing, so the Pong that is awaited may be unread. It passes the time only while output waits, and gives a
    /// peer up only when the transport has taken nothing for as long as a deadline is.
    fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        found: impl Fn(&Self) -> Option<T>,
    ) -> Poll<T> {
        loop {
            _ = self.poll_write(cx);
            if let Some(result) = found(self) {
                return Poll::Ready(result);
            }
            let first = self.stuck.map(|since| since.saturating_add(self.patience));
            self.pass_time(first.unwrap_or_default());
            let due = self.poll_turn(cx);
            if let Some(result) = found(self) {
                return Poll::Ready(result);
            }
            ready!(due);
        }
    }

    /// Passes the time, unless a deadline has just passed. Then there are short waits, the first until `first` at least.
    fn pass_time(&mut self, first: Duration) {
        if let Some(now) = self.clock.due(first) {
            self.unpassed = 0;
            self.connection.handle_timeout(now);
            let next = self.connection.timeout_at();
            if let Some(wait) = next.and_then(|next| next.checked_sub(now)) {
                self.patience = wait;
            }
            self.clock.passed(next, first);
        }
    }

    /// Writes, and ends the transport when that is due. Ready when the next deadline has come.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        _ = self.poll_write(cx);
        match self.connection.transport_action() {
            TransportAction::Close if self.poll_close(cx).is_ready() => {
                self.over = true;
                self.progress += 1;
            }
            TransportAction::ShutdownWrite => _ = self.poll_shutdown(cx),
            _ => {}
        }
        self.clock.poll(cx, self.connection.timeout_at())
    }

    /// The next message that has come whole.
    fn take_message(&mut self) -> Option<Message> {
        loop {
            let before = self.connection.output_len();
            // After an error the Close frame that tells the peer is in the output, and there are no more events.
            let event = self.connection.next_event(&mut self.buffer).ok().flatten();
            if self.connection.output_len() != before {
                self.progress += 1;
            }
            match event? {
                Event::Text { text, .. } => return Some(Message::Text(text.to_owned())),
                Event::Binary { data, .. } => return Some(Message::Binary(data.to_vec())),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
            }
        }
    }

    /// Reads once. At the end of the stream it is pending, and wakes nobody: nothing more comes.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.over || !self.connection.wants_read() {
            return Poll::Pending;
        }
        let mut spare = ReadBuf::new(self.buffer.spare_mut(READ));
        let Poll::Ready(result) = Pin::new(&mut self.transport).poll_read(cx, &mut spare) else {
            self.give_back();
            return Poll::Pending;
        };
        let n = spare.filled().len();
        match result {
            Ok(()) if n > 0 => {
                self.buffer.advance_filled(n);
                self.unpassed = self.unpassed.saturating_add(n);
                return Poll::Ready(());
            }
            Ok(()) => self.connection.handle_eof(),
            // TLS that ends without close_notify: what waits may still be written.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.connection.handle_eof(),
            Err(_) => {
                self.connection.handle_reset();
                self.outgoing = Outgoing::Broken;
            }
        }
        self.progress += 1;
        Poll::Ready(())
    }

    /// Gives memory back that a large message has left, when there is nothing to do.
    fn give_back(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = ReadBuffer::new();
        }
        if self.connection.output_len() == 0 {
            let mut output = Vec::new();
            self.connection.swap_output(&mut output);
            if output.capacity() <= KEPT {
                self.connection.swap_output(&mut output);
            }
        }
    }

    /// Writes until all is written, or the transport takes no more.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = self.poll_write_all(cx);
        self.stuck = match written {
            Poll::Ready(()) => None,
            Poll::Pending => self.stuck.or_else(|| Some(self.clock.now())),
        };
        written
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.over && self.connection.output_len() > 0 {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let mut count = 0;
            for (place, part) in parts.iter_mut().zip(self.connection.output_parts()) {
                *place = IoSlice::new(part);
                count += 1;
            }
            let transport = Pin::new(&mut self.transport);
            match ready!(transport.poll_write_vectored(cx, &parts[..count])) {
                Ok(n) if n > 0 => {
                    self.connection.advance_output(n);
                    self.outgoing = Outgoing::Unflushed;
                    self.progress += 1;
                    // The peer reads, which may extend the deadline. That counts from now.
                    self.stuck = None;
                    self.clock.wait(0);
                }
                _ => self.write_failed(),
            }
        }
        if self.outgoing == Outgoing::Unflushed {
            match ready!(Pin::new(&mut self.transport).poll_flush(cx)) {
                Ok(()) => self.outgoing = Outgoing::Flushed,
                Err(_) => self.write_failed(),
            }
            self.progress += 1;
        }
        Poll::Ready(())
    }

    /// Drops the output. Reading goes on: the peer's last messages and its Close frame may be there.
    fn write_failed(&mut self) {
        self.connection.handle_write_error();
        self.outgoing = Outgoing::Broken;
        self.progress += 1;
    }

    /// Ends the writing side, once.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.outgoing, Outgoing::ShutDown | Outgoing::Broken) {
            // If it fails, reading shows what is wrong.
            _ = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
            self.outgoing = Outgoing::ShutDown;
        }
        Poll::Ready(())
    }

    /// Ready when the transport can be dropped. What it holds back, the Close frame perhaps, goes first.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.lingering {
            self.lingering = true;
            self.clock.wait(LINGER);
        }
        let shutdown = self.poll_shutdown(cx);
        // A peer that has not read the output in time will not read what the transport holds back either.
        if self.connection.output_len() > 0 || self.clock.due(Duration::ZERO).is_some() {
            return Poll::Ready(());
        }
        shutdown
    }
}
