//! The loop: waits for completions, and goes on with whom they are for.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;
use sockless::handshake::ServerOptions;

use crate::client::{Client, Common};
use crate::command_line::complain;
use crate::ring::{Completion, Ring};
use crate::timers::Timers;

/// How long not to accept after that has failed: most likely there are no more files, and there will be.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener and its clients.
pub(crate) struct Server {
    listener: Rc<TcpListener>,
    /// When to accept again, where that has to wait.
    accept_at: Option<Duration>,
    /// Whether it did not work the last time.
    accept_fails: bool,
    /// A client keeps its number until no operation for it is under way.
    clients: Slab<Client>,
    timers: Timers,
    /// Those who have a turn next, each once.
    queue: VecDeque<usize>,
    /// When the ring will say that the time has come.
    wakes_at: Option<Duration>,
    common: Common,
    started: Instant,
}

impl Server {
    /// Listens at `address`.
    ///
    /// # Errors
    ///
    /// What the system says, for instance that the address is in use.
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
            wakes_at: None,
            common: Common::new(ring, options),
            started: Instant::now(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Goes round for ever.
    ///
    /// # Errors
    ///
    /// When the ring fails.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        loop {
            if self.accept_at.is_some_and(|at| at <= self.now()) {
                self.accept_at = None;
                self.common.ring.accept(&self.listener);
            }
            let waits = self.queue.is_empty() && self.set_timeout();
            self.common.ring.wait(waits)?;
            while let Some(completion) = self.common.ring.take() {
                self.completed(completion);
            }
            // Before any deadline passes the kernel has looked for what arrived in time, and this program has it all.
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

    /// Gives a client one turn after all completions were taken.
    fn enqueue(&mut self, id: usize) {
        let client = &mut self.clients[id];
        if !client.queued {
            client.queued = true;
            self.queue.push_back(id);
        }
    }

    /// One timeout serves for all deadlines. If it comes too early, since the first deadline has moved, no harm is done.
    /// Returns false if a deadline has come already.
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
                        // Said once, not ten times a second.
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
                    Ok(Some(filled)) => {
                        let bytes = self.common.ring.received(&filled);
                        client.received(bytes, &mut self.common.buffer, &self.common.options);
                        self.common.ring.give_back(filled);
                    }
                    Ok(None) => client.received_none(),
                    Err(_) => client.failed(),
                }
                self.enqueue(id);
            }
            Completion::Sent {
                client: id,
                bytes,
                result,
            } => {
                self.common.reuse(bytes);
                self.clients[id].sent(result.ok());
                self.enqueue(id);
            }
        }
    }

    fn accepted(&mut self, transport: TcpStream) {
        let client = Client::new(transport, &self.common.options.config);
        let id = self.clients.insert(client);
        // Its first deadline begins, and it is received from.
        self.enqueue(id);
    }

    fn go_on(&mut self, id: usize, now: Duration) {
        let client = &mut self.clients[id];
        client.queued = false;
        let goes_on = client.go_on(id, &mut self.common, now);
        let timer = if goes_on { client.timeout_at() } else { None };
        self.timers.set(id, client.timer, timer);
        client.timer = timer;
        if !goes_on {
            // Closes the transport: no operation has it any more.
            self.clients.remove(id);
        }
    }

    /// Time since the server was made, which all deadlines count from.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
