//! Instructions that sockless executes for a message, counted by callgrind and compared with a budget.
//!
//! callgrind counts in the functions here whose names begin with `counted`, and in all functions that they call. Each
//! contains the loop of a user for the messages of one read. They do not call each other, are not generic and have no
//! closures, so callgrind finds them by name. It does not count the reads, of 16 KiB each, and the transport.
//!
//! One program gives the same figures every time, even on a busy machine. Another compiler gives other figures, and
//! another processor may: the C library and httparse detect vector instructions at run time. The budgets are for x86-64
//! with AVX2. This program has no peers, because peers that use httparse and `sha1_smol` change how much the compiler inlines.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::unnecessary_box_returns,
    reason = "this program uses a part of the modules, and stops at the first surprise"
)]

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::process::{Command, ExitCode};

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Config, Connection, Event, Opcode, ReadBuffer, Seed};

use crate::job::{Kind, Role, header, push_frame};
use crate::wire::Wire;

#[path = "../../src/job.rs"]
mod job;
#[path = "../../src/page.rs"]
mod page;
#[path = "../../src/sum.rs"]
mod sum;
#[path = "../../src/wire.rs"]
mod wire;

/// The most that a figure may differ from its budget, in percent.
const TOLERANCE: f64 = 3.0;

/// The size of a read.
const READ: usize = 16 << 10;

/// What sockless does. The numbers are bytes of payload in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    /// As this side.
    Receive(Role, Kind, usize),
    /// Binary messages, as this side.
    Send(Role, usize),
    /// Binary messages, as a server.
    Echo(usize),
    /// Answer Pings, as a server.
    Ping(usize),
    /// Answer opening handshakes.
    Handshake,
}

use Act::{Echo, Handshake, Ping, Receive, Send};
use Kind::{Ascii, Binary, Chinese};
use Role::{Client, Server};

/// What is counted, and the budget in instructions for a message.
const SERIES: [(Act, f64); 19] = [
    (Receive(Server, Binary, 0), 88.1),
    (Receive(Server, Binary, 16), 106.8),
    (Receive(Server, Binary, 125), 140.4),
    (Receive(Server, Binary, 1024), 363.3),
    (Receive(Server, Ascii, 16), 231.5),
    (Receive(Server, Ascii, 125), 338.4),
    (Receive(Server, Chinese, 125), 367.5),
    (Receive(Client, Binary, 0), 72.0),
    (Receive(Client, Binary, 16), 72.7),
    (Receive(Client, Binary, 125), 77.0),
    (Send(Server, 0), 95.0),
    (Send(Server, 16), 93.0),
    (Send(Server, 125), 104.2),
    (Send(Client, 0), 117.7),
    (Send(Client, 16), 127.8),
    (Send(Client, 125), 144.9),
    (Echo(125), 222.3),
    (Ping(4), 420.1),
    (Handshake, 8524.0),
];

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--counted") {
        run_all();
        return ExitCode::SUCCESS;
    }
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts, and prints a Markdown table. Fails if a figure is more than 3 % over its budget, or if valgrind fails.
fn report() -> Result<(), String> {
    println!("| series | counted | budget | difference |\n|---|--:|--:|--:|");
    let mut failures = Vec::new();
    let mut too_high = Vec::new();
    for ((act, budget), counted) in SERIES.into_iter().zip(count()?) {
        let difference = (counted - budget) * 100.0 / budget;
        println!("| {act:?} | {counted:.1} | {budget:.1} | {difference:+.1} % |");
        match verdict(counted, budget) {
            Verdict::TooMany => {
                failures.push(format!("{act:?}: {difference:.1} % over its budget"));
            }
            Verdict::BudgetTooHigh => too_high.push(format!("{act:?}")),
            Verdict::Good => {}
        }
    }
    if !too_high.is_empty() {
        println!(
            "\nLower these budgets in `benches/counts/src/main.rs`: {}",
            too_high.join("; ")
        );
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    TooMany,
    BudgetTooHigh,
}

fn verdict(counted: f64, budget: f64) -> Verdict {
    // A figure has one decimal place.
    let difference = ((counted * 10.0).round() / 10.0 - budget) * 100.0 / budget;
    if difference > TOLERANCE {
        Verdict::TooMany
    } else if difference < -TOLERANCE {
        Verdict::BudgetTooHigh
    } else {
        Verdict::Good
    }
}

/// The instructions for a message of each series, counted in one run of callgrind.
fn count() -> Result<Vec<f64>, String> {
    let directory = std::env::temp_dir().join(format!("sockless-counts-{}", std::process::id()));
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let profile = directory.join("profile");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counts*counted_*"])
        .arg("--dump-after=*series_ends*")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .arg("--counted")
        .env_remove("VALGRIND_OPTS")
        .output()
        .map_err(|error| format!("valgrind: {error} (Debian has it in the package valgrind)"))?;
    // callgrind writes a numbered file each time that `series_ends` returns.
    let profile = |i: usize| fs::read_to_string(profile.with_extension(i.to_string()));
    let profiles: Result<Vec<_>, _> = (1..=2 * SERIES.len()).map(profile).collect();
    fs::remove_dir_all(&directory).map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind: {}\n{said}", output.status));
    }
    let profiles = profiles.map_err(|error| format!("the profile of callgrind: {error}"))?;
    SERIES
        .into_iter()
        .zip(profiles.iter().skip(1).step_by(2))
        .map(|((act, _), profile)| {
            let messages = act.messages();
            let counted = instructions(profile).map_err(|error| format!("{act:?}: {error}"))?;
            // If callgrind does not find the counted functions, it counts nothing.
            if counted < messages as u64 {
                return Err(format!(
                    "{act:?}: {counted} instructions for {messages} messages"
                ));
            }
            Ok(counted as f64 / messages as f64)
        })
        .collect()
}

