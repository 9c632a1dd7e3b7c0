//! A connection used by two threads: one blocks in reads, the other in writes. So a peer that writes
//! without reading does not stop this side from reading.
//!
//! The reading thread passes the time, and only after it has read: so no deadline ends a connection while something that
//! arrived in time is still in the socket. The writing thread closes the transport when the connection says so.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sockless::{Connection, Event, ReadBuffer, TransportAction};

use crate::command_line::complain;

/// How much memory a read buffer begins with, and so how much is read at once.
pub(crate) const READ: usize = 16 << 10;

/// How much is written at once.
const WRITE: usize = 64 << 10;

/// How long a read or a write blocks at most. Another thread can shorten a deadline (by closing the connection), but it cannot
/// interrupt a read. So a deadline may be this much late.
const TICK: Duration = Duration::from_secs(1);

/// What the application does with events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// It answers them, so each needs room in the output. A peer that sends without reading must wait.
    Answered,
    /// It answers none, so it reads on while the output is full. If both sides waited for room, neither would go on.
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

    /// Waits until there is room for more output. Returns false if the connection is at its end.
    ///
    /// Only the reading thread has a `tick`: that often it also passes the time, so a peer that does not read is given
    /// up. The tick is long enough for the writing thread to say what it has written.
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

    /// Reads and writes until the end. Every piece read goes to `watch`, every event in it to `take`, which
    /// finds room for an answer if it has `Events::Answered`.
    pub(crate) fn run(
        &self,
        transport: &TcpStream,
        buffer: &mut ReadBuffer,
        events: Events,
        watch: impl FnMut(&[u8]),
        take: impl FnMut(Event<'_>),
    ) {
        thread::scope(|scope| {
            // Lets the writing thread end, also when this one panics.
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
            // After an error there is nothing to do here: the Close frame that tells the peer is in the output.
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
                    // Until they are written the connection keeps the bytes: it counts the time that takes.
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
                            // The other thread drops the output when reading fails.
                            let left = connection.output_len();
                            connection.advance_output(n.min(left));
                        }
                        Err(_) => connection.handle_write_error(),
                    }
                    self.changed.notify_all();
                    continue;
                }
                TransportAction::ShutdownWrite => {
                    // Fails only if the peer is gone, which the other thread sees.
                    _ = transport.shutdown(Shutdown::Write);
                    connection.handle_shutdown();
                }
                _ => {}
            }
            connection = self.wait(connection);
        }
        drop(connection);
        self.changed.notify_all();
        // Ends the other thread's read, if it is in one.
        _ = transport.shutdown(Shutdown::Both);
    }

    /// Nothing more can be read. Waits a little for what is still to be written, and returns whether all is done.
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

    /// Waits until the connection is changed.
    fn wait<'a>(&self, connection: MutexGuard<'a, Connection>) -> MutexGuard<'a, Connection> {
        self.changed
            .wait(connection)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connection is changed, so long at most.
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

/// Time since the program first asked for it, which all deadlines count from.
pub(crate) fn now() -> Duration {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}

/// Reads once. If nothing comes until then, that is an error which [`is_late`].
pub(crate) fn read(
    mut transport: &TcpStream,
    buffer: &mut ReadBuffer,
    until: Option<Duration>,
) -> io::Result<usize> {
    transport.set_read_timeout(until.map(wait_until))?;
    buffer.read_from(&mut transport)
}

/// Writes once, and says how much was taken until then.
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

/// How long to block: a little while even if the time has come, since no time at all is refused.
fn wait_until(until: Duration) -> Duration {
    until.saturating_sub(now()).max(Duration::from_millis(1))
}

/// Whether it only was not in time. Systems differ in what they call that.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
