//! How long the peer may take.

use core::fmt;
use core::time::Duration;

/// How long the peer may take for the opening handshake, for the answer to a Ping, and for the closing handshake.
///
/// To keep a connection alive, put a `Deadlines` into [`Config::deadlines`](crate::Config::deadlines) and pass the time
/// to [`Connection::handle_timeout`](crate::Connection::handle_timeout). You need to send no Pings yourself. A deadline
/// of [`Duration::MAX`] never passes.
///
/// A deadline that passes does not end the connection at once. The answer may have arrived in time and still be
/// unread, for instance because the process was suspended. So [`timeout_at`](crate::Connection::timeout_at) becomes
/// zero, and you have one more turn to read. If nothing arrives in that turn, the next call of `handle_timeout` ends
/// the connection. If something arrives, you get another turn, because the answer may follow. You get the first of
/// these turns however late you are, and more of them until twice the length of the deadline has passed.
///
/// Exception: while the output is full, you take no events, so the peer's Pong may wait in the buffer. If the peer
/// reads nothing for the whole deadline, the connection ends, even if its Pong waits in the buffer.
///
/// # What a slow peer can hold
///
/// Two things extend the deadlines [`pong`](Self::pong) and [`close`](Self::close): bytes of a message that arrive,
/// also inside an unfinished frame, and bytes of messages that the transport takes from the output. So a slow
/// transfer does not count as silence. Control frames extend no deadline, in either direction. Bytes that a peer
/// sends after a failure or a refusal extend no deadline either. All extensions of one deadline together are at most
/// [`max_extension`](Self::max_extension).
///
/// So a peer that sends a message byte by byte can keep a connection for the times in this table. During this time it
/// also keeps the memory for one unfinished message and for the output.
///
/// | stage | at most |
/// |---|---|
/// | opening handshake | `2 * handshake` |
/// | open, without a Pong | `ping_interval + 2 * pong + max_extension` (twice `ping_interval` while you send a compressed message in fragments) |
/// | one Close frame | `2 * close + max_extension` |
/// | both Close frames, a failure, a refusal, a failed write | `2 * close + max_extension` |
///
/// The times of the last two rows add up, because these stages follow each other. With the defaults, that is 20
/// minutes and 40 seconds. If your server must stop sooner, set shorter deadlines, or close the remaining transports
/// after a time of your choice.
///
/// # Memory
///
/// Deadlines take one more small block of memory in each connection.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use sockless::{Config, Deadlines};
///
/// let deadlines = Deadlines::new()
///     .with_ping_interval(Duration::MAX) // no Pings
///     .with_max_extension(Duration::ZERO); // strict: data that flows extends nothing
/// let config = Config::new().with_deadlines(deadlines);
/// ```
#[doc(alias("timeout", "timeouts", "keepalive", "idle_timeout"))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub struct Deadlines {
    /// How long the peer's part of the opening handshake may take. Default: 10 s.
    ///
    /// It starts with your first call of `accept` or `handle_timeout`. Bytes that arrive do not extend it, because a
    /// request or a response is short. Bytes that arrived before the deadline are still read. See
    /// [`ServerHandshake`](crate::handshake::ServerHandshake) and
    /// [`ClientHandshake::handle_timeout`](crate::handshake::ClientHandshake::handle_timeout).
    #[doc(alias("open_timeout", "handshake_timeout", "connect_timeout"))]
    pub handshake: Duration,
    /// The time before each automatic Ping. Default: 20 s.
    ///
    /// It starts with your first call of [`handle_timeout`](crate::Connection::handle_timeout), and again after each
    /// Pong. Other messages do not postpone the Ping.
    ///
    /// The Ping shows that the peer is alive, measures the [round-trip time](crate::Connection::round_trip_time), and
    /// keeps routers on the way from dropping the connection. [`Duration::MAX`] sends no Pings.
    ///
    /// The payload is a counter of 4 bytes. You receive the Pong as an [`Event::Pong`](crate::Event::Pong) like any
    /// other. The Pong meets the deadline if it has the payload of the Ping and arrives after the Ping was written. A
    /// Pong for a later Ping that you sent with `send_ping` also meets it, but gives no round-trip time.
    ///
    /// While this side sends the fragments of a compressed message, the Ping waits for the last fragment, for at most
    /// one more interval. Some peers fail on a Ping between such fragments.
    #[doc(alias = "keepalive")]
    #[doc(alias = "heartbeat")]
    pub ping_interval: Duration,
    /// How long the peer may take to answer an automatic Ping, including the way there and back. Default: 20 s.
    ///
    /// It counts from the call of [`handle_timeout`](crate::Connection::handle_timeout) that queues the Ping.
    /// Messages that flow in either direction extend it, up to [`max_extension`](Self::max_extension): the Ping or
    /// the Pong may wait behind them.
    ///
    /// If your program sends all the time, its own output extends this deadline while the transport takes it. To
    /// detect a lost peer sooner, set a short [`max_extension`](Self::max_extension).
    #[doc(alias("pong_timeout", "ping_timeout"))]
    pub pong: Duration,
    /// How long each half of the closing handshake may take. Default: 10 s.
    ///
    /// - The first half is the time between the two Close frames. It starts with the next call of `handle_timeout`
    ///   after the first Close frame.
    /// - The second half is the time from the second Close frame to the end of the stream.
    ///
    /// After a failure or a [refusal](crate::Connection::refused), it is the time for the peer to read the last
    /// output and to end the stream.
    ///
    /// Data that flows meanwhile extends it, up to [`max_extension`](Self::max_extension). After a failure or a
    /// refusal, only output that the transport takes extends it.
    #[doc(alias = "close_timeout")]
    pub close: Duration,
    /// The longest time by which flowing data may extend one deadline, in total. Default: 10 minutes.
    ///
    /// This is enough for a message of 16 MiB, the default limit, at 28 KB/s. If you raise
    /// [`Config::max_message_size`](crate::Config::max_message_size), raise this too. With [`Duration::ZERO`] data
    /// extends no deadline. With [`Duration::MAX`] there is no bound.
    pub max_extension: Duration,
}

impl Deadlines {
    /// Returns the default deadlines, as each field states them.
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
    /// The peer did not answer a Ping within [`Deadlines::pong`].
    Pong,
    /// The peer did not answer the Close frame within [`Deadlines::close`]. With
    /// [`Reply::Manual`](crate::Reply::Manual), it may also be this side that did not answer.
    Close,
    /// The peer did not end the stream, or did not read the output, within [`Deadlines::close`].
    EndOfStream,
}

/// Says which deadline passed, for instance `no answer to a Ping in time`.
impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pong => "no answer to a Ping in time",
            Self::Close => "no Close frame in time",
            Self::EndOfStream => "no end of the stream in time",
        })
    }
}
