//! What a client may take at most, and so what memory is needed.
//!
//! All memory is there from the beginning, so what peers can make this program hold has to be bounded. The bounds of one
//! connection are those that `sockless::ReadBuffer` and `sockless::Connection` state; that messages are delivered in
//! chunks keeps their size out of it.

use sockless::{Config, Deadlines, Delivery};

/// How many clients there are at once; others wait to be accepted.
pub(crate) const CLIENTS: usize = 1024;

/// How much is read at once.
pub(crate) const READ: usize = 4 << 10;

/// The largest head of a request. It lies in the read buffer until it is whole.
const HEAD: usize = 8 << 10;

/// How much output may wait before the client has to wait.
const OUTPUT: usize = 4 << 10;

/// How many bytes of Pongs may wait beyond it.
const PONGS: usize = 512;

/// A read buffer takes 2 bytes for each unread one, beyond the space asked for.
const READ_BUFFER: usize = 2 * (HEAD + READ) + READ;

/// Output lies in a vector of at most 4 times its size: what may wait, a chunk that came when there was still room,
/// Pongs, and a frame of the connection's own with the headers.
const OUTPUT_BUFFER: usize = 4 * (OUTPUT + READ + PONGS + 256);

/// The connection, its deadlines, the reason of a Close frame, and the places of all that in the heap.
const REST: usize = 2 << 10;

/// The size of the heap. A quarter more than all clients together can take, for the gaps between what they take.
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
