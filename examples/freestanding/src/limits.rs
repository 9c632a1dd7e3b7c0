//! How much memory a client may take, and how much the program needs.
//!
//! The heap has a fixed size, so this file bounds the memory of every client. [`ReadBuffer`](sockless::ReadBuffer) and
//! [`Connection`](sockless::Connection) state the bounds of one connection. The server takes messages in chunks, so
//! their size does not matter.

use sockless::{Config, Deadlines, Delivery};

/// The maximum number of clients. More clients wait until the server accepts them.
pub(crate) const CLIENTS: usize = 1024;

/// The number of bytes to read at once.
pub(crate) const READ: usize = 4 << 10;

/// The maximum size of the head of a request, in bytes. The read buffer holds the head until it is complete.
const HEAD: usize = 8 << 10;

/// The size of the output at which the server stops reading, in bytes.
const OUTPUT: usize = 4 << 10;

/// The maximum size of the waiting Pongs, in bytes. They come on top of `OUTPUT`.
const PONGS: usize = 512;

/// A read buffer takes 2 bytes for each unread byte, plus the space for the next read.
const READ_BUFFER: usize = 2 * (HEAD + READ) + READ;

/// The output is in a vector of at most 4 times its size. It holds `OUTPUT`, one chunk that arrived when there was
/// still room, the Pongs, and a Ping or Close frame with the headers.
const OUTPUT_BUFFER: usize = 4 * (OUTPUT + READ + PONGS + 256);

/// The connection, its deadlines, the reason of a Close frame, and the bookkeeping of the heap.
const REST: usize = 2 << 10;

/// The size of the heap, in bytes. It is a quarter more than all clients together can take, because blocks leave gaps.
pub(crate) const HEAP: usize = CLIENTS * (READ_BUFFER + OUTPUT_BUFFER + REST) / 4 * 5;

/// The limits of every connection.
pub(crate) const fn config() -> Config {
    Config::new()
        .with_deadlines(Deadlines::new())
        .with_delivery(Delivery::Chunks)
        .with_max_head_size(HEAD)
        .with_max_output(OUTPUT)
        .with_max_unsent_pongs(PONGS)
}
