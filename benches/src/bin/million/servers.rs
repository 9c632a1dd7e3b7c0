//! Those who hold connections.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::time::Duration;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Connection, Event, ReadBuffer};
use sockless_benches::counting::Heap;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use crate::traffic::Batch;

pub(crate) const SOCKLESS: &str = "sockless";
pub(crate) const TUNGSTENITE_SMALL: &str = "tungstenite, buffers of 4 KiB";
pub(crate) const TUNGSTENITE: &str = "tungstenite, as it is by default";

/// Holds connections and serves them in one thread.
pub(crate) trait Server {
    /// The size of a connection's value.
    const VALUE: usize;

    fn with_capacity(connections: usize) -> Self;

    /// Answers the requests that have arrived, each of which makes a connection.
    fn open(&mut self, batch: &mut Batch);

    /// Sends back the messages that have arrived.
    fn echo(&mut self, batch: &mut Batch);

    /// Frees what the connections share, and says how many bytes that were.
    fn give_up_pool(&mut self) -> f64;
}

/// This crate. A connection has a buffer only while a message is half there.
pub(crate) struct Sockless {
    connections: Vec<Connection>,
    pool: Pool,
}

#[derive(Default)]
struct Pool {
    /// Those that hold the beginning of a message, for which connection.
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
            // It lends the connection its memory, and comes back with what is to be written.
            self.pool.output.clear();
            connection.swap_output(&mut self.pool.output);
            while let Some(event) = connection.next_event(&mut buffer).unwrap() {
                if let Event::Binary { data, .. } = event {
                    connection.send_binary(data).unwrap();
                }
            }
            connection.swap_output(&mut self.pool.output);
            batch.written.extend_from_slice(&self.pool.output);
            self.pool.give(*id, buffer);
        }
    }

    fn give_up_pool(&mut self) -> f64 {
        assert!(self.pool.waiting.is_empty(), "half a message is left");
        let before = Heap::now();
        self.pool = Pool::default();
        -Heap::now().since(before).bytes as f64
    }
}

/// tungstenite with read and write buffers of `BUFFER` bytes.
pub(crate) struct Tungstenite<const BUFFER: usize> {
    connections: Vec<WebSocket<Line>>,
}

impl<const BUFFER: usize> Server for Tungstenite<BUFFER> {
    const VALUE: usize = size_of::<WebSocket<Line>>();

    fn with_capacity(connections: usize) -> Self {
        Self {
            connections: Vec::with_capacity(connections),
        }
    }

    fn open(&mut self, batch: &mut Batch) {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER);
        Line::with(batch, |_| {
            let connection = tungstenite::accept_with_config(Line, Some(config)).unwrap();
            self.connections.push(connection);
        });
    }

    fn echo(&mut self, batch: &mut Batch) {
        Line::with(batch, |id| {
            let connection = &mut self.connections[id];
            loop {
                match connection.read() {
                    Ok(Message::Binary(data)) => connection.send(Message::Binary(data)).unwrap(),
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                    other => panic!("{other:?}"),
                }
            }
        });
    }

    fn give_up_pool(&mut self) -> f64 {
        0.0
    }
}

/// The transport of whichever connection is being served: takes no memory of its own.
#[derive(Debug)]
struct Line;

thread_local! {
    static LINE: RefCell<(Batch, Range<usize>)> = RefCell::default();
}

impl Line {
    /// Connects the batch, and calls `serve` with the number of each connection for which something arrives.
    fn with(batch: &mut Batch, mut serve: impl FnMut(usize)) {
        LINE.with_borrow_mut(|line| std::mem::swap(&mut line.0, batch));
        for i in 0.. {
            let next = LINE.with_borrow_mut(|line| {
                let (id, range) = line.0.reads.get(i)?.clone();
                line.1 = range;
                Some(id)
            });
            let Some(id) = next else {
                break;
            };
            serve(id);
        }
        LINE.with_borrow_mut(|line| std::mem::swap(&mut line.0, batch));
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        LINE.with_borrow_mut(|(batch, range)| {
            if range.start == range.end {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let n = range.len().min(buffer.len());
            buffer[..n].copy_from_slice(&batch.bytes[range.start..][..n]);
            range.start += n;
            Ok(n)
        })
    }
}

impl Write for Line {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        LINE.with_borrow_mut(|(batch, _)| batch.written.extend_from_slice(data));
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
