//! A connection with its transport and its clock, as poll functions.
//!
//! All state is in the driver and none is in a future. So each future is cancel-safe.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use sockless::{
    CloseCode, Connection, Event, ReadBuffer, Role, SendError, SharedMessage, TakenEvent,
    TransportAction,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::consume_budget;

use crate::assembly::{Assembly, Chunk};
use crate::clock::Clock;
use crate::error::Error;
use crate::message::Message;
use crate::pool::{self, READ};
use crate::trace::Trace;

/// How many reads a poll makes before it lets other tasks run.
const READS: u32 = 32;

/// More bytes than a transport holds. After this many, the driver has read all bytes that had arrived at the last
/// call of `handle_timeout`, even if more bytes always follow.
const BACKLOG: usize = 16 << 20;

/// How many parts of the output go into one write.
const PARTS: usize = 16;

/// A payload of this size is written from the memory of the message. A copy of a shorter one costs less than a write in
/// several parts.
const WORTH_BORROWING: usize = 4 << 10;

/// A payload of this size does not wait for a batch. A copy of it costs more than a write of its own.
const WORTH_WRITING: usize = 16 << 10;

/// How much output memory an idle connection keeps, about, in bytes. For short messages, this saves work.
const KEPT: usize = 256;

/// How long a transport that buffers, such as TLS, may take to write the last bytes: 10 s, in short waits of the clock.
const LINGER: usize = 40;

#[derive(Debug)]
pub(crate) struct Driver<S> {
    transport: S,
    connection: Connection,
    /// `None` while the connection is idle.
    buffer: Option<Box<ReadBuffer>>,
    clock: Clock,
    assembly: Assembly,
    /// The reads since other tasks could run.
    reads: u32,
    /// The bytes read since the last call of `handle_timeout`.
    unpassed: usize,
    writing: Writing,
    /// Whether the memory of the output is returned to the pool when the connection is idle.
    lent: bool,
    /// Whether output waits that must not wait for the end of a batch: anything but fed messages.
    urgent: bool,
    /// Since when the transport takes no output. `None` if no output waits.
    stuck: Option<Duration>,
    /// The length of a deadline: the time from the last call of `handle_timeout` to the next deadline.
    patience: Duration,
    ending: Ending,
    /// Why the transport failed.
    failure: Option<Arc<io::Error>>,
    /// Counts the changes that the other half of a split connection may wait for.
    progress: u64,
    trace: Trace,
}

/// The state of the writing side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// The transport has passed on all bytes.
    Flushed,
    /// The transport may still buffer bytes.
    Unflushed,
    ShutDown,
    /// Writing has failed. Bytes that the peer sent before can still be read.
    Broken,
}

/// How far the end of the transport is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Running,
    /// Only the buffer of the transport remains to be written.
    Lingering,
    /// The caller can drop the transport.
    Over,
}

