//! When a Ping is due and when a deadline expires (RFC 6455, sections 5.5.2, 7.1.1 and 7.2.1).
//!
//! The caller passes the time seldom, and late. So a wait that begins asks for the time at once, and counts from the
//! next time that is passed. Time never goes back: an earlier time counts as the latest so far.

use core::time::Duration;

use crate::connection::deadlines::{Deadlines, Timeout};

/// The limits of one deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// The time without progress. [`Duration::MAX`] is no limit.
    pub(crate) period: Duration,
    /// The longest time by which progress may extend the deadline, in total.
    pub(crate) extension: Duration,
}

/// What was received or written since the time was last passed. Only the strongest sign of life counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Frames of messages, or output other than control frames. This extends deadlines.
    Data,
    /// Only other bytes were received. The awaited answer may follow them.
    Control,
    Nothing,
}

impl Moved {
    /// Notes control frames: they change only `Nothing`.
    pub(crate) const fn at_least_control(self) -> Self {
        match self {
            Self::Nothing => Self::Control,
            moved => moved,
        }
    }
}

/// One deadline.
///
/// ```text
///   Pending -- first time --> Running -- its time comes --> Passed -- next time --> expired
///                                ^  |                         |
///                       progress '--'<------ progress --------'
/// ```
///
/// A deadline that passes does not expire at once: the answer may have arrived in time and still be unread. It asks for
/// the time at once, so the caller has one more turn to read. It expires when the time is passed again without
/// progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// Counts from the next time that is passed.
    Pending,
    Running {
        at: Duration,
        /// Progress extends the deadline up to this time.
        latest: Duration,
    },
    /// The caller has one more turn to read. Each turn that brings something adds a turn, up to `until`.
    Passed {
        until: Duration,
        latest: Duration,
    },
    Never,
}

impl Deadline {
    pub(crate) const fn new(period: Duration) -> Self {
        match period {
            Duration::MAX => Self::Never,
            _ => Self::Pending,
        }
    }

    /// A deadline that counts from `now`.
    fn started(now: Duration, limit: Limit) -> Self {
        match Self::new(limit.period) {
            Self::Pending => {
                let at = now.saturating_add(limit.period);
                let latest = at.saturating_add(limit.extension);
                Self::Running { at, latest }
            }
            deadline => deadline,
        }
    }

    /// Whether it has expired at this time. `moved` says what has moved since the last time.
    pub(crate) fn expired(&mut self, now: Duration, moved: Moved, limit: Limit) -> bool {
        if *self == Self::Pending {
            *self = Self::started(now, limit);
        }
        let extended = match moved {
            Moved::Data => now.saturating_add(limit.period),
            Moved::Control | Moved::Nothing => Duration::ZERO,
        };
        match *self {
            Self::Pending | Self::Never => false,
            Self::Running { at, latest } => {
                let at = at.max(extended.min(latest));
                *self = if at > now {
                    Self::Running { at, latest }
                } else {
                    let until = now.saturating_add(limit.period);
                    Self::Passed { until, latest }
                };
                false
            }
            Self::Passed { until, latest } => {
                let at = extended.min(latest);
                if at > now {
                    *self = Self::Running { at, latest };
                    return false;
                }
                // A caller that still reads bytes that arrived in time goes on. `until` bounds this, because the peer
                // may send without end.
                moved == Moved::Nothing || until <= now
            }
        }
    }

    /// When to pass the time next. Zero if nothing counts yet, or if the caller has one more turn to read.
    pub(crate) const fn next(self) -> Option<Duration> {
        match self {
            Self::Pending | Self::Passed { .. } => Some(Duration::ZERO),
            Self::Running { at, .. } => Some(at),
            Self::Never => None,
        }
    }
}

/// The deadline of an opening handshake. Progress does not extend it, because a head is short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandshakeDeadline {
    deadline: Deadline,
    period: Duration,
    /// The latest time so far.
    now: Duration,
    /// How many bytes of the head had arrived at the last look.
    received: usize,
    /// Whether more has arrived since the last time.
    moved: Moved,
}

impl HandshakeDeadline {
    pub(crate) fn new(deadlines: Option<&Deadlines>) -> Self {
        let period = deadlines.map_or(Duration::MAX, |it| it.handshake);
        Self {
            deadline: Deadline::new(period),
            period,
            now: Duration::ZERO,
            received: 0,
            moved: Moved::Nothing,
        }
    }

    /// Notes that this many bytes of the head have arrived. `before` says whether skipped bytes arrived before the
    /// head.
    pub(crate) const fn received(&mut self, received: usize, before: bool) {
        if before || received != self.received {
            self.moved = Moved::Control;
        }
        self.received = received;
    }

