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
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                client.set_readable();
            }
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
            client.timeout_at()
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
        if let Some(connection) = client.accepted() {
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

    /// How many events one poll reports.
    const EVENTS: usize = 16;

    /// Sends everything to everybody, also to who said it.
    #[derive(Default)]
    struct ToAll {
        options: ServerOptions<'static>,
        clients: Vec<ClientId>,
        events: usize,
        /// Those without data.
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

        /// With the default deadlines.
        fn with_deadlines() -> Self {
            Self::with(Config::new().with_deadlines(Deadlines::new()))
        }

        /// The process stands still for so long.
        fn stand_still(&mut self, seconds: u64) {
            self.event_loop.started -= Duration::from_secs(seconds);
        }

        /// Goes round until no deadline has come.
        fn pass_time(&mut self) {
            let due = |it: &EventLoop<_>| it.timers.next().is_some_and(|at| at <= it.now());
            while due(&self.event_loop) {
                self.round();
            }
        }

        /// A round that does not wait. Whether there was anything to do.
        fn step(&mut self) -> bool {
            let event_loop = &mut self.event_loop;
            let poll = &mut event_loop.poll;
            poll.poll(&mut self.events, Some(Duration::ZERO)).unwrap();
            for event in &self.events {
                event_loop.ready(event);
            }
            let queue = std::mem::take(&mut event_loop.queue);
            for id in &queue {
                event_loop.turn(*id);
            }
            !queue.is_empty()
        }

        /// One round, after which nobody has more than one turn.
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

    /// Takes what there is.
    fn take(client: &mut TcpStream, received: &mut Vec<u8>) {
        let result = client.read_to_end(received);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    /// Gives as much as the transport takes, if of the last frame only a part.
    fn stuff(client: &mut TcpStream, stream: &[u8], sent: &mut usize) {
        loop {
            match client.write(&stream[*sent % stream.len()..]) {
                Ok(n) => *sent += n,
                Err(error) => return assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    #[test]
    fn who_says_little_has_a_turn_as_often_as_who_says_much() {
        let mut test = Test::new();
        let mut loud = [test.connect(), test.connect()];
        let mut quiet = test.connect();
        let stream = Frame::new(0x82, [7; 1000]).encode(Role::Server).repeat(100);
        let hello = Frame::new(0x82, "").encode(Role::Server);
        // Nobody hears it: this is about who is read from.
        test.event_loop.application.clients.clear();
        // In one turn no more than these reads.
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
        // They were loud indeed.
        assert!(sent.iter().all(|sent| *sent > 1 << 20), "{sent:?}");
    }

    #[test]
    fn messages_are_delivered_before_there_are_too_many() {
        let mut test = Test::new();
        let mut clients = [test.connect(), test.connect()];
        let frame = Frame::new(0x82, "").encode(Role::Server);
        let (number, mut heard) = (10_000, [Vec::new(), Vec::new()]);
        clients[0].write_all(&frame.repeat(number)).unwrap();
        // That no outbox was too full is for the application to see.
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

    #[test]
    fn who_is_idle_has_no_memory_for_buffers() {
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
        // The start of a frame, twice: only what came is kept.
        for n in 1..=2 {
            client.write_all(&large[n - 1..n]).unwrap();
            while test.event_loop.clients[0].memory() < n {
                test.round();
            }
            assert_eq!(test.event_loop.clients[0].memory(), n);
        }
    }

    /// Poll reports too few transports for all to be read before their deadlines pass.
    #[test]
    fn a_pong_that_is_unread_when_the_loop_is_late_counts() {
        let mut test = Test::with_deadlines();
        let mut clients: Vec<_> = (0..3 * EVENTS).map(|_| test.connect()).collect();
        // Nobody hears it: this is about who is given up.
        test.event_loop.application.clients.clear();
        test.stand_still(20);
        test.pass_time();
        for client in &mut clients {
            let mut ping = Vec::new();
            take(client, &mut ping);
            let answer = Frame::new(0x8a, &ping[2..]).encode(Role::Server);
            let hello = Frame::new(0x82, "").encode(Role::Server);
            client.write_all(&[answer, hello].concat()).unwrap();
        }
        test.stand_still(22);
        while test.event_loop.application.empty < clients.len() {
            test.round();
            assert_eq!(test.event_loop.clients.len(), clients.len());
        }
    }

    /// Reading the frames before the Pong takes several reads, and none of them is progress.
    #[test]
    fn a_pong_after_many_control_frames_counts_when_the_loop_is_late() {
        let mut test = Test::with_deadlines();
        let (mut client, mut ping) = (test.connect(), Vec::new());
        test.stand_still(20);
        test.pass_time();
        take(&mut client, &mut ping);
        let mut stream = Frame::new(0x8a, [7; 125]).encode(Role::Server).repeat(340);
        stream.extend(Frame::new(0x8a, &ping[2..]).encode(Role::Server));
        stream.extend(Frame::new(0x82, "").encode(Role::Server));
        client.write_all(&stream).unwrap();
        test.stand_still(22);
        while test.event_loop.application.empty == 0 {
            test.round();
            assert_eq!(test.event_loop.clients.len(), 1);
        }
    }

    #[test]
    fn a_request_that_is_unread_when_the_loop_is_late_is_accepted() {
        let mut test = Test::with_deadlines();
        let address = test.event_loop.local_addr().unwrap();
        let connect = |_| TcpStream::connect(address).unwrap();
        let mut clients: Vec<_> = (0..3 * EVENTS).map(connect).collect();
        while test.event_loop.clients.len() < clients.len() {
            test.round();
        }
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
    fn who_is_silent_is_given_up() {
        let mut test = Test::with_deadlines();
        let client = test.connect();
        let silent = TcpStream::connect(test.event_loop.local_addr().unwrap()).unwrap();
        while test.event_loop.clients.len() < 2 {
            test.round();
        }
        // The Ping is due, and then its Pong. Nobody reads the refusal of no request.
        for _ in 0..2 {
            test.stand_still(21);
            test.pass_time();
        }
        assert!(test.event_loop.clients.is_empty());
        drop((client, silent));
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
            // With room the end of the stream is read, and without it has to wait.
            client.shutdown(Shutdown::Write).unwrap();
            let mut steps = 0;
            while test.step() {
                steps += 1;
                assert!(steps < 1000, "it spins");
            }
            let connection = test.event_loop.clients[0].accepted().unwrap();
            assert!(connection.output_len() > 0);
            assert_eq!(connection.can_send(), max_output == 1);
            // It goes on when it can, to the end.
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
