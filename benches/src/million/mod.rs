//! A million open connections in one process, without sockets, beside fewer connections of tungstenite.
//!
//! A handshake opens each connection. Then each of ten rounds sends a masked message of 125 bytes to a random tenth of
//! the connections, which echo it. Every fourth message arrives in two reads, with reads of other connections between
//! them. After ten rounds, two thirds of the connections are used. Every response and every echo is compared. All runs
//! have the same traffic.
//!
//! Each implementation runs in its own process. The allocator counts its memory exactly, and the system counts its
//! resident memory. Both exclude what the program had before the first connection, and the pool of buffers that the
//! connections of sockless share. One thread does everything. Its rates include the counting allocator and the copies
//! of what arrives and of what is written. They exclude the making and the comparison of the traffic.
//!
//! tungstenite runs with buffers of 4 KiB, which its documentation advises for many connections, and with its defaults.

mod servers;
mod traffic;

use std::time::{Duration, Instant};
use std::{env, fs, process::Command};

use crate::counting::{self, Heap};
use crate::million::servers::{Server, Sockless, Tungstenite};
use crate::million::traffic::{BATCH, Traffic};

/// The most bytes that a connection of sockless may take.
const LIMIT: f64 = 200.0;

/// From this number on, the resident memory of the program itself is too small to show in that of a connection.
const MANY: usize = 500_000;

const ROUNDS: usize = 10;

const SOCKLESS: &str = "sockless";
const TUNGSTENITE_SMALL: &str = "tungstenite, buffers of 4 KiB";
const TUNGSTENITE: &str = "tungstenite, default buffers";

/// Prints a Markdown table. tungstenite gets a tenth of the connections, and with its default buffers a thousandth.
///
/// # Errors
///
/// If a connection of sockless takes more than 200 bytes, or if a process fails.
pub fn report(connections: usize) -> Result<(), String> {
    println!(
        "| | connections | value | allocated, new | allocated, used | resident, new | resident, used | pool | opened/s | echoes/s |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (name, connections) in [
        (SOCKLESS, connections),
        (TUNGSTENITE_SMALL, connections / 10),
        (TUNGSTENITE, connections / 1000),
    ] {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let status = Command::new(program)
            .args(["million", "--hold", name, &connections.to_string()])
            .status()
            .map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("{name}: {status}"));
        }
    }
    Ok(())
}

/// Holds connections of one implementation and prints a row of the table. [`report`] runs this in a new process.
///
/// # Errors
///
/// If a connection of sockless takes more than 200 bytes, if an echo is wrong, or if there is no such implementation.
pub fn hold(name: &str, connections: usize) -> Result<(), String> {
    counting::start();
    let held = match name {
        SOCKLESS => Held::measure::<Sockless>(connections)?,
        TUNGSTENITE_SMALL => Held::measure::<Tungstenite<4096>>(connections)?,
        TUNGSTENITE => Held::measure::<Tungstenite<{ 128 << 10 }>>(connections)?,
        _ => return Err(format!("unknown: {name}")),
    };
    print!("| {name} | {} | {} B |", held.connections, held.value);
    for (_, bytes) in held.bytes {
        print!(" {bytes:.1} B |");
    }
    println!(
        " {:.0} KiB | {:.0} | {:.0} |",
        held.pool / 1024.0,
        held.opened_per_second,
        held.echoes_per_second
    );
    if name == SOCKLESS {
        held.check()?;
    }
    Ok(())
}

