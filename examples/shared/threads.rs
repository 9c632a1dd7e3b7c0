//! A connection used by two threads: one blocks in reads, the other in writes. So a peer that writes
//! without reading does not stop this side from reading.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sockless::{Connection, TransportAction};

/// How long the peer may take for its part of a handshake.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Output that waits beyond this many bytes stops the taking of further events.
const BACKPRESSURE: usize = 1 << 20;

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
        while connection.output().len() >= BACKPRESSURE
            && connection.transport_action() == TransportAction::Keep
        {
            connection = self.wait(connection);
        }
    }

    /// Writes all output as it appears, until it is time to close the transport, and closes it.
    pub(crate) fn write_all(&self, mut transport: &TcpStream) {
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
                TransportAction::ShutdownWrite => _ = transport.shutdown(Shutdown::Write),
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
