//! Deadlines that leave time to read what has arrived.
//!
//! If the process was stopped, it notices a deadline and the bytes that meet it at the same time. The bytes may still
//! be in a layer below: in the runtime's poller, in TLS, or with the task of an HTTP/2 connection. Each layer needs
//! turns of the runtime to pass them on. So several short waits follow a deadline, and the transport is read after
//! each of them.

use std::iter::{once, repeat_n};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// The length of a short wait.
const WAIT: Duration = Duration::from_millis(250);

/// How many short waits follow a deadline: one second in all. One wait is not enough if the process is stopped again.
const WAITS: usize = 4;

/// The time since the connection began, and a timer.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    /// The time at the origin. It is not zero if the connection has lived before, with another clock.
    start: Duration,
    /// The latest time that was read.
    latest: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The task that `sleep` wakes.
    waker: Option<Waker>,
    /// How many short waits are left.
    waits: usize,
    /// When the current short wait ends.
    wait_end: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self::starting_at(Duration::ZERO)
    }

    /// A clock that shows this time now.
    pub(crate) fn starting_at(start: Duration) -> Self {
        Self {
            origin: Instant::now(),
            start,
            latest: start,
            sleep: None,
            waker: None,
            waits: 0,
            wait_end: Duration::ZERO,
        }
    }

    pub(crate) fn now(&mut self) -> Duration {
        self.latest = self.start.saturating_add(self.origin.elapsed());
        self.latest
    }

    /// The time to pass to `handle_timeout`, or `None` during the short waits. Read the transport before each call.
    ///
    /// The current wait ends at `first`, or after one short wait if that is later.
    pub(crate) fn due(&mut self, first: Duration) -> Option<Duration> {
        let now = self.now();
        if self.waits > 0 {
            if now >= self.wait_end {
                self.wait(self.waits - 1);
            }
            self.wait_end = self.wait_end.min(first.max(now.saturating_add(WAIT)));
        }
        (self.waits == 0).then_some(now)
    }

    /// Starts the short waits if a deadline has passed. The first one lasts until `first` or longer.
    ///
    /// `next` is the result of `timeout_at` just after `handle_timeout`. Zero then means that a deadline has passed.
    pub(crate) fn passed(&mut self, next: Option<Duration>, first: Duration) {
        if next == Some(Duration::ZERO) {
            self.wait(WAITS);
            self.wait_end = self.wait_end.max(first);
        }
    }

    /// Starts this many short waits.
    pub(crate) fn wait(&mut self, waits: usize) {
        self.waits = waits;
        if waits > 0 {
            self.wait_end = self.now().saturating_add(WAIT);
        }
    }

    /// Ready at the end of a short wait. Outside the short waits, ready at `until`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, until: Option<Duration>) -> Poll<()> {
        let until = if self.waits > 0 {
            Some(self.wait_end)
        } else {
            until
        };
        let Some(until) = until else {
            return Poll::Pending;
        };
        if until <= self.latest {
            return Poll::Ready(());
        }
        let Some(deadline) = self.origin.checked_add(until.saturating_sub(self.start)) else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
            self.waker = None;
        }
        // Most polls find the timer as the last one left it.
        let wakes = self
            .waker
            .as_ref()
            .is_some_and(|it| it.will_wake(cx.waker()));
        if wakes && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        // A task that has used up its budget registers no waker otherwise, and the next poll would rely on it.
        pin!(unconstrained(sleep.as_mut())).poll(cx)
    }
}

/// Runs `future` for at most `limit`. Returns its output, or `None` if it takes longer.
///
/// Use it for a step that you make before a WebSocket is open, such as the TLS handshake of a server. Unlike
/// [`tokio::time::timeout`], it allows one more second for bytes that have arrived but that TLS or HTTP/2 still holds.
/// So a process that was suspended loses no client that has answered in time.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for wait in once(limit).chain(repeat_n(WAIT, WAITS)) {
        if let Ok(value) = timeout(wait, &mut future).await {
            return Some(value);
        }
    }
    None
}
