//! A model of the deadlines of one side, from the documented rules: what it waits for, and until when.

use std::time::Duration;

use sockless::test_util::OwnedEvent;
use sockless::{Deadlines, Timeout};

use super::closing::Awaited;
use super::incoming::Payload;

/// What a call of `handle_timeout` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// It sends a Ping with this payload.
    Ping(Vec<u8>),
    /// It ends the connection.
    Timeout(Timeout),
}

/// What the deadlines depend on, apart from the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) awaited: Awaited,
    /// The application is sending the fragments of a compressed message.
    pub(super) fragmenting: bool,
}

/// All states that the rules allow.
///
/// The rules leave a few questions open. Each question doubles the states, and the next step of the connection
/// answers it.
pub(super) struct DeadlineModel {
    states: Vec<State>,
    /// What came of messages since the last call of `handle_timeout`.
    received: Payload,
    /// Whether any bytes came since then.
    arrived: bool,
    /// Whether output was written since then. The rules do not count output that has only control frames.
    written: bool,
}

/// The progress since the last call of `handle_timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Data,
    Control,
    Nothing,
}

impl DeadlineModel {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        let state = State {
            deadlines,
            last: None,
            pings: 0,
            round_trip_time: None,
        };
        Self {
            states: vec![state],
            received: Payload::Nothing,
            arrived: false,
            written: false,
        }
    }

    /// The application sent a Ping, which ends after this many bytes of output.
    pub(super) fn ping_sent(&mut self, output: usize) {
        for ping in self.pings() {
            ping.first_later.get_or_insert(output);
            ping.last_later = Some(output);
        }
    }

    /// The automatic Ping ends after this many bytes of output.
    pub(super) fn ping_queued(&mut self, output: usize) {
        self.pings().for_each(|ping| ping.ahead = output);
    }

    /// This many bytes of output were written.
    pub(super) fn written(&mut self, n: usize) {
        self.written |= n > 0;
        for ping in self.pings() {
            ping.ahead = ping.ahead.saturating_sub(n);
            for later in [&mut ping.first_later, &mut ping.last_later] {
                *later = later.map(|ahead| ahead.saturating_sub(n));
            }
        }
    }

    /// Bytes may have come from the peer, with these events and this much of messages.
    pub(super) fn received(&mut self, arrived: bool, events: &[OwnedEvent], payload: Payload) {
        self.arrived |= arrived;
        self.received = self.received.max(payload);
        for event in events {
            if let OwnedEvent::Pong(payload) = event {
                self.pong_received(payload);
            }
        }
    }

    fn pong_received(&mut self, payload: &[u8]) {
        let mut others = Vec::new();
        for state in &mut self.states {
            let counter = state.pings.to_be_bytes();
            let before = state.clone();
            let Some(ping) = state.ping().filter(|ping| ping.answer.is_none()) else {
                continue;
            };
            if ping.ahead == 0 && payload == counter {
                ping.answer = Some(Answer::Own);
            } else if ping.first_later == Some(0) {
                ping.answer = Some(Answer::Later);
                // The rules speak of one later Ping. They do not say whether the first or the last of several counts.
                if ping.last_later != Some(0) {
                    others.push(before);
                }
            }
        }
        self.states.extend(others);
    }

    /// Checks what `handle_timeout` did in this situation.
    pub(super) fn check_due(&mut self, now: Duration, situation: Situation, due: &Due) {
        let other = if self.arrived {
            Progress::Control
        } else {
            Progress::Nothing
        };
        let possible: &[Progress] = match self.received {
            Payload::Nothing if !self.written => &[other],
            Payload::Nothing | Payload::Unclear => &[other, Progress::Data],
            Payload::Some => &[Progress::Data],
        };
        let mut allowed = Vec::new();
        let mut states = Vec::new();
        for state in &self.states {
            for progress in possible {
                let mut state = state.clone();
                allowed.push(state.handle_timeout(now, situation, *progress));
                if allowed.last() == Some(due) {
                    states.push(state);
                }
            }
        }
        assert!(
            !states.is_empty(),
            "at {now:?}, {situation:?}: {due:?}, not {allowed:?}"
        );
        self.states = states;
        self.received = Payload::Nothing;
        self.arrived = false;
        self.written = false;
    }

    /// Checks the next time for `handle_timeout` and the round-trip time.
    pub(super) fn check_next(
        &mut self,
        situation: Situation,
        next: Option<Duration>,
        round_trip_time: Option<Duration>,
    ) {
        let says = |state: &State| (state.next(situation), state.round_trip_time);
        let allowed: Vec<_> = self.states.iter().map(says).collect();
        let said = (next, round_trip_time);
        self.states.retain(|state| says(state) == said);
        assert!(
            !self.states.is_empty(),
            "{situation:?}: {said:?}, not {allowed:?}"
        );
        self.states.dedup();
    }

    /// The unanswered automatic Ping of each state.
    fn pings(&mut self) -> impl Iterator<Item = &mut Ping> {
        self.states.iter_mut().filter_map(State::ping)
    }
}

#[derive(Clone, PartialEq)]
struct State {
    deadlines: Deadlines,
    /// The latest time so far, and the wait at that time.
    last: Option<(Duration, Wait)>,
    /// The number of automatic Pings so far.
    pings: u32,
    round_trip_time: Option<Duration>,
}

/// One wait: for the time of the next Ping, for a Pong, or for one step of the closing.
#[derive(Clone, PartialEq)]
struct Wait {
    awaited: Awaited,
    began: Duration,
    /// The deadline. Progress extends it.
    due: Duration,
    /// When the deadline was found to have passed. From then on there is one more turn to read.
    turn: Option<Duration>,
    /// The due Ping waits for the end of a message, but not longer than this.
    held: Option<Duration>,
    ping: Option<Ping>,
}

