//! How long connecting may take.

use std::time::Duration;

use sockless::Config;
use tokio::time::Instant;

use crate::clock::within;
use crate::connect::error::{ConnectError, Step};

/// The deadline of each step, and the deadline of all steps together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    step: Duration,
    /// `None` if the time is too far away.
    end: Option<Instant>,
}

impl Limit {
    pub(crate) fn new(config: &Config, total: Duration) -> Self {
        let deadlines = config.deadlines.clone().unwrap_or_default();
        Self {
            step: deadlines.handshake,
            end: Instant::now().checked_add(total),
        }
    }

    /// The output of `future`, or [`ConnectError::Timeout`].
    ///
    /// Bytes that arrived in time but are still in a layer below are read within one more second.
    pub(crate) async fn run<T>(
        &self,
        step: Step,
        future: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let rest = self.end.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if rest.is_zero() {
            return Err(ConnectError::Timeout(step));
        }
        let result = within(self.step.min(rest), future).await;
        result.unwrap_or(Err(ConnectError::Timeout(step)))
    }
}
