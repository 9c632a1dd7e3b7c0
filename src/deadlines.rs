//! How long a peer may take for its part.

use core::time::Duration;

/// How long a peer may take for its part of the opening handshake, for the answer to a Ping, and for its part of the
/// closing handshake.
///
/// Set [`Config::deadlines`](crate::Config::deadlines) to one, and tell the time with
/// [`Connection::handle_timeout`](crate::Connection::handle_timeout). A deadline of [`Duration::MAX`] never comes.
///
/// # Memory
///
/// A connection with deadlines owns one block of 120 bytes for them.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use sockless::{Config, Deadlines};
///
/// let mut deadlines = Deadlines::default();
/// deadlines.ping_interval = Duration::MAX; // silence is no fault
/// let mut config = Config::default();
/// config.deadlines = Some(deadlines);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub struct Deadlines {
    /// How long the peer's part of the opening handshake may take, from the first time that is told. Default: 10 s.
    ///
    /// See [`RequestReader`](crate::handshake::RequestReader) and
    /// [`ClientHandshake::handle_timeout`](crate::handshake::ClientHandshake::handle_timeout).
    pub handshake: Duration,
    /// The time between the answer to one Ping and the next Ping that is sent by itself. Default: 20 s.
    ///
    /// It shows that the peer is there, measures the
    /// [round-trip time](crate::Connection::round_trip_time), and keeps the mappings of routers on the way. Its payload is
    /// a counter of 4 bytes; the Pong comes out as an [`Event::Pong`](crate::Event::Pong) like any other. Only that Pong
    /// counts as an answer, or one to a later Ping of the application's, from which no round-trip time is taken; messages
    /// do not, nor do Pongs that nobody asked for.
    pub ping_interval: Duration,
    /// How long the peer may take to answer such a Ping, the way there and back included. Default: 20 s.
    ///
    /// A Pong cannot come in the middle of a frame and a Ping waits for the output before it, so it must be enough
    /// for the largest frame of the peer, and for [`Config::max_output`](crate::Config::max_output) and the largest message
    /// that is sent, over the slowest line.
    pub pong: Duration,
    /// How long the closing handshake may take: from this side's Close frame to the peer's (or from the peer's to
    /// this side's, where that is left to the application), and from there to the end of the stream. Default:
    /// 10 s for each of the two.
    ///
    /// Also how long the peer of a failed connection, or of a
    /// [refused](crate::Connection::refused) one, may take to read what it was told and to end the stream.
    pub close: Duration,
}

impl Deadlines {
    /// The default deadlines, as each field states them.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            pong: Duration::from_secs(20),
            close: Duration::from_secs(10),
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::new()
    }
}

/// The deadline that ended a connection: see [`CloseEvent::timeout`](crate::CloseEvent::timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// No answer to a Ping within [`Deadlines::pong`].
    Pong,
    /// Only one side's Close frame within [`Deadlines::close`].
    Close,
    /// No end of the stream within [`Deadlines::close`], or what was to be written before it was not read.
    EndOfStream,
}