/// The number of instructions in a profile of callgrind.
fn instructions(profile: &str) -> Result<u64, String> {
    if !profile.lines().any(|line| line.trim() == "events: Ir") {
        return Err("the profile counts something else than instructions".into());
    }
    profile
        .lines()
        .find_map(|line| {
            line.strip_prefix("totals:")
                .or(line.strip_prefix("summary:"))
        })
        .and_then(|totals| totals.trim().parse().ok())
        .ok_or_else(|| "the profile has no total".into())
}

/// Runs all series. [`report`] runs this in callgrind.
///
/// Each series runs twice: once for a single message, which does what is done once, and once for many.
fn run_all() {
    for (act, _) in SERIES {
        act.run(1);
        series_ends();
        act.run(act.messages());
        series_ends();
    }
}

#[inline(never)]
fn series_ends() {
    black_box(());
}

impl Act {
    /// Messages that are counted.
    fn messages(self) -> usize {
        match self {
            Handshake => 2000,
            _ => 20_000,
        }
    }

    /// Does it `count` times.
    ///
    /// # Panics
    ///
    /// If the messages or their bytes are wrong.
    fn run(self, count: usize) {
        let mut taken = Taken::default();
        let size = match self {
            Receive(role, kind, size) => {
                let mut connection = connection(role);
                let mut reads = Reads::of_messages(role, kind, size, count);
                while reads.next() {
                    counted_receive(&mut connection, &mut reads.buffer, &mut taken);
                }
                size
            }
            Send(role, size) => {
                let mut connection = connection(role);
                let payload = Binary.payload(size);
                // As many as in a read.
                let frame = frame(role, Opcode::Binary, &payload).len();
                for start in (0..count).step_by(READ / frame) {
                    let count = (count - start).min(READ / frame);
                    counted_send(&mut connection, &payload, count, &mut taken);
                }
                frame
            }
            Echo(size) => {
                let mut connection = connection(Server);
                let mut reads = Reads::of_messages(Server, Binary, size, count);
                while reads.next() {
                    counted_echo(&mut connection, &mut reads.buffer, &mut taken);
                }
                frame(Server, Opcode::Binary, &vec![0; size]).len()
            }
            Ping(size) => {
                let mut connection = connection(Server);
                let ping = frame(Client, Opcode::Ping, &vec![b'x'; size]);
                let mut reads = Reads::of(ping.repeat(count));
                while reads.next() {
                    counted_ping(&mut connection, &mut reads.buffer, &mut taken);
                }
                2 + size
            }
            Handshake => {
                let options = ServerOptions::default();
                let mut buffer = ReadBuffer::new();
                for _ in 0..count {
                    buffer.extend_from_slice(job::REQUEST);
                    counted_handshake(&mut buffer, &options, &mut taken);
                }
                taken.bytes / count
            }
        };
        assert_eq!(taken.messages, count, "{self:?}: messages");
        assert_eq!(taken.bytes, count * size, "{self:?}: bytes");
        assert!(taken.bytes > 0 || size == 0);
    }
}

/// What was received or sent. Counting it takes a few instructions for each message.
#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

impl Taken {
    #[inline]
    fn add(&mut self, data: &[u8]) {
        self.messages += 1;
        self.bytes += black_box(data).len();
    }
}

