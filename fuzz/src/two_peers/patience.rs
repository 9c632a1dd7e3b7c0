//! A model of the deadlines of one side: what it waits for, and since when, as far as it was told the time.

use std::time::Duration;

use sockless::test_util::OwnedEvent;
use sockless::{Connection, Deadlines, Timeout, TransportAction};

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Messages,
    Close,
    EndOfStream,
    Nothing,
}

impl Awaited {
    /// As anyone can see it who knows whether the peer's Close frame has come.
    pub(super) fn of(connection: &Connection, heard_close: bool) -> Self {
        if connection.close_event().is_some() {
            match connection.transport_action() {
                TransportAction::Close => Self::Nothing,
                _ => Self::EndOfStream,
            }
        } else if connection.is_open() && !heard_close {
            Self::Messages
        } else {
            Self::Close
        }
    }
}

/// What must happen when the time is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A Ping with this payload.
    Ping(Vec<u8>),
    GiveUp(Timeout),
}

pub(super) struct Patience {
    deadlines: Deadlines,
    /// What was awaited when the time was last told, and since when, if it was ever told.
    awaited: Option<(Awaited, Duration)>,
    /// The Ping that was sent then, unless the wait is for the time to send one.
    ping: Option<Ping>,
    pings: u32,
    /// Bytes of output up to the end of that Ping.
    ahead: usize,
    round_trip_time: Option<Duration>,
    timeout: Option<Timeout>,
}

#[derive(Clone, Copy, Default)]
struct Ping {
    /// The application has sent another: the peer may answer that one only.
    another: bool,
    answer: Option<Answer>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    ToIt,
    ToAnother,
}

impl Patience {
    pub(super) const fn new(deadlines: Deadlines) -> Self {
        Self {
            deadlines,
            awaited: None,
            ping: None,
            pings: 0,
            ahead: 0,
            round_trip_time: None,
            timeout: None,
        }
    }

    /// The application has sent a Ping.
    pub(super) const fn pinged(&mut self) {
        if let Some(ping) = &mut self.ping {
            ping.another = true;
        }
    }

    /// The Ping that was due is at the end of so many bytes of output.
    pub(super) const fn queued(&mut self, output: usize) {
        self.ahead = output;
    }

    /// So many bytes were taken off the output.
    pub(super) const fn written(&mut self, n: usize) {
        self.ahead = self.ahead.saturating_sub(n);
    }

    /// Something came from the peer.
    pub(super) fn heard(&mut self, event: &OwnedEvent) {
        if let (OwnedEvent::Pong(payload), Some(ping)) = (event, &mut self.ping)
            && ping.answer.is_none()
        {
            if payload[..] == self.pings.to_be_bytes() {
                ping.answer = Some(Answer::ToIt);
            } else if ping.another {
                ping.answer = Some(Answer::ToAnother);
            }
        }
    }

    /// The time is told.
    pub(super) fn tell(&mut self, now: Duration, awaited: Awaited) -> Due {
        let since = match self.awaited {
            Some((before, since)) if before == awaited => since,
            _ => return self.begin(now, awaited),
        };
        match self.ping.and_then(|ping| ping.answer) {
            Some(Answer::ToIt) => {
                self.round_trip_time = Some(now - since);
                return self.begin(now, awaited);
            }
            Some(Answer::ToAnother) => return self.begin(now, awaited),
            None => {}
        }
        if self.wait(awaited).is_none_or(|wait| now - since < wait) {
            return Due::Nothing;
        }
        let timeout = match awaited {
            Awaited::Messages if self.ping.is_none() => {
                self.ping = Some(Ping::default());
                self.awaited = Some((awaited, now));
                if self.ahead > 0 {
                    // There is never more than one in the output: it is that one that has still to be answered.
                    return Due::Nothing;
                }
                self.pings += 1;
                return Due::Ping(self.pings.to_be_bytes().to_vec());
            }
            Awaited::Messages => Timeout::Pong,
            Awaited::Close => Timeout::Close,
            Awaited::EndOfStream | Awaited::Nothing => Timeout::EndOfStream,
        };
        self.timeout = Some(timeout);
        Due::GiveUp(timeout)
    }

    /// When the time is to be told next, now that this is awaited: at once if a wait has to begin.
    pub(super) fn next(&self, awaited: Awaited) -> Option<Duration> {
        let wait = self.wait(awaited)?;
        let answered = self.ping.is_some_and(|ping| ping.answer.is_some());
        Some(match self.awaited {
            Some((before, since)) if before == awaited && !answered => since + wait,
            _ => Duration::ZERO,
        })
    }

    pub(super) const fn round_trip_time(&self) -> Option<Duration> {
        self.round_trip_time
    }

    /// The deadline that has passed.
    pub(super) const fn timeout(&self) -> Option<Timeout> {
        self.timeout
    }

    /// A wait begins.
    fn begin(&mut self, now: Duration, awaited: Awaited) -> Due {
        self.awaited = Some((awaited, now));
        self.ping = None;
        Due::Nothing
    }

    /// How long this may last.
    const fn wait(&self, awaited: Awaited) -> Option<Duration> {
        match awaited {
            Awaited::Messages if self.ping.is_some() => Some(self.deadlines.pong),
            Awaited::Messages => Some(self.deadlines.ping_interval),
            Awaited::Close | Awaited::EndOfStream => Some(self.deadlines.close),
            Awaited::Nothing => None,
        }
    }
}
