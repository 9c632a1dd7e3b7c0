//! Deadlines of a connection (RFC 6455 sections 5.5.2 and 7.1.1).

use core::time::Duration;

use crate::connection::Connection;
use crate::frame::Opcode;
use crate::timers::{Awaited, Due};

/// # Time
///
/// There is no clock in here. Where [`Config::deadlines`](crate::Config::deadlines) are set, the caller tells the time, as a
/// [`Duration`] since an origin of its choice, the same for the whole life of a connection.
///
/// ```
/// use std::time::{Duration, Instant};
/// use sockless::Connection;
///
/// /// Call it after every wait, whether bytes came or not. Take the events first, because
/// /// one of them may be the Pong that is awaited.
/// fn tell_time(connection: &mut Connection, origin: Instant) -> Option<Duration> {
///     connection.handle_timeout(origin.elapsed());
///     // Write the output, then wait no longer than that. It is never zero, because no
///     // socket takes zero for a timeout.
///     let until = connection.next_timeout()?;
///     Some(until.saturating_sub(origin.elapsed()).max(Duration::from_millis(1)))
/// }
/// # let mut server = Connection::server(sockless::Config::default());
/// # assert_eq!(tell_time(&mut server, Instant::now()), None);
/// ```
impl Connection {
    /// Tells the time, and does what is due.
    ///
    /// On an open connection that is a Ping every [`Deadlines::ping_interval`](crate::Deadlines::ping_interval), which goes
    /// into the output even if that is full, but not while another waits there. When the peer has not done its part
    /// in time, the connection is at its end: [`transport_action`](Self::transport_action) says to close the
    /// transport, [`close_event`](Self::close_event) which deadline it was.
    ///
    /// Call it when [`next_timeout`](Self::next_timeout) has come. To call it at other times costs next to nothing
    /// and does no harm; the more exact is [`round_trip_time`](Self::round_trip_time). A time before one that was
    /// told already changes nothing. Without deadlines neither does any other.
    pub fn handle_timeout(&mut self, now: Duration) {
        let awaited = self.awaited();
        let Some(timers) = &mut self.timers else {
            return;
        };
        match timers.due(now, awaited) {
            None => {}
            Some(Due::Ping(payload)) => {
                // There is at most one in the output, which stays bounded; it is short, so it is never refused.
                _ = self.sender.control(Opcode::Ping, &payload);
                let output = self.sender.output().len();
                timers.queued(output);
                self.pongs.ping_sent(output);
            }
            Some(Due::GiveUp(timeout)) => self.closing.gave_up(timeout),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is nothing to wait for.
    ///
    /// Ask again after any other call. It is [`Duration::ZERO`], which is in the past, when something has begun that
    /// counts from the time that is told next: a new connection, a Close frame, the Pong to a Ping.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.timers.as_ref()?.next(self.awaited())
    }

    /// How long the peer took to answer the last Ping that was sent by itself and answered, from when the Ping went into
    /// the output to when the time was first told after the Pong was taken from the buffer.
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
            timers.pinged();
        }
    }

    fn awaited(&self) -> Awaited {
        self.closing
            .awaited(self.receiver.role(), self.sender.output())
    }
}
