//! Holds connections, and measures what that takes.

use std::fs;
use std::time::{Duration, Instant};

use sockless_benches::counting::Heap;

use crate::servers::Server;
use crate::traffic::{BATCH, Traffic};

const ROUNDS: usize = 10;

/// What was measured: bytes are those of one connection, but for the pool.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) connections: usize,
    /// The size of the value.
    pub(crate) value: usize,
    /// The value and what it owns, after the opening handshake.
    pub(crate) allocated_new: f64,
    /// The same after the rounds.
    pub(crate) allocated_used: f64,
    pub(crate) resident_new: f64,
    pub(crate) resident_used: f64,
    pool: f64,
    opened_per_second: f64,
    echoes_per_second: f64,
}

/// Opens connections, has the rounds, and measures.
pub(crate) fn hold<S: Server>(connections: usize) -> Result<Held, String> {
    let mut traffic = Traffic::new(connections);
    let nothing = Heap::now();
    let program = resident()?;
    let each = |bytes: f64| bytes / connections as f64;

    let mut server = S::with_capacity(connections);
    let mut time = Duration::ZERO;
    for first in (0..connections).step_by(BATCH) {
        traffic.requests(BATCH.min(connections - first));
        let start = Instant::now();
        server.open(traffic.batch());
        time += start.elapsed();
        traffic.check_answers()?;
    }
    let opened_per_second = connections as f64 / time.as_secs_f64();
    let resident_new = resident()? - program;
    let pool_new = server.give_up_pool();
    let allocated_new = Heap::now().since(nothing).bytes as f64;

    let mut echoes = 0;
    let mut time = Duration::ZERO;
    for _ in 0..ROUNDS {
        traffic.choose(connections / 10);
        while traffic.messages() {
            let start = Instant::now();
            server.echo(traffic.batch());
            time += start.elapsed();
            echoes += traffic.check_echoes()?;
        }
    }
    assert_eq!(echoes, ROUNDS * (connections / 10));
    let resident_used = resident()? - program;
    let pool_used = server.give_up_pool();
    let allocated_used = Heap::now().since(nothing).bytes as f64;

    Ok(Held {
        connections,
        value: S::VALUE,
        allocated_new: each(allocated_new),
        allocated_used: each(allocated_used),
        resident_new: each(resident_new - pool_new),
        resident_used: each(resident_used - pool_used),
        pool: pool_used,
        opened_per_second,
        echoes_per_second: echoes as f64 / time.as_secs_f64(),
    })
}

impl Held {
    /// What a connection takes at most.
    pub(crate) fn largest(&self) -> f64 {
        [
            self.allocated_new,
            self.allocated_used,
            self.resident_new,
            self.resident_used,
        ]
        .into_iter()
        .fold(1.0, f64::max)
    }

    /// For another process: see [`read`](Self::read).
    pub(crate) fn write(&self) -> String {
        format!(
            "{} {} {} {} {} {} {} {} {}",
            self.connections,
            self.value,
            self.allocated_new,
            self.allocated_used,
            self.resident_new,
            self.resident_used,
            self.pool,
            self.opened_per_second,
            self.echoes_per_second
        )
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let connections = words.next()?.parse().ok()?;
        let value = words.next()?.parse().ok()?;
        let mut figure = || words.next()?.parse().ok();
        Some(Self {
            connections,
            value,
            allocated_new: figure()?,
            allocated_used: figure()?,
            resident_new: figure()?,
            resident_used: figure()?,
            pool: figure()?,
            opened_per_second: figure()?,
            echoes_per_second: figure()?,
        })
    }

    /// A row of the table.
    pub(crate) fn row(&self) -> String {
        format!(
            "{} | {} B | {:.1} B | {:.1} B | {:.1} B | {:.1} B | {:.0} KiB | {:.0} | {:.0}",
            self.connections,
            self.value,
            self.allocated_new,
            self.allocated_used,
            self.resident_new,
            self.resident_used,
            self.pool / 1024.0,
            self.opened_per_second,
            self.echoes_per_second
        )
    }
}

/// Bytes of this process in memory.
fn resident() -> Result<f64, String> {
    // The rollup is exact; the shorter files may lag behind by some pages for each processor.
    let text = fs::read_to_string("/proc/self/smaps_rollup")
        .or_else(|_| fs::read_to_string("/proc/self/status"))
        .map_err(|error| error.to_string())?;
    kilobytes(&text, "Rss:")
        .or_else(|| kilobytes(&text, "VmRSS:"))
        .map(|bytes| bytes as f64)
        .ok_or_else(|| "the system does not say how much memory is resident".into())
}

/// Bytes, from a line of a file of the system that has a name and a number of KiB.
pub(crate) fn kilobytes(text: &str, name: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(number << 10)
}
