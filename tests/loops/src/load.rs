//! All connections together, from one stage to the next.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::client::{Shared, pings, visit};
use crate::memory::resident;
use crate::target::Target;

/// So many connect at a time. More than a listener's backlog, often 128, would be turned away by the system and not by
/// the server.
const CONNECTING: usize = 64;

/// Files beside the connections.
const OTHER_FILES: u64 = 64;

/// What to do.
pub struct Plan {
    /// The server.
    pub target: Target,
    /// How many connections are open at once.
    pub connections: usize,
    /// How many messages each sends.
    pub messages: usize,
    /// The length of the longest message; one of each connection is 16 times as long.
    pub size: usize,
    /// How many share an HTTP/2 connection, each as a stream of it, if they are to.
    pub http2: Option<usize>,
    /// The server's process, if its memory is of interest.
    pub server: Option<u32>,
    /// What takes longer has hung.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Summary {
    /// Connections that were opened, used and closed.
    pub connections: usize,
    /// Messages that came back as they were.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pings that were answered.
    pub pings: u64,
    /// From the first connection to the last.
    pub time: Duration,
    /// The server's resident set before, and with all connections open and idle after their messages.
    pub resident: Option<(u64, u64)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections, {} messages, {} bytes, {} pings, {:.1} s",
            self.connections,
            self.messages,
            self.bytes,
            self.pings,
            self.time.as_secs_f64()
        )?;
        if let Some((before, after)) = self.resident {
            let each = after.saturating_sub(before) / (self.connections as u64).max(1);
            write!(f, ", {each} bytes resident per connection")?;
        }
        Ok(())
    }
}

/// Why there is no [`Summary`].
#[derive(Debug)]
pub enum Failure {
    /// Nothing was tried.
    Unable(String),
    /// What was lost, and the first reason.
    Lost(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unable(why) | Self::Lost(why) => f.write_str(why),
        }
    }
}

/// What all connections have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Nothing,
    Open,
    Echoed,
}

/// What was right so far.
#[derive(Default)]
pub(crate) struct Totals {
    messages: AtomicU64,
    bytes: AtomicU64,
    pings: AtomicU64,
    closed: AtomicU64,
}

impl Totals {
    pub(crate) fn echoed(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self) {
        self.pings.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Raises the limit on open files to what so many connections need.
///
/// # Errors
///
/// That the hard limit is too low.
pub fn raise_file_limit(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + OTHER_FILES;
    let (_, hard) = rlimit::Resource::NOFILE
        .get()
        .map_err(|error| format!("the limit on open files: {error}"))?;
    if hard < needed {
        return Err(format!(
            "{connections} connections need {needed} open files, the hard limit is {hard} (see ulimit -Hn)"
        ));
    }
    match rlimit::increase_nofile_limit(needed) {
        Ok(soft) if soft >= needed => Ok(()),
        Ok(soft) => Err(format!("the limit on open files stays at {soft}")),
        Err(error) => Err(format!("the limit on open files: {error}")),
    }
}

/// Opens all connections, then echoes on all of them, then closes all.
///
/// # Errors
///
/// Whatever was lost.
pub async fn run(plan: Plan) -> Result<Summary, Failure> {
    let before = plan.server.map(resident).transpose();
    let before = before.map_err(Failure::Unable)?;
    let limit = plan.limit;
    let plan = Arc::new(plan);
    let totals = Arc::new(Totals::default());
    let mut crowd = Crowd::new(&plan, &totals);
    let started = Instant::now();
    let after = tokio::time::timeout(limit, crowd.run()).await;
    let time = started.elapsed();

    let sum = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let so_far = format!(
        "{} of {} echoes, {} of {} Pongs and {} of {} endings were right",
        sum(&totals.messages),
        plan.connections * plan.messages,
        sum(&totals.pings),
        plan.connections * pings(plan.messages),
        sum(&totals.closed),
        plan.connections,
    );
    if let Some((number, why)) = &crowd.first {
        let lost = crowd.lost.len();
        let connections = plan.connections;
        return Err(Failure::Lost(format!(
            "{lost} of {connections} connections failed, {so_far}; the first: connection {number}: {why}"
        )));
    }
    match after {
        Err(_) => Err(Failure::Lost(format!(
            "no end within {} s, {} of {} connections are open: {so_far}",
            limit.as_secs(),
            crowd.open,
            plan.connections
        ))),
        Ok(Err(why)) => Err(Failure::Lost(why)),
        Ok(Ok(after)) => Ok(Summary {
            connections: plan.connections,
            messages: sum(&totals.messages),
            bytes: sum(&totals.bytes),
            pings: sum(&totals.pings),
            time,
            resident: before.zip(after),
        }),
    }
}

/// The connections, each a task of its own.
struct Crowd {
    plan: Arc<Plan>,
    tasks: JoinSet<(usize, Result<(), String>)>,
    reached: mpsc::UnboundedReceiver<(usize, Stage)>,
    stage: watch::Sender<Stage>,
    open: usize,
    lost: BTreeSet<usize>,
    first: Option<(usize, String)>,
}

impl Crowd {
    fn new(plan: &Arc<Plan>, totals: &Arc<Totals>) -> Self {
        let (say_reached, reached) = mpsc::unbounded_channel();
        let (stage, stages) = watch::channel(Stage::Nothing);
        let http2 = plan.connections.div_ceil(plan.http2.unwrap_or(usize::MAX));
        let shared = Shared {
            http2: (0..http2).map(|_| OnceCell::new()).collect(),
            plan: Arc::clone(plan),
            totals: Arc::clone(totals),
            connecting: Arc::new(Semaphore::new(CONNECTING)),
            reached: say_reached,
            stage: stages,
        };
        let mut tasks = JoinSet::new();
        for number in 0..plan.connections {
            let visit = visit(number, shared.clone());
            tasks.spawn(async move { (number, visit.await) });
        }
        Self {
            plan: Arc::clone(plan),
            tasks,
            reached,
            stage,
            open: 0,
            lost: BTreeSet::new(),
            first: None,
        }
    }

    /// The server's resident set with all connections open and idle, if it is asked for.
    async fn run(&mut self) -> Result<Option<u64>, String> {
        self.everyone(Stage::Open).await;
        self.stage.send_replace(Stage::Open);
        self.everyone(Stage::Echoed).await;
        let after = self.plan.server.map(resident).transpose();
        self.stage.send_replace(Stage::Echoed);
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended);
        }
        after
    }

    /// Waits until every connection has reached this stage or failed.
    async fn everyone(&mut self, stage: Stage) {
        let mut there = self.lost.clone();
        while there.len() < self.plan.connections {
            tokio::select! {
                Some((number, reached)) = self.reached.recv() => {
                    if reached == Stage::Open {
                        self.open += 1;
                    }
                    if reached == stage {
                        there.insert(number);
                    }
                }
                Some(ended) = self.tasks.join_next() => there.extend(self.ended(ended)),
                else => return,
            }
        }
    }

    /// Takes the result of a connection that ended; its number if it failed.
    fn ended(
        &mut self,
        ended: Result<(usize, Result<(), String>), tokio::task::JoinError>,
    ) -> Option<usize> {
        let (number, why) = match ended {
            Ok((_, Ok(()))) => return None,
            Ok((number, Err(why))) => (number, why),
            // Nothing aborts a task, so it panicked; which one is in the panic's message.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.lost.insert(number);
        self.first.get_or_insert((number, why));
        Some(number)
    }
}