#[derive(Clone, Default, PartialEq)]
struct Ping {
    /// Bytes of output up to its end.
    ahead: usize,
    /// The same for the first and for the last Ping that the application sent later.
    first_later: Option<usize>,
    last_later: Option<usize>,
    answer: Option<Answer>,
}

/// Which Ping a Pong answers (RFC 6455, section 5.5.3).
#[derive(Clone, PartialEq)]
enum Answer {
    Own,
    /// A later Ping. Its Pong also answers the earlier one.
    Later,
}

impl State {
    fn ping(&mut self) -> Option<&mut Ping> {
        self.last.as_mut()?.1.ping.as_mut()
    }

    fn handle_timeout(&mut self, now: Duration, situation: Situation, progress: Progress) -> Due {
        let awaited = situation.awaited;
        let (before, wait) = match self.last.take() {
            Some((before, wait)) => (before, Some(wait)),
            None => (Duration::ZERO, None),
        };
        // An earlier time counts as the latest so far.
        let now = now.max(before);
        let wait = wait.filter(|wait| wait.awaited == awaited);
        let begins = wait.is_none();
        let mut wait = wait.unwrap_or_else(|| self.begin(now, awaited));
        // A wait of length zero ends as soon as it begins.
        if begins && now < wait.due {
            self.last = Some((now, wait));
            return Due::Nothing;
        }
        if let Some(answer) = wait.ping.as_ref().and_then(|ping| ping.answer.as_ref()) {
            if *answer == Answer::Own {
                self.round_trip_time = Some(now - wait.began);
            }
            self.last = Some((now, self.begin(now, awaited)));
            return Due::Nothing;
        }
        let due = match self.period(awaited, wait.ping.is_some()) {
            None => Due::Nothing,
            Some(interval) if awaited == Awaited::Messages && wait.ping.is_none() => {
                let may_hold = wait.held.is_none_or(|until| now < until);
                if now >= wait.due && !begins && situation.fragmenting && may_hold {
                    wait.held.get_or_insert(now.saturating_add(interval));
                } else if now >= wait.due {
                    return self.send_ping(now);
                }
                Due::Nothing
            }
            Some(period) => {
                if wait.is_over(now, period, self.deadlines.max_extension, progress) {
                    Due::Timeout(match awaited {
                        Awaited::Messages => Timeout::Pong,
                        Awaited::Close => Timeout::Close,
                        Awaited::EndOfStream | Awaited::Nothing => Timeout::EndOfStream,
                    })
                } else {
                    Due::Nothing
                }
            }
        };
        self.last = Some((now, wait));
        due
    }

    /// When to call `handle_timeout` next.
    fn next(&self, situation: Situation) -> Option<Duration> {
        let wait = self.last.as_ref().map(|(_, wait)| wait);
        let Some(wait) = wait.filter(|wait| wait.awaited == situation.awaited) else {
            // A new wait counts from the next call, so that call is due at once.
            return self
                .period(situation.awaited, false)
                .map(|_| Duration::ZERO);
        };
        if wait.ping.as_ref().is_some_and(|ping| ping.answer.is_some()) {
            return Some(Duration::ZERO);
        }
        self.period(wait.awaited, wait.ping.is_some())?;
        Some(match wait.held {
            _ if wait.turn.is_some() => Duration::ZERO,
            Some(until) if situation.fragmenting => until,
            Some(_) => Duration::ZERO,
            None => wait.due,
        })
    }

    /// Begins any wait except for a Pong.
    fn begin(&self, now: Duration, awaited: Awaited) -> Wait {
        let period = self.period(awaited, false).unwrap_or(Duration::MAX);
        Wait::new(awaited, now, period, None)
    }

    fn send_ping(&mut self, now: Duration) -> Due {
        let ping = Some(Ping::default());
        let wait = Wait::new(Awaited::Messages, now, self.deadlines.pong, ping);
        self.last = Some((now, wait));
        self.pings += 1;
        Due::Ping(self.pings.to_be_bytes().to_vec())
    }

    /// How long a wait may last. `pinged` says whether it is for a Pong. `None` means without end.
    fn period(&self, awaited: Awaited, pinged: bool) -> Option<Duration> {
        let period = match awaited {
            Awaited::Messages if pinged => self.deadlines.pong,
            Awaited::Messages => self.deadlines.ping_interval,
            Awaited::Close | Awaited::EndOfStream => self.deadlines.close,
            Awaited::Nothing => Duration::MAX,
        };
        (period != Duration::MAX).then_some(period)
    }
}

impl Wait {
    const fn new(awaited: Awaited, now: Duration, period: Duration, ping: Option<Ping>) -> Self {
        Self {
            awaited,
            began: now,
            due: now.saturating_add(period),
            turn: None,
            held: None,
            ping,
        }
    }

    /// Whether the deadline ends the connection.
    fn is_over(
        &mut self,
        now: Duration,
        period: Duration,
        max_extension: Duration,
        progress: Progress,
    ) -> bool {
        let latest = (self.began.saturating_add(period)).saturating_add(max_extension);
        let extended = match progress {
            Progress::Data => now.saturating_add(period).min(latest),
            Progress::Control | Progress::Nothing => Duration::ZERO,
        };
        // A deadline that was found to have passed starts again.
        self.due = match self.turn {
            None => self.due.max(extended),
            Some(_) => extended,
        };
        if now < self.due {
            self.turn = None;
            return false;
        }
        let Some(turn) = self.turn else {
            self.turn = Some(now);
            return false;
        };
        // Reading what arrived in time may go on, but not longer than one more period.
        progress == Progress::Nothing || now >= turn.saturating_add(period)
    }
}
