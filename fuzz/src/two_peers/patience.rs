//! A model of the deadlines of one side, from the documented rules: what it waits for, and until when.

use std::time::Duration;

use sockless::test_util::OwnedEvent;
use sockless::{Deadlines, Timeout};

use super::ending::Awaited;
use super::incoming::Payload;

/// What happens when the time is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A Ping with this payload.
    Ping(Vec<u8>),
    GiveUp(Timeout),
}

/// What the deadlines depend on, apart from the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) awaited: Awaited,
    /// Fragments of a compressed message are being sent.
    pub(super) fragmenting: bool,
}

/// All that the rules allow.
///
/// They leave a few questions open. Each such question doubles the states, and what the connection does next answers it.
pub(super) struct Patience {
    states: Vec<State>,
    /// What was received of messages since the time was last passed.
    received: Payload,
    /// Whether anything was received since then.
    arrived: bool,
    /// Whether output was written since then. If it was only control frames, that does not count.
    written: bool,
}

/// The most telling of what has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Data,
    Control,
    Nothing,
}

impl Patience {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self {
            states: vec![State::new(deadlines)],
            received: Payload::Nothing,
            arrived: false,
            written: false,
        }
    }

    /// Something has come from the peer.
    pub(super) const fn arrived(&mut self) {
        self.arrived = true;
    }

    /// The application has sent a Ping, at the end of so many bytes of output.
    pub(super) fn pinged(&mut self, output: usize) {
        for ping in self.pings() {
            ping.first_later.get_or_insert(output);
            ping.last_later = Some(output);
        }
    }

    /// The Ping that was due is at the end of so many bytes of output.
    pub(super) fn queued(&mut self, output: usize) {
        self.pings().for_each(|ping| ping.ahead = output);
    }

    /// So many bytes of output were written.
    pub(super) fn written(&mut self, n: usize) {
        self.written |= n > 0;
        for ping in self.pings() {
            ping.ahead = ping.ahead.saturating_sub(n);
            for later in [&mut ping.first_later, &mut ping.last_later] {
                *later = later.map(|ahead| ahead.saturating_sub(n));
            }
        }
    }

    /// This much of messages came from the peer.
    pub(super) fn received(&mut self, payload: Payload) {
        self.received = self.received.max(payload);
    }

    /// An event came from the peer.
    pub(super) fn heard(&mut self, event: &OwnedEvent) {
        let OwnedEvent::Pong(payload) = event else {
            return;
        };
        let mut others = Vec::new();
        for state in &mut self.states {
            let counter = state.pings.to_be_bytes();
            let before = state.clone();
            let Some(ping) = state.ping().filter(|ping| ping.answer.is_none()) else {
                continue;
            };
            if ping.ahead == 0 && payload[..] == counter {
                ping.answer = Some(Answer::Own);
            } else if ping.first_later == Some(0) {
                ping.answer = Some(Answer::Later);
                // Of several later Pings the first was written, and the last was not: the rules speak of one.
                if ping.last_later != Some(0) {
                    others.push(before);
                }
            }
        }
        self.states.extend(others);
    }

    /// The time was passed in this situation, and this has happened.
    pub(super) fn passed(&mut self, now: Duration, situation: Situation, happened: &Due) {
        let other = if self.arrived {
            Moved::Control
        } else {
            Moved::Nothing
        };
        let moved: &[Moved] = match self.received {
            Payload::Nothing if !self.written => &[other],
            Payload::Nothing | Payload::Unclear => &[other, Moved::Data],
            Payload::Some => &[Moved::Data],
        };
        let mut allowed = Vec::new();
        let mut states = Vec::new();
        for state in &self.states {
            for moved in moved {
                let mut state = state.clone();
                let due = state.pass(now, situation, *moved);
                if due == *happened {
                    states.push(state);
                }
                allowed.push(due);
            }
        }
        assert!(
            !states.is_empty(),
            "at {now:?}, {situation:?}: {happened:?}, not {allowed:?}"
        );
        self.states = states;
        self.received = Payload::Nothing;
        self.arrived = false;
        self.written = false;
    }

    /// The connection says this.
    pub(super) fn says(
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

    /// The Pings that are waited for, one in each state.
    fn pings(&mut self) -> impl Iterator<Item = &mut Ping> {
        self.states.iter_mut().filter_map(State::ping)
    }
}

#[derive(Clone, PartialEq)]
struct State {
    deadlines: Deadlines,
    /// The latest time that was passed, and what was waited for then.
    told: Option<(Duration, Wait)>,
    pings: u32,
    round_trip_time: Option<Duration>,
}

/// One wait: for the time of the next Ping, for a Pong, or for one of the steps of an ending.
#[derive(Clone, PartialEq)]
struct Wait {
    awaited: Awaited,
    began: Duration,
    /// When it is over, which progress puts off.
    due: Duration,
    /// When it turned out to be over. There is one more turn to read from then on.
    turn: Option<Duration>,
    /// The Ping that is due waits until then for the end of a message.
    held: Option<Duration>,
    ping: Option<Ping>,
}

