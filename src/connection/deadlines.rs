//! How long a peer may take for its part.

use core::fmt;
use core::time::Duration;

/// How long the peer may take: for the opening handshake, for the answer to a Ping, and for the closing handshake.
///
/// Set [`Config::deadlines`](crate::Config::deadlines) to one, and pass the time to
/// [`Connection::handle_timeout`](crate::Connection::handle_timeout). A deadline of [`Duration::MAX`] never comes.
///
/// To keep a connection alive, this is all you need: set deadlines and pass the time. You need not send Pings of your own.
///
/// A deadline that has passed ends nothing at once. The answer may have arrived in time and still be unread, for instance
/// because the process stood still. So [`timeout_at`](crate::Connection::timeout_at) becomes zero, which gives you one
/// more turn to read. The next call of `handle_timeout` ends the connection if nothing came in that turn. If
/// something came, it gets one more turn, since the answer may be behind it. All these turns together take at most as
/// long as the deadline itself.
///
/// There is one exception. A peer that takes none of the output for as long as the deadline is has no claim to be heard:
/// events that wait in the buffer because there is no [room](crate::Connection::has_room) do not save it.
///
/// # What a slow peer can hold
///
/// Frames of messages that arrive, and bytes of output that the transport takes, extend the deadlines
/// [`pong`](Self::pong) and [`close`](Self::close). So a slow transfer is not taken for silence. Control frames extend
/// nothing, in neither direction, nor does anything that a peer sends after a failure or a refusal. All extensions of one
/// deadline together are at most [`max_extension`](Self::max_extension).
///
/// A peer that sends single bytes can therefore hold the connection, one unfinished message and the unread output for:
///
/// | stage | at most |
/// |---|---|
/// | opening handshake | `2 * handshake` |
/// | open, without a Pong | `ping_interval + 2 * pong + max_extension` |
/// | one Close frame | `2 * close + max_extension` |
/// | both Close frames, a failure, a refusal, a failed write | `2 * close + max_extension` |
///
/// The stages of the closing handshake follow each other. A server that has to stop sooner sets shorter deadlines, or drops
/// the transports that are left when its own patience ends.
///
/// # Memory
///
/// A connection with deadlines owns one more small block of memory.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use sockless::{Config, Deadlines};
///
/// let deadlines = Deadlines::new()
///     .with_ping_interval(Duration::MAX) // no Pings
///     .with_max_extension(Duration::ZERO); // strict: progress counts for nothing
/// let config = Config::new().with_deadlines(deadlines);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub struct Deadlines {
    /// How long the peer's part of the opening handshake may take, from the first time that you pass. Default: 10 s.
    ///
    /// Bytes that arrive do not extend it, since a request or response is short. Only what arrived before it passed is
    /// still read. See
    /// [`ServerHandshake`](crate::handshake::ServerHandshake) and
    /// [`ClientHandshake::handle_timeout`](crate::handshake::ClientHandshake::handle_timeout).
    pub handshake: Duration,
    /// The time from the answer to one automatic Ping to the next such Ping. Default: 20 s.
    ///
    /// The Ping shows that the peer is there, measures the [round-trip time](crate::Connection::round_trip_time), and keeps
    /// routers on the way from forgetting the connection. Its payload is a counter of 4 bytes. The Pong is delivered as an
    /// [`Event::Pong`](crate::Event::Pong) like any other. A Pong counts only after the Ping has been written. A Pong to a
    /// later Ping of the application counts as well, but gives no round-trip time.
    ///
    /// While this side sends the fragments of a compressed message, a Ping waits for the last one, for one more interval
    /// at most: some peers fail on a Ping between such fragments.
    #[doc(alias = "keepalive")]
    #[doc(alias = "heartbeat")]
    pub ping_interval: Duration,
    /// How long the peer may take to answer such a Ping, the way there and back included. Default: 20 s.
    ///
    /// It counts from the call of [`handle_timeout`](crate::Connection::handle_timeout) that puts the Ping into the output.
    /// Data that flows meanwhile extends it, up to [`max_extension`](Self::max_extension): a Pong cannot come in the middle of
    /// a frame, and the Ping waits for the output before it.
    pub pong: Duration,
    /// How long each half of the closing handshake may take. Default: 10 s.
    ///
    /// The first half is from this side's Close frame to the peer's. (If you answer Close frames yourself, also from the
    /// peer's to yours.) The second half is from there to the end of the stream. It is also how long the peer of a failed or
    /// [refused](crate::Connection::refused) connection may take to read the last words and to end the stream.
    ///
    /// Data that flows meanwhile extends it, up to [`max_extension`](Self::max_extension). After a failure or a refusal only
    /// output that is taken does.
    pub close: Duration,
    /// By how much data that keeps flowing may extend a deadline, in all. Default: 10 minutes.
    ///
    /// That is enough for a message of 16 MiB, the default limit, at 28 KB/s. Raise it together with
    /// [`Config::max_message_size`](crate::Config::max_message_size). [`Duration::ZERO`] is the strict mode: deadlines hold
    /// whatever flows. [`Duration::MAX`] is no bound.
    pub max_extension: Duration,
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
            max_extension: Duration::from_secs(600),
        }
    }

    setters! {
        with_handshake(handshake: Duration);
        with_ping_interval(ping_interval: Duration);
        with_pong(pong: Duration);
        with_close(close: Duration);
        with_max_extension(max_extension: Duration);
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

/// Says which deadline it was.
impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pong => "no answer to a Ping in time",
            Self::Close => "no Close frame in time",
            Self::EndOfStream => "no end of the stream in time",
        })
    }
}
