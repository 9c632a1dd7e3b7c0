//! A connection with its transport and its clock, as poll functions.
//!
//! All state is in the driver and none is in a future. So each future is cancel-safe.

use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockless::{Connection, Event, ReadBuffer, TransportAction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;
use crate::message::{Closed, Message};

/// How many bytes to read at once. This size fits into the L1 cache.
const READ: usize = 16 << 10;

/// How much memory an idle connection keeps for each direction. This is enough for the next short message.
const KEPT: usize = 2 * READ;

/// How many reads a poll makes before it lets other tasks run.
const READS: u32 = 32;

/// More bytes than a transport holds. After this many, the driver has read all bytes that had arrived at the last
/// call of `handle_timeout`, even if more bytes always follow.
const BACKLOG: usize = 16 << 20;

/// How many parts of the output go into one write.
const PARTS: usize = 16;

/// How long a transport that buffers, such as TLS, may take to write the last bytes: 10 s, in short waits of the clock.
const LINGER: usize = 40;

#[derive(Debug)]
pub(crate) struct Driver<S> {
    transport: S,
    pub(crate) connection: Connection,
    buffer: ReadBuffer,
    clock: Clock,
    /// The reads since other tasks could run.
    reads: u32,
    /// The bytes read since the last call of `handle_timeout`.
    unpassed: usize,
    outgoing: Outgoing,
    /// Since when the transport takes no output. `None` if no output waits.
    stuck: Option<Duration>,
    /// The length of a deadline: the time from the last call of `handle_timeout` to the next deadline.
    patience: Duration,
    /// Whether only the buffer of the transport remains to be written.
    lingering: bool,
    /// Whether the caller can drop the transport.
    over: bool,
    /// Counts the changes that the other half of a split connection may wait for.
    pub(crate) progress: u64,
}

/// The state of the writing side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    /// The transport has passed on all bytes.
    Flushed,
    /// The transport may still buffer bytes.
    Unflushed,
    ShutDown,
    /// Writing has failed. Bytes that the peer sent before can still be read.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// `buffer` holds the bytes that were read after the opening handshake.
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

    /// The next message, or `None` at the end of the connection.
    ///
    /// Writes the output, answers Pings, and keeps all deadlines.
    ///
    /// This reads even while the output is full: if both sides stopped reading, they would deadlock. An application
    /// that answers waits for room in [`poll_room`](Self::poll_room). The connection bounds its Pongs separately.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.take_message() {
                // The output may contain a Pong, which must not wait for the next call.
                _ = self.poll_write(cx);
                return Poll::Ready(Some(message));
            }
            if self.reads < READS && self.poll_read(cx).is_ready() {
                self.reads += 1;
                continue;
            }
            let unread = self.reads == READS;
            self.reads = 0;
            // The expected Pong may be among the unread bytes.
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
            // At a deadline, read the transport again before the next call of `handle_timeout`.
            ready!(due);
        }
    }

    /// Ready when there is room for a message.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_until(cx, |driver| {
            if driver.over || !driver.connection.can_send() {
                return Some(Err(Closed));
            }
            driver.connection.has_room().then_some(Ok(()))
        })
    }

    /// Ready when all output is written, or can no longer be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.poll_until(cx, |driver| {
            let sent = matches!(driver.outgoing, Outgoing::Flushed | Outgoing::ShutDown);
            if sent && driver.connection.output_len() == 0 {
                return Some(Ok(()));
            }
            (driver.over || driver.outgoing == Outgoing::Broken).then_some(Err(Closed))
        })
    }

    /// Writes until `found` returns a result.
    ///
    /// This does not read, so the expected Pong may be unread. A deadline ends the connection only if the transport
    /// has taken no byte for the length of that deadline.
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

    /// Calls `handle_timeout`, except during the short waits after a deadline. The first wait lasts until `first` or
    /// longer.
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

    /// Writes, and ends the transport if the connection asks for it. Ready at the next deadline.
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

    /// The next complete message in the buffer.
    fn take_message(&mut self) -> Option<Message> {
        loop {
            let before = self.connection.output_len();
            // After an error, the output contains the Close frame, and no more events follow.
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

    /// Reads once. At the end of the stream, this is pending and registers no waker.
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
            // TLS ended without close_notify. The output may still be written.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.connection.handle_eof(),
            Err(_) => {
                self.connection.handle_reset();
                self.outgoing = Outgoing::Broken;
            }
        }
        self.progress += 1;
        Poll::Ready(())
    }

    /// Frees the memory of a large message while the connection is idle.
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

    /// Writes until all output is written or the transport takes no more.
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
                    // The peer reads, which may extend the deadline. It counts from now.
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

    /// Drops the output. Reading continues: the peer's last messages and its Close frame may have arrived.
    fn write_failed(&mut self) {
        self.connection.handle_write_error();
        self.outgoing = Outgoing::Broken;
        self.progress += 1;
    }

    /// Ends the writing side, once.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.outgoing, Outgoing::ShutDown | Outgoing::Broken) {
            // If this fails, the next read reports the error.
            _ = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
            self.outgoing = Outgoing::ShutDown;
        }
        Poll::Ready(())
    }

    /// Ready when the caller can drop the transport. The transport first writes its buffer, for example the Close
    /// frame.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.lingering {
            self.lingering = true;
            self.clock.wait(LINGER);
        }
        let shutdown = self.poll_shutdown(cx);
        // A peer that has not read the output in time does not read the buffer of the transport either.
        if self.connection.output_len() > 0 || self.clock.due(Duration::ZERO).is_some() {
            return Poll::Ready(());
        }
        shutdown
    }
}