/// What connections take.
#[derive(Debug)]
struct Held {
    connections: usize,
    /// The size of a connection's value.
    value: usize,
    /// Bytes of one connection: allocated after its handshake and after all rounds, then resident at those times.
    bytes: [(&'static str, f64); 4],
    /// Bytes that all connections share.
    pool: f64,
    opened_per_second: f64,
    echoes_per_second: f64,
}

impl Held {
    fn measure<S: Server>(connections: usize) -> Result<Self, String> {
        let mut traffic = Traffic::new(connections);
        let nothing = Heap::now();
        let program = resident()?;
        let mut server = S::with_capacity(connections);
        // Bytes of one connection, allocated and resident, and bytes of the pool.
        let measure = |server: &mut S| -> Result<_, String> {
            let resident = resident()? - program;
            let pool = server.free_pool();
            let allocated = (Heap::now() - nothing).bytes as f64;
            let each = |bytes: f64| bytes / connections as f64;
            Ok((each(allocated), each(resident - pool), pool))
        };

        let mut opening = Duration::ZERO;
        for first in (0..connections).step_by(BATCH) {
            traffic.requests(BATCH.min(connections - first));
            let start = Instant::now();
            server.open(traffic.batch());
            opening += start.elapsed();
            traffic.check_responses()?;
        }
        let (allocated_new, resident_new, _) = measure(&mut server)?;

        let mut echoes = 0;
        let mut echoing = Duration::ZERO;
        for _ in 0..ROUNDS {
            traffic.choose(connections / 10);
            while traffic.messages() {
                let start = Instant::now();
                server.echo(traffic.batch());
                echoing += start.elapsed();
                echoes += traffic.check_echoes()?;
            }
        }
        assert_eq!(echoes, ROUNDS * (connections / 10));
        let (allocated_used, resident_used, pool) = measure(&mut server)?;

        Ok(Self {
            connections,
            value: S::VALUE,
            bytes: [
                ("allocated, new", allocated_new),
                ("allocated, used", allocated_used),
                ("resident, new", resident_new),
                ("resident, used", resident_used),
            ],
            pool,
            opened_per_second: connections as f64 / opening.as_secs_f64(),
            echoes_per_second: echoes as f64 / echoing.as_secs_f64(),
        })
    }

    fn check(&self) -> Result<(), String> {
        let checked = if self.connections >= MANY { 4 } else { 2 };
        for (what, bytes) in &self.bytes[..checked] {
            if *bytes > LIMIT {
                return Err(format!(
                    "a connection takes {bytes:.1} bytes ({what}), more than {LIMIT}"
                ));
            }
        }
        Ok(())
    }
}

/// Bytes of this process that are resident.
fn resident() -> Result<f64, String> {
    // This file is exact. Shorter files may miss some pages for each processor.
    const FILE: &str = "/proc/self/smaps_rollup";
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .map(|kib: f64| kib * 1024.0)
        .ok_or_else(|| format!("{FILE} has no Rss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_held_and_excess_is_found() {
        counting::start();
        let mut held = Held::measure::<Sockless>(1000).unwrap();
        assert_eq!(held.value, size_of::<sockless::Connection>());
        held.check().unwrap();
        for (place, connections, fails) in [
            (0, 1000, true),
            (1, 1000, true),
            (2, MANY - 1, false),
            (2, MANY, true),
            (3, MANY, true),
        ] {
            held.connections = connections;
            for (_, bytes) in &mut held.bytes {
                *bytes = LIMIT;
            }
            held.check().unwrap();
            held.bytes[place].1 = LIMIT + 0.1;
            assert_eq!(held.check().is_err(), fails, "{held:?}");
        }

        let other = Held::measure::<Tungstenite<4096>>(1000).unwrap();
        assert!(other.bytes[0].1 > 4096.0, "{other:?}");
    }

    #[test]
    fn wrong_responses_and_echoes_are_found() {
        let mut traffic = Traffic::new(100);
        let mut server = Sockless::with_capacity(100);
        traffic.requests(100);
        server.open(traffic.batch());
        traffic.check_responses().unwrap();
        // This is in the last accept value, which ends 5 bytes before the response ends.
        let end = traffic.batch().written.len();
        traffic.batch().written[end - 10] ^= 1;
        traffic.check_responses().unwrap_err();

        traffic.choose(10);
        assert!(traffic.messages());
        server.echo(traffic.batch());
        assert_eq!(traffic.check_echoes(), Ok(10));
        traffic.batch().written[126] ^= 1;
        assert!(traffic.check_echoes().is_err());
        traffic.batch().written.truncate(100);
        assert!(traffic.check_echoes().is_err());
        assert!(!traffic.messages());
    }
}
