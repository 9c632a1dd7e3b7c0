//! The event loop.

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
use crate::client::{Arrived, Client, Common, Next};
use crate::timers::Timers;

/// The number of the listener. The numbers of clients begin at 0.
const LISTENER: Token = Token(usize::MAX);

/// The pause after accepting fails. Most likely the process has no files left, and clients will close some.
const PAUSE: Duration = Duration::from_millis(100);

/// The number of connections that the loop accepts before the clients have their turns.
const ACCEPTS: usize = 256;

/// A listener, its clients, and an application.
pub struct EventLoop<A> {
    poll: Poll,
    listener: TcpListener,
    /// When to accept again. `None` if no client waits.
    accept_at: Option<Duration>,
    /// Whether the last attempt failed.
    accept_fails: bool,
    clients: Slab<Client>,
    timers: Timers,
    /// The clients that have a turn next, each once.
    queue: VecDeque<usize>,
    application: A,
    config: Config,
    outbox: Outbox,
    /// An empty buffer with memory. The client that has a turn borrows it, and `output`.
    unread: ReadBuffer,
    output: Vec<u8>,
    started: Instant,
}

impl<A: Application> EventLoop<A> {
    /// Listens at `address`. The loop uses the limits on requests and the deadlines of `config`.
    ///
    /// # Errors
    ///
    /// The system's error, for example if the address is in use.
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

