//! What is counted in instructions: the loop of a user around one kind of message.
//!
//! Instructions are counted in the functions here whose names begin with `counted`, and in all that they call;
//! see `src/bin/counts.rs`. Each takes all that one read brought. They do not call each other, are no generics and hold
//! no closures, so that callgrind can tell by the name when to count.

use std::hint::black_box;
use std::io::Read;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Event, FrameHeader, Opcode, ReadBuffer, Seed};

use crate::job::{self, Kind, Receive, Role};
use crate::wire::Wire;

/// What a read brings.
const READ: usize = 16 << 10;

/// One kind of message.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    /// Messages in a short run.
    pub messages: usize,
    act: Act,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Receive(Role, Kind, usize),
    Send(Role, usize),
    Echo(usize),
    Ping(usize),
    Handshake,
}

/// All of them.
pub fn all() -> Vec<Series> {
    let mut series = Vec::new();
    let mut add = |name: String, messages: usize, act: Act| {
        series.push(Series {
            name,
            messages,
            act,
        });
    };
    for (role, kind, size) in [
        (Role::Server, Kind::Binary, 0),
        (Role::Server, Kind::Binary, 16),
        (Role::Server, Kind::Binary, 125),
        (Role::Server, Kind::Binary, 1024),
        (Role::Server, Kind::Ascii, 16),
        (Role::Server, Kind::Ascii, 125),
        (Role::Server, Kind::Chinese, 125),
        (Role::Client, Kind::Binary, 0),
        (Role::Client, Kind::Binary, 16),
        (Role::Client, Kind::Binary, 125),
    ] {
        let name = format!("receive as a {} {} {size} B", side(role), contents(kind));
        add(name, 20_000, Act::Receive(role, kind, size));
    }
    for role in [Role::Server, Role::Client] {
        for size in [0, 16, 125] {
            let name = format!("send as a {} binary {size} B", side(role));
            add(name, 20_000, Act::Send(role, size));
        }
    }
    add("echo binary 125 B".into(), 20_000, Act::Echo(125));
    add("ping and its pong 4 B".into(), 20_000, Act::Ping(4));
    add("opening handshake".into(), 2_000, Act::Handshake);
    series
}

fn side(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

fn contents(kind: Kind) -> &'static str {
    match kind {
        Kind::Binary => "binary",
        Kind::Ascii => "ASCII",
        Kind::Chinese => "Chinese",
    }
}

impl Series {
    /// Does it `count` times.
    ///
    /// # Panics
    ///
    /// If something else came out.
    pub fn run(&self, count: usize) {
        let mut taken = Taken::default();
        let size = match self.act {
            Act::Receive(role, kind, size) => {
                let mut connection = connection(role);
                let mut reads = Reads::of_messages(role, kind, size, count);
                while reads.next() {
                    counted_receive(&mut connection, &mut reads.buffer, &mut taken);
                }
                size
            }
            Act::Send(role, size) => {
                let mut connection = connection(role);
                let payload = Kind::Binary.payload(size);
                // As many as there are in a read.
                let frame = frame(role, Opcode::Binary, &payload).len();
                for _ in 0..count / (READ / frame) {
                    counted_send(&mut connection, &payload, READ / frame, &mut taken);
                }
                let rest = count % (READ / frame);
                counted_send(&mut connection, &payload, rest, &mut taken);
                frame
            }
            Act::Echo(size) => {
                let mut connection = connection(Role::Server);
                let mut reads = Reads::of_messages(Role::Server, Kind::Binary, size, count);
                while reads.next() {
                    counted_echo(&mut connection, &mut reads.buffer, &mut taken);
                }
                frame(Role::Client, Opcode::Binary, &vec![0; size]).len() - 4
            }
            Act::Ping(size) => {
                let mut connection = connection(Role::Server);
                let ping = frame(Role::Client, Opcode::Ping, &vec![b'x'; size]);
                let mut reads = Reads::of(ping.repeat(count));
                while reads.next() {
                    counted_ping(&mut connection, &mut reads.buffer, &mut taken);
                }
                2 + size
            }
            Act::Handshake => {
                let options = ServerOptions::default();
                let mut buffer = ReadBuffer::new();
                for _ in 0..count {
                    buffer.extend_from_slice(job::REQUEST);
                    counted_handshake(&mut buffer, &options, &mut taken);
                }
                taken.bytes / count
            }
        };
        assert_eq!(taken.messages, count, "{}: messages", self.name);
        assert_eq!(taken.bytes, count * size, "{}: bytes", self.name);
        assert!(taken.bytes > 0 || size == 0);
    }
}

