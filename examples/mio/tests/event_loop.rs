//! The loop with difficult clients: impatient, slow, interrupted, and many at once. No test waits for a fixed time.
//! Timeouts only bound a failure.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use example_mio::{Application, ClientId, EventLoop, Outbox};
use sockless::handshake::{Request, RequestError, ServerOptions};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, encode};
use sockless::{CloseEvent, Config, Connection, Deadlines, Event};

const PATIENCE: Duration = Duration::from_secs(30);

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Who receives a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Sender,
    Everybody,
}

struct Test {
    options: ServerOptions<'static>,
    to: To,
    clients: Vec<ClientId>,
    texts: Vec<String>,
    closed: Sender<Closed>,
}

/// A client that is gone, its close code, and the texts of all clients so far.
type Closed = (ClientId, Option<u16>, Vec<String>);

impl Application for Test {
    fn request(&mut self, _: ClientId, request: &Request<'_>) -> Result<Connection, RequestError> {
        request.accept(&self.options)
    }

    fn opened(&mut self, client: ClientId, _: &mut Connection, _: &mut Outbox) {
        self.clients.push(client);
    }

    fn event(
        &mut self,
        _: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        outbox: &mut Outbox,
    ) {
        if let Event::Text { text, .. } = event {
            self.texts.push(text.to_owned());
        }
        let Event::Binary { data, .. } = event else {
            return;
        };
        match self.to {
            To::Sender => connection.send_binary(data).unwrap(),
            To::Everybody => {
                let message = sockless::SharedMessage::binary(data);
                for client in &self.clients {
                    outbox.send(*client, &message);
                }
            }
        }
    }

    fn closed(&mut self, client: ClientId, ending: Option<CloseEvent<'_>>, _: &mut Outbox) {
        self.clients.retain(|other| *other != client);
        let code = ending.map(|ending| ending.code.into());
        // The test may be over.
        _ = self.closed.send((client, code, self.texts.clone()));
    }
}

/// Starts the loop in a thread. The receiver gets the clients that are gone.
fn serve(config: Config, to: To) -> (SocketAddr, Receiver<Closed>) {
    let (started, address) = channel();
    let (sender, closed) = channel();
    thread::spawn(move || {
        let application = Test {
            options: ServerOptions::new().with_config(config.clone()),
            to,
            clients: Vec::new(),
            texts: Vec::new(),
            closed: sender,
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut event_loop = EventLoop::bind(any, config, application).unwrap();
        started.send(event_loop.local_addr().unwrap()).unwrap();
        event_loop.run().unwrap();
    });
    (address.recv_timeout(PATIENCE).unwrap(), closed)
}

/// A client on a blocking transport.
struct Client {
    transport: TcpStream,
    peer: Peer,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let mut client = Self::silent(address);
        client.transport.write_all(REQUEST).unwrap();
        client.read_response();
        client
    }

    /// Connects without a request.
    fn silent(address: SocketAddr) -> Self {
        let transport = TcpStream::connect(address).unwrap();
        transport.set_nodelay(true).unwrap();
        transport.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            transport,
            peer: Peer::new(Role::Client, &Config::new()),
        }
    }

    fn read_response(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.transport.read_exact(&mut byte).unwrap();
            head.extend_from_slice(&byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
    }

    /// Waits for at least `n` events.
    fn receive(&mut self, n: usize) -> Vec<OwnedEvent> {
        let mut events = self.peer.events();
        let mut bytes = vec![0; 1 << 16];
        while events.len() < n {
            let read = self.transport.read(&mut bytes).unwrap();
            assert!(read > 0, "the end after {} of {n} events", events.len());
            self.peer.receive(&bytes[..read]);
            events.extend(self.peer.events());
        }
        events
    }
}

fn message(data: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x82, data)
}

fn numbered(n: u32) -> Vec<Frame> {
    (0..n).map(|i| message(i.to_be_bytes())).collect()
}

fn echoes(n: u32) -> Vec<OwnedEvent> {
    let data = (0..n).map(u32::to_be_bytes);
    data.map(|data| OwnedEvent::binary(&data)).collect()
}

