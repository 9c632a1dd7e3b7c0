//! A connection used by two threads: one blocks in reads, the other in writes. So a peer that writes
//! without reading does not stop this side from reading.
//!
//! The writing thread also tells the connection the time, and ends the transport when the connection says so; that wakes
//! the reading thread, which needs no clock.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sockless::{Connection, Event, ReadBuffer, TransportAction};

/// How much is read at once.
const READ: usize = 16 << 10;

/// How much is written at once.
const WRITE: usize = 64 << 10;

/// How long a write may block before the time is told again.
const TICK: Duration = Duration::from_secs(1);

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

    /// Gives the connection to `act`, then wakes the other thread.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = act(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until there is room for more output, and says whether there is; if not, the connection is at its end.
    pub(crate) fn wait_for_room(&self) -> bool {
        let mut connection = self.lock();
        loop {
            if connection.transport_action() == TransportAction::Close {
                return false;
            }
            if connection.has_room() {
                return true;
            }
            connection = self
                .changed
                .wait(connection)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads and writes until the end: every piece read goes to `watch`, every event in it to `take`, which
    /// finds room for an answer.
    pub(crate) fn run(
        &self,
        transport: &TcpStream,
        buffer: &mut ReadBuffer,
        watch: impl FnMut(&[u8]),
        take: impl FnMut(Event<'_>),
    ) {
        thread::scope(|scope| {
            // Lets the writing thread end, also when this one panics.
            let _end = EndOfStream(self);
            let writer = thread::Builder::new().spawn_scoped(scope, || self.write_all(transport));
            match writer {
                Ok(_) => self.read_all(transport, buffer, watch, take),
                Err(error) => eprintln!("no thread for a connection: {error}"),
            }
        });
    }

    fn read_all(
        &self,
        transport: &TcpStream,
        buffer: &mut ReadBuffer,
        mut watch: impl FnMut(&[u8]),
        mut take: impl FnMut(Event<'_>),
    ) {
        // A peer that sends more than it reads has to wait.
        while self.wait_for_room() {
            // After an error there is nothing to do here: the Close frame that tells the peer is in the output.
            if let Ok(Some(event)) = self.with(|connection| connection.next_event(buffer)) {
                take(event);
                continue;
            }
            match read(transport, buffer, None) {
                // The end of the stream.
                Ok(Some(0)) | Err(_) => return,
                Ok(Some(n)) => {
                    let unread = buffer.unread();
                    watch(&unread[unread.len() - n..]);
                }
                Ok(None) => {}
            }
        }
    }

    /// Writes all output as it appears and tells the time, until it is time to close the transport, and closes it.
    fn write_all(&self, transport: &TcpStream) {
        let mut bytes = Vec::new();
        let mut shut_down = false;
        let mut connection = self.lock();
        loop {
            connection.handle_timeout(now());
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
                        Ok(n) => connection.advance_output(n),
                        // What is left will never be written.
                        Err(_) => connection.handle_reset(),
                    }
                    self.changed.notify_all();
                    continue;
                }
                TransportAction::ShutdownWrite { .. } if !shut_down => {
                    shut_down = true;
                    // Fails only if the peer is gone, which the other thread sees.
                    _ = transport.shutdown(Shutdown::Write);
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

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connection is changed, or has to be told the time.
    fn wait<'a>(&self, connection: MutexGuard<'a, Connection>) -> MutexGuard<'a, Connection> {
        match connection.next_timeout() {
            None => self
                .changed
                .wait(connection)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let wait = until.saturating_sub(now());
                let (connection, _) = self
                    .changed
                    .wait_timeout(connection, wait)
                    .unwrap_or_else(PoisonError::into_inner);
                connection
            }
        }
    }
}

struct EndOfStream<'a>(&'a Shared);

impl Drop for EndOfStream<'_> {
    fn drop(&mut self) {
        self.0.with(Connection::handle_eof);
    }
}

/// Time since the program first asked for it, which all deadlines count from.
pub(crate) fn now() -> Duration {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}

/// Reads once, and says how much came; `None` if nothing has until then.
pub(crate) fn read(
    mut transport: &TcpStream,
    buffer: &mut ReadBuffer,
    until: Option<Duration>,
) -> io::Result<Option<usize>> {
    transport.set_read_timeout(until.map(wait_until))?;
    match transport.read(buffer.spare_mut(READ)) {
        Ok(n) => {
            buffer.advance(n);
            Ok(Some(n))
        }
        Err(error) if is_late(&error) => Ok(None),
        Err(error) => Err(error),
    }
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

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Prints a line at once; whoever does not listen any more is no reason to stop.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
