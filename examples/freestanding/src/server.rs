//! The loop over all clients, with poll.

use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV4};
use core::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use rustix::net::sockopt::{set_socket_reuseaddr, set_tcp_nodelay};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, getsockname, listen, socket_with,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use sockless::handshake::{Origins, ServerOptions};
use sockless::{Deadlines, ReadBuffer};

use crate::client::Client;
use crate::limits::{self, CLIENTS};
use crate::runtime::print_error;

/// The number of clients that may wait until the server accepts them.
const BACKLOG: i32 = 1024;

/// The pause after accepting fails. Most likely the process has no files left, and clients will close some.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener and its clients.
pub(crate) struct Server {
    listener: OwnedFd,
    /// The end of the pause.
    accept_at: Duration,
    /// Whether the last attempt failed.
    accept_fails: bool,
    clients: Vec<Client>,
    options: ServerOptions<'static>,
    /// An empty buffer with memory. The client that reads borrows it.
    buffer: ReadBuffer,
}

impl Server {
    /// Listens at `address`. Returns the server and its address. Without a `timeout` it uses the default deadlines.
    ///
    /// # Errors
    ///
    /// The system's error, for example if the address is in use.
    pub(crate) fn bind(
        address: SocketAddrV4,
        timeout: Option<Duration>,
    ) -> Result<(Self, SocketAddr)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        set_socket_reuseaddr(&listener, true)?;
        bind(&listener, &address)?;
        listen(&listener, BACKLOG)?;
        let local = getsockname(&listener)?.try_into()?;

        // Each client needs a file, so this raises the limit as far as the system allows.
        let limit = getrlimit(Resource::Nofile);
        _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                ..limit
            },
        );

        let mut config = limits::config();
        if let Some(timeout) = timeout {
            config.deadlines = Some(deadlines(timeout));
        }
        // An echo has no secrets and does nothing in a visitor's name, so every page may use it.
        let options = ServerOptions::new()
            .with_config(config)
            .with_origins(Origins::Any);
        let server = Self {
            listener,
            accept_at: Duration::ZERO,
            accept_fails: false,
            clients: Vec::with_capacity(CLIENTS),
            options,
            buffer: ReadBuffer::new(),
        };
        Ok((server, local))
    }

    /// Runs the loop until it fails.
    ///
    /// # Errors
    ///
    /// The error of the system's poll.
    pub(crate) fn run(&mut self) -> Result<()> {
        loop {
            let ready = self.wait()?;
            let mut ready = ready.into_iter();
            if ready.next().is_some_and(|listener| !listener.is_empty()) {
                self.accept();
            }
            let (options, buffer) = (&self.options, &mut self.buffer);
            self.clients.retain_mut(|client| {
                // New clients are not polled yet. They get a turn, and their first deadline begins.
                let ready = ready.next().is_none_or(|ready| !ready.is_empty());
                let now = now();
                if ready || client.timeout_at().is_some_and(|at| at <= now) {
                    return client.go_on(options, buffer, now);
                }
                true
            });
        }
    }

    /// Waits for a transport or the next deadline. Returns what is ready: first the listener, then every client.
    fn wait(&self) -> Result<Vec<PollFlags>> {
        let now = now();
        // If the server is full, new clients wait in the backlog.
        let accepts = self.clients.len() < CLIENTS && self.accept_at <= now;
        let listener = if accepts {
            PollFlags::IN
        } else {
            PollFlags::empty()
        };
        let mut polled = Vec::with_capacity(1 + self.clients.len());
        polled.push(PollFd::new(&self.listener, listener));
        let clients = self.clients.iter();
        polled.extend(clients.map(|client| PollFd::new(client.transport(), client.interest())));

        let pause = (self.accept_at > now).then_some(self.accept_at);
        let clients = self.clients.iter();
        let next = clients.filter_map(Client::timeout_at).chain(pause).min();
        let timeout = next.map(|next| next.saturating_sub(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(polled.iter().map(PollFd::revents).collect())
    }

    /// Accepts clients while there is room.
    fn accept(&mut self) {
        while self.clients.len() < CLIENTS {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match accept_with(&self.listener, flags) {
                Ok(transport) => {
                    self.accept_fails = false;
                    // Small frames must not wait for more.
                    _ = set_tcp_nodelay(&transport, true);
                    self.clients.push(Client::new(transport, &self.options));
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                Err(error) => {
                    // Reports the error once, not ten times a second.
                    if !self.accept_fails {
                        print_error(format_args!("cannot accept: {error}\n"));
                    }
                    self.accept_fails = true;
                    self.accept_at = now() + PAUSE;
                    return;
                }
            }
        }
    }
}

/// Deadlines of this length.
const fn deadlines(timeout: Duration) -> Deadlines {
    Deadlines::new()
        .with_handshake(timeout)
        .with_ping_interval(timeout)
        .with_pong(timeout)
        .with_close(timeout)
}

/// The time since the system started. It is the origin of all deadlines.
fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    // This time is never negative.
    Duration::try_from(time).unwrap_or_default()
}
