//! A connection used by two threads: one blocks in reads, the other in writes. So a peer that writes
//! without reading does not stop this side from reading.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sockless::{Connection, Event, ReadBuffer, TransportAction};

/// How long the peer may take for its part of a handshake.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long the peer may read nothing of what is written to it.
const STALL: Duration = Duration::from_secs(60);

/// How much is read at once.
pub(crate) const READ: usize = 16 << 10;

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

    /// Waits until there is room for more output, or none will be written any more.
    pub(crate) fn wait_for_room(&self) {
        let mut connection = self.lock();
        while !connection.has_room() && connection.transport_action() == TransportAction::Write {
            connection = self.wait(connection);
        }
    }

    /// Reads and writes until the end of the stream: every piece read goes to `watch`, every event in it to
    /// `take`.
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
        mut transport: &TcpStream,
        buffer: &mut ReadBuffer,
        mut watch: impl FnMut(&[u8]),
        mut take: impl FnMut(Event<'_>),
    ) {
        let mut deadline = None;
        loop {
            // After an error there is nothing to do here: the Close frame that tells the peer is in the output.
            while let Ok(Some(event)) = self.with(|connection| connection.next_event(buffer)) {
                take(event);
            }
            // An open connection may be silent for as long as it likes; a closing one may not.
            let timeout = (!self.with(|connection| connection.is_open())).then(|| {
                let deadline = deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
                deadline.saturating_duration_since(Instant::now())
            });
            // A timeout of zero is refused, which ends the connection as well.
            let read = transport
                .set_read_timeout(timeout)
                .and_then(|()| transport.read(buffer.spare_mut(READ)));
            let n = read.unwrap_or(0);
            if n == 0 {
                return;
            }
            buffer.advance(n);
            let unread = buffer.unread();
            watch(&unread[unread.len() - n..]);
        }
    }

    /// Writes all output as it appears, until it is time to close the transport, and closes it.
    fn write_all(&self, mut transport: &TcpStream) {
        _ = transport.set_write_timeout(Some(STALL));
        let mut bytes = Vec::new();
        let mut connection = self.lock();
        loop {
            if !connection.output().is_empty() {
                connection.swap_output(&mut bytes);
                drop(connection);
                self.changed.notify_all();
                let written = transport.write_all(&bytes);
                connection = self.lock();
                if written.is_err() {
                    connection.handle_eof();
                    break;
                }
                continue;
            }
            match connection.transport_action() {
                TransportAction::Close => break,
                TransportAction::ShutdownWrite { .. } => _ = transport.shutdown(Shutdown::Write),
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

    fn wait<'a>(&self, guard: MutexGuard<'a, Connection>) -> MutexGuard<'a, Connection> {
        self.changed
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct EndOfStream<'a>(&'a Shared);

impl Drop for EndOfStream<'_> {
    fn drop(&mut self) {
        self.0.with(Connection::handle_eof);
    }
}

/// Prints a line at once; whoever does not listen any more is no reason to stop.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
