//! The deadlines of all clients of a server, one for each client.

use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Duration, usize)>);

impl Timers {
    /// Changes the deadline of a client. `before` is the value of the last call for this client.
    pub(crate) fn set(&mut self, client: usize, before: Option<Duration>, now: Option<Duration>) {
        if before == now {
            return;
        }
        if let Some(before) = before {
            self.0.remove(&(before, client));
        }
        if let Some(now) = now {
            self.0.insert((now, client));
        }
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.first().map(|(due, _)| *due)
    }

    /// Removes and returns a client whose deadline has passed.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<usize> {
        let (due, client) = *self.0.first()?;
        if due > now {
            return None;
        }
        self.0.pop_first();
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_is_first() {
        let seconds = |n| Some(Duration::from_secs(n));
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(1, None, seconds(5));
        timers.set(2, None, seconds(3));
        timers.set(3, None, seconds(3));
        assert_eq!(timers.next(), seconds(3));
        assert_eq!(timers.take_due(Duration::from_secs(2)), None);
        timers.set(2, seconds(3), seconds(9));
        assert_eq!(timers.take_due(Duration::from_secs(3)), Some(3));
        assert_eq!(timers.next(), seconds(5));
        timers.set(2, seconds(9), None);
        timers.set(1, seconds(5), seconds(5));
        assert_eq!(timers.take_due(Duration::from_secs(9)), Some(1));
        assert_eq!(timers.take_due(Duration::from_secs(9)), None);
    }
}