impl<S> Driver<S> {
    /// `buffer` holds the bytes that were read after the opening handshake.
    pub(crate) fn new(transport: S, connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            trace: Trace::open(&connection),
            clock: Clock::starting_at(connection.latest_time().unwrap_or_default()),
            transport,
            connection,
            buffer: (!buffer.is_empty()).then(|| Box::new(buffer)),
            assembly: Assembly::None,
            reads: 0,
            unpassed: 0,
            writing: Writing::Flushed,
            lent: false,
            // The output may be the answer to the opening handshake.
            urgent: true,
            stuck: None,
            patience: Duration::ZERO,
            ending: Ending::Running,
            failure: None,
            progress: 0,
        }
    }

    pub(crate) fn into_parts(self) -> (S, Connection, ReadBuffer) {
        let buffer = self.buffer.map_or_else(ReadBuffer::new, |it| *it);
        (self.transport, self.connection, buffer)
    }

    /// Queues a Close frame, unless one side has already closed.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.connection.close(code, reason) {
            // The connection is closing, by either side.
            Err(SendError::Closed) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => {
                self.urgent = true;
                self.progress += 1;
                Ok(())
            }
        }
    }

    /// Drops the rest of the message that is being received.
    pub(crate) fn skip_message(&mut self) {
        self.assembly = Assembly::Skipped;
    }

    pub(crate) const fn transport(&self) -> &S {
        &self.transport
    }

    pub(crate) const fn transport_mut(&mut self) -> &mut S {
        &mut self.transport
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) const fn progress(&self) -> u64 {
        self.progress
    }

    /// Queues what `send` sends. `length` is its length, or more. The connection must have room.
    fn queue(
        &mut self,
        length: usize,
        send: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        if length > KEPT && self.connection.output_len() == 0 {
            let mut output = pool::take_output();
            self.connection.take_output(&mut output);
            pool::put_output(output);
        }
        send(&mut self.connection)?;
        self.lent |= self.connection.output_len() > KEPT;
        Ok(())
    }

    /// Returns the memory of an idle connection to the pool.
    fn give_back(&mut self) {
        if let Some(buffer) = self.buffer.take_if(|it| it.is_empty()) {
            pool::put_buffer(buffer);
        }
        // A peer that stops inside a short frame must not hold a whole buffer.
        if let Some(buffer) = &mut self.buffer
            && buffer.len() <= KEPT
            && buffer.capacity() > 4 * KEPT
        {
            buffer.shrink_to(KEPT);
        }
        if self.lent && self.connection.output_len() == 0 {
            let mut output = Vec::new();
            self.connection.take_output(&mut output);
            pool::put_output(output);
            self.lent = false;
        }
    }

    /// The next complete message in the buffer, or the next part of one.
    fn take_chunk(&mut self) -> Option<Chunk> {
        let buffer = self.buffer.as_deref_mut()?;
        loop {
            let before = self.connection.output_len();
            // After an error, the output contains the Close frame, and no more events follow.
            let event = self.connection.take_event(buffer).ok().flatten();
            if self.connection.output_len() != before {
                // A Pong or a Close frame must not wait for the application.
                self.urgent = true;
                self.lent |= self.connection.output_len() > KEPT;
                self.progress += 1;
            }
            let (message, fin) = match event? {
                TakenEvent::Borrowed(Event::Text { fin, .. } | Event::Binary { fin, .. })
                    if self.assembly == Assembly::Skipped =>
                {
                    if fin {
                        self.assembly = Assembly::None;
                    }
                    continue;
                }
                TakenEvent::Borrowed(Event::Text { text, fin }) => (text.into(), fin),
                TakenEvent::Borrowed(Event::Binary { data, fin }) => (data.into(), fin),
                TakenEvent::Text(text) => (text.into(), true),
                TakenEvent::Binary { memory, payload } => {
                    (Bytes::from(memory).slice(payload).into(), true)
                }
                TakenEvent::Borrowed(Event::Ping(_) | Event::Pong(_) | Event::Close(_)) => continue,
            };
            if fin && self.assembly == Assembly::Lent {
                self.assembly = Assembly::None;
            }
            return Some(Chunk { message, fin });
        }
    }

    /// How the connection has ended. `Ok` if the peer has sent its Close frame, so that no message is missing.
    fn end<T>(&self) -> Result<Option<T>, Error> {
        let Some(event) = self.connection.close_event() else {
            return Ok(None);
        };
        if let Some(error) = event.error {
            return Err(Error::Protocol(error));
        }
        // Section 7.1.5: without a Close frame of the peer, the code is 1006.
        if event.code != CloseCode::ABNORMAL_CLOSURE {
            return Ok(None);
        }
        Err(match (event.timeout, &self.failure) {
            (Some(timeout), _) => Error::Timeout(timeout),
            (None, Some(failure)) => Error::Transport(Arc::clone(failure)),
            (None, None) => Error::Eof,
        })
    }

    /// Drops the output. Reading continues: the peer's last messages and its Close frame may have arrived.
    fn write_failed(&mut self, error: io::Error) {
        self.connection.handle_write_error();
        self.failed(error);
        self.writing = Writing::Broken;
        self.progress += 1;
    }

    /// Keeps the first failure of the transport.
    fn failed(&mut self, error: io::Error) {
        self.trace.failed(&error);
        self.failure.get_or_insert_with(|| Arc::new(error));
    }

    /// Whether a message can be queued, or an error if nothing can be sent any more. `None` while the output is full.
    fn room(&self) -> Option<Result<(), Error>> {
        if self.ending == Ending::Over || !self.connection.can_send() {
            return Some(Err(Error::Closed));
        }
        self.connection.has_room().then_some(Ok(()))
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
}

