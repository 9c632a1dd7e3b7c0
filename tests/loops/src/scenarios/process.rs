//! The process under test, as the system shows it: its processor time, its memory, its files, and signals to it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::LIMIT;
use crate::memory::resident;

/// How much of a stretch a process may work that has nothing to do. One that spins works all the time; some work is from what
/// came before, and times are counted in hundredths of a second.
const IDLE: f64 = 0.1;

/// How long a stretch is in which a process is found at rest.
const STRETCH: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

impl Process {
    /// The processor time of all its threads, in user and kernel mode.
    pub(super) fn cpu(self) -> Result<Duration, String> {
        let fields = self.stat()?;
        let field = |i: usize| fields.get(i).and_then(|field| field.parse::<u64>().ok());
        // utime and stime, fields 14 and 15 of proc(5), without the two in front of the state.
        let ticks = field(11).zip(field(12)).ok_or("no times in stat")?;
        // USER_HZ is 100 wherever Linux runs.
        Ok(Duration::from_millis((ticks.0 + ticks.1) * 10))
    }

    /// The fields of its `stat` after the name. The first one is the state.
    fn stat(self) -> Result<Vec<String>, String> {
        let path = format!("/proc/{}/stat", self.0);
        let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
        Ok(fields.split_whitespace().map(String::from).collect())
    }

    /// The part of this stretch that it works.
    pub(super) async fn load(self, stretch: Duration) -> Result<f64, String> {
        let (before, began) = (self.cpu()?, Instant::now());
        sleep(stretch).await;
        let worked = self.cpu()?.saturating_sub(before);
        Ok(worked.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// Waits until it rests: one that spins never does.
    pub(super) async fn rests(self, limit: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let load = self.load(STRETCH).await?;
            if load <= IDLE {
                return Ok(());
            }
            if began.elapsed() >= limit {
                let percent = load * 100.0;
                return Err(format!(
                    "it works {percent:.0} % of the time, with nothing to do"
                ));
            }
        }
    }

    /// Sees that it rests through this stretch.
    pub(super) async fn stays_at_rest(self, stretch: Duration) -> Result<String, String> {
        let load = self.load(stretch).await?;
        let percent = load * 100.0;
        let said = format!("works {percent:.1} % of {:.1} s", stretch.as_secs_f64());
        if load > IDLE {
            return Err(format!("it {said}, with nothing to do"));
        }
        Ok(said)
    }

    pub(super) fn resident(self) -> Result<u64, String> {
        resident(self.0)
    }

    /// The inode of its end of a client's connection, once it has accepted it.
    pub(super) fn socket(self, client: SocketAddr, server: SocketAddr) -> Option<u64> {
        ["tcp", "tcp6"].iter().find_map(|table| {
            let table = fs::read_to_string(format!("/proc/{}/net/{table}", self.0)).ok()?;
            table.lines().skip(1).find_map(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                let is = |field: usize, port: u16| {
                    let address = fields.get(field).and_then(|it| it.rsplit_once(':'));
                    address.is_some_and(|(_, found)| found == format!("{port:04X}"))
                };
                let inode = fields.get(9)?.parse().ok()?;
                // Until it is accepted it has none.
                (is(1, server.port()) && is(2, client.port()) && inode != 0).then_some(inode)
            })
        })
    }

    /// Whether one of its files is this socket.
    pub(super) fn has_socket(self, inode: u64) -> bool {
        let socket = format!("socket:[{inode}]");
        let Ok(files) = fs::read_dir(format!("/proc/{}/fd", self.0)) else {
            return false;
        };
        let mut links = files.flatten().flat_map(|file| fs::read_link(file.path()));
        links.any(|link| link.to_str() == Some(&socket))
    }

    /// Waits until these sockets are no files of it any more.
    pub(super) async fn frees(self, sockets: &[u64], limit: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let left = sockets.iter().filter(|inode| self.has_socket(**inode));
            let left = left.count();
            if left == 0 {
                return Ok(());
            }
            if began.elapsed() >= limit {
                return Err(format!(
                    "{left} of {} connections are still open after {} s",
                    sockets.len(),
                    limit.as_secs()
                ));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How much it has said on stderr, if that goes to a file, and nobody else writes there: in this very process tests do.
    pub(super) fn said_on_stderr(self) -> Option<u64> {
        if self.0 == std::process::id() {
            return None;
        }
        let path = format!("/proc/{}/fd/2", self.0);
        let file = fs::metadata(path).ok()?;
        file.is_file().then_some(file.len())
    }

    /// Stops it until the result is dropped.
    pub(super) async fn stop(self) -> Result<Stopped, String> {
        self.signal("STOP")?;
        let stopped = Stopped(self);
        let began = Instant::now();
        while self.stat()?.first().map(String::as_str) != Some("T") {
            if began.elapsed() >= LIMIT {
                return Err(String::from("it does not stop"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(stopped)
    }

    fn signal(self, name: &str) -> Result<(), String> {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.0.to_string()])
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(format!("no signal {name} to process {}", self.0)),
        }
    }
}

/// A process that was stopped, and goes on when this is dropped.
pub(super) struct Stopped(Process);

impl Drop for Stopped {
    fn drop(&mut self) {
        _ = self.0.signal("CONT");
    }
}
