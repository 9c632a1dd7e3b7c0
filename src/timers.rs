//! What is due when (RFC 6455 sections 5.5.2, 7.1.1 and 7.2.1).
//!
//! Time comes from the caller, seldom and late. So whatever begins to wait asks for the time at once, and counts from
//! what it is told then.

use core::time::Duration;

use crate::deadlines::{Deadlines, Timeout};

/// One deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// So long after the time that is told next.
    After(Duration),
    At(Duration),
    Never,
}

impl Timer {
    pub(crate) const fn new(after: Duration) -> Self {
        match after {
            Duration::MAX => Self::Never,
            after => Self::After(after),
        }
    }

    /// The deadline of an opening handshake.
    pub(crate) fn of_handshake(deadlines: Option<Deadlines>) -> Self {
        Self::new(deadlines.map_or(Duration::MAX, |it| it.handshake))
    }

    /// Ends it: what was awaited has come.
    pub(crate) const fn stop(&mut self) {
        *self = Self::Never;
    }

    /// Whether it is over at this time.
    pub(crate) fn is_due(&mut self, now: Duration) -> bool {
        if let Self::After(after) = *self {
            *self = now.checked_add(after).map_or(Self::Never, Self::At);
        }
        matches!(*self, Self::At(due) if due <= now)
    }

    /// When to tell the time next: at once, as long as it has nothing to count from.
    pub(crate) const fn next(self) -> Option<Duration> {
        match self {
            Self::After(_) => Some(Duration::ZERO),
            Self::At(due) => Some(due),
            Self::Never => None,
        }
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The next message, whenever that is.
    Messages,
    /// The second Close frame.
    Close,
    /// That the peer reads the rest of the output and ends the stream.
    EndOfStream,
    /// Nothing any more.
    Nothing,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Ping([u8; 4]),
    GiveUp(Timeout),
}

/// The deadlines of one connection.
///
/// ```text
///              interval over              Pong              time told
///   Idle --------------------> Pinged ----------> Answered ----------> Idle
///
///   Idle, Pinged, Answered -- a Close frame, a failure --> Ending -- another of them --> Ending
/// ```
#[derive(Debug)]
pub(crate) struct Timers {
    stage: Stage,
    interval: Duration,
    pong: Duration,
    close: Duration,
    round_trip_time: Option<Duration>,
    /// The payload of the last Ping, as a number.
    pings: u32,
    /// Bytes from the start of the unsent output to the end of that Ping, none once it is written. (4 GiB at most.)
    ahead: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Until it is time for a Ping.
    Idle(Timer),
    /// A Ping went into the output.
    Pinged {
        at: Duration,
        deadline: Timer,
        /// Section 5.5.3: a peer may answer only the newest of several Pings, so after a later one any Pong will do.
        newest: Newest,
    },
    /// The Ping of that time was answered, if by a Pong of its own then since the time that is told next.
    Answered {
        at: Option<Duration>,
    },
    Ending(Awaited, Timer),
}

/// Which Ping was sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    Own,
    OfTheApplication,
}

impl Timers {
    pub(crate) const fn new(deadlines: &Deadlines) -> Self {
        Self {
            stage: Stage::Idle(Timer::new(deadlines.ping_interval)),
            interval: deadlines.ping_interval,
            pong: deadlines.pong,
            close: deadlines.close,
            round_trip_time: None,
            pings: 0,
            ahead: 0,
        }
    }

