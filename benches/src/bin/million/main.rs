//! A million open connections in one process, without sockets, beside as many of another implementation as fit.
//!
//! ```text
//! cargo run --profile compare --package sockless-benches --bin million [CONNECTIONS]
//! ```
//!
//! Every connection is opened by a handshake of its own. Then come rounds in which a random tenth of them gets a
//! masked message of 125 bytes and sends it back; a quarter of the messages arrives in two reads, with those of others in
//! between. In ten rounds two thirds of the connections come into use. Every answer and every echo is compared. The bytes that arrive are the same in every run.
//!
//! Each implementation has a process of its own. What it takes is counted by the allocator, exactly, and by the system
//! as resident memory, each beyond what there was before the first connection, and without the pool of buffers that the
//! connections of sockless share. The rates are those of one thread, with the counting allocator, and include
//! copying what arrives and what is written, but neither making nor comparing it.
//!
//! tungstenite runs with the buffers of 4 KiB that its documentation advises for many connections, and with those it has
//! by default. It takes at most half of the memory that is available, with fewer connections if need be.
//!
//! Fails if a connection of sockless takes more than 200 bytes.
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

mod hold;
mod servers;
mod traffic;

use std::process::{Command, ExitCode};
use std::{env, fs};

use hold::Held;
use sockless_benches::counting::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

const USAGE: &str = "usage: million [CONNECTIONS], 1000 or more";

/// What a connection of sockless may take.
const LIMIT: f64 = 200.0;

/// From so many connections on, what the program itself has resident no longer shows.
const MANY: usize = 500_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => report(1_000_000),
        ["--hold", name, count] => hold(name, count),
        [count] => match count.parse() {
            Ok(count @ 1000..) => report(count),
            _ => Err(USAGE.into()),
        },
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("million: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a process of its own does: holds connections, and writes what was measured.
fn hold(name: &str, count: &str) -> Result<(), String> {
    let count = count.parse().map_err(|_| USAGE)?;
    let held = match name {
        servers::SOCKLESS => hold::hold::<servers::Sockless>(count),
        servers::TUNGSTENITE_SMALL => hold::hold::<servers::Tungstenite<4096>>(count),
        servers::TUNGSTENITE => hold::hold::<servers::Tungstenite<{ 128 << 10 }>>(count),
        _ => Err(USAGE.into()),
    }?;
    println!("{}", held.write());
    Ok(())
}

fn report(wanted: usize) -> Result<(), String> {
    println!(
        "| | connections | value | allocated, new | allocated, used | resident, new | resident, used | pool | opened/s | echoes/s |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut ours = None;
    for name in [
        servers::SOCKLESS,
        servers::TUNGSTENITE_SMALL,
        servers::TUNGSTENITE,
    ] {
        // A thousand show what one takes.
        let each = run(name, 1000)?.largest();
        let fit = available()? as f64 / 2.0 / each;
        let held = run(name, wanted.min(whole(fit)))?;
        println!("| {name} | {} |", held.row());
        ours.get_or_insert(held);
    }
    ours.map_or(Ok(()), |held| check(&held))
}

fn check(held: &Held) -> Result<(), String> {
    let mut figures = vec![
        ("allocated, new", held.allocated_new),
        ("allocated, used", held.allocated_used),
    ];
    if held.connections >= MANY {
        figures.push(("resident, new", held.resident_new));
        figures.push(("resident, used", held.resident_used));
    }
    for (what, bytes) in figures {
        if bytes > LIMIT {
            return Err(format!(
                "a connection takes {bytes:.1} bytes ({what}), more than {LIMIT}"
            ));
        }
    }
    Ok(())
}

fn run(name: &str, connections: usize) -> Result<Held, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--hold", name, &connections.to_string()])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}\n{said}", output.status));
    }
    Held::read(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| format!("{name}: says {:?}", output.stdout))
}

/// Bytes of memory that could be taken now.
fn available() -> Result<usize, String> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|error| error.to_string())?;
    hold::kilobytes(&text, "MemAvailable:").ok_or_else(|| "no MemAvailable in /proc/meminfo".into())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of connections"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::{Server, Sockless, Tungstenite};
    use crate::traffic::Traffic;

    #[test]
    fn connections_are_held_and_what_they_take_is_read_back() {
        let held = hold::hold::<Sockless>(1000).unwrap();
        assert_eq!(held.value, size_of::<sockless::Connection>());
        check(&held).unwrap();
        let read = Held::read(&held.write()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{held:?}"));
        assert!(Held::read("1000 192 1.5").is_none());

        let other = hold::hold::<Tungstenite<4096>>(1000).unwrap();
        assert!(other.allocated_new > 4096.0, "{other:?}");
    }

    #[test]
    fn a_connection_that_takes_too_much_is_found() {
        let mut held = hold::hold::<Sockless>(1000).unwrap();
        held.allocated_used = LIMIT + 0.1;
        assert!(check(&held).unwrap_err().contains("allocated, used"));
        held.allocated_used = LIMIT;
        held.resident_new = LIMIT;
        held.resident_used = LIMIT + 0.1;
        held.connections = MANY - 1;
        check(&held).unwrap();
        held.connections = MANY;
        assert!(check(&held).unwrap_err().contains("resident, used"));
    }

    #[test]
    fn wrong_answers_and_echoes_are_found() {
        let mut traffic = Traffic::new(100);
        let mut server = Sockless::with_capacity(100);
        traffic.requests(100);
        server.open(traffic.batch());
        traffic.check_answers().unwrap();
        // A letter of the last accept value, that ends 5 bytes before the answer does.
        let end = traffic.batch().written.len();
        traffic.batch().written[end - 10] ^= 1;
        traffic.check_answers().unwrap_err();

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
