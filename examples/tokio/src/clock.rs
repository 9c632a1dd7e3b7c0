//! Deadlines that do not come before what arrived in time.
//!
//! When the process has stood still, a deadline and the bytes that meet it are noticed together. The bytes may be in a
//! layer below: in the runtime's poller, in TLS, or with the task of an HTTP/2 connection. Each of them needs turns of its
//! own to hand them over. So a deadline that has passed is followed by some short waits, and each ends with a look at the
//! transport.

use std::iter::{once, repeat_n};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// One short wait.
const TURN: Duration = Duration::from_millis(250);

/// How many of them follow a deadline: one second. It is more than one, since the process may stand still again.
const GRACE: usize = 4;

/// Time since the connection was made, and something that wakes when a deadline comes.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// How many short waits are left, and when the first of them ends.
    turns: usize,
    turn: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            sleep: None,
            turns: 0,
            turn: Duration::ZERO,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The time to pass to a connection or a handshake; `None` during the short waits. Look at the transport before each
    /// call. The wait that runs ends at `first`, or else after one turn at most.
    pub(crate) fn due(&mut self, first: Duration) -> Option<Duration> {
        let now = self.now();
        if self.turns > 0 {
            if now >= self.turn {
                self.wait(self.turns - 1);
            }
            self.turn = self.turn.min(first.max(now.saturating_add(TURN)));
        }
        (self.turns == 0).then_some(now)
    }

    /// Begins the short waits if a deadline has passed, the first until `first` at least.
    ///
    /// `next` is what `timeout_at` says just after `handle_timeout`. All that begins to count has its time then, so zero
    /// means that a deadline has passed.
    pub(crate) fn passed(&mut self, next: Option<Duration>, first: Duration) {
        if next == Some(Duration::ZERO) {
            self.wait(GRACE);
            self.turn = self.turn.max(first);
        }
    }

    /// Begins so many short waits.
    pub(crate) fn wait(&mut self, turns: usize) {
        self.turns = turns;
        self.turn = self.now().saturating_add(TURN);
    }

    /// Ready at the end of a short wait, or else when this time has come; pending for ever without one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, until: Option<Duration>) -> Poll<()> {
        let until = if self.turns > 0 {
            Some(self.turn)
        } else {
            until
        };
        let Some(deadline) = until.and_then(|until| self.origin.checked_add(until)) else {
            return Poll::Pending;
        };
        if deadline <= Instant::now() {
            return Poll::Ready(());
        }
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

/// What `future` gives, or `None` if it takes longer than `limit`.
///
/// It is as [`tokio::time::timeout`], but leaves a second more for bytes that have arrived and are still on their way through
/// the layers below.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for wait in once(limit).chain(repeat_n(TURN, GRACE)) {
        if let Ok(value) = timeout(wait, &mut future).await {
            return Some(value);
        }
    }
    None
}
