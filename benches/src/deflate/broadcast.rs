//! The same message on many connections, compressed by each connection or once.

use std::hint::black_box;
use std::io::Write;

use sockless::{Connection, Event, ReadBuffer, SharedMessage};

use crate::deflate::Job;
use crate::deflate::sockless::pair;
use crate::job::Role;
use crate::peers::Pass;
use crate::sum::Sum;
use crate::wire::Wire;

/// How a server sends a message on all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Each connection compresses it.
    Each,
    /// As a shared message.
    Shared,
    /// One message as a shared message, the next one compressed by each connection.
    Mixed,
}

/// Each pass sends the next two messages of the job on all of `count` connections, and writes them.
pub(super) fn broadcast(job: &Job, count: usize, way: Way) -> Pass {
    assert_eq!(job.role, Role::Server);
    let mut readers: Vec<_> = (0..count).map(|_| Reader::new()).collect();
    let mut wire = Wire::sink();
    let written = wire.written();
    let messages = job.messages.clone();
    let mut next = 0;
    Box::new(move |sum: &mut Sum| {
        for _ in 0..2 {
            let text = black_box(&messages[next % messages.len()]);
            let shared = way == Way::Shared || way == Way::Mixed && next % 2 == 0;
            next += 1;
            let message = shared.then(|| SharedMessage::text(text));
            for reader in &mut readers {
                written.begin(sum);
                let server = &mut reader.server;
                match &message {
                    Some(message) => server.send_shared(message).unwrap(),
                    None => server.send_text(text).unwrap(),
                }
                while !server.output().is_empty() {
                    let n = wire.write(server.output()).unwrap();
                    server.advance_output(n);
                }
                match written.end() {
                    (size, Some(copy)) => {
                        reader.check(&copy, text);
                        sum.wrote(size);
                    }
                    (_, None) => reader.client = None,
                }
            }
            sum.messages += 1;
        }
    })
}

/// A server's connection, and the client that checks its messages in thorough passes.
struct Reader {
    server: Connection,
    client: Option<Connection>,
}

impl Reader {
    fn new() -> Self {
        let (server, client) = pair();
        Self {
            server,
            client: Some(client),
        }
    }

    fn check(&mut self, written: &[u8], text: &str) {
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(written);
        let client = self.client.as_mut().unwrap();
        let event = client.next_event(&mut buffer).unwrap();
        assert_eq!(event, Some(Event::Text { text, fin: true }));
        assert!(buffer.is_empty());
    }
}
