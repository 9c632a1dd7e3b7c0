//! The process under test: its processor time, its memory, its files, and signals to it.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use procfs::ProcResult;
use procfs::net::TcpNetEntry;
use procfs::process::FDTarget;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::LIMIT;

/// The part of the time that an idle process may work. A process that spins works all the time. Some work may remain
/// from before, and the system counts in hundredths of a second.
const IDLE: f64 = 0.1;

/// How long [`Process::rests`] measures at a time.
const STRETCH: Duration = Duration::from_millis(400);

/// The resident set of a process, in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, String> {
    let status = Process(pid).read(procfs::process::Process::status)?;
    let kibibytes = status
        .vmrss
        .ok_or_else(|| format!("process {pid}: no resident set"))?;
    Ok(kibibytes * 1024)
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

impl Process {
    fn read<T>(
        self,
        read: impl FnOnce(&procfs::process::Process) -> ProcResult<T>,
    ) -> Result<T, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("process {}: {error}", self.0);
        let pid = i32::try_from(self.0).map_err(|error| wrong(&error))?;
        let process = procfs::process::Process::new(pid).map_err(|error| wrong(&error))?;
        read(&process).map_err(|error| wrong(&error))
    }

    /// The part of this stretch that all its threads work, in user and kernel mode.
    async fn load(self, stretch: Duration) -> Result<f64, String> {
        let cpu = || {
            let stat = self.read(procfs::process::Process::stat)?;
            // USER_HZ is 100 on every Linux system.
            Ok::<_, String>(Duration::from_millis((stat.utime + stat.stime) * 10))
        };
        let (before, began) = (cpu()?, Instant::now());
        sleep(stretch).await;
        let worked = cpu()?.saturating_sub(before);
        Ok(worked.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// Waits until it rests. A process that spins never does.
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

    /// Checks that it rests through this stretch.
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

    /// The inode of its end of a client's connection, once it has accepted that.
    pub(super) fn socket(self, client: SocketAddr, server: SocketAddr) -> Option<u64> {
        let find = |entries: Vec<TcpNetEntry>| {
            let entry = entries.into_iter().find(|it| {
                let ports = (it.local_address.port(), it.remote_address.port());
                // The inode is 0 until the process accepts the connection.
                ports == (server.port(), client.port()) && it.inode != 0
            });
            Some(entry?.inode)
        };
        let found = self.read(|process| match find(process.tcp()?) {
            None => Ok(find(process.tcp6()?)),
            found => Ok(found),
        });
        found.ok()?
    }

    /// Whether one of its files is this socket.
    pub(super) fn has_socket(self, inode: u64) -> bool {
        let files = self.read(procfs::process::Process::fd);
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| file.target == FDTarget::Socket(inode))
    }

    /// Waits until the process has closed these sockets.
    pub(super) async fn frees(self, sockets: &[u64], limit: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let left = sockets
                .iter()
                .filter(|inode| self.has_socket(**inode))
                .count();
            if left == 0 {
                return Ok(());
            }
            if began.elapsed() >= limit {
                let (all, seconds) = (sockets.len(), limit.as_secs());
                return Err(format!(
                    "{left} of {all} connections are still open after {seconds} s"
                ));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The length of the file that is its stderr. `None` if stderr is not a file, or if this is the process of the test
    /// itself, where other tests write too.
    pub(super) fn said_on_stderr(self) -> Option<u64> {
        if self.0 == std::process::id() {
            return None;
        }
        let file = fs::metadata(format!("/proc/{}/fd/2", self.0)).ok()?;
        file.is_file().then_some(file.len())
    }

    /// Stops it until the result is dropped.
    pub(super) async fn stop(self) -> Result<Stopped, String> {
        self.signal(Signal::STOP)?;
        let stopped = Stopped(self);
        let began = Instant::now();
        while self.read(procfs::process::Process::stat)?.state != 'T' {
            if began.elapsed() >= LIMIT {
                return Err(String::from("it does not stop"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(stopped)
    }

    fn signal(self, signal: Signal) -> Result<(), String> {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        let sent = pid.is_some_and(|pid| kill_process(pid, signal).is_ok());
        sent.then_some(())
            .ok_or_else(|| format!("no {signal:?} to process {}", self.0))
    }
}

/// A stopped process. It continues when this is dropped.
pub(super) struct Stopped(Process);

impl Drop for Stopped {
    fn drop(&mut self) {
        _ = self.0.signal(Signal::CONT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_grows_with_what_is_touched() {
        let before = resident(std::process::id()).unwrap();
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = resident(std::process::id()).unwrap();
        assert!(
            after >= before + (60 << 20),
            "{before}, {after}, {}",
            touched.len()
        );
        let error = resident(u32::MAX).unwrap_err();
        assert!(error.starts_with("process 4294967295: "), "{error}");
    }
}