/// # Receive
impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// The next message, or `None` at the end of the connection.
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        self.assembly.skip_lent();
        loop {
            let Some(chunk) = ready!(self.poll_chunk(cx))? else {
                return Poll::Ready(Ok(None));
            };
            if let Some(message) = self.assembly.join(chunk) {
                return Poll::Ready(Ok(Some(message)));
            }
        }
    }

    /// Ready at the end of the connection. Drops all messages before it, without joining them.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.assembly != Assembly::None {
            self.skip_message();
        }
        while let Some(chunk) = ready!(self.poll_chunk(cx))? {
            if !chunk.fin {
                self.skip_message();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The first part of the next message, or `None` at the end of the connection.
    pub(crate) fn poll_first_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        self.assembly.skip_lent();
        // A call of `poll_recv` may have received the beginning.
        let first = match self.assembly.take() {
            Some(chunk) => Poll::Ready(Ok(Some(chunk))),
            None => self.poll_chunk(cx),
        };
        if let Poll::Ready(Ok(Some(Chunk { fin: false, .. }))) = first {
            self.assembly = Assembly::Lent;
        }
        first
    }

    /// The next message or part of a message, or `None` at the end of the connection.
    ///
    /// Writes the output, answers Pings, and keeps all deadlines.
    ///
    /// This reads even while the output is full: if both sides stopped reading, they would deadlock. An application
    /// that answers waits for room in [`poll_room`](Self::poll_room). The connection bounds its Pongs separately.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        loop {
            if self.buffer.is_some() {
                // A burst in the buffer must not keep other tasks of this thread from running.
                ready!(pin!(consume_budget()).poll(cx));
            }
            if let Some(chunk) = self.take_chunk() {
                // Fed messages wait until no more messages are in the buffer. One write then takes all of them.
                if self.urgent {
                    _ = self.poll_write(cx);
                }
                return Poll::Ready(Ok(Some(chunk)));
            }
            if self.ending == Ending::Over {
                return Poll::Ready(self.end());
            }
            if self.connection.output_len() > 0 {
                // The next read may bring more messages, again and again. The answers do not wait for that.
                _ = self.poll_write(cx);
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
            if self.ending == Ending::Over {
                return Poll::Ready(self.end());
            }
            if unread {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // At a deadline, read the transport again before the next call of `handle_timeout`.
            ready!(due);
        }
    }

    /// Reads once. At the end of the stream, this is pending and registers no waker.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ending == Ending::Over || !self.connection.wants_read() {
            return Poll::Pending;
        }
        let buffer = self.buffer.get_or_insert_with(pool::take_buffer);
        let mut spare = ReadBuf::new(buffer.spare_mut(READ));
        let Poll::Ready(result) = Pin::new(&mut self.transport).poll_read(cx, &mut spare) else {
            self.give_back();
            return Poll::Pending;
        };
        let n = spare.filled().len();
        match result {
            Ok(()) if n > 0 => {
                buffer.advance_filled(n);
                self.unpassed = self.unpassed.saturating_add(n);
                return Poll::Ready(());
            }
            Ok(()) => self.connection.handle_eof(),
            // TLS ended without close_notify. The output may still be written.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.connection.handle_eof(),
            Err(error) => {
                self.connection.handle_reset();
                self.failed(error);
                self.writing = Writing::Broken;
            }
        }
        self.progress += 1;
        Poll::Ready(())
    }
}

/// # Send
impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Waits for room, queues a message, and writes as much as the transport takes now.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if message.as_bytes().len() >= WORTH_BORROWING && self.may_borrow() {
            self.send_borrowed(cx, message)?;
        } else {
            self.feed(message)?;
        }
        self.urgent = true;
        _ = self.poll_write(cx);
        Poll::Ready(Ok(()))
    }

    /// Waits for room and queues a message.
    pub(crate) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if message.as_bytes().len() >= WORTH_WRITING && self.may_borrow() {
            return Poll::Ready(self.send_borrowed(cx, message));
        }
        Poll::Ready(self.feed(message))
    }

    /// Waits for room and queues a message that many connections send.
    pub(crate) fn poll_feed_shared(
        &mut self,
        cx: &mut Context<'_>,
        message: &SharedMessage,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.queue(usize::MAX, |connection| connection.send_shared(message)))
    }

    /// Waits for room, queues what `send` sends, and writes as much as the transport takes now.
    pub(crate) fn poll_send_with(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        send: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        self.queue(length, send)?;
        self.urgent = true;
        _ = self.poll_write(cx);
        Poll::Ready(Ok(()))
    }

    /// Ready when there is room for a message.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.room() {
            Some(room) => Poll::Ready(room),
            None => self.poll_until(cx, Self::room),
        }
    }

    /// Ready when all output is written, or can no longer be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |driver| {
            let sent = matches!(driver.writing, Writing::Flushed | Writing::ShutDown);
            if sent && driver.connection.output_len() == 0 {
                return Some(Ok(()));
            }
            let failed = driver.ending == Ending::Over || driver.writing == Writing::Broken;
            failed.then_some(Err(Error::Closed))
        })
    }

    /// Queues a message.
    pub(crate) fn feed(&mut self, message: &Message) -> Result<(), Error> {
        self.queue(message.as_bytes().len(), |connection| match message {
            Message::Text(text) => connection.send_text(text),
            Message::Binary(data) => connection.send_binary(data),
        })
    }

    /// Whether messages can be written from their own memory. A client must mask them.
    fn may_borrow(&self) -> bool {
        self.connection.role() == Role::Server && self.transport.is_write_vectored()
    }

    /// Sends a message from its own memory. Only the part that the transport does not take now is copied.
    fn send_borrowed(&mut self, cx: &mut Context<'_>, message: &Message) -> Result<(), Error> {
        let mut outgoing = match message {
            Message::Text(text) => self.connection.send_text_borrowed(text)?,
            Message::Binary(data) => self.connection.send_binary_borrowed(data)?,
        };
        let mut written = 0;
        let failure = loop {
            match poll_write_parts(&mut self.transport, cx, outgoing.parts()) {
                Poll::Ready(Ok(0)) | Poll::Pending => break None,
                Poll::Ready(Ok(n)) => {
                    outgoing.advance(n);
                    written += n;
                }
                Poll::Ready(Err(error)) => break Some(error),
            }
        };
        drop(outgoing);
        if written > 0 {
            self.wrote();
        }
        if let Some(error) = failure {
            self.write_failed(error);
        }
        Ok(())
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
}

