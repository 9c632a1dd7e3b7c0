//! This crate.
#![expect(
    clippy::inline_always,
    reason = "short messages are sent within the loop, as the other files do it"
)]

use std::any::Any;
use std::io::{IoSlice, Read, Write};
use std::time::Duration;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Delivery, Event, Outgoing, ReadBuffer, Seed};

use crate::job::{self, Receive, Role, Send};
use crate::nowhere;
use crate::peers::{Pass, Peer, add_answer, settle, watch};
use crate::sum::Sum;
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

/// The most to ask for at once. More leaves the fastest cache before it is unmasked.
const READ: usize = 16 << 10;

/// The least to ask for: so little that what is read beyond the end of a message costs little to be moved.
const LEAST: usize = 512;

/// A buffer for the rest of the last read and another one.
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

/// The length from which on a payload is written from where it is. What is masked never is.
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

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut config = CONFIG;
        if job.chunks {
            config.delivery = Delivery::Chunks;
        }
        let mut connection = connection(job.role, &config);
        let mut buffer = buffer();
        let mut wire = Wire::new(job.stream(), job.read_size);
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            while sum.messages < count {
                while let Some(event) = connection.next_event(&mut buffer).unwrap() {
                    match event {
                        Event::Text { text, fin } => sum.add(text.as_bytes(), fin),
                        Event::Binary { data, fin } => sum.add(data, fin),
                        _ => {}
                    }
                    if sum.messages == count {
                        return;
                    }
                }
                read(&mut wire, &mut buffer);
            }
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut connection = connection(job.role, &CONFIG);
        let large = large(job.role);
        let payload = job.payload();
        let text = job.kind.text(job.size);
        let mut wire = Wire::sink();
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            for _ in 0..job.count {
                match &text {
                    Some(text) => send_text(&mut connection, &mut wire, text, large),
                    None => send_binary(&mut connection, &mut wire, payload, large),
                }
            }
            settle(&mut wire, sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut connection = connection(Role::Server, &CONFIG);
        let large = large(Role::Server);
        let mut buffer = buffer();
        let mut wire = Wire::new(job.stream(), job.read_size);
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            while sum.messages < count {
                while let Some(event) = connection.next_event(&mut buffer).unwrap() {
                    match event {
                        Event::Text { text, .. } => {
                            send_text(&mut connection, &mut wire, text, large);
                            sum.messages += 1;
                        }
                        Event::Binary { data, .. } => {
                            send_binary(&mut connection, &mut wire, data, large);
                            sum.messages += 1;
                        }
                        _ => {}
                    }
                    if sum.messages == count {
                        settle(&mut wire, sum, &job);
                        return;
                    }
                }
                read(&mut wire, &mut buffer);
            }
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        let options = ServerOptions::default();
        let mut buffer = ReadBuffer::new();
        Some(Box::new(move |sum: &mut Sum| {
            buffer.extend_from_slice(job::REQUEST);
            let mut handshake = ServerHandshake::new(&options.config);
            let connection = handshake.accept(&mut buffer, &options, Duration::ZERO);
            add_answer(connection.unwrap().output(), sum);
        }))
    }

    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let mut connection = connection(Role::Server, &CONFIG);
        if used {
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(nowhere::MESSAGE);
            let Ok(Some(Event::Binary { data, .. })) = connection.next_event(&mut buffer) else {
                panic!("no message");
            };
            connection.send_binary(data).unwrap();
            connection.advance_output(connection.output().len());
            // The buffers go back to their pools.
            connection.swap_output(&mut Vec::new());
        }
        Some(Box::new(connection))
    }
}
