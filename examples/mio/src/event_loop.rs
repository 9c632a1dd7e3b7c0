//! The loop over all clients.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use sockless::{Config, ReadBuffer};

use crate::application::{Application, ClientId, Outbox};
use crate::client::{Client, Common, Next};
use crate::timers::Timers;

/// The number of the listener; those of clients begin at 0.
const LISTENER: Token = Token(usize::MAX);

/// How long not to accept after that has failed: most likely there are no more files, and there will be.
const PAUSE: Duration = Duration::from_millis(100);

/// How many are accepted before others have their turn.
const ACCEPTS: usize = 256;

/// A listener, its clients, and what they do.
pub struct EventLoop<A> {
    poll: Poll,
    listener: TcpListener,
    /// When to accept again, if there may be somebody.
    accept_at: Option<Duration>,
    /// Whether it did not work the last time.
    accept_fails: bool,
    clients: Slab<Client>,
    timers: Timers,
    /// Those who have a turn next, each once.
    queue: VecDeque<usize>,
    application: A,
    config: Config,
    outbox: Outbox,
    /// Lent to one client after the other, as is `output`.
    unread: ReadBuffer,
    output: Vec<u8>,
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
            accept_fails: false,
            clients: Slab::new(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            application,
            config,
            outbox: Outbox::default(),
            unread: ReadBuffer::new(),
            output: Vec::new(),
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
            self.round(&mut events)?;
        }
    }

    /// Waits, and gives everybody for whom there is something to do one turn.
    fn round(&mut self, events: &mut Events) -> io::Result<()> {
        self.wait(events)?;
        for event in &*events {
            self.ready(event);
        }
        let now = self.now();
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept();
        }
        while let Some(id) = self.timers.take_due(now) {
            if let Some(client) = self.clients.get_mut(id) {
                client.timer = None;
            }
            self.enqueue(id);
        }
        // As many as there are now: those that come in meanwhile have their turn after the next look at the transports.
        for _ in 0..self.queue.len() {
            if let Some(id) = self.queue.pop_front() {
                self.turn(id);
            }
        }
        Ok(())
    }

    /// Waits for a transport, or until the next deadline.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = self.now();
        let next = [self.timers.next(), self.accept_at].into_iter().flatten();
        let timeout = if self.queue.is_empty() {
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
            // If it has just failed, it is not yet time.
            self.accept_at = self.accept_at.or(Some(Duration::ZERO));
            return;
        }
        let Token(id) = event.token();
        if let Some(client) = self.clients.get_mut(id) {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            client.ready(readable, event.is_writable());
            self.enqueue(id);
        }
    }

    /// Accepts who is there.
    fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok((transport, _)) => {
                    self.accept_fails = false;
                    self.insert(transport);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = None;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Said once, not ten times a second.
                    if !self.accept_fails {
                        _ = writeln!(io::stderr(), "cannot accept: {error}");
                    }
                    self.accept_fails = true;
                    self.accept_at = Some(self.now() + PAUSE);
                    return;
                }
            }
        }
        // There may be more, after the others had their turn.
        self.accept_at = Some(Duration::ZERO);
    }

    fn insert(&mut self, transport: TcpStream) {
        // What is written is meant to go.
        _ = transport.set_nodelay(true);
        let id = self.clients.insert(Client::new(transport, &self.config));
        let transport = self.clients[id].transport();
        // Each change is told once, so there is nothing to take back while there is nothing to write.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if registry.register(transport, Token(id), interest).is_err() {
            self.clients.remove(id);
            return;
        }
        // Its first deadline begins.
        self.enqueue(id);
    }

    /// Gives a client a turn, unless it gets one anyway: however much there is to do for one, it has no more of them
    /// than the others.
    fn enqueue(&mut self, id: usize) {
        if let Some(client) = self.clients.get_mut(id)
            && !client.queued
        {
            client.queued = true;
            self.queue.push_back(id);
        }
    }

    /// Goes on with a client, and puts what it says to others into their output.
    fn turn(&mut self, id: usize) {
        // It may be gone, and its number may be another's by now: that one finds nothing to do.
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        client.queued = false;
        let mut common = Common {
            application: &mut self.application,
            outbox: &mut self.outbox,
            config: &self.config,
            unread: &mut self.unread,
            output: &mut self.output,
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
            Next::Again => self.enqueue(id),
            Next::End => self.remove(id),
        }
        // Before anybody is accepted who could get the number of one who is gone.
        while let Some((ClientId(to), delivery)) = self.outbox.take() {
            if let Some(client) = self.clients.get_mut(to) {
                client.deliver(delivery);
                self.enqueue(to);
            }
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
