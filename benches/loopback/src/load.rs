//! The load: many connections on one thread. It is cheap, so the server has most of the work.
//!
//! Each connection sends a burst of messages in one write, waits until all of them are back, and sends the next burst.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};
use rustix::net::sockopt::set_socket_linger;

use crate::frame;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The value of `Sec-WebSocket-Accept` for this request (RFC 6455, section 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The length of the first message on each connection, in bytes.
const FIRST: usize = 16;

/// A server that sends nothing for so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most bytes of messages in flight on all connections. With more, the buffers of the kernel could take gigabytes.
const MOST_IN_FLIGHT: usize = 64 << 20;

/// The number of bytes to read at once.
const READ: usize = 256 << 10;

/// The messages to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// The length of a message, in bytes.
    pub size: usize,
    /// The number of messages in a burst.
    pub in_flight: usize,
}

/// What happened in the measured interval.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// The number of messages that came back. A part of a message counts as this part.
    pub messages: f64,
    /// The duration of the interval.
    pub wall: Duration,
    /// The processor time of the server.
    pub server: Duration,
    /// The processor time of the load.
    pub load: Duration,
}

/// Open connections to a server.
#[derive(Debug)]
pub struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Memory to read into.
    memory: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    transport: TcpStream,
    /// The number of bytes of the burst that are not written yet.
    to_write: usize,
    /// The number of bytes of the echo that have not arrived yet.
    to_read: usize,
    /// Whether a burst of this job came back unchanged. Later ones are only counted.
    checked: bool,
}

impl Load {
    /// Opens connections, one after the other. Each sends one message and gets it back.
    ///
    /// # Errors
    ///
    /// What the server did wrong.
    pub fn open(address: SocketAddr, connections: usize) -> Result<Self, String> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| e.to_string())?;
        let mut load = Self {
            epoll,
            connections: Vec::with_capacity(connections),
            memory: vec![0; READ],
        };
        for number in 0..connections {
            let connection = Connection::open(address, number)
                .map_err(|error| format!("connection {number}: {error}"))?;
            // Each change is reported once. So the interest never changes.
            let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&load.epoll, &connection.transport, data, events)
                .map_err(|error| error.to_string())?;
            load.connections.push(connection);
        }
        Ok(load)
    }

    /// Sends messages on all connections for the time of `warm_up`, then measures for the time of `interval`.
    /// `server_time` is the processor time of the server so far.
    ///
    /// If the bursts of all connections have more than 64 MiB together, the connections take turns.
    ///
    /// # Errors
    ///
    /// What the server did wrong.
    pub fn run(
        &mut self,
        job: Job,
        warm_up: Duration,
        interval: Duration,
        server_time: impl Fn() -> Result<Duration, String>,
    ) -> Result<Interval, String> {
        let bursts = Bursts::new(job);
        let at_once = (MOST_IN_FLIGHT / bursts.sent.len()).max(1);
        let mut waiting: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut open_bursts = 0;
        let mut received = 0_usize;
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(1024);
        for connection in &mut self.connections {
            connection.checked = false;
        }
        let begin = Instant::now();
        let mut first: Option<Mark> = None;
        let mut last: Option<Mark> = None;
        loop {
            // Once the interval is over, the open bursts come to their end.
            while last.is_none() && open_bursts < at_once {
                let Some(number) = waiting.pop_front() else {
                    break;
                };
                open_bursts += 1;
                let connection = &mut self.connections[number];
                connection.to_write = bursts.sent.len();
                connection.to_read = bursts.expected.len();
                connection.write(&bursts)?;
            }
            if let (Some(first), Some(last), 0) = (&first, &last, open_bursts) {
                #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
                let messages = (last.received - first.received) as f64 * bursts.messages_per_byte();
                return Ok(Interval {
                    messages,
                    wall: last.at - first.at,
                    server: last.server.saturating_sub(first.server),
                    load: last.load.saturating_sub(first.load),
                });
            }
            ready.clear();
            let patience = Timespec::try_from(PATIENCE).map_err(|error| error.to_string())?;
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&patience)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.to_string()),
            }
            if ready.is_empty() {
                return Err(format!("nothing came back for {PATIENCE:?}"));
            }
            for event in &ready {
                let data = event.data;
                let Some(number) = usize::try_from(data.u64()).ok() else {
                    continue;
                };
                let connection = &mut self.connections[number];
                let was_open = connection.to_read > 0;
                let ending = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
                let flags = event.flags;
                received +=
                    connection.go_on(&bursts, &mut self.memory, flags.intersects(ending))?;
                if was_open && connection.to_read == 0 {
                    open_bursts -= 1;
                    waiting.push_back(number);
                }
            }
            let mark = |received| -> Result<Mark, String> {
                Ok(Mark {
                    at: Instant::now(),
                    received,
                    server: server_time()?,
                    load: own_time()?,
                })
            };
            match &first {
                None if begin.elapsed() >= warm_up => first = Some(mark(received)?),
                Some(first) if last.is_none() && first.at.elapsed() >= interval => {
                    last = Some(mark(received)?);
                }
                _ => {}
            }
        }
    }
}

