//! The process of a server.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// The time in which a server must listen. A busy machine may need seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server in its own process. Dropping it ends the process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    clock: ClockId,
}

impl Process {
    /// Starts a server. Its first line must be `listening on http://HOST:PORT/`.
    ///
    /// # Errors
    ///
    /// Why it does not listen.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        match listening(&mut child) {
            Ok((address, clock)) => Ok(Self {
                child,
                address,
                clock,
            }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time of all its threads so far, of the user and the system.
    ///
    /// # Errors
    ///
    /// The system's error, for example if the server has ended.
    pub fn processor_time(&self) -> Result<Duration, String> {
        let time = self.clock.now();
        time.map(Into::into)
            .map_err(|error| format!("the processor time of the server: {error}"))
    }

    /// The resident memory, in bytes.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn resident(&self) -> Result<u64, String> {
        // The sum over all mappings is exact. The counters in `status` and `statm` are not.
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let rollup = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kibibytes: Option<u64> = kibibytes.and_then(|it| it.trim().parse().ok());
        Ok(kibibytes.ok_or_else(|| format!("no Rss in {path}"))? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // This fails only if the process has already ended.
    _ = child.kill();
    _ = child.wait();
}

fn listening(child: &mut Child) -> Result<(SocketAddr, ClockId), String> {
    let output = child.stdout.take().ok_or("it has no output")?;
    let (sender, first_line) = channel();
    thread::spawn(move || {
        let mut line = String::new();
        let mut output = BufReader::new(output);
        let read = output.read_line(&mut line).map(|_| line);
        // The receiver may have given up.
        _ = sender.send(read);
        // Takes the rest, so the server never waits for a reader.
        _ = std::io::copy(&mut output, &mut std::io::sink());
    });
    let line = first_line
        .recv_timeout(PATIENCE)
        .map_err(|_| format!("it does not listen after {PATIENCE:?}"))?
        .map_err(|error| error.to_string())?;
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .and_then(|line| line.strip_suffix('/'))
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| format!("its first line is {line:?}"))?;
    let id = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(id)).map_err(|error| error.to_string())?;
    Ok((address, clock))
}