/// Reads of 16 KiB. Most of them cut the last message. They are not counted.
struct Reads {
    wire: Wire,
    left: usize,
    buffer: ReadBuffer,
}

impl Reads {
    fn of(stream: Vec<u8>) -> Self {
        Self {
            left: stream.len(),
            wire: Wire::new(stream.into(), READ),
            buffer: ReadBuffer::with_capacity(2 * READ),
        }
    }

    fn of_messages(role: Role, kind: Kind, size: usize, count: usize) -> Self {
        Self::of(job::Receive::new(role, kind, size, count).stream().to_vec())
    }

    /// Reads. Returns whether anything was left.
    fn next(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let n = self.wire.read(self.buffer.spare_mut(READ)).unwrap();
        self.buffer.advance_filled(n);
        self.left -= n;
        true
    }
}

fn connection(role: Role) -> Connection {
    match role {
        Server => Connection::server(&Config::default()),
        Client => Connection::client(&Config::default(), Seed::new([7; 32])),
    }
}

/// A frame that this side sends.
fn frame(sender: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = (sender == Client).then_some([0x37, 0xfa, 0x21, 0x3d]);
    let mut frame = Vec::new();
    push_frame(&mut frame, header(opcode, key), payload);
    frame
}

#[inline(never)]
fn counted_receive(connection: &mut Connection, buffer: &mut ReadBuffer, taken: &mut Taken) {
    while let Some(event) = connection.next_event(buffer).unwrap() {
        match event {
            Event::Text { text, .. } => taken.add(text.as_bytes()),
            Event::Binary { data, .. } => taken.add(data),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
    }
}

#[inline(never)]
fn counted_send(connection: &mut Connection, payload: &[u8], count: usize, taken: &mut Taken) {
    for _ in 0..count {
        connection.send_binary(black_box(payload)).unwrap();
        let output = connection.output();
        taken.add(output);
        connection.advance_output(output.len());
    }
}

#[inline(never)]
fn counted_echo(connection: &mut Connection, buffer: &mut ReadBuffer, taken: &mut Taken) {
    while let Some(event) = connection.next_event(buffer).unwrap() {
        match event {
            Event::Text { text, .. } => connection.send_text(text).unwrap(),
            Event::Binary { data, .. } => connection.send_binary(data).unwrap(),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
        }
        let output = connection.output();
        taken.add(output);
        connection.advance_output(output.len());
    }
}

#[inline(never)]
fn counted_ping(connection: &mut Connection, buffer: &mut ReadBuffer, taken: &mut Taken) {
    while let Some(event) = connection.next_event(buffer).unwrap() {
        match event {
            Event::Ping(payload) => {
                black_box(payload);
            }
            Event::Text { .. } | Event::Binary { .. } | Event::Pong(_) | Event::Close(_) => {}
        }
        // A connection answers only the last of several Pings, so each Pong is written before the next Ping.
        let output = connection.output();
        taken.add(output);
        connection.advance_output(output.len());
    }
}

#[inline(never)]
fn counted_handshake(buffer: &mut ReadBuffer, options: &ServerOptions<'_>, taken: &mut Taken) {
    let mut handshake = ServerHandshake::new(&options.config);
    let request = handshake.read_request(buffer).unwrap().unwrap();
    let connection = request.accept(options).unwrap();
    taken.add(connection.output());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_does_what_it_says() {
        for (i, (act, budget)) in SERIES.into_iter().enumerate() {
            act.run(1);
            act.run(300);
            assert!(budget > 0.0, "{act:?}");
            assert!(
                SERIES[..i].iter().all(|(other, _)| *other != act),
                "{act:?}"
            );
        }
    }

    #[test]
    fn a_figure_may_differ_from_its_budget_by_three_percent() {
        for (counted, expected) in [
            (103.0, Verdict::Good),
            (103.1, Verdict::TooMany),
            (97.0, Verdict::Good),
            (96.9, Verdict::BudgetTooHigh),
        ] {
            assert_eq!(verdict(counted, 100.0), expected, "{counted}");
        }
    }

    #[test]
    fn instructions_are_found_in_a_profile() {
        assert_eq!(instructions("events: Ir\nfn=x\ntotals: 123\n"), Ok(123));
        for profile in [
            "",
            "totals: 1",
            "events: Ir",
            "events: Dr Ir\ntotals: 1 2",
            "events: Ir\ntotals: x",
        ] {
            assert!(instructions(profile).is_err(), "{profile}");
        }
    }
}
