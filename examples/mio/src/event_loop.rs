//! The loop over all clients.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use sockless::{CloseCode, Config, ReadBuffer};

use crate::application::{Application, ClientId, Delivery, Outbox};
use crate::client::{Client, Common, Next};
use crate::timers::Timers;

/// The number of the listener; those of clients begin at 0.
const LISTENER: Token = Token(usize::MAX);

/// How long not to accept after that has failed: most likely there are no more files, and there will be.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener, its clients, and what they do.
pub struct EventLoop<A> {
    poll: Poll,
    listener: TcpListener,
    /// When to accept again, if there may be somebody.
    accept_at: Option<Duration>,
    clients: Slab<Client>,
    timers: Timers,
    /// Those that go on without waiting.
    again: VecDeque<usize>,
    application: A,
    config: Config,
    outbox: Outbox,
    /// Lent to one client after the other, so that memory for reading is needed once.
    buffer: ReadBuffer,
    started: Instant,
}

impl<A: Application> EventLoop<A> {
    /// Listens at `address`. Of `config` the loop itself needs the limits on requests, and the deadlines.
    ///
    /// # Errors
    ///
    /// What the system says, for instance that the address is in use.
    pub fn bind(address: SocketAddr, config: Config, application: A) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            accept_at: None,
            clients: Slab::new(),
            timers: Timers::default(),
            again: VecDeque::new(),
            application,
            config,
            outbox: Outbox::default(),
            buffer: ReadBuffer::new(),
            started: Instant::now(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Goes round for ever.
    ///
    /// # Errors
    ///
    /// When the system's poll fails.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.wait(&mut events)?;
            for event in &events {
                self.ready(event);
            }
            if self.accept_at.is_some_and(|at| at <= self.now()) {
                self.accept();
            }
            // As many as there are now: those that go on after that have their turn behind the transports.
            for _ in 0..self.again.len() {
                if let Some(id) = self.again.pop_front() {
                    self.go_on(id);
                }
            }
            while let Some(id) = self.timers.due(self.now()) {
                self.go_on(id);
            }
        }
    }

    /// Waits for a transport, or until the next deadline.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = self.now();
        let next = [self.timers.next(), self.accept_at].into_iter().flatten();
        let timeout = if self.again.is_empty() {
            next.min().map(|next| next.saturating_sub(now))
        } else {
            Some(Duration::ZERO)
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn ready(&mut self, event: &Event) {
        if event.token() == LISTENER {
            self.accept_at = Some(Duration::ZERO);
            return;
        }
        let Token(id) = event.token();
        // It may be gone, and its number may be another's by now: that one finds nothing to do then.
        if let Some(client) = self.clients.get_mut(id) {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            client.ready(readable, event.is_writable());
            self.go_on(id);
        }
    }

    /// Accepts whoever is there.
    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((transport, _)) => {
                    // What is written is meant to go.
                    _ = transport.set_nodelay(true);
                    let id = self.clients.insert(Client::new(transport, &self.config));
                    let transport = self.clients[id].transport();
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    let registry = self.poll.registry();
                    if registry.register(transport, Token(id), interest).is_err() {
                        self.clients.remove(id);
                        continue;
                    }
                    // Its first deadline begins.
                    self.go_on(id);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = None;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    self.accept_at = Some(self.now() + PAUSE);
                    return;
                }
            }
        }
    }

    /// Goes on with a client, and with all that its messages are for.
    fn go_on(&mut self, id: usize) {
        self.turn(id);
        while let Some((ClientId(id), delivery)) = self.outbox.take() {
            let client = self.clients.get_mut(id).and_then(Client::connection);
            let Some(connection) = client else {
                continue;
            };
            // Refused only if the connection is closing.
            _ = match delivery {
                Delivery::Message(message) if connection.has_room() => {
                    connection.send_shared(&message)
                }
                Delivery::Message(_) => connection.close(CloseCode::POLICY_VIOLATION, "too slow"),
                Delivery::Close(code, reason) => connection.close(code, reason),
            };
            self.turn(id);
        }
    }

    fn turn(&mut self, id: usize) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        let mut common = Common {
            application: &mut self.application,
            outbox: &mut self.outbox,
            config: &self.config,
            buffer: &mut self.buffer,
            now: self.started.elapsed(),
        };
        let next = client.go_on(ClientId(id), &mut common);
        let timer = if next == Next::End {
            None
        } else {
            client.next_timeout()
        };
        self.timers.set(id, client.timer, timer);
        client.timer = timer;
        match next {
            Next::Wait => {}
            Next::Again => self.again.push_back(id),
            Next::End => self.remove(id),
        }
    }

    fn remove(&mut self, id: usize) {
        let mut client = self.clients.remove(id);
        _ = self.poll.registry().deregister(client.transport());
        if let Some(connection) = client.connection() {
            let ending = connection.close_event();
            self.application
                .closed(ClientId(id), ending, &mut self.outbox);
        }
    }

    /// Time since the loop was made, which all deadlines count from.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
