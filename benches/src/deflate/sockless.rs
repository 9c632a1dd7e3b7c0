//! sockless.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use sockless::handshake::{ClientHandshake, ClientOptions, ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Deflate, Event, ReadBuffer, Seed};

use crate::deflate::frames::Frames;
use crate::deflate::{Job, receiving, sending};
use crate::job::Role;
use crate::peers::Pass;

fn connection(role: Role) -> Connection {
    let (server, client) = pair();
    match role {
        Role::Server => server,
        Role::Client => client,
    }
}

/// A server and a client that have agreed on compression in a handshake.
pub(super) fn pair() -> (Connection, Connection) {
    let config = Config::new()
        .with_max_output(usize::MAX)
        .with_deflate(Deflate::new().with_min_size(0));
    let options = ServerOptions::new().with_config(config.clone());
    let mut server = ServerHandshake::new(&config);
    let uri = "ws://localhost/".parse().unwrap();
    let wishes = ClientOptions::new().with_config(config);
    let mut client = ClientHandshake::new(&uri, &wishes, Seed::new([3; 32])).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(client.request());
    let mut server = server
        .accept(&mut buffer, &options, Duration::ZERO)
        .unwrap();
    buffer.extend_from_slice(server.output());
    server.advance_output(server.output().len());
    let (_, client) = client.read_response(&mut buffer).unwrap().unwrap();
    (server, client.expect("a connection"))
}

pub(super) fn send(job: &Job) -> Pass {
    sending(job, job.messages.clone(), |mut wire| {
        let mut connection = connection(job.role);
        move |message| {
            connection.send_text(black_box(message)).unwrap();
            let n = wire.write(connection.output()).unwrap();
            connection.advance_output(n);
        }
    })
}

pub(super) fn receive(job: &Job, mut frames: Frames) -> Pass {
    let mut connection = connection(job.role);
    let mut buffer = ReadBuffer::with_capacity(16 << 10);
    receiving(job, move |sum| {
        buffer.read_from(&mut frames).unwrap();
        while let Some(event) = connection.next_event(&mut buffer).unwrap() {
            match event {
                Event::Text { text, fin } => sum.add(text.as_bytes(), fin),
                other => panic!("{other:?}"),
            }
        }
    })
}