    /// Stops the deadline: the head is complete.
    pub(crate) const fn stop(&mut self) {
        self.deadline = Deadline::Never;
    }

    pub(crate) fn expired(&mut self, now: Duration) -> bool {
        self.now = self.now.max(now);
        let limit = Limit {
            period: self.period,
            extension: Duration::ZERO,
        };
        let moved = core::mem::replace(&mut self.moved, Moved::Nothing);
        self.deadline.expired(self.now, moved, limit)
    }

    pub(crate) const fn next(&self) -> Option<Duration> {
        self.deadline.next()
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The next message, at any time.
    Messages,
    /// The next message, while this side sends fragments that no Ping should interrupt.
    MessagesWithoutPing,
    /// The second Close frame.
    Close,
    /// The peer must read the rest of the output and end the stream.
    EndOfStream,
    Nothing,
}

/// What has moved since the time was last passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Activity {
    pub(crate) received: Moved,
    /// How many bytes of output were written so far, modulo 2^32.
    pub(crate) written: u32,
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
///              interval over              Pong              next time
///   Idle --------------------> Pinged ----------> Answered ----------> Idle
///    |                           ^
///    | fragments are being sent  | they end, or another interval is over
///    '---------> Held -----------'
///
///   any of these -- a Close frame, a failure --> Ending -- another of them --> Ending
/// ```
#[derive(Debug)]
pub(crate) struct Timers {
    deadlines: Deadlines,
    stage: Stage,
    /// The latest time so far.
    now: Duration,
    round_trip_time: Option<Duration>,
    /// The payload of the last automatic Ping, as a number.
    pings: u32,
    /// Bytes from the start of the unsent output to the end of that Ping. 0 once it is written. At most 4 GiB.
    ahead: u32,
    /// The last [`Activity::written`].
    written: u32,
    /// How many bytes of control frames may be among the bytes that are written next.
    unwritten_control: u32,
    /// How many bytes were unread when the last event had been taken. At most 4 GiB.
    unread: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No Ping is due until this time. `None` until the first time is passed.
    Idle(Option<Duration>),
    /// A Ping is due. It waits for the end of this side's message, but at most until this time.
    Held(Duration),
    /// A Ping went into the output at this time.
    Pinged {
        at: Duration,
        deadline: Deadline,
        /// Bytes of output up to the end of a later Ping of the application. Once they are written, any Pong is an
        /// answer: section 5.5.3 lets a peer answer only the newest of several Pings.
        later: Option<u32>,
    },
    /// The Ping of this time was answered by its own Pong. `None` if another Pong was the answer. The round trip ends
    /// at the next time that is passed.
    Answered(Option<Duration>),
    Ending(Awaited, Deadline),
}

impl Timers {
    pub(crate) fn new(deadlines: &Deadlines) -> Self {
        Self {
            deadlines: deadlines.clone(),
            stage: Stage::Idle(None),
            now: Duration::ZERO,
            round_trip_time: None,
            pings: 0,
            ahead: 0,
            written: 0,
            unwritten_control: 0,
            unread: 0,
        }
    }

    /// Returns what is due at this time. `awaited` is what the connection waits for, and `activity` is what has moved.
    pub(crate) fn due(
        &mut self,
        now: Duration,
        awaited: Awaited,
        activity: Activity,
    ) -> Option<Due> {
        self.now = self.now.max(now);
        let now = self.now;
        let moved = if self.has_written_data(activity) {
            Moved::Data
        } else {
            activity.received
        };
        self.stage = self.stage_for(awaited);
        match &mut self.stage {
            Stage::Idle(_) if self.deadlines.ping_interval == Duration::MAX => None,
            Stage::Idle(None) => {
                self.stage = self.idle();
                // With an interval of zero, the first Ping is already due.
                if self.stage == Stage::Idle(Some(now)) {
                    return self.ping();
                }
                None
            }
            Stage::Idle(Some(due)) if *due > now => None,
            Stage::Idle(Some(_)) if awaited == Awaited::MessagesWithoutPing => {
                self.stage = Stage::Held(now.saturating_add(self.deadlines.ping_interval));
                None
            }
            Stage::Held(until) if awaited == Awaited::MessagesWithoutPing && *until > now => None,
            Stage::Idle(Some(_)) | Stage::Held(_) => self.ping(),
            Stage::Pinged { deadline, .. } => deadline
                .expired(now, moved, limit(&self.deadlines, self.deadlines.pong))
                .then_some(Due::GiveUp(Timeout::Pong)),
            Stage::Answered(at) => {
                if let Some(at) = at {
                    self.round_trip_time = Some(now.saturating_sub(*at));
                }
                self.stage = self.idle();
                None
            }
            Stage::Ending(awaited, deadline) => {
                let timeout = match awaited {
                    Awaited::Close => Timeout::Close,
                    Awaited::EndOfStream => Timeout::EndOfStream,
                    _ => return None,
                };
                deadline
                    .expired(now, moved, limit(&self.deadlines, self.deadlines.close))
                    .then_some(Due::GiveUp(timeout))
            }
        }
    }

