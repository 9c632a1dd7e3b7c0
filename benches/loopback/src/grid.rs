//! The runs: every server, every number of connections, every job, in turns.

use std::time::Duration;

use crate::load::{Interval, Job, Load};
use crate::process::Process;
use crate::servers::Server;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Grid {
    pub servers: Vec<Server>,
    pub connections: Vec<usize>,
    pub jobs: Vec<Job>,
    pub turns: usize,
    /// The time in which a new server works before anything is measured. Servers that compile at run time need it.
    pub settle: Duration,
    pub warm_up: Duration,
    pub interval: Duration,
}

/// The measurements of one server with one number of connections, in one turn.
#[derive(Clone, Debug)]
pub struct Visit {
    pub server: Server,
    pub connections: usize,
    /// The resident memory of an open and idle connection, in bytes.
    pub resident: f64,
    /// One for each job, in the same order.
    pub intervals: Vec<Interval>,
}

impl Grid {
    /// Measures everything. All servers have their first turn, then all have their second one. So a disturbance
    /// affects all of them. `report` hears of each visit.
    ///
    /// # Errors
    ///
    /// What a server did wrong.
    pub fn run(&self, mut report: impl FnMut(&Visit)) -> Result<Vec<Visit>, String> {
        let mut visits = Vec::new();
        for turn in 0..self.turns {
            for &connections in &self.connections {
                for position in 0..self.servers.len() {
                    // Each turn begins with another server.
                    let server = self.servers[(turn + position) % self.servers.len()];
                    let visit = self
                        .visit(server, connections)
                        .map_err(|error| format!("{}: {error}", server.name))?;
                    report(&visit);
                    visits.push(visit);
                }
            }
        }
        Ok(visits)
    }

    fn visit(&self, server: Server, connections: usize) -> Result<Visit, String> {
        let process = Process::start(&mut server.command())?;
        // What the first client causes belongs to no connection.
        drop(Load::open(process.address(), 1)?);
        let before = process.resident()?;
        let mut load = Load::open(process.address(), connections)?;
        let after = process.resident()?;
        if let Some(job) = self.jobs.first() {
            load.run(*job, Duration::ZERO, self.settle, || Ok(Duration::ZERO))?;
        }
        let measure = |job: &Job| {
            load.run(*job, self.warm_up, self.interval, || {
                process.processor_time()
            })
            .map_err(|error| format!("{job:?}, {connections} connections: {error}"))
        };
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let resident = (after as f64 - before as f64) / connections as f64;
        Ok(Visit {
            server,
            connections,
            resident,
            intervals: self.jobs.iter().map(measure).collect::<Result<_, _>>()?,
        })
    }
}
