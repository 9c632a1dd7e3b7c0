//! Tools to test an event loop that uses this crate: generators, transports in memory, and an oracle.
//!
//! Enable the feature `test-util` in `[dev-dependencies]`, or in the `[dependencies]` of a fuzz package. It includes
//! the feature `arbitrary`. The feature `proptest` adds [`strategies`] for `proptest` 1. These tools are for tests
//! and fuzzers, so they panic if something is wrong.
//!
//! - [`Frames`] generates streams of frames, legal or nearly legal, with `arbitrary` or with [`strategies`].
//! - [`Transport`] is a blocking transport in memory. It delivers its bytes in pieces. [`every_cut`] and [`Cuts`]
//!   make the pieces.
//! - [`NonBlockingTransport`] is a transport with a poller and a clock. It finds loops that deadlock or spin.
//! - [`OPENING_REQUEST`] is the request of a client.
//! - [`Peer`] and [`Pair`] are one or two connections in memory that record what they receive.
//! - [`judge`] is the oracle. It says which events, errors and replies must follow from a stream of bytes. It shares
//!   no code with the rest of the crate.
//!
//! # Example: a property test of your loop
//!
//! The transport may cut the bytes anywhere. The loop must always receive the events that the [oracle](judge) finds:
//!
//! ```
//! use std::io::{Read, Write};
//! use proptest::prelude::*;
//! use sockless::test_util::{OwnedEvent, Role, Rules, Transport, judge, strategies};
//! use sockless::{Config, Connection, ReadBuffer};
//!
//! /// The loop under test. It returns the events that it received.
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
//! # Example: a fuzz target of your loop
//!
//! [`Frames`] and [`Cuts`] implement `arbitrary::Arbitrary`, so a target of cargo-fuzz can take them as
//! its input:
//!
//! ```ignore
//! #![no_main]
//! libfuzzer_sys::fuzz_target!(|input: (Frames, Cuts)| {
//!     let (frames, cuts) = input;
//!     let bytes = frames.encode(Role::Server);
//!     let expected = judge(&Rules::new(Role::Server, &Config::default()), &bytes);
//!     let received = run(Transport::new(&bytes, &cuts.places(bytes.len()))).unwrap();
//!     assert_eq!(received, expected.events);
//! });
//! ```
//!
//! With [`Delivery::Chunks`](crate::Delivery::Chunks), join the parts with [`join_parts`] before you compare.

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

/// A legal opening request over HTTP/1.1 for `/chat` on `localhost`.
///
/// Its key is the sample of RFC 6455, section 1.3. It offers no subprotocol and no extension.
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
/// // The RFC's answer to its sample.
/// let accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// assert!(server.output().windows(accept.len()).any(|bytes| bytes == accept));
/// # Ok::<(), RequestError>(())
/// ```
pub const OPENING_REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