    /// When to pass the time next.
    pub(crate) fn next(&self, awaited: Awaited) -> Option<Duration> {
        match self.stage_for(awaited) {
            Stage::Idle(_) if self.deadlines.ping_interval == Duration::MAX => None,
            Stage::Held(until) if awaited == Awaited::MessagesWithoutPing => Some(until),
            Stage::Idle(None) | Stage::Held(_) | Stage::Answered(_) => Some(Duration::ZERO),
            Stage::Idle(due) => due,
            Stage::Pinged { deadline, .. } | Stage::Ending(_, deadline) => deadline.next(),
        }
    }

    /// Notes how many unread bytes are left, and returns whether that number has changed.
    #[inline(never)]
    pub(crate) fn left_unread(&mut self, unread: usize) -> bool {
        let unread = saturated(unread);
        core::mem::replace(&mut self.unread, unread) != unread
    }

    /// Notes that control frames of this size went into the output. The answer to the opening handshake counts like
    /// them, because a deadline begins with it.
    pub(crate) fn control_queued(&mut self, size: usize) {
        self.unwritten_control = self.unwritten_control.saturating_add(saturated(size));
    }

    /// Notes that the due Ping went into the output, whose length is now `output`.
    pub(crate) fn queued(&mut self, output: usize) {
        self.ahead = saturated(output);
    }

    /// Notes that `n` bytes of output were written.
    pub(crate) fn written(&mut self, n: usize) {
        let n = saturated(n);
        self.ahead = self.ahead.saturating_sub(n);
        if let Stage::Pinged {
            later: Some(ahead), ..
        } = &mut self.stage
        {
            *ahead = ahead.saturating_sub(n);
        }
    }

    /// Notes a Pong. It cannot answer a Ping that was not written yet, whatever its payload.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let Stage::Pinged { at, later, .. } = self.stage else {
            return;
        };
        if self.ahead == 0 && payload == self.pings.to_be_bytes() {
            self.stage = Stage::Answered(Some(at));
        } else if later == Some(0) {
            self.stage = Stage::Answered(None);
        }
    }

    /// Notes that the application's Ping went into the output, whose length is now `output`.
    pub(crate) fn pinged(&mut self, output: usize) {
        if let Stage::Pinged { later, .. } = &mut self.stage {
            // The first of several counts: once it is written, a Pong may answer it.
            later.get_or_insert(saturated(output));
        }
    }

    pub(crate) const fn latest_time(&self) -> Duration {
        self.now
    }

    pub(crate) const fn round_trip_time(&self) -> Option<Duration> {
        self.round_trip_time
    }

    /// Whether more than control frames was written since the last time. A Ping or Close frame must not extend the
    /// deadline that begins with it. Answers to a peer's Pings must extend no deadline.
    fn has_written_data(&mut self, activity: Activity) -> bool {
        let written = activity.written.wrapping_sub(self.written);
        self.written = activity.written;
        let expected = self.unwritten_control;
        self.unwritten_control = expected.saturating_sub(written);
        written > expected
    }

    /// The stage that waits for the next Ping from now on.
    const fn idle(&self) -> Stage {
        Stage::Idle(Some(self.now.saturating_add(self.deadlines.ping_interval)))
    }

    /// Begins to wait for a Pong.
    fn ping(&mut self) -> Option<Due> {
        let limit = limit(&self.deadlines, self.deadlines.pong);
        self.stage = Stage::Pinged {
            at: self.now,
            deadline: Deadline::started(self.now, limit),
            later: None,
        };
        // The peer must answer a Ping that is still in the output. So there is never more than one.
        if self.ahead > 0 {
            return None;
        }
        self.pings = self.pings.wrapping_add(1);
        Some(Due::Ping(self.pings.to_be_bytes()))
    }

    /// The current stage, or the one that begins now.
    fn stage_for(&self, awaited: Awaited) -> Stage {
        match (awaited, self.stage) {
            (Awaited::Messages | Awaited::MessagesWithoutPing, stage) => stage,
            (Awaited::Nothing, _) => Stage::Ending(awaited, Deadline::Never),
            (_, stage @ Stage::Ending(before, _)) if before == awaited => stage,
            _ => Stage::Ending(awaited, Deadline::new(self.deadlines.close)),
        }
    }
}

const fn limit(deadlines: &Deadlines, period: Duration) -> Limit {
    Limit {
        period,
        extension: deadlines.max_extension,
    }
}

