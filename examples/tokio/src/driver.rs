//! A connection with its transport and its clock, as functions to poll. All state is in here and none in a future, which is
//! what makes every future on it safe to drop.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockless::{Connection, Event, ReadBuffer, TransportAction};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::message::{Closed, Message};

/// How much is read at once: what stays in the fastest cache.
const READ: usize = 16 << 10;

/// How many pieces of output go into one write.
const PARTS: usize = 16;

#[derive(Debug)]
pub(crate) struct Driver<S> {
    pub(crate) transport: S,
    pub(crate) connection: Connection,
    buffer: ReadBuffer,
    clock: Clock,
    /// Whether the transport may hold back some of what was written.
    unflushed: bool,
    shut_down: bool,
    /// Whether all that can be done was done.
    over: bool,
    /// Changes whenever something did that the other half of a split connection may wait for.
    pub(crate) progress: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// `buffer` has what was read behind the opening handshake.
    pub(crate) fn new(transport: S, connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            transport,
            connection,
            buffer,
            clock: Clock::new(),
            unflushed: false,
            shut_down: false,
            over: false,
            progress: 0,
        }
    }

    /// The next message, `None` when the connection has ended and the transport can be dropped.
    ///
    /// Writes what is to be written, answers to Pings included, and keeps to all deadlines.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.take_message() {
                // What waits, a Pong perhaps, need not wait for the next call.
                _ = self.poll_write(cx);
                return Poll::Ready(Some(message));
            }
            if self.poll_turn(cx).is_ready() {
                return Poll::Ready(None);
            }
            // Who sends and does not read has to wait. The transport says when it takes more.
            if !self.connection.has_room() {
                return Poll::Pending;
            }
            ready!(self.poll_read(cx));
        }
    }

    /// Ready when a message may be sent.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let over = self.poll_turn(cx).is_ready();
        if over || !self.connection.is_open() {
            return Poll::Ready(Err(Closed));
        }
        if self.connection.has_room() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Ready when all that was sent is written, or never will be.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.poll_turn(cx).is_ready() {
            let written = self.connection.output_len() == 0;
            return Poll::Ready(if written { Ok(()) } else { Err(Closed) });
        }
        if self.connection.output_len() == 0 && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Does all but read: ready at the end.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.over {
            self.connection.handle_timeout(self.clock.now());
            _ = self.poll_write(cx);
            match self.connection.transport_action() {
                TransportAction::Close => {
                    // Once: nobody waits for a peer that does not read.
                    _ = Pin::new(&mut self.transport).poll_shutdown(cx);
                    self.over = true;
                    self.progress += 1;
                }
                TransportAction::ShutdownWrite { .. } if !self.shut_down => {
                    // If it fails the transport is broken, which reading from it shows.
                    let shutdown = Pin::new(&mut self.transport).poll_shutdown(cx);
                    self.shut_down = shutdown.is_ready();
                }
                _ => {}
            }
            if self
                .clock
                .poll(cx, self.connection.next_timeout())
                .is_pending()
            {
                break;
            }
        }
        if self.over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The next message that has come whole.
    fn take_message(&mut self) -> Option<Message> {
        while self.connection.has_room() {
            let before = self.connection.output_len();
            // After an error the Close frame that tells the peer is in the output, and there are no more events.
            let event = self.connection.next_event(&mut self.buffer).ok()??;
            let message = match event {
                Event::Text { text, .. } => Some(Message::Text(text.to_owned())),
                Event::Binary { data, .. } => Some(Message::Binary(data.to_vec())),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
            };
            if self.connection.output_len() != before {
                self.progress += 1;
            }
            if message.is_some() {
                return message;
            }
        }
        None
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut spare = ReadBuf::new(self.buffer.spare_mut(READ));
        let result = ready!(Pin::new(&mut self.transport).poll_read(cx, &mut spare));
        let n = spare.filled().len();
        if result.is_ok() && n > 0 {
            self.buffer.advance(n);
        } else {
            // All events that came before were taken.
            self.connection.handle_eof();
            self.progress += 1;
        }
        Poll::Ready(())
    }

    /// Writes until all is written, or the transport takes no more.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.connection.output_len() > 0 {
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
                    self.unflushed = true;
                    self.progress += 1;
                }
                _ => return self.broken(),
            }
        }
        if self.unflushed {
            if ready!(Pin::new(&mut self.transport).poll_flush(cx)).is_err() {
                return self.broken();
            }
            self.unflushed = false;
            self.progress += 1;
        }
        Poll::Ready(())
    }

    /// The transport takes nothing any more.
    fn broken(&mut self) -> Poll<()> {
        self.connection.handle_eof();
        self.over = true;
        self.progress += 1;
        Poll::Ready(())
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