/// # Transport
impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Writes, and ends the transport if the connection asks for it. Ready at the next deadline.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        _ = self.poll_write(cx);
        match self.connection.transport_action() {
            TransportAction::Close if self.poll_close(cx).is_ready() => {
                self.ending = Ending::Over;
                self.progress += 1;
                self.trace.closed(self.connection.close_event());
            }
            TransportAction::ShutdownWrite => _ = self.poll_shutdown(cx),
            _ => {}
        }
        self.clock.poll(cx, self.connection.timeout_at())
    }

    /// Writes until all output is written or the transport takes no more.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = self.poll_write_all(cx);
        if written.is_ready() {
            self.stuck = None;
            self.urgent = false;
        } else if self.stuck.is_none() {
            self.stuck = Some(self.clock.now());
        }
        written
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.ending != Ending::Over && self.connection.output_len() > 0 {
            let first = self.connection.output();
            let written = if first.len() == self.connection.output_len() {
                poll_write(&mut self.transport, cx, first)
            } else {
                poll_write_parts(&mut self.transport, cx, self.connection.output_parts())
            };
            match ready!(written) {
                Ok(n) => {
                    self.connection.advance_output(n);
                    self.wrote();
                }
                Err(error) => self.write_failed(error),
            }
        }
        if self.writing == Writing::Unflushed {
            match ready!(Pin::new(&mut self.transport).poll_flush(cx)) {
                Ok(()) => self.writing = Writing::Flushed,
                Err(error) => self.write_failed(error),
            }
            self.progress += 1;
        }
        Poll::Ready(())
    }

    /// Notes that the transport took some bytes.
    fn wrote(&mut self) {
        self.writing = Writing::Unflushed;
        self.progress += 1;
        // The peer reads again, which may extend the deadline. It counts from now.
        if self.stuck.take().is_some() {
            self.clock.wait(0);
        }
    }

    /// Ends the writing side, once.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.writing, Writing::ShutDown | Writing::Broken) {
            // If this fails, the next read reports the error.
            _ = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
            self.writing = Writing::ShutDown;
        }
        Poll::Ready(())
    }

    /// Ready when the caller can drop the transport. The transport first writes its buffer, for example the Close
    /// frame.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ending == Ending::Running {
            self.ending = Ending::Lingering;
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

/// Writes some of the bytes. They must not be empty.
fn poll_write(
    transport: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    Pin::new(transport).poll_write(cx, bytes).map(not_zero)
}

/// Writes some of the parts. `Ok(0)` if no parts remain.
fn poll_write_parts<'a>(
    transport: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); PARTS];
    let mut count = 0;
    for (slice, part) in slices.iter_mut().zip(parts) {
        *slice = IoSlice::new(part);
        count += 1;
    }
    match &slices[..count] {
        [] => Poll::Ready(Ok(0)),
        [one] => poll_write(transport, cx, one),
        several => {
            let written = Pin::new(transport).poll_write_vectored(cx, several);
            written.map(not_zero)
        }
    }
}

/// A transport that takes no bytes never takes any again.
fn not_zero(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        written => written,
    }
}
