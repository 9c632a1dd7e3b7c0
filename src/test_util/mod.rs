//! Generators, cutters, peers in memory and an oracle, to test an event loop that embeds this crate.
//!
//! With the feature `test-util`; the feature `proptest` adds [`strategies`]. Meant for tests and fuzzers:
//! what is wrong here panics.
//!
//! - [`Frames`]: streams of frames, legal or nearly so, from [`arbitrary`] or from [`strategies`].
//! - [`Transport`]: a stream of bytes in memory that comes in pieces, as [`Read`](std::io::Read) and
//!   [`Write`](std::io::Write); [`every_cut`] and [`cuts_at`] say where to cut.
//! - [`NonBlockingTransport`]: the same for a loop over a poller. It finds deadlocks, waits without end, and loops that spin.
//! - [`OPENING_REQUEST`]: what a client says first.
//! - [`Peer`] and [`Pair`]: connections in memory, one or two, that remember what they received.
//! - [`judge`]: what must come of a stream of bytes, by rules that were written down a second time.
//!
//! # Example: a property of your own loop
//!
//! However its bytes are cut, this loop must deliver what the [oracle](judge) finds in them:
//!
//! ```
//! use std::io::{Read, Write};
//! use proptest::prelude::*;
//! use sockless::test_util::{OwnedEvent, Role, Rules, Transport, judge, strategies};
//! use sockless::{Config, Connection, ReadBuffer};
//!
//! /// The loop to be tested: it returns what it received.
//! fn run(mut transport: impl Read + Write) -> std::io::Result<Vec<OwnedEvent>> {
//!     let mut connection = Connection::server(&Config::default());
//!     let (mut buffer, mut received) = (ReadBuffer::new(), Vec::new());
//!     loop {
//!         let n = transport.read(buffer.spare_mut(4096))?;
//!         buffer.advance_filled(n);
//!         while let Ok(Some(event)) = connection.next_event(&mut buffer) {
//!             received.push(event.into());
//!         }
//!         transport.write_all(connection.output())?;
//!         connection.advance_output(connection.output().len());
//!         if n == 0 {
//!             return Ok(received);
//!         }
//!     }
//! }
//!
//! // In a #[test] function:
//! proptest!(|(frames in strategies::nearly_legal_frames(), cuts in strategies::cuts())| {
//!     let bytes = frames.encode(Role::Server);
//!     let expected = judge(&Rules::new(Role::Server, &Config::default()), &bytes);
//!     let received = run(Transport::new(&bytes, &cuts.places(bytes.len())))?;
//!     prop_assert_eq!(received, expected.events);
//! });
//! ```
//!
//! With cargo-fuzz the same takes [`Frames`] and [`Cuts`] as arguments of the fuzz target, since both are
//! [`Arbitrary`](arbitrary::Arbitrary).

mod cutter;
mod frame;
mod frames;
mod non_blocking;
mod oracle;
mod outcome;
mod owned;
mod peer;
#[cfg(feature = "proptest")]
pub mod strategies;
mod transport;

pub use crate::{OwnedEvent, Role};
pub use cutter::{Cuts, cuts_at, every_cut};
pub use frame::{Frame, Length, encode};
pub use frames::{Change, Frames, Item, Split};
pub use non_blocking::{NonBlockingTransport, PeerReads, Trigger};
pub use oracle::{Rules, Verdict, judge};
pub use outcome::{
    Outcome, assert_agrees_with_oracle, assert_legal, refused_at, run, run_peer, same_however_cut,
};
pub use owned::{OwnedCloseEvent, join_parts};
pub use peer::{Pair, Peer};
pub use transport::Transport;

/// A legal opening request over HTTP/1.1, for `/chat` on `localhost`. Its key is the sample of RFC 6455 section 1.3, and it
/// asks for no subprotocol and no extension.
///
/// # Example
///
/// ```
/// use sockless::handshake::{RequestError, ServerHandshake, ServerOptions};
/// use sockless::test_util::OPENING_REQUEST;
/// use sockless::{Config, ReadBuffer};
///
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(OPENING_REQUEST);
/// let mut handshake = ServerHandshake::new(&Config::default());
/// let request = handshake.read_request(&mut buffer)?.expect("the head is whole");
/// assert_eq!(request.target(), "/chat");
///
/// let server = request.accept(&ServerOptions::default())?;
/// assert!(server.output().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// // The answer that the RFC gives to its sample.
/// let accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// assert!(server.output().windows(accept.len()).any(|bytes| bytes == accept));
/// # Ok::<(), RequestError>(())
/// ```
pub const OPENING_REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
