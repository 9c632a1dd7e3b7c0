//! sockless.
#![expect(
    clippy::inline_always,
    reason = "the loop sends short messages without a call, as in the other files"
)]

use std::any::Any;
use std::io::{IoSlice, Read, Write};
use std::time::Duration;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Delivery, Event, Outgoing, ReadBuffer, Seed};

use crate::job::{self, Payload, Receive, Role, Send};
use crate::peers::{MESSAGE, Pass, Peer, answering, echoing, receiving, sending};
use crate::wire::Wire;

pub(super) struct Sockless;

const CONFIG: Config = Config::new()
    .with_max_message_size(64 << 20)
    .with_max_frame_size(64 << 20);

fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, Seed::new([7; 32])),
    }
}

/// The most to read at once. More leaves the fastest cache before it is unmasked.
const READ: usize = 16 << 10;

/// The least room for a read. It is small, because bytes after the end of a message must be moved.
const LEAST: usize = 512;

/// A buffer with room for the rest of the last read and a whole read.
fn buffer() -> ReadBuffer {
    ReadBuffer::with_capacity(READ + LEAST)
}

#[inline(always)]
fn read(wire: &mut Wire, buffer: &mut ReadBuffer) {
    let spare = buffer.spare_mut(LEAST);
    let most = spare.len().min(READ);
    let n = wire.read(&mut spare[..most]).unwrap();
    buffer.advance_filled(n);
}

/// The length from which on a server lends a payload to one vectored write instead of copying it. A client must mask,
/// so it always copies.
const fn large(role: Role) -> usize {
    match role {
        Role::Server => 1024,
        Role::Client => usize::MAX,
    }
}

#[inline(always)]
fn send_text(connection: &mut Connection, wire: &mut Wire, text: &str, large: usize) {
    if text.len() >= large {
        return send_text_borrowed(connection, wire, text);
    }
    connection.send_text(text).unwrap();
    write(connection, wire);
}

#[inline(always)]
fn send_binary(connection: &mut Connection, wire: &mut Wire, data: &[u8], large: usize) {
    if data.len() >= large {
        return send_binary_borrowed(connection, wire, data);
    }
    connection.send_binary(data).unwrap();
    write(connection, wire);
}

#[inline(always)]
fn write(connection: &mut Connection, wire: &mut Wire) {
    let n = wire.write(connection.output()).unwrap();
    connection.advance_output(n);
}

#[inline(never)]
fn send_text_borrowed(connection: &mut Connection, wire: &mut Wire, text: &str) {
    write_parts(connection.send_text_borrowed(text).unwrap(), wire);
}

#[inline(never)]
fn send_binary_borrowed(connection: &mut Connection, wire: &mut Wire, data: &[u8]) {
    write_parts(connection.send_binary_borrowed(data).unwrap(), wire);
}

#[inline(always)]
fn write_parts(mut message: Outgoing<'_>, wire: &mut Wire) {
    let mut parts = message.parts();
    let mut next = || IoSlice::new(parts.next().unwrap_or_default());
    let n = wire.write_vectored(&[next(), next()]).unwrap();
    drop(parts);
    message.advance(n);
}

impl Peer for Sockless {
    fn name(&self) -> &'static str {
        "sockless"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |mut wire| {
            let mut config = CONFIG;
            if job.chunks {
                config.delivery = Delivery::Chunks;
            }
            let mut connection = connection(job.role, &config);
            let mut buffer = buffer();
            move |sum| match connection.next_event(&mut buffer).unwrap() {
                Some(Event::Text { text, fin }) => sum.add(text.as_bytes(), fin),
                Some(Event::Binary { data, fin }) => sum.add(data, fin),
                Some(other) => panic!("{other:?}"),
                None => read(&mut wire, &mut buffer),
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |mut wire| {
            let mut connection = connection(job.role, &CONFIG);
            let large = large(job.role);
            let payload = job.payload();
            move || match payload {
                Payload::Text(text) => send_text(&mut connection, &mut wire, text, large),
                Payload::Binary(data) => send_binary(&mut connection, &mut wire, data, large),
            }
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |mut wire| {
            let mut connection = connection(Role::Server, &CONFIG);
            let large = large(Role::Server);
            let mut buffer = buffer();
            move |sum| {
                match connection.next_event(&mut buffer).unwrap() {
                    Some(Event::Text { text, .. }) => {
                        send_text(&mut connection, &mut wire, text, large);
                    }
                    Some(Event::Binary { data, .. }) => {
                        send_binary(&mut connection, &mut wire, data, large);
                    }
                    Some(other) => panic!("{other:?}"),
                    None => return read(&mut wire, &mut buffer),
                }
                sum.messages += 1;
            }
        })
    }

    fn handshake(&self) -> Option<Pass> {
        let options = ServerOptions::default();
        let mut buffer = ReadBuffer::new();
        Some(answering(move |wire| {
            buffer.extend_from_slice(job::REQUEST);
            let mut handshake = ServerHandshake::new(&options.config);
            let connection = handshake.accept(&mut buffer, &options, Duration::ZERO);
            wire.write_all(connection.unwrap().output()).unwrap();
        }))
    }

    fn idle(&self, used: bool) -> Box<dyn Any> {
        let mut connection = connection(Role::Server, &CONFIG);
        if used {
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(MESSAGE);
            let Ok(Some(Event::Binary { data, .. })) = connection.next_event(&mut buffer) else {
                panic!("no message");
            };
            connection.send_binary(data).unwrap();
            connection.advance_output(connection.output().len());
            // The output buffer goes back to the pool that connections share.
            connection.take_output(&mut Vec::new());
        }
        Box::new(connection)
    }
}