/// Also at the end of the stream, which waits for them.
#[test]
fn events_that_wait_for_room_are_taken_when_there_is_some() {
    for ends in [false, true] {
        // One message fills the output.
        let (address, closed) = serve(Config::new().with_max_output(1), To::Sender);
        let mut client = Client::connect(address);
        let (mut frames, mut expected) = (numbered(100), echoes(100));
        if ends {
            frames.push(Frame::close(1000, ""));
            expected.push(OwnedEvent::close(1000, ""));
        }
        let bytes = encode(&frames, Role::Server);
        client.transport.write_all(&bytes).unwrap();
        if ends {
            client.transport.shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(client.receive(expected.len()), expected);
        if ends {
            closed.recv_timeout(PATIENCE).unwrap();
            assert_eq!(client.transport.read(&mut [0]).unwrap(), 0);
        }
    }
}

#[test]
fn a_request_and_a_message_may_come_in_single_bytes() {
    let (address, _) = serve(Config::new(), To::Sender);
    let mut client = Client::silent(address);
    let bytes = [REQUEST, &message("hello").encode(Role::Server)].concat();
    for byte in bytes {
        client.transport.write_all(&[byte]).unwrap();
    }
    client.read_response();
    assert_eq!(client.receive(1), [OwnedEvent::binary(b"hello")]);
}

/// After the deadline the loop refuses the request. After the end of the stream it does not answer.
#[test]
fn an_incomplete_request_is_refused_or_ends() {
    let deadlines = Deadlines::new().with_handshake(Duration::from_millis(1));
    let late = Config::new().with_deadlines(deadlines);
    for (config, expected) in [(late, &b"HTTP/1.1 408 "[..]), (Config::new(), b"")] {
        let (address, _) = serve(config, To::Sender);
        for request in [&b""[..], &REQUEST[..40]] {
            let mut client = Client::silent(address);
            client.transport.write_all(request).unwrap();
            if expected.is_empty() {
                client.transport.shutdown(Shutdown::Write).unwrap();
            }
            let mut answer = Vec::new();
            client.transport.read_to_end(&mut answer).unwrap();
            assert!(answer.starts_with(expected));
            assert_eq!(answer.is_empty(), expected.is_empty());
        }
    }
}

#[test]
fn the_end_comes_at_once_if_nothing_can_be_written() {
    let (address, closed) = serve(Config::new().with_max_output(usize::MAX), To::Sender);
    let mut client = Client::connect(address);
    // The second frame fails the connection. The Close frame waits after the answer to the first frame. The client
    // never reads that answer, so dropping the transport resets it.
    let frames = [message(vec![7; 12 << 20]), Frame::new(0xff, "")];
    let bytes = encode(&frames, Role::Server);
    client.transport.write_all(&bytes).unwrap();
    client.transport.read_exact(&mut [0]).unwrap();
    drop(client);
    closed.recv_timeout(PATIENCE).unwrap();
}

/// The output is full, so the loop has not read the last words when its next write fails.
#[test]
fn the_last_words_of_a_peer_arrive_when_nothing_can_be_written() {
    let (address, closed) = serve(Config::new().with_max_output(1), To::Sender);
    let mut client = Client::connect(address);
    let large = message(vec![7; 12 << 20]).encode(Role::Server);
    client.transport.write_all(&large).unwrap();
    // The answer has begun. It is larger than all buffers.
    client.transport.read_exact(&mut [0]).unwrap();
    let words = [Frame::new(0x81, "last words"), Frame::close(1008, "policy")];
    let words = encode(&words, Role::Server);
    client.transport.write_all(&words).unwrap();
    // The client has unread bytes, so dropping the transport resets it.
    drop(client);
    let (_, code, texts) = closed.recv_timeout(PATIENCE).unwrap();
    assert_eq!((code, texts), (Some(1008), vec!["last words".to_owned()]));
}

#[test]
fn a_client_that_ends_the_stream_gets_all_answers() {
    let data = vec![7; 4 << 20];
    let cases = [
        (1, To::Sender),
        (usize::MAX, To::Sender),
        (usize::MAX, To::Everybody),
    ];
    for (max_output, to) in cases {
        let (address, closed) = serve(Config::new().with_max_output(max_output), to);
        let mut client = Client::silent(address);
        let large = message(&data).encode(Role::Server);
        let bytes = [REQUEST, &large, &message("small").encode(Role::Server)].concat();
        client.transport.write_all(&bytes).unwrap();
        client.transport.shutdown(Shutdown::Write).unwrap();
        client.read_response();
        let expected = [&data[..], b"small"].map(OwnedEvent::binary);
        assert_eq!(client.receive(2), expected);
        assert_eq!(client.transport.read(&mut [0]).unwrap(), 0);
        let (_, code, _) = closed.recv_timeout(PATIENCE).unwrap();
        assert_eq!(code, Some(1006));
    }
}

#[test]
fn all_clients_receive_from_all_clients_at_once() {
    const CLIENTS: u8 = 8;
    const MESSAGES: u32 = 2000;
    let (address, _) = serve(Config::new(), To::Everybody);
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(address)).collect();
    let threads = clients.into_iter().zip(0..CLIENTS).map(|(mut client, me)| {
        thread::spawn(move || {
            let mut transport = client.transport.try_clone().unwrap();
            let writer = thread::spawn(move || {
                for i in 0..MESSAGES {
                    let data = [&[me][..], &i.to_be_bytes()].concat();
                    let frame = message(data).encode(Role::Server);
                    transport.write_all(&frame).unwrap();
                }
            });
            let mut next = [0; CLIENTS as usize];
            for event in client.receive(MESSAGES as usize * usize::from(CLIENTS)) {
                let (from, number) = event.data().split_first().unwrap();
                let next = &mut next[usize::from(*from)];
                assert_eq!(number, u32::to_be_bytes(*next));
                *next += 1;
            }
            assert_eq!(next, [MESSAGES; CLIENTS as usize]);
            writer.join().unwrap();
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_reader_that_is_too_slow_is_given_up() {
    let config = Config::new()
        .with_deadlines(Deadlines::new().with_close(Duration::from_millis(1)))
        .with_max_output(64 << 10);
    let (address, closed) = serve(config, To::Everybody);
    let slow = Client::connect(address);
    let mut loud = Client::connect(address);
    let mut listener = Client::connect(address);
    let data = vec![7; 60 << 10];
    let frame = message(&data).encode(Role::Server);
    let expected = OwnedEvent::binary(&data);
    // All buffers on the way to a client are far smaller than this.
    for _ in 0..10_000 {
        loud.transport.write_all(&frame).unwrap();
        assert_eq!(loud.receive(1)[0], expected);
        assert_eq!(listener.receive(1)[0], expected);
        if closed.try_recv().is_ok() {
            loud.transport.write_all(&frame).unwrap();
            assert_eq!(loud.receive(1)[0], expected);
            assert_eq!(listener.receive(1)[0], expected);
            assert!(closed.try_recv().is_err());
            drop(slow);
            return;
        }
    }
    panic!("the slow reader is still there");
}
