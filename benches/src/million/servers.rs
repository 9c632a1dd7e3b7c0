//! The servers that hold connections.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::time::Duration;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Connection, Event, ReadBuffer};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use crate::counting::Heap;
use crate::million::traffic::Batch;

/// Holds connections and serves them in one thread.
pub(super) trait Server {
    /// The size of a connection's value.
    const VALUE: usize;

    fn with_capacity(connections: usize) -> Self;

    /// Responds to the requests that have arrived. Each makes a connection.
    fn open(&mut self, batch: &mut Batch);

    /// Sends back the messages that have arrived.
    fn echo(&mut self, batch: &mut Batch);

    /// Frees what the connections share, and returns its size.
    fn free_pool(&mut self) -> f64;
}

/// sockless. A connection has a read buffer only while a part of a message has arrived.
pub(super) struct Sockless {
    connections: Vec<Connection>,
    pool: Pool,
}

#[derive(Default)]
struct Pool {
    /// Buffers with the beginning of a message, by connection.
    waiting: BTreeMap<usize, ReadBuffer>,
    free: Vec<ReadBuffer>,
    /// For the connection that is being served.
    output: Vec<u8>,
}

impl Pool {
    /// A buffer to read into for this connection.
    fn take(&mut self, id: usize) -> ReadBuffer {
        self.waiting
            .remove(&id)
            .or_else(|| self.free.pop())
            .unwrap_or_else(|| ReadBuffer::with_capacity(4096))
    }

    fn give(&mut self, id: usize, buffer: ReadBuffer) {
        if buffer.is_empty() {
            self.free.push(buffer);
        } else {
            self.waiting.insert(id, buffer);
        }
    }
}

impl Server for Sockless {
    const VALUE: usize = size_of::<Connection>();

    fn with_capacity(connections: usize) -> Self {
        Self {
            connections: Vec::with_capacity(connections),
            pool: Pool::default(),
        }
    }

    fn open(&mut self, batch: &mut Batch) {
        let options = ServerOptions::default();
        for (id, range) in &batch.reads {
            let mut buffer = self.pool.take(*id);
            buffer.extend_from_slice(&batch.bytes[range.clone()]);
            let mut handshake = ServerHandshake::new(&options.config);
            let accepted = handshake.accept(&mut buffer, &options, Duration::ZERO);
            let mut connection = accepted.unwrap();
            batch.written.extend_from_slice(connection.output());
            connection.advance_output(connection.output().len());
            self.connections.push(connection);
            self.pool.give(*id, buffer);
        }
    }

    fn echo(&mut self, batch: &mut Batch) {
        for (id, range) in &batch.reads {
            let connection = &mut self.connections[*id];
            let mut buffer = self.pool.take(*id);
            buffer.extend_from_slice(&batch.bytes[range.clone()]);
            // The connection borrows the output buffer of the pool, and returns it with its output.
            self.pool.output.clear();
            connection.take_output(&mut self.pool.output);
            while let Some(event) = connection.next_event(&mut buffer).unwrap() {
                if let Event::Binary { data, .. } = event {
                    connection.send_binary(data).unwrap();
                }
            }
            connection.take_output(&mut self.pool.output);
            connection.advance_output(self.pool.output.len());
            batch.written.extend_from_slice(&self.pool.output);
            self.pool.give(*id, buffer);
        }
    }

    fn free_pool(&mut self) -> f64 {
        assert!(self.pool.waiting.is_empty(), "half a message is left");
        let before = Heap::now();
        self.pool = Pool::default();
        (before - Heap::now()).bytes as f64
    }
}

/// tungstenite with read and write buffers of `BUFFER` bytes.
pub(super) struct Tungstenite<const BUFFER: usize>(Vec<WebSocket<Line>>);

impl<const BUFFER: usize> Server for Tungstenite<BUFFER> {
    const VALUE: usize = size_of::<WebSocket<Line>>();

    fn with_capacity(connections: usize) -> Self {
        Self(Vec::with_capacity(connections))
    }

    fn open(&mut self, batch: &mut Batch) {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER);
        serve(batch, |_| {
            let connection = tungstenite::accept_with_config(Line, Some(config)).unwrap();
            self.0.push(connection);
        });
    }

    fn echo(&mut self, batch: &mut Batch) {
        serve(batch, |id| {
            loop {
                match self.0[id].read() {
                    Ok(message @ Message::Binary(_)) => self.0[id].send(message).unwrap(),
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                    other => panic!("{other:?}"),
                }
            }
        });
    }

    fn free_pool(&mut self) -> f64 {
        0.0
    }
}

/// The transport of the connection that is being served. It takes no memory in the connection.
#[derive(Debug)]
struct Line;

thread_local! {
    /// What arrives, and what is written.
    static LINE: RefCell<(VecDeque<u8>, Vec<u8>)> = RefCell::default();
}

/// Calls `each` with the number of every connection that something arrives for.
fn serve(batch: &mut Batch, mut each: impl FnMut(usize)) {
    LINE.with_borrow_mut(|(_, written)| std::mem::swap(written, &mut batch.written));
    for (id, range) in &batch.reads {
        LINE.with_borrow_mut(|(arrived, _)| arrived.extend(&batch.bytes[range.clone()]));
        each(*id);
    }
    LINE.with_borrow_mut(|(_, written)| std::mem::swap(written, &mut batch.written));
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match LINE.with_borrow_mut(|(arrived, _)| arrived.read(buffer))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Line {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        LINE.with_borrow_mut(|(_, written)| written.write(data))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