fn saturated(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const LIMIT: Limit = Limit {
        period: seconds(3),
        extension: seconds(10),
    };

    fn idle(deadline: &mut Deadline, now: u64, limit: Limit) -> bool {
        deadline.expired(seconds(now), Moved::Nothing, limit)
    }

    fn moving(deadline: &mut Deadline, now: u64, limit: Limit) -> bool {
        deadline.expired(seconds(now), Moved::Data, limit)
    }

    #[test]
    fn a_deadline_counts_from_the_first_time_and_gives_one_more_turn() {
        let mut deadline = Deadline::new(LIMIT.period);
        assert_eq!(deadline.next(), Some(Duration::ZERO));
        assert!(!idle(&mut deadline, 100, LIMIT));
        assert_eq!(deadline.next(), Some(seconds(103)));
        let just_before = Duration::new(102, 999_999_999);
        assert!(!deadline.expired(just_before, Moved::Nothing, LIMIT));
        assert_eq!(deadline.next(), Some(seconds(103)));
        assert!(!idle(&mut deadline, 5000, LIMIT));
        assert_eq!(deadline.next(), Some(Duration::ZERO), "one more turn");
        assert!(idle(&mut deadline, 5000, LIMIT));
        assert!(idle(&mut deadline, 5000, LIMIT));
    }

    #[test]
    fn progress_extends_it_up_to_the_latest_time() {
        let mut deadline = Deadline::started(seconds(100), LIMIT);
        for (now, next) in [(101, 104), (103, 106), (108, 111), (111, 113), (112, 113)] {
            assert!(!moving(&mut deadline, now, LIMIT));
            assert_eq!(deadline.next(), Some(seconds(next)), "at {now}");
        }
        // From then on, received data only adds turns, for at most one more period.
        for now in [113, 114, 115] {
            assert!(!moving(&mut deadline, now, LIMIT), "at {now}");
            assert_eq!(deadline.next(), Some(Duration::ZERO));
        }
        assert!(moving(&mut deadline, 116, LIMIT));
    }

    #[test]
    fn progress_in_the_last_turn_counts() {
        let mut deadline = Deadline::started(seconds(0), LIMIT);
        assert!(!idle(&mut deadline, 5, LIMIT));
        assert!(!moving(&mut deadline, 5, LIMIT));
        assert_eq!(deadline.next(), Some(seconds(8)));
        // Without an extension, progress adds turns but no time.
        let strict = Limit {
            extension: Duration::ZERO,
            ..LIMIT
        };
        let mut deadline = Deadline::started(seconds(0), strict);
        assert!(!moving(&mut deadline, 2, strict));
        assert_eq!(deadline.next(), Some(seconds(3)));
        assert!(!moving(&mut deadline, 4, strict));
        assert!(!moving(&mut deadline, 4, strict));
        assert_eq!(deadline.next(), Some(Duration::ZERO));
        assert!(idle(&mut deadline, 4, strict));
    }

    /// Control frames extend no deadline, but the answer may follow them.
    #[test]
    fn control_frames_in_the_last_turn_keep_it_going() {
        let mut deadline = Deadline::started(seconds(0), LIMIT);
        for now in [1, 2, 3, 4, 5] {
            assert!(
                !deadline.expired(seconds(now), Moved::Control, LIMIT),
                "at {now}"
            );
        }
        assert_eq!(deadline.next(), Some(Duration::ZERO));
        assert!(deadline.expired(seconds(6), Moved::Control, LIMIT));
        let mut deadline = Deadline::started(seconds(0), LIMIT);
        assert!(!idle(&mut deadline, 3, LIMIT));
        assert!(!deadline.expired(seconds(3), Moved::Control, LIMIT));
        assert!(idle(&mut deadline, 3, LIMIT));
    }

    #[test]
    fn no_deadline_wraps_around() {
        let mut never = Deadline::new(Duration::MAX);
        assert_eq!(never.next(), None);
        assert!(!never.expired(Duration::ZERO, Moved::Nothing, LIMIT));
        assert!(!never.expired(Duration::MAX, Moved::Nothing, LIMIT));
        let far = Limit {
            period: seconds(u64::MAX),
            extension: Duration::MAX,
        };
        let mut beyond = Deadline::started(seconds(2), far);
        assert_eq!(beyond.next(), Some(Duration::MAX));
        assert!(!beyond.expired(seconds(u64::MAX), Moved::Nothing, far));
        assert!(!beyond.expired(Duration::MAX, Moved::Nothing, far));
        assert!(beyond.expired(Duration::MAX, Moved::Nothing, far));
    }

    /// Each connection with deadlines has one of these. The size is no promise, but it should not grow unnoticed.
    #[test]
    fn the_block_stays_small() {
        assert!(size_of::<Timers>() <= 200, "{}", size_of::<Timers>());
    }
}
