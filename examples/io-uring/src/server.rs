//! The loop. It waits for completions and gives the clients their turns.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;
use sockless::handshake::ServerOptions;

use crate::client::{Client, Common};
use crate::command_line::complain;
use crate::ring::{Completion, Filled, Ring};
use crate::timers::Timers;

/// The pause after accepting fails. Most likely the process has no files left, and clients will close some.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener and its clients.
pub(crate) struct Server {
    listener: Rc<TcpListener>,
    /// When to accept again. `None` while the ring accepts.
    accept_at: Option<Duration>,
    /// Whether the last attempt failed.
    accept_fails: bool,
    /// A client keeps its number until none of its operations is pending.
    clients: Slab<Client>,
    timers: Timers,
    /// The clients that have a turn next, each once.
    queue: VecDeque<usize>,
    /// The clients that found no free buffer, each once. They wait for one. If they received again at once, most would
    /// find none again.
    starved: VecDeque<usize>,
    /// When the timeout in the ring completes.
    wakes_at: Option<Duration>,
    common: Common,
    started: Instant,
}

impl Server {
    /// Listens at `address`.
    ///
    /// # Errors
    ///
    /// The system's error, for example if the address is in use.
    pub(crate) fn bind(
        address: SocketAddr,
        ring: Ring,
        options: ServerOptions<'static>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: Rc::new(TcpListener::bind(address)?),
            accept_at: Some(Duration::ZERO),
            accept_fails: false,
            clients: Slab::new(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            starved: VecDeque::new(),
            wakes_at: None,
            common: Common::new(ring, options),
            started: Instant::now(),
        })
    }

    /// The address of the listener.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Runs the loop until it fails.
    ///
    /// # Errors
    ///
    /// The error of the ring.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        loop {
            if self.accept_at.is_some_and(|at| at <= self.now()) {
                self.accept_at = None;
                self.common.ring.accept(&self.listener);
            }
            let waits = self.queue.is_empty() && self.starved.is_empty() && self.set_timeout();
            self.common.ring.wait(waits)?;
            while let Some(completion) = self.common.ring.take() {
                self.completed(completion);
            }
            self.feed_starved();
            // Takes all completions before a deadline passes, so what arrived in time is not late.
            if self.common.ring.is_behind() {
                continue;
            }
            let now = self.now();
            while let Some(id) = self.timers.take_due(now) {
                self.clients[id].timer = None;
                self.enqueue(id);
            }
            while let Some(id) = self.queue.pop_front() {
                self.go_on(id, now);
            }
        }
    }

    /// Gives a client one turn after the loop has taken all completions.
    fn enqueue(&mut self, id: usize) {
        let client = &mut self.clients[id];
        if !client.queued {
            client.queued = true;
            self.queue.push_back(id);
        }
    }

    /// Lets as many starved clients receive as there are free buffers.
    fn feed_starved(&mut self) {
        for _ in 0..self.common.ring.free_buffers() {
            let Some(id) = self.starved.pop_front() else {
                return;
            };
            // The client may be gone. If another one has its number, that one is either not starved or fed early.
            if self.clients.get_mut(id).is_some_and(Client::feed) {
                self.enqueue(id);
            }
        }
    }

    /// Sets the one timeout for all deadlines. If the first deadline has moved, the timeout is early and does no harm.
    ///
    /// Returns false if a deadline has already passed.
    fn set_timeout(&mut self) -> bool {
        let next = [self.timers.next(), self.accept_at].into_iter().flatten();
        let Some(next) = next.min() else {
            return true;
        };
        let after = next.saturating_sub(self.now());
        if !after.is_zero() && self.wakes_at.is_none_or(|at| next < at) {
            self.wakes_at = Some(next);
            self.common.ring.wake(after);
        }
        !after.is_zero()
    }

    fn completed(&mut self, completion: Completion) {
        match completion {
            Completion::Time => self.wakes_at = None,
            Completion::Accepted { result, last } => {
                if last {
                    self.accept_at = Some(Duration::ZERO);
                }
                match result {
                    Ok(transport) => {
                        self.accept_fails = false;
                        self.accepted(transport);
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        // Reports the error once, not ten times a second.
                        if !self.accept_fails {
                            complain(format_args!("cannot accept: {error}"));
                        }
                        self.accept_fails = true;
                        self.accept_at = self.accept_at.map(|_| self.now() + PAUSE);
                    }
                }
            }
            Completion::Received { client: id, result } => {
                let client = &mut self.clients[id];
                match result {
                    Ok(None) => {
                        client.starve();
                        self.starved.push_back(id);
                        return;
                    }
                    Ok(Some(filled)) => {
                        let Filled {
                            place,
                            memory,
                            length,
                        } = filled;
                        let common = &mut self.common;
                        client.received(memory, length, &mut common.memory, &common.options);
                        common.ring.give_back(place, common.memory.received.pop());
                    }
                    Err(_) => client.failed(),
                }
                self.enqueue(id);
            }
            Completion::Sent {
                client: id,
                bytes,
                result,
            } => {
                self.clients[id].sent(bytes, result.ok(), &mut self.common.memory);
                self.enqueue(id);
            }
        }
    }

    fn accepted(&mut self, transport: TcpStream) {
        let client = Client::new(transport, &self.common.options.config);
        let id = self.clients.insert(client);
        // In this turn its first deadline begins, and it receives.
        self.enqueue(id);
    }

    fn go_on(&mut self, id: usize, now: Duration) {
        let client = &mut self.clients[id];
        client.queued = false;
        let goes_on = client.go_on(id, &mut self.common, now);
        let timer = match (client.timer, client.timeout_at()) {
            _ if !goes_on => None,
            // Every message moves the deadline. The timer stays, and the client's turn then sets the next one.
            (Some(timer), Some(deadline)) if timer <= deadline => Some(timer),
            (_, deadline) => deadline,
        };
        self.timers.set(id, client.timer, timer);
        client.timer = timer;
        if !goes_on {
            // This closes the transport. No operation uses it any more.
            self.clients.remove(id);
        }
    }

    /// The time since the server was created. It is the origin of all deadlines.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