    /// The address of the listener.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Runs the loop until it fails.
    ///
    /// # Errors
    ///
    /// The error of the system's poll.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.round(&mut events)?;
        }
    }

    /// Waits, then gives one turn to every client that has something to do.
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
        // Clients that enter the queue during this have their turns after the next poll.
        for _ in 0..self.queue.len() {
            if let Some(id) = self.queue.pop_front() {
                self.turn(id, now);
            }
        }
        Ok(())
    }

    /// Waits for a transport or the next deadline.
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
            // After a failure the pause must pass first.
            self.accept_at = self.accept_at.or(Some(Duration::ZERO));
            return;
        }
        let Token(id) = event.token();
        if let Some(client) = self.clients.get_mut(id) {
            client.note(if event.is_read_closed() || event.is_error() {
                Arrived::End
            } else if event.is_readable() {
                Arrived::Bytes
            } else {
                Arrived::Nothing
            });
            self.enqueue(id);
        }
    }

    /// Accepts the clients that wait.
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
                    // Reports the error once, not ten times a second.
                    if !self.accept_fails {
                        _ = writeln!(io::stderr(), "cannot accept: {error}");
                    }
                    self.accept_fails = true;
                    self.accept_at = Some(self.now() + PAUSE);
                    return;
                }
            }
        }
        // More clients may wait. The others have their turns first.
        self.accept_at = Some(Duration::ZERO);
    }

    fn insert(&mut self, transport: TcpStream) {
        // Small frames must not wait for more.
        _ = transport.set_nodelay(true);
        let id = self.clients.insert(Client::new(transport, &self.config));
        let transport = self.clients[id].transport();
        // The poll reports each change once. So the loop may always be interested in both.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if registry.register(transport, Token(id), interest).is_err() {
            self.clients.remove(id);
            return;
        }
        // In this turn its first deadline begins.
        self.enqueue(id);
    }

    /// Puts a client into the queue, unless it is there. So a busy client has no more turns than the others.
    fn enqueue(&mut self, id: usize) {
        if let Some(client) = self.clients.get_mut(id)
            && !client.queued
        {
            client.queued = true;
            self.queue.push_back(id);
        }
    }

    /// Gives a client its turn, then puts its messages to others into their output. `now` is not later than the turn.
    fn turn(&mut self, id: usize, now: Duration) {
        // The client may be gone. If another one has its number, that one finds nothing to do.
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
            now,
            received: 0,
        };
        let next = client.go_on(ClientId(id), &mut common);
        let timer = match (next, client.timer, client.timeout_at()) {
            (Next::End, ..) => None,
            // Every message moves the deadline. The timer stays, and the client's turn then sets the next one.
            (_, Some(timer), Some(deadline)) if timer <= deadline => Some(timer),
            (.., deadline) => deadline,
        };
        self.timers.set(id, client.timer, timer);
        client.timer = timer;
        match next {
            Next::Wait => {}
            Next::Again => self.enqueue(id),
            Next::End => self.remove(id),
        }
        // Delivers before the loop accepts clients, because a new client could get the number of a former one.
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
        if let Some(connection) = client.accepted() {
            let ending = connection.close_event();
            self.application
                .closed(ClientId(id), ending, &mut self.outbox);
        }
    }

    /// The time since the loop was created. It is the origin of all deadlines.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{Shutdown, TcpStream};

    use crate::client::{KEPT, ROUNDS};
    use sockless::handshake::{Request, RequestError, ServerOptions};
    use sockless::test_util::{Frame, Role};
    use sockless::{Connection, Deadlines, SharedMessage};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    /// The number of events that one poll reports.
    const EVENTS: usize = 16;

    /// Sends every message to all clients.
    #[derive(Default)]
    struct ToAll {
        options: ServerOptions<'static>,
        clients: Vec<ClientId>,
        events: usize,
        /// The number of events without data.
        empty: usize,
    }

    impl Application for ToAll {
        fn request(
            &mut self,
            client: ClientId,
            request: &Request<'_>,
        ) -> Result<Connection, RequestError> {
            self.clients.push(client);
            request.accept(&self.options)
        }

        fn event(
            &mut self,
            _: ClientId,
            _: &mut Connection,
            event: sockless::Event<'_>,
            outbox: &mut Outbox,
        ) {
            assert!(!outbox.is_full());
            if let sockless::Event::Binary { data, .. } = event {
                self.events += 1;
                self.empty += usize::from(data.is_empty());
                let message = SharedMessage::binary(data);
                for client in &self.clients {
                    outbox.send(*client, &message);
                }
            }
        }
    }

    struct Test {
        event_loop: EventLoop<ToAll>,
        events: Events,
    }

    impl Test {
        fn new() -> Self {
            Self::with(Config::new())
        }

        fn with(config: Config) -> Self {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let mut application = ToAll::default();
            application.options.config = config.clone();
            Self {
                event_loop: EventLoop::bind(any, config, application).unwrap(),
                events: Events::with_capacity(EVENTS),
            }
        }

        /// Creates a test with the default deadlines and this number of clients. They receive no messages.
        fn with_deadlines(clients: usize) -> (Self, Vec<TcpStream>) {
            let mut test = Self::with(Config::new().with_deadlines(Deadlines::new()));
            let clients = (0..clients).map(|_| test.connect()).collect();
            test.event_loop.application.clients.clear();
            (test, clients)
        }

        /// Lets the clients connect without a request.
        fn connect_silent(&mut self, number: usize) -> Vec<TcpStream> {
            let all = self.event_loop.clients.len() + number;
            let address = self.event_loop.local_addr().unwrap();
            let connect = |_| TcpStream::connect(address).unwrap();
            let clients = (0..number).map(connect).collect();
            while self.event_loop.clients.len() < all {
                self.round();
            }
            clients
        }

        /// The process does not run for so long.
        fn stand_still(&mut self, seconds: u64) {
            self.event_loop.started -= Duration::from_secs(seconds);
        }

        /// Runs rounds until no deadline has passed.
        fn pass_time(&mut self) {
            let due = |it: &EventLoop<_>| it.timers.next().is_some_and(|at| at <= it.now());
            while due(&self.event_loop) {
                self.round();
            }
        }

        /// Runs a round that does not wait. Returns whether there was anything to do.
        fn step(&mut self) -> bool {
            let event_loop = &mut self.event_loop;
            let poll = &mut event_loop.poll;
            poll.poll(&mut self.events, Some(Duration::ZERO)).unwrap();
            for event in &self.events {
                event_loop.ready(event);
            }
            let queue = std::mem::take(&mut event_loop.queue);
            let now = event_loop.now();
            for id in &queue {
                event_loop.turn(*id, now);
            }
            !queue.is_empty()
        }

        /// Runs a round. After it no client is in the queue twice.
        fn round(&mut self) {
            self.event_loop.round(&mut self.events).unwrap();
            let mut queue = Vec::from(self.event_loop.queue.clone());
            queue.sort_unstable();
            assert!(queue.is_sorted_by(|a, b| a < b), "{queue:?}");
        }

        fn connect(&mut self) -> TcpStream {
            let mut client = TcpStream::connect(self.event_loop.local_addr().unwrap()).unwrap();
            client.set_nonblocking(true).unwrap();
            client.write_all(REQUEST).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                self.round();
                take(&mut client, &mut answer);
            }
            client
        }
    }

    /// Reads everything that has arrived.
    fn take(client: &mut TcpStream, received: &mut Vec<u8>) {
        let result = client.read_to_end(received);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    /// Writes as much as the transport takes. The last frame may be incomplete.
    fn stuff(client: &mut TcpStream, stream: &[u8], sent: &mut usize) {
        loop {
            match client.write(&stream[*sent % stream.len()..]) {
                Ok(n) => *sent += n,
                Err(error) => return assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    #[test]
    fn quiet_clients_have_as_many_turns_as_loud_ones() {
        let mut test = Test::new();
        let mut loud = [test.connect(), test.connect()];
        let mut quiet = test.connect();
        let stream = Frame::new(0x82, [7; 1000]).encode(Role::Server).repeat(100);
        let hello = Frame::new(0x82, "").encode(Role::Server);
        // Nobody receives the messages. This test is about reads.
        test.event_loop.application.clients.clear();
        // The most events of two turns.
        let most = 2 * ROUNDS * KEPT / 1000;
        let mut sent = [0; 2];
        for hellos in 1..=50 {
            quiet.write_all(&hello).unwrap();
            while test.event_loop.application.empty < hellos {
                for (client, sent) in loud.iter_mut().zip(&mut sent) {
                    stuff(client, &stream, sent);
                }
                let before = test.event_loop.application.events;
                test.round();
                let events = test.event_loop.application.events - before;
                assert!(events <= most + 1, "{events} events in a round");
            }
        }
        // Both sent a lot.
        assert!(sent.iter().all(|sent| *sent > 1 << 20), "{sent:?}");
    }

    #[test]
    fn messages_are_delivered_before_there_are_too_many() {
        let mut test = Test::new();
        let mut clients = [test.connect(), test.connect()];
        let frame = Frame::new(0x82, "").encode(Role::Server);
        let (number, mut heard) = (10_000, [Vec::new(), Vec::new()]);
        clients[0].write_all(&frame.repeat(number)).unwrap();
        // The application asserts that the outbox is not full.
        while heard.iter().any(|heard| heard.len() < 2 * number) {
            test.round();
            for (client, heard) in clients.iter_mut().zip(&mut heard) {
                take(client, heard);
            }
        }
        assert_eq!(test.event_loop.application.events, number);
        assert_eq!(heard[0], b"\x82\x00".repeat(number));
        assert_eq!(heard[0], heard[1]);
    }

    /// The poll reports both at once.
    #[test]
    fn an_end_that_arrives_with_the_last_bytes_is_found() {
        let mut test = Test::new();
        let mut client = test.connect();
        let hello = Frame::new(0x82, "").encode(Role::Server);
        client.write_all(&hello).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let begin = Instant::now();
        while !test.event_loop.clients.is_empty() {
            test.step();
            assert!(begin.elapsed() < Duration::from_secs(30), "the end is lost");
        }
        let mut heard = Vec::new();
        client.set_nonblocking(false).unwrap();
        client.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"\x82\x00");
    }

    #[test]
    fn an_idle_client_has_no_memory_for_buffers() {
        let mut test = Test::new();
        let mut client = test.connect();
        let large = Frame::new(0x82, vec![7; 1 << 20]).encode(Role::Server);
        let (mut sent, mut heard) = (0, Vec::new());
        while heard.len() < 10 + (1 << 20) {
            match client.write(&large[sent..]) {
                Ok(n) => sent += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            test.round();
            take(&mut client, &mut heard);
        }
        let event_loop = &test.event_loop;
        assert_eq!(event_loop.clients[0].memory(), 0);
        assert!(event_loop.unread.capacity() <= KEPT && event_loop.output.capacity() <= KEPT);
        // After the start of a frame, twice, the buffer has only the received bytes.
        for n in 1..=2 {
            client.write_all(&large[n - 1..n]).unwrap();
            while test.event_loop.clients[0].memory() < n {
                test.round();
            }
            assert_eq!(test.event_loop.clients[0].memory(), n);
        }
    }

    /// Several clients: poll reports too few transports at once, so some deadlines pass before the loop reads. One
    /// client with many frames before its Pong: they take several reads, and none of them is progress.
    #[test]
    fn a_pong_that_is_unread_when_the_loop_is_late_counts() {
        let many = Frame::new(0x8a, [7; 125]).encode(Role::Server).repeat(340);
        for (number, before) in [(3 * EVENTS, &[][..]), (1, &many)] {
            let (mut test, mut clients) = Test::with_deadlines(number);
            test.stand_still(20);
            test.pass_time();
            for client in &mut clients {
                let mut ping = Vec::new();
                take(client, &mut ping);
                let answer = Frame::new(0x8a, &ping[2..]).encode(Role::Server);
                let hello = Frame::new(0x82, "").encode(Role::Server);
                client
                    .write_all(&[before, &answer, &hello].concat())
                    .unwrap();
            }
            test.stand_still(22);
            while test.event_loop.application.empty < number {
                test.round();
                assert_eq!(test.event_loop.clients.len(), number);
            }
        }
    }

    #[test]
    fn a_request_that_is_unread_when_the_loop_is_late_is_accepted() {
        let (mut test, _) = Test::with_deadlines(0);
        let mut clients = test.connect_silent(3 * EVENTS);
        for client in &mut clients {
            client.set_nonblocking(true).unwrap();
            client.write_all(REQUEST).unwrap();
        }
        test.stand_still(11);
        test.pass_time();
        for client in &mut clients {
            let mut answer = Vec::new();
            take(client, &mut answer);
            assert!(answer.starts_with(b"HTTP/1.1 101 "));
        }
    }

    #[test]
    fn silent_clients_are_given_up() {
        let (mut test, clients) = Test::with_deadlines(1);
        let silent = test.connect_silent(1);
        // First the Ping is due, and the request. Then the Pong is due, and nobody has read the refusal.
        for _ in 0..2 {
            test.stand_still(21);
            test.pass_time();
        }
        assert!(test.event_loop.clients.is_empty());
        drop((clients, silent));
    }

    #[test]
    fn a_loop_that_can_neither_read_nor_write_rests() {
        for max_output in [1, usize::MAX] {
            let mut test = Test::with(Config::new().with_max_output(max_output));
            let mut client = test.connect();
            let large = Frame::new(0x82, vec![7; 12 << 20]).encode(Role::Server);
            let mut sent = 0;
            while sent < large.len() {
                sent += client.write(&large[sent..]).unwrap_or(0);
                test.step();
            }
            // If the output has room, the loop reads the end of the stream. Otherwise the end waits.
            client.shutdown(Shutdown::Write).unwrap();
            let mut steps = 0;
            while test.step() {
                steps += 1;
                assert!(steps < 1000, "it spins");
            }
            let connection = test.event_loop.clients[0].accepted().unwrap();
            assert!(connection.output_len() > 0);
            assert_eq!(connection.can_send(), max_output == 1);
            // When the client reads, the loop goes on to the end.
            let mut heard = Vec::new();
            while !test.event_loop.clients.is_empty() {
                _ = client.read_to_end(&mut heard);
                test.step();
            }
            _ = client.read_to_end(&mut heard);
            assert_eq!(heard.len(), 10 + (12 << 20));
        }
    }
}
