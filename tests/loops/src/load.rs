//! All connections together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Barrier, OnceCell, Semaphore};
use tokio::task::{JoinError, JoinSet};

use crate::client::{STAGES, pings, visit};
use crate::http2::Http2;
use crate::scenarios::resident;
use crate::target::Target;

/// The number of connections that connect at once. If there were more than the listener's backlog, often 128, the
/// system would refuse some of them before the server sees them.
const CONNECTING: usize = 64;

/// The number of open files besides the connections.
const OTHER_FILES: u64 = 64;

/// What to do with a server.
pub struct Plan {
    /// The server.
    pub target: Target,
    /// The number of connections that are open at once.
    pub connections: usize,
    /// The number of messages on each connection.
    pub messages: usize,
    /// The length of the longest message. One message of each connection is 16 times longer.
    pub size: usize,
    /// The number of streams on each HTTP/2 connection. `None` means HTTP/1.1.
    pub http2: Option<usize>,
    /// To measure memory: the server's process.
    pub server: Option<u32>,
    /// The time limit for everything.
    pub limit: Duration,
}

/// The result of a run without failures.
#[derive(Debug)]
pub struct Summary {
    /// The number of connections that were opened, used and closed.
    pub connections: usize,
    /// The number of correct echoes.
    pub messages: u64,
    /// The number of bytes in them.
    pub bytes: u64,
    /// The number of answered Pings.
    pub pings: u64,
    /// The time from the first connection to the end of the last one.
    pub time: Duration,
    /// The server's resident set in bytes: before the first connection, and when all are open and idle after their
    /// messages.
    pub resident: Option<(u64, u64)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (connections, messages, bytes) = (self.connections, self.messages, self.bytes);
        write!(
            f,
            "{connections} connections, {messages} messages, {bytes} bytes, "
        )?;
        write!(f, "{} pings, {:.1} s", self.pings, self.time.as_secs_f64())?;
        if let Some((before, after)) = self.resident {
            let each = after.saturating_sub(before) / (connections as u64).max(1);
            write!(f, ", {each} bytes resident per connection")?;
        }
        Ok(())
    }
}

/// Why a program of this package failed.
#[derive(Debug)]
pub enum Failure {
    /// It could not start.
    Unable(String),
    /// A server or a client did not do what it should.
    Lost(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unable(why) | Self::Lost(why) => f.write_str(why),
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) totals: Totals,
    /// The HTTP/2 connections, each with several streams.
    pub(crate) http2: Vec<OnceCell<Http2>>,
    /// Limits the number of connections that connect at once.
    pub(crate) connecting: Semaphore,
    /// Where all connections, and [`run`], wait for each other.
    pub(crate) stages: Barrier,
}

/// Counts of what was correct so far.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) open: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) pings: AtomicU64,
    pub(crate) closed: AtomicU64,
}

/// Adds to one of the [`Totals`].
pub(crate) fn count(total: &AtomicU64, more: u64) {
    total.fetch_add(more, Ordering::Relaxed);
}

/// Raises the limit on open files for this number of connections.
///
/// # Errors
///
/// If the hard limit is too low, or the system refuses.
pub fn raise_file_limit(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + OTHER_FILES;
    let failed = |error| format!("the limit on open files: {error}");
    let (_, hard) = rlimit::Resource::NOFILE.get().map_err(failed)?;
    if hard < needed {
        return Err(format!(
            "{connections} connections need {needed} open files, the hard limit is {hard} (see ulimit -Hn)"
        ));
    }
    match rlimit::increase_nofile_limit(needed).map_err(failed)? {
        soft if soft >= needed => Ok(()),
        soft => Err(format!("the limit on open files stays at {soft}")),
    }
}

/// Opens all connections, then echoes on all of them, then closes all.
///
/// # Errors
///
/// [`Failure::Lost`] with the number of failed connections and the first reason. [`Failure::Unable`] if the process in
/// [`Plan::server`] does not exist.
pub async fn run(plan: Plan) -> Result<Summary, Failure> {
    let before = plan
        .server
        .map(resident)
        .transpose()
        .map_err(Failure::Unable)?;
    let (connections, server, limit) = (plan.connections, plan.server, plan.limit);
    let http2 = connections.div_ceil(plan.http2.unwrap_or(usize::MAX));
    let shared = Arc::new(Shared {
        plan,
        totals: Totals::default(),
        http2: (0..http2).map(|_| OnceCell::new()).collect(),
        connecting: Semaphore::new(CONNECTING),
        stages: Barrier::new(connections + 1),
    });
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move { (number, visit(number, &shared).await) });
    }
    let mut lost = Vec::new();
    let in_time = tokio::time::timeout(limit, async {
        let measure = async {
            let mut after = Ok(None);
            for stage in 0..STAGES {
                if stage + 1 == STAGES {
                    after = server.map(resident).transpose();
                }
                shared.stages.wait().await;
            }
            after
        };
        tokio::pin!(measure);
        let mut after = None;
        loop {
            tokio::select! {
                measured = &mut measure, if after.is_none() => after = Some(measured),
                ended = tasks.join_next(), if !tasks.is_empty() => lost.extend(ended.and_then(failure)),
                else => return after.unwrap_or(Ok(None)),
            }
        }
    });
    let in_time = in_time.await;
    let time = started.elapsed();

    let sum = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let totals = &shared.totals;
    let so_far = format!(
        "{} of {} echoes, {} of {} Pongs and {} of {connections} endings were right",
        sum(&totals.messages),
        connections * shared.plan.messages,
        sum(&totals.pings),
        connections * pings(shared.plan.messages),
        sum(&totals.closed),
    );
    if let [(number, why), ..] = lost.as_slice() {
        let lost = lost.len();
        return Err(Failure::Lost(format!(
            "{lost} of {connections} connections failed, {so_far}; the first: connection {number}: {why}"
        )));
    }
    match in_time {
        Err(_) => Err(Failure::Lost(format!(
            "no end within {} s, {} of {connections} connections were opened: {so_far}",
            limit.as_secs(),
            sum(&totals.open),
        ))),
        Ok(Err(why)) => Err(Failure::Lost(why)),
        Ok(Ok(after)) => Ok(Summary {
            connections,
            messages: sum(&totals.messages),
            bytes: sum(&totals.bytes),
            pings: sum(&totals.pings),
            time,
            resident: before.zip(after),
        }),
    }
}

/// The number of a connection that failed, and why.
fn failure(ended: Result<(usize, Result<(), String>), JoinError>) -> Option<(usize, String)> {
    match ended {
        Ok((number, result)) => Some((number, result.err()?)),
        // Nothing aborts a task, so it panicked. The panic's message names the connection.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
