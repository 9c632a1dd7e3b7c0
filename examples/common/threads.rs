//! A connection for two threads. One blocks in reads, the other in writes. So a peer that writes without reading does
//! not stop this side from reading.
//!
//! The reading thread passes the time after each read. So no deadline ends a connection while bytes that arrived in
//! time are still in the socket. The writing thread closes the transport when the connection says so.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sockless::{Connection, Event, ReadBuffer, TransportAction};

use crate::command_line::complain;

/// The initial capacity of a read buffer, in bytes. It is also the number of bytes to read at once.
pub(crate) const READ: usize = 16 << 10;

/// The maximum number of bytes to write at once.
const WRITE: usize = 64 << 10;

/// The maximum time that a read or a write blocks. Another thread may shorten a deadline by closing the connection, but
/// it cannot interrupt a read. So a deadline may be late by this time.
const TICK: Duration = Duration::from_secs(1);

/// What the application does with events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// It answers them, so each event needs room in the output. A peer that sends without reading must wait.
    Answered,
    /// It does not answer, so it also reads while the output is full. If both sides waited for room, both would wait
    /// forever.
    Heard,
}

pub(crate) struct Shared {
    connection: Mutex<Connection>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection: Mutex::new(connection),
            changed: Condvar::new(),
        }
    }

    /// Gives the connection to `act`, then wakes the other threads.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = act(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until there is room for more output. Returns false at the end of the connection.
    ///
    /// Only the reading thread has a `tick`. It passes the time once per tick, so deadlines also apply to a peer that
    /// does not read. Within a tick the writing thread can report what it has written.
    pub(crate) fn wait_for_room(&self, tick: Option<Duration>) -> bool {
        let mut connection = self.lock();
        let mut next = Duration::ZERO;
        loop {
            if connection.transport_action() == TransportAction::Close {
                return false;
            }
            if connection.has_room() {
                return true;
            }
            connection = match tick {
                None => self.wait(connection),
                Some(tick) => {
                    if next <= now() {
                        next = now() + tick;
                        connection.handle_timeout(now());
                        self.changed.notify_all();
                    }
                    self.wait_for(connection, tick)
                }
            };
        }
    }

    /// Reads and writes until the end. `watch` gets all received bytes, and `take` gets all events. With
    /// [`Events::Answered`], the output has room for an answer to each event.
    pub(crate) fn run(
        &self,
        transport: &TcpStream,
        buffer: &mut ReadBuffer,
        events: Events,
        watch: impl FnMut(&[u8]),
        take: impl FnMut(Event<'_>),
    ) {
        thread::scope(|scope| {
            // Ends the writing thread, even if this one panics.
            let _end = End(self);
            let writer = thread::Builder::new().spawn_scoped(scope, || self.write_all(transport));
            match writer {
                Ok(_) => self.read_all(transport, buffer, events, watch, take),
                Err(error) => complain(format_args!("no thread for a connection: {error}")),
            }
        });
    }

    fn read_all(
        &self,
        transport: &TcpStream,
        buffer: &mut ReadBuffer,
        events: Events,
        mut watch: impl FnMut(&[u8]),
        mut take: impl FnMut(Event<'_>),
    ) {
        loop {
            if events == Events::Answered && !self.wait_for_room(Some(TICK)) {
                return;
            }
            // After an error the output has the Close frame for the peer. This thread has nothing more to do.
            if let Ok(Some(event)) = self.with(|connection| connection.next_event(buffer)) {
                take(event);
                continue;
            }
            let (until, wants_read) = self.with(|connection| {
                connection.handle_timeout(now());
                (connection.timeout_at(), connection.wants_read())
            });
            if !wants_read {
                if self.is_over_after_a_tick() {
                    return;
                }
                continue;
            }
            let until = until.unwrap_or(Duration::MAX).min(now() + TICK);
            let read = read(transport, buffer, Some(until));
            let unread = buffer.unread();
            watch(&unread[unread.len() - read.as_ref().unwrap_or(&0)..]);
            self.with(|connection| connection.handle_read(read));
        }
    }

    /// Writes all output as it appears, until it is time to close the transport, and closes it.
    fn write_all(&self, transport: &TcpStream) {
        let mut bytes = Vec::new();
        let mut connection = self.lock();
        loop {
            match connection.transport_action() {
                TransportAction::Close => break,
                TransportAction::Write => {
                    // The connection keeps the bytes until they are written, because its deadlines apply to that.
                    bytes.clear();
                    for part in connection.output_parts() {
                        let room = WRITE - bytes.len();
                        bytes.extend_from_slice(&part[..part.len().min(room)]);
                    }
                    drop(connection);
                    let written = write(transport, &bytes, Some(now() + TICK));
                    connection = self.lock();
                    match written {
                        Ok(n) => {
                            // If reading fails, the other thread drops the output.
                            let left = connection.output_len();
                            connection.advance_output(n.min(left));
                        }
                        Err(_) => connection.handle_write_error(),
                    }
                    self.changed.notify_all();
                    continue;
                }
                TransportAction::ShutdownWrite => {
                    // This fails only if the peer is gone. The other thread notices that.
                    _ = transport.shutdown(Shutdown::Write);
                    connection.handle_shutdown();
                }
                _ => {}
            }
            connection = self.wait(connection);
        }
        drop(connection);
        self.changed.notify_all();
        // Interrupts a read of the other thread.
        _ = transport.shutdown(Shutdown::Both);
    }

    /// Waits up to a tick for the last writes, after the last read. Returns whether they are done.
    fn is_over_after_a_tick(&self) -> bool {
        let connection = self.lock();
        if connection.transport_action() == TransportAction::Close {
            return true;
        }
        drop(self.wait_for(connection, TICK));
        false
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connection changes.
    fn wait<'a>(&self, connection: MutexGuard<'a, Connection>) -> MutexGuard<'a, Connection> {
        self.changed
            .wait(connection)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connection changes, up to this time.
    fn wait_for<'a>(
        &self,
        connection: MutexGuard<'a, Connection>,
        time: Duration,
    ) -> MutexGuard<'a, Connection> {
        let (connection, _) = self
            .changed
            .wait_timeout(connection, time)
            .unwrap_or_else(PoisonError::into_inner);
        connection
    }
}

struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.with(Connection::handle_reset);
    }
}

/// The time since the first call. It is the origin of all deadlines.
pub(crate) fn now() -> Duration {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}

/// Reads once, until this time. After it this returns an error for which [`is_late`] is true.
pub(crate) fn read(
    mut transport: &TcpStream,
    buffer: &mut ReadBuffer,
    until: Option<Duration>,
) -> io::Result<usize> {
    transport.set_read_timeout(until.map(wait_until))?;
    buffer.read_from(&mut transport)
}

/// Writes once, until this time. Returns the number of bytes that the transport took.
pub(crate) fn write(
    mut transport: &TcpStream,
    bytes: &[u8],
    until: Option<Duration>,
) -> io::Result<usize> {
    transport.set_write_timeout(until.map(wait_until))?;
    match transport.write(bytes) {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Err(error) if is_late(&error) => Ok(0),
        result => result,
    }
}

/// The time to block. It is at least 1 ms, because the system refuses 0.
fn wait_until(until: Duration) -> Duration {
    until.saturating_sub(now()).max(Duration::from_millis(1))
}

/// Whether the error only means a timeout. Its kind differs between systems.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
