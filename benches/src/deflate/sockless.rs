//! This crate.

use std::hint::black_box;
use std::io::{Read, Write};

use sockless::handshake::{ClientHandshake, ClientOptions, Opening, Request, ServerOptions, Uri};
use sockless::{Config, Connection, Deflate, Event, ReadBuffer, Seed};

use crate::deflate::Job;
use crate::deflate::frames::{Check, Frames};
use crate::job::Role;
use crate::peers::{Pass, watch};
use crate::sum::Sum;
use crate::wire::Wire;

fn connection(role: Role) -> Connection {
    let (server, client) = pair();
    match role {
        Role::Server => server,
        Role::Client => client,
    }
}

/// A server and a client that have agreed on compression, which only a handshake does.
pub(super) fn pair() -> (Connection, Connection) {
    let mut wishes = Deflate::default();
    wishes.min_size = 0;
    let mut config = Config::default();
    config.max_output = usize::MAX;
    config.deflate = Some(wishes);
    let mut server_options = ServerOptions::default();
    server_options.config = config;
    let mut client_options = ClientOptions::default();
    client_options.config = config;
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut handshake = ClientHandshake::new(&uri, &client_options, Seed::new([3; 32])).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(handshake.request());
    let request = ServerHandshake::new(&config)
        .read_request(&mut buffer)
        .unwrap()
        .unwrap();
    let mut server = request.accept(&server_options).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(server.output());
    server.advance_output(server.output().len());
    let Some(Opening::Established { connection, .. }) =
        handshake.read_response(&mut buffer).unwrap()
    else {
        panic!("refused")
    };
    (server, connection)
}

pub(super) fn send(job: &Job) -> Pass {
    let mut connection = connection(job.role);
    let mut wire = Wire::sink();
    let mut check = Check::new(job);
    let messages = job.messages.clone();
    Box::new(move |sum: &mut Sum| {
        watch(&mut wire, sum);
        for message in &messages {
            connection.send_text(black_box(message)).unwrap();
            let n = wire.write(connection.output()).unwrap();
            connection.advance_output(n);
            sum.messages += 1;
        }
        check.settle(&mut wire, sum);
    })
}

pub(super) fn receive(job: &Job, mut frames: Frames) -> Pass {
    let mut connection = connection(job.role);
    let mut buffer = ReadBuffer::with_capacity(16 << 10);
    let count = job.messages.len() as u64;
    Box::new(move |sum: &mut Sum| {
        while sum.messages < count {
            let n = frames.read(buffer.spare_mut(4096)).unwrap();
            buffer.advance_filled(n);
            while let Some(event) = connection.next_event(&mut buffer).unwrap() {
                match event {
                    Event::Text { text, fin } => sum.add(text.as_bytes(), fin),
                    other => panic!("{other:?}"),
                }
            }
        }
    })
}