/// What came out: so little of each message that it costs a few instructions, and enough that nothing is left out.
#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

impl Taken {
    #[inline]
    fn add(&mut self, data: &[u8]) {
        self.messages += 1;
        self.bytes += black_box(data).len();
    }
}

/// Reads of 16 KiB, so that the last message of most of them is cut. They are not counted.
struct Reads {
    wire: Wire,
    left: usize,
    buffer: ReadBuffer,
}

impl Reads {
    fn of(stream: Vec<u8>) -> Self {
        Self {
            left: stream.len(),
            wire: Wire::new(stream.into(), READ),
            buffer: ReadBuffer::with_capacity(2 * READ),
        }
    }

    fn of_messages(role: Role, kind: Kind, size: usize, count: usize) -> Self {
        let job = Receive {
            role,
            kind,
            size,
            fragment: size,
            count,
            read_size: READ,
            chunks: false,
        };
        Self::of(job.stream().to_vec())
    }

    /// Reads, unless all was read.
    fn next(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let n = self.wire.read(self.buffer.spare_mut(READ)).unwrap();
        self.buffer.advance_filled(n);
        self.left -= n;
        true
    }
}

fn connection(role: Role) -> Connection {
    match role {
        Role::Server => Connection::server(&Config::default()),
        Role::Client => Connection::client(&Config::default(), Seed::new([7; 32])),
    }
}

/// A frame as this side sends it.
fn frame(sender: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let header = FrameHeader {
        fin: true,
        rsv: 0,
        opcode,
        masking_key: (sender == Role::Client).then_some(key),
        payload_length: payload.len() as u64,
    };
    let mut frame = header.write(&mut [0; FrameHeader::MAX_SIZE]).to_vec();
    let start = frame.len();
    frame.extend_from_slice(payload);
    if sender == Role::Client {
        sockless::apply_mask(&mut frame[start..], key, 0);
    }
    frame
}

#[inline(never)]
fn counted_receive(connection: &mut Connection, buffer: &mut ReadBuffer, taken: &mut Taken) {
    while let Some(event) = connection.next_event(buffer).unwrap() {
        match event {
            Event::Text { text, .. } => taken.add(text.as_bytes()),
            Event::Binary { data, .. } => taken.add(data),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
}

#[inline(never)]
fn counted_send(connection: &mut Connection, payload: &[u8], count: usize, taken: &mut Taken) {
    for _ in 0..count {
        connection.send_binary(black_box(payload)).unwrap();
        let output = connection.output();
        taken.add(output);
        connection.advance_output(output.len());
    }
}

#[inline(never)]
fn counted_echo(connection: &mut Connection, buffer: &mut ReadBuffer, taken: &mut Taken) {
    while let Some(event) = connection.next_event(buffer).unwrap() {
        match event {
            Event::Text { text, .. } => connection.send_text(text).unwrap(),
            Event::Binary { data, .. } => connection.send_binary(data).unwrap(),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
        let output = connection.output();
        taken.add(output);
        connection.advance_output(output.len());
    }
}

#[inline(never)]
fn counted_ping(connection: &mut Connection, buffer: &mut ReadBuffer, taken: &mut Taken) {
    while let Some(event) = connection.next_event(buffer).unwrap() {
        match event {
            Event::Ping(payload) => {
                black_box(payload);
            }
            Event::Text { .. } | Event::Binary { .. } | Event::Pong(_) | Event::Close(_) => {}
        }
        // Each Pong is written before the next one, so that none is left out.
        let output = connection.output();
        taken.add(output);
        connection.advance_output(output.len());
    }
}

#[inline(never)]
fn counted_handshake(buffer: &mut ReadBuffer, options: &ServerOptions<'_>, taken: &mut Taken) {
    let mut handshake = ServerHandshake::new(&options.config);
    let request = handshake.read_request(buffer).unwrap().unwrap();
    let connection = request.accept(options).unwrap();
    taken.add(connection.output());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_does_what_it_says() {
        let all = all();
        for series in &all {
            series.run(1);
            series.run(300);
            assert_eq!(
                all.iter().filter(|other| other.name == series.name).count(),
                1
            );
        }
    }
}
