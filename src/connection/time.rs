//! Deadlines of a connection (RFC 6455 sections 5.5.2 and 7.1.1).

use core::time::Duration;

use crate::connection::Connection;
use crate::frame::Opcode;
use crate::timers::{Awaited, Due, Progress};

/// # Time
///
/// A connection has no clock. Where [`Config::deadlines`](crate::Config::deadlines) are set, you pass the time to
/// [`handle_timeout`](Self::handle_timeout), as a [`Duration`] since an origin of your choice. The origin is the same for
/// the whole life of a connection.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sockless::Connection;
///
/// /// Call it in every turn of the loop, after reading and taking the events.
/// fn pass_time(connection: &mut Connection, origin: Instant) -> Option<Duration> {
///     connection.handle_timeout(origin.elapsed());
///     // Write the output, then wait no longer than this.
///     let until = connection.next_timeout()?;
///     Some(until.saturating_sub(origin.elapsed()))
/// }
/// # let mut server = Connection::server(sockless::Config::default());
/// # assert_eq!(pass_time(&mut server, Instant::now()), None);
/// ```
impl Connection {
    /// Passes the time, and does what is due.
    ///
    /// On an open connection that is a Ping every [`Deadlines::ping_interval`](crate::Deadlines::ping_interval). It goes
    /// into the output even if that is full, but never while another one waits there. When the peer has not done its part
    /// in time, the connection is at its end: [`transport_action`](Self::transport_action) says to close the
    /// transport, and [`close_event`](Self::close_event) says which deadline it was.
    ///
    /// A deadline that passes does not end the connection at once: what arrived in time may still be unread. It makes
    /// [`next_timeout`](Self::next_timeout) zero. Then read what there is without waiting, take the events, and call this
    /// again; that call ends the connection if nothing came. So call it once in every turn of your loop, never twice without
    /// a look at the transport in between. While your application does not read on purpose, do not call it.
    ///
    /// Calling it more often than needed is cheap and makes [`round_trip_time`](Self::round_trip_time) more exact. Every
    /// `now` is safe: one that is earlier than a time before counts as the latest so far. Without deadlines nothing happens.
    pub fn handle_timeout(&mut self, now: Duration) {
        let awaited = self.awaited();
        let Some(timers) = &mut self.timers else {
            return;
        };
        let progress = Progress {
            received: core::mem::take(&mut self.received),
            written: self.sender.written(),
        };
        match timers.due(now, awaited, progress) {
            None => {}
            Some(Due::Ping(payload)) => {
                // There is at most one in the output, which stays bounded; it is short, so it is never refused.
                _ = self.sender.control(Opcode::Ping, &payload);
                let output = self.sender.output().len();
                timers.queued(output);
                self.pongs.ping_sent(output);
            }
            Some(Due::GiveUp(timeout)) => {
                self.closing.gave_up(timeout);
                self.nothing_more_is_sent();
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is nothing to wait for.
    ///
    /// Ask again after any other call. It is [`Duration::ZERO`], which is in the past, in two cases: something has begun
    /// that counts from the time you pass next (a new connection, a Close frame, the Pong to a Ping), or a deadline has
    /// passed and you have one more turn to read.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.timers.as_ref()?.next(self.awaited())
    }

    /// How long the peer took to answer the last automatic Ping that it answered.
    ///
    /// It counts from the call of [`handle_timeout`](Self::handle_timeout) that queued the Ping to the first call after its
    /// Pong was taken from the buffer.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.timers.as_ref()?.round_trip_time()
    }

    /// The peer sent a Pong.
    pub(super) fn note_pong(&mut self, payload: &[u8]) {
        if let Some(timers) = &mut self.timers {
            timers.pong(payload);
        }
    }

    /// The application sent a Ping.
    pub(super) fn note_ping(&mut self) {
        if let Some(timers) = &mut self.timers {
            let output = self.sender.output().len();
            timers.pinged(output);
            self.pongs.ping_sent(output);
        }
    }

    fn awaited(&self) -> Awaited {
        let role = self.receiver.role();
        match self.closing.awaited(role, self.sender.output()) {
            Awaited::Messages if self.sender.is_fragmenting_compressed() => {
                Awaited::MessagesWithoutPing
            }
            awaited => awaited,
        }
    }
}