    /// What is due at this time, for a connection that waits for `awaited`.
    pub(crate) fn due(&mut self, now: Duration, awaited: Awaited) -> Option<Due> {
        self.stage = self.stage_for(awaited);
        match &mut self.stage {
            Stage::Idle(timer) => {
                if !timer.is_due(now) {
                    return None;
                }
                let mut deadline = Timer::new(self.pong);
                // It counts from now, and even if it is zero the peer gets the Ping.
                _ = deadline.is_due(now);
                self.stage = Stage::Pinged {
                    at: now,
                    deadline,
                    newest: Newest::Own,
                };
                // A Pong that nothing has asked for yet, of a peer that does not read, makes no room for another Ping:
                // the one in the output still has to be answered.
                if self.ahead > 0 {
                    return None;
                }
                self.pings = self.pings.wrapping_add(1);
                Some(Due::Ping(self.pings.to_be_bytes()))
            }
            Stage::Pinged { deadline, .. } => {
                deadline.is_due(now).then_some(Due::GiveUp(Timeout::Pong))
            }
            Stage::Answered { at } => {
                if let Some(at) = at {
                    self.round_trip_time = Some(now.saturating_sub(*at));
                }
                let mut timer = Timer::new(self.interval);
                _ = timer.is_due(now);
                self.stage = Stage::Idle(timer);
                None
            }
            Stage::Ending(awaited, timer) => {
                let timeout = match awaited {
                    Awaited::Messages | Awaited::Nothing => return None,
                    Awaited::Close => Timeout::Close,
                    Awaited::EndOfStream => Timeout::EndOfStream,
                };
                timer.is_due(now).then_some(Due::GiveUp(timeout))
            }
        }
    }

    /// When to tell the time next.
    pub(crate) fn next(&self, awaited: Awaited) -> Option<Duration> {
        match self.stage_for(awaited) {
            Stage::Idle(timer) | Stage::Ending(_, timer) => timer.next(),
            Stage::Pinged { deadline, .. } => deadline.next(),
            Stage::Answered { .. } => Some(Duration::ZERO),
        }
    }

    /// The Ping that was due is the last of so many bytes in the output.
    pub(crate) fn queued(&mut self, output: usize) {
        self.ahead = u32::try_from(output).unwrap_or(u32::MAX);
    }

    /// So many bytes of output were written.
    pub(crate) fn written(&mut self, n: usize) {
        self.ahead = self
            .ahead
            .saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// A Pong came.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let Stage::Pinged { at, newest, .. } = self.stage else {
            return;
        };
        if payload == self.pings.to_be_bytes() {
            self.stage = Stage::Answered { at: Some(at) };
        } else if newest == Newest::OfTheApplication {
            self.stage = Stage::Answered { at: None };
        }
    }

    /// The application sent a Ping.
    pub(crate) const fn pinged(&mut self) {
        if let Stage::Pinged { newest, .. } = &mut self.stage {
            *newest = Newest::OfTheApplication;
        }
    }

    pub(crate) const fn round_trip_time(&self) -> Option<Duration> {
        self.round_trip_time
    }

    /// The stage, or the one that begins now.
    fn stage_for(&self, awaited: Awaited) -> Stage {
        match (awaited, self.stage) {
            (Awaited::Messages, stage) => stage,
            (Awaited::Nothing, _) => Stage::Ending(awaited, Timer::Never),
            (_, stage @ Stage::Ending(before, _)) if before == awaited => stage,
            _ => Stage::Ending(awaited, Timer::new(self.close)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_timer_counts_from_the_first_time_told() {
        let mut timer = Timer::new(seconds(3));
        assert_eq!(timer.next(), Some(Duration::ZERO));
        assert!(!timer.is_due(seconds(100)));
        assert_eq!(timer.next(), Some(seconds(103)));
        assert!(!timer.is_due(seconds(50)), "time goes backwards");
        assert!(!timer.is_due(Duration::new(102, 999_999_999)));
        assert!(timer.is_due(seconds(103)));
        assert!(timer.is_due(seconds(103)));
        assert!(Timer::new(Duration::ZERO).is_due(Duration::ZERO));
    }

    #[test]
    fn no_deadline_wraps_around() {
        let mut never = Timer::new(Duration::MAX);
        assert_eq!(never.next(), None);
        assert!(!never.is_due(Duration::ZERO) && !never.is_due(Duration::MAX));
        let mut beyond = Timer::new(seconds(u64::MAX));
        assert!(!beyond.is_due(seconds(2)));
        assert_eq!(beyond.next(), None);
        assert!(!beyond.is_due(Duration::MAX));
    }

    #[test]
    fn the_block_is_as_large_as_documented() {
        // The documented size is that of a 64-bit machine. The other one is that of i686.
        let size = if cfg!(target_pointer_width = "64") {
            120
        } else {
            88
        };
        assert_eq!(size_of::<Timers>(), size);
    }
}