#[derive(Clone, Default, PartialEq)]
struct Ping {
    /// Bytes of output up to its end.
    ahead: usize,
    /// The same of the Pings that the application has sent since, the first and the last.
    first_later: Option<usize>,
    last_later: Option<usize>,
    answer: Option<Answer>,
}

#[derive(Clone, PartialEq)]
enum Answer {
    Own,
    Later,
}

impl State {
    const fn new(deadlines: Deadlines) -> Self {
        Self {
            deadlines,
            told: None,
            pings: 0,
            round_trip_time: None,
        }
    }

    fn ping(&mut self) -> Option<&mut Ping> {
        self.told.as_mut()?.1.ping.as_mut()
    }

    /// Passes the time.
    fn pass(&mut self, now: Duration, now_is: Situation, moved: Moved) -> Due {
        let awaited = now_is.awaited;
        let (before, wait) = match self.told.take() {
            Some((before, wait)) => (before, Some(wait)),
            None => (Duration::ZERO, None),
        };
        // An earlier time counts as the latest so far.
        let now = now.max(before);
        let wait = wait.filter(|wait| wait.awaited == awaited);
        let begins = wait.is_none();
        let mut wait = wait.unwrap_or_else(|| self.begin(now, awaited));
        // Of no length, it is over as soon as it begins.
        if begins && now < wait.due {
            self.told = Some((now, wait));
            return Due::Nothing;
        }
        if let Some(answer) = wait.ping.as_ref().and_then(|ping| ping.answer.as_ref()) {
            if *answer == Answer::Own {
                self.round_trip_time = Some(now - wait.began);
            }
            self.told = Some((now, self.begin(now, awaited)));
            return Due::Nothing;
        }
        let due = match self.period(awaited, wait.ping.is_some()) {
            None => Due::Nothing,
            Some(interval) if awaited == Awaited::Messages && wait.ping.is_none() => {
                if now < wait.due {
                    Due::Nothing
                } else if !begins && now_is.fragmenting && wait.held.is_none_or(|until| now < until)
                {
                    wait.held.get_or_insert(now.saturating_add(interval));
                    Due::Nothing
                } else {
                    return self.send_ping(now);
                }
            }
            Some(period) => {
                if wait.is_over(now, period, self.deadlines.max_extension, moved) {
                    Due::GiveUp(match awaited {
                        Awaited::Messages => Timeout::Pong,
                        Awaited::Close => Timeout::Close,
                        Awaited::EndOfStream | Awaited::Nothing => Timeout::EndOfStream,
                    })
                } else {
                    Due::Nothing
                }
            }
        };
        self.told = Some((now, wait));
        due
    }

    /// When the time is to be passed next.
    fn next(&self, now_is: Situation) -> Option<Duration> {
        let wait = self.told.as_ref().map(|(_, wait)| wait);
        let Some(wait) = wait.filter(|wait| wait.awaited == now_is.awaited) else {
            // At once, since the wait counts from then on.
            return self.period(now_is.awaited, false).map(|_| Duration::ZERO);
        };
        if wait.ping.as_ref().is_some_and(|ping| ping.answer.is_some()) {
            return Some(Duration::ZERO);
        }
        self.period(wait.awaited, wait.ping.is_some())?;
        Some(match wait.held {
            _ if wait.turn.is_some() => Duration::ZERO,
            Some(until) if now_is.fragmenting => until,
            Some(_) => Duration::ZERO,
            None => wait.due,
        })
    }

    /// A wait begins, but none for a Pong.
    fn begin(&self, now: Duration, awaited: Awaited) -> Wait {
        let period = self.period(awaited, false).unwrap_or(Duration::MAX);
        Wait::new(awaited, now, period, None)
    }

    fn send_ping(&mut self, now: Duration) -> Due {
        let ping = Some(Ping::default());
        let wait = Wait::new(Awaited::Messages, now, self.deadlines.pong, ping);
        self.told = Some((now, wait));
        self.pings += 1;
        Due::Ping(self.pings.to_be_bytes().to_vec())
    }

    /// How long this may last, with a Ping under way or not; for ever if there is none.
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

    /// Whether its deadline ends the connection.
    fn is_over(
        &mut self,
        now: Duration,
        period: Duration,
        max_extension: Duration,
        moved: Moved,
    ) -> bool {
        let latest = (self.began.saturating_add(period)).saturating_add(max_extension);
        let fresh = if moved == Moved::Data {
            now.saturating_add(period)
        } else {
            Duration::ZERO
        };
        // A deadline that had turned out to be over begins anew.
        self.due = match self.turn {
            None => self.due.max(fresh.min(latest)),
            Some(_) => fresh.min(latest),
        };
        if now < self.due {
            self.turn = None;
            return false;
        }
        match self.turn {
            None => {
                self.turn = Some(now);
                false
            }
            // What arrived in time is still being read, but no longer than the deadline itself.
            Some(turn) => moved == Moved::Nothing || now >= turn.saturating_add(period),
        }
    }
}