/// The beginning or the end of the interval.
struct Mark {
    at: Instant,
    received: usize,
    server: Duration,
    load: Duration,
}

fn own_time() -> Result<Duration, String> {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    clock
        .now()
        .map(Into::into)
        .map_err(|error| error.to_string())
}

/// What every connection sends and gets back in one burst.
struct Bursts {
    job: Job,
    sent: Vec<u8>,
    expected: Vec<u8>,
}

impl Bursts {
    fn new(job: Job) -> Self {
        let payload = frame::payload(job.size, 1);
        Self {
            job,
            sent: frame::masked(&payload).repeat(job.in_flight),
            expected: frame::echo(&payload).repeat(job.in_flight),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    fn messages_per_byte(&self) -> f64 {
        self.job.in_flight as f64 / self.expected.len() as f64
    }
}

impl Connection {
    /// Makes the opening handshake, and sends a message that no other connection sends.
    fn open(address: SocketAddr, number: usize) -> Result<Self, String> {
        let fail = |error: std::io::Error| error.to_string();
        let mut transport = TcpStream::connect(address).map_err(fail)?;
        transport.set_nodelay(true).map_err(fail)?;
        transport.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
        // At the end the connection is reset. Otherwise its port would stay in use for a minute.
        set_socket_linger(&transport, Some(Duration::ZERO)).map_err(|error| error.to_string())?;
        transport.write_all(REQUEST).map_err(fail)?;
        let mut response = Vec::new();
        let mut memory = [0; 4096];
        while !response.ends_with(b"\r\n\r\n") {
            match transport.read(&mut memory).map_err(fail)? {
                0 => return Err("it ended in the opening handshake".into()),
                n => response.extend_from_slice(&memory[..n]),
            }
        }
        let response = String::from_utf8_lossy(&response);
        if !response.starts_with("HTTP/1.1 101 ") || !response.contains(ACCEPT) {
            return Err(format!("a wrong response: {response}"));
        }
        let payload = frame::payload(FIRST, number);
        transport
            .write_all(&frame::masked(&payload))
            .map_err(fail)?;
        let expected = frame::echo(&payload);
        let mut echo = vec![0; expected.len()];
        transport.read_exact(&mut echo).map_err(fail)?;
        if echo != expected {
            return Err(format!(
                "the echo is {echo:02x?} instead of {expected:02x?}"
            ));
        }
        transport.set_nonblocking(true).map_err(fail)?;
        Ok(Self {
            transport,
            to_write: 0,
            to_read: 0,
            checked: false,
        })
    }

    /// Writes and reads as much as possible. Returns the number of bytes that arrived. `ends` is whether the end of the
    /// stream has arrived.
    fn go_on(&mut self, bursts: &Bursts, memory: &mut [u8], ends: bool) -> Result<usize, String> {
        self.write(bursts)?;
        let mut received = 0;
        loop {
            let n = match self.transport.read(memory) {
                Ok(0) => return Err("the server ended a connection".into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(received),
                Err(error) => return Err(error.to_string()),
            };
            let start = bursts.expected.len() - self.to_read;
            self.to_read = self
                .to_read
                .checked_sub(n)
                .ok_or("more came back than was sent")?;
            if !self.checked {
                if memory[..n] != bursts.expected[start..start + n] {
                    return Err(format!("a wrong echo of {:?}", bursts.job));
                }
                self.checked = self.to_read == 0;
            }
            received += n;
            // After a short read the transport is empty, except for its end. The kernel reports when more arrives.
            if n < memory.len() && !ends {
                return Ok(received);
            }
        }
    }

    fn write(&mut self, bursts: &Bursts) -> Result<(), String> {
        while self.to_write > 0 {
            let rest = &bursts.sent[bursts.sent.len() - self.to_write..];
            match self.transport.write(rest) {
                Ok(n) => self.to_write -= n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}
