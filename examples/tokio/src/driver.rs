//! A connection with its transport and its clock, as functions to poll. All state is in here and none in a future, which is
//! what makes every future on it safe to drop.

use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockless::{Connection, Event, ReadBuffer, TransportAction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::message::{Closed, Message};

/// How much is read at once: what stays in the fastest cache.
const READ: usize = 16 << 10;

/// How much memory of either direction an idle connection keeps: enough for the next short message.
const KEPT: usize = 2 * READ;

/// How often is read, while something comes, before the time is told and others have their turn.
const READS: u32 = 32;

/// How many pieces of output go into one write.
const PARTS: usize = 16;

/// How long the last bytes may stay in a transport that holds back what it was given, as TLS does.
const LINGER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Driver<S> {
    transport: S,
    pub(crate) connection: Connection,
    buffer: ReadBuffer,
    clock: Clock,
    /// How often was read since the time was told.
    reads: u32,
    at_end: bool,
    outgoing: Outgoing,
    /// When to wait no longer for what the transport holds back.
    linger: Option<Duration>,
    /// Whether all that can be done was done.
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
    /// The transport has failed. What came before can still be read.
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
            at_end: false,
            outgoing: Outgoing::Flushed,
            linger: None,
            over: false,
            progress: 0,
        }
    }

    /// The next message, `None` when the connection has ended and the transport can be dropped.
    ///
    /// Writes what is to be written, answers to Pings included, and keeps to all deadlines.
    ///
    /// It reads even while the output is full: whoever answers waits for room in [`poll_room`](Self::poll_room), and Pongs
    /// have a limit of their own. If both sides read only once the other has read, neither ever would.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.take_message() {
                // What waits, a Pong perhaps, need not wait for the next call.
                _ = self.poll_write(cx);
                return Poll::Ready(Some(message));
            }
            // All that came is read before the time is told: it may be the Pong that is awaited.
            if self.reads < READS && self.poll_read(cx).is_ready() {
                self.reads += 1;
                continue;
            }
            let more = self.reads == READS;
            self.reads = 0;
            _ = self.poll_turn(cx);
            if self.outgoing == Outgoing::Broken && !more {
                self.connection.handle_reset();
                self.end();
            }
            if self.over {
                return Poll::Ready(None);
            }
            if more {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
    }

    /// Ready when a message may be sent.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_until(cx, |driver| {
            if driver.is_done() || !driver.connection.is_open() {
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
            driver.is_done().then_some(Err(Closed))
        })
    }

    /// Writes until `found` has something to say, and keeps to the deadlines meanwhile.
    fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        found: impl Fn(&Self) -> Option<T>,
    ) -> Poll<T> {
        _ = self.poll_write(cx);
        // Who need not wait tells no time: nothing was read here, and what came may be the Pong that is awaited.
        if let Some(result) = found(self) {
            return Poll::Ready(result);
        }
        _ = self.poll_turn(cx);
        found(self).map_or(Poll::Pending, Poll::Ready)
    }

    /// Does all but read. Ready when there is nothing more to do.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_done() {
            self.connection.handle_timeout(self.clock.now());
            _ = self.poll_write(cx);
            let mut until = self.connection.next_timeout();
            match self.connection.transport_action() {
                TransportAction::Close => {
                    if self.poll_close(cx).is_ready() {
                        self.end();
                        break;
                    }
                    until = self.linger;
                }
                TransportAction::ShutdownWrite { .. } => _ = self.poll_shutdown(cx),
                _ => {}
            }
            ready!(self.clock.poll(cx, until));
        }
        Poll::Ready(())
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

    /// Reads once. Pending at the end, too: nothing more comes.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at_end || self.over {
            return Poll::Pending;
        }
        let mut spare = ReadBuf::new(self.buffer.spare_mut(READ));
        let Poll::Ready(result) = Pin::new(&mut self.transport).poll_read(cx, &mut spare) else {
            self.give_back();
            return Poll::Pending;
        };
        let n = spare.filled().len();
        // All events that came before were taken.
        match result {
            Ok(()) if n > 0 => {
                self.buffer.advance(n);
                return Poll::Ready(());
            }
            Ok(()) => self.connection.handle_eof(),
            // TLS whose end was not announced: what waits may still be written.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.connection.handle_eof(),
            Err(_) => self.outgoing = Outgoing::Broken,
        }
        self.at_end = true;
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
        while !self.is_done() && self.connection.output_len() > 0 {
            let mut parts = [IoSlice::new(&[]); PARTS];
            let mut count = 0;
            for (place, part) in parts.iter_mut().zip(self.connection.output_parts()) {
                *place = IoSlice::new(part);
                count += 1;
            }
            let transport = Pin::new(&mut self.transport);
            let written = ready!(transport.poll_write_vectored(cx, &parts[..count]));
            self.progress += 1;
            match written {
                Ok(n) if n > 0 => {
                    self.connection.advance_output(n);
                    self.outgoing = Outgoing::Unflushed;
                }
                _ => self.outgoing = Outgoing::Broken,
            }
        }
        if self.outgoing == Outgoing::Unflushed {
            let flushed = ready!(Pin::new(&mut self.transport).poll_flush(cx));
            self.progress += 1;
            self.outgoing = match flushed {
                Ok(()) => Outgoing::Flushed,
                Err(_) => Outgoing::Broken,
            };
        }
        Poll::Ready(())
    }

    /// Ends the writing side, once.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.outgoing != Outgoing::ShutDown {
            // If it fails the transport is broken, which reading from it shows.
            _ = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
            self.outgoing = Outgoing::ShutDown;
        }
        Poll::Ready(())
    }

    /// Ready when the transport can be dropped. What it holds back, the Close frame perhaps, is to go before.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.clock.now();
        let linger = *self.linger.get_or_insert(now.saturating_add(LINGER));
        let shutdown = self.poll_shutdown(cx);
        // Who has not read the output in time will not read what is behind it either.
        if self.connection.output_len() > 0 || now >= linger {
            return Poll::Ready(());
        }
        shutdown
    }

    /// Whether nothing can be written any more.
    fn is_done(&self) -> bool {
        self.over || self.outgoing == Outgoing::Broken
    }

    fn end(&mut self) {
        self.over = true;
        self.progress += 1;
    }
}

/// Time since the connection was made, and something that wakes when a deadline comes.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            sleep: None,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Ready when this time has come; pending for ever without one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, until: Option<Duration>) -> Poll<()> {
        let Some(until) = until else {
            return Poll::Pending;
        };
        if until <= self.now() {
            return Poll::Ready(());
        }
        let Some(deadline) = self.origin.checked_add(until) else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
