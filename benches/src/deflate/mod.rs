//! Messages compressed and decompressed (RFC 7692), with zlib-rs alone and by connections that use zlib-rs.
//!
//! All have level 6, windows of 32 KiB and context takeover, and compress every message. The figures show what a
//! connection adds to the time of zlib-rs.
//!
//! At the end a server sends messages of 1 KiB to 1,000 connections in three ways. As a shared message, it compresses
//! each message once. Otherwise each connection compresses it, which needs a compressor for each connection, 371 MiB,
//! but can refer to earlier messages. In the third way the two alternate, so neither can refer to an earlier message.
//! There the figures are the time and the bytes for one message on one connection.

use std::fmt::Write;

use crate::job::Role;
use crate::measure::{Contestant, Effort, WARM_UP, measure};
use crate::peers::Pass;
use crate::sum::Sum;
use crate::wire::Wire;

use broadcast::Way;
use frames::Check;

mod alone;
mod broadcast;
mod frames;
mod sockless;
mod sockudo;
mod yawc;

const LEVEL: u8 = 6;
const WINDOW_BITS: u8 = 15;

/// Turns in which everyone is timed once.
const TURNS: usize = 300;

/// Passes that are checked. They also fill the windows and allocate all memory.
const CHECKED: usize = 2;

/// What every pass sends or receives.
#[derive(Clone, Debug)]
pub struct Job {
    /// The side of the implementation under test.
    pub role: Role,
    pub messages: Vec<String>,
    /// The most passes that receive.
    pub passes: usize,
}

impl Job {
    /// Messages of `size` bytes, as similar as those of one application.
    pub fn new(role: Role, size: usize, passes: usize) -> Self {
        let count = ((256 << 10) / size).clamp(16, 256);
        let mut random = fastrand::Rng::with_seed(1);
        let mut message = || {
            let mut text = String::from("[");
            while text.len() < size {
                write!(
                    text,
                    r#"{{"id":{},"symbol":"{}","price":{}.{:02},"side":"{}","user":"user-{}"}},"#,
                    random.u32(..),
                    ["AAPL", "MSFT", "GOOG", "AMZN", "NVDA"][random.usize(..5)],
                    random.u32(..5000),
                    random.u32(..100),
                    ["buy", "sell"][random.usize(..2)],
                    random.u32(..10_000),
                )
                .unwrap();
            }
            text.truncate(size);
            text
        };
        Self {
            role,
            messages: (0..count).map(|_| message()).collect(),
            passes,
        }
    }

    /// Adds what a pass must receive.
    pub fn expected(&self, mut sum: Sum) -> Sum {
        for message in &self.messages {
            sum.add(message.as_bytes(), true);
        }
        sum
    }
}

/// A name and a pass.
pub type Named = (&'static str, Pass);

/// Measures, and prints the figures.
pub fn report() {
    for size in [100, 1 << 10, 16 << 10] {
        let job = |role| Job::new(role, size, CHECKED + WARM_UP + TURNS);
        report_senders("server sends", &job(Role::Server));
        report_senders("client sends", &job(Role::Client));
        report_receivers("client receives", &job(Role::Client));
        report_receivers("server receives", &job(Role::Server));
    }
    report_broadcasters();
}

fn report_senders(what: &str, job: &Job) {
    let count = job.messages.len();
    let mut bytes = Vec::new();
    let mut contestants = Vec::new();
    for (name, mut pass) in senders(job) {
        let size = checked(&mut pass, CHECKED).bytes;
        bytes.push(size as f64 / count as f64);
        contestants.push(contestant(name, pass, messages(count)));
    }
    compare(what, job, contestants, count, TURNS, &bytes);
}

fn report_receivers(what: &str, job: &Job) {
    let mut contestants = Vec::new();
    for (name, mut pass) in receivers(job) {
        let sum = checked(&mut pass, CHECKED);
        assert_eq!(sum, job.expected(Sum::thorough()), "{name}");
        contestants.push(contestant(name, pass, job.expected(Sum::default())));
    }
    let count = job.messages.len();
    compare(what, job, contestants, count, TURNS, &[]);
}

fn report_broadcasters() {
    const CONNECTIONS: usize = 1000;
    let job = Job::new(Role::Server, 1 << 10, 1);
    let mut bytes = Vec::new();
    let mut contestants = Vec::new();
    // Two messages of each pass, on every connection.
    let count = 2 * CONNECTIONS;
    for (name, mut pass) in broadcasters(&job, CONNECTIONS) {
        // These passes send 40 KiB on each connection, which fills its window.
        let size = checked(&mut pass, 20).bytes;
        bytes.push(size as f64 / count as f64);
        contestants.push(contestant(name, pass, messages(2)));
    }
    compare("to 1,000", &job, contestants, count, TURNS / 5, &bytes);
}

/// Does thorough passes. Returns the sum of the last one.
fn checked(pass: &mut Pass, passes: usize) -> Sum {
    let mut last = Sum::default();
    for _ in 0..passes {
        last = Sum::thorough();
        pass(&mut last);
    }
    last
}

fn messages(count: usize) -> Sum {
    let mut sum = Sum::default();
    sum.messages = count as u64;
    sum
}

fn contestant(name: &str, pass: Pass, expected: Sum) -> Contestant {
    Contestant {
        name: name.to_owned(),
        passes: vec![pass],
        expected,
    }
}

/// Measures everyone. Prints the times and, where they are known, the bytes of one of the `count` messages of a pass.
fn compare(
    what: &str,
    job: &Job,
    mut contestants: Vec<Contestant>,
    count: usize,
    turns: usize,
    bytes: &[f64],
) {
    let size = job.messages[0].len();
    let effort = Effort { turns, rounds: 1 };
    let times = measure(&mut contestants, count, effort);
    for (i, Contestant { name, .. }) in contestants.iter().enumerate() {
        let (time, ratio) = (times[i], times[i] / times[0]);
        print!("{size:6} B  {what:15}  {name:21} {time:8.0} ns  ratio {ratio:.3}");
        match bytes.get(i) {
            Some(bytes) => println!("  {bytes:7.1} B"),
            None => println!(),
        }
    }
}

/// Those that compress and send the messages in every pass, zlib-rs alone first.
///
/// With [`Sum::thorough`] they decompress and compare what was written, and add its bytes without headers. Compressed
/// data refers to earlier data, so after a pass that is not thorough, no pass can be.
pub fn senders(job: &Job) -> Vec<Named> {
    vec![
        ("zlib-rs", alone::send(job)),
        ("sockless", sockless::send(job)),
        ("yawc", yawc::send(job)),
        ("sockudo-ws", sockudo::send(job)),
        ("sockudo-ws (Protocol)", sockudo::send_protocol(job)),
    ]
}

/// Those that receive and decompress the messages in every pass, zlib-rs alone first. All receive the same data.
pub fn receivers(job: &Job) -> Vec<Named> {
    let frames = frames::compressed(job);
    let protocol = sockudo::receive_protocol(job, frames.clone());
    vec![
        ("zlib-rs", alone::receive(job)),
        ("sockless", sockless::receive(job, frames.clone())),
        ("yawc", yawc::receive(job, frames.clone())),
        ("sockudo-ws", sockudo::receive(job, frames)),
        ("sockudo-ws (Protocol)", protocol),
    ]
}

/// Three ways to send the next two messages of the job on `count` connections in every pass.
///
/// With [`Sum::thorough`] clients check what was written, and its bytes are added, with headers. After a pass that is
/// not thorough, no pass can be.
pub fn broadcasters(job: &Job, count: usize) -> Vec<Named> {
    vec![
        (
            "once for all",
            broadcast::broadcast(job, count, Way::Shared),
        ),
        ("by each", broadcast::broadcast(job, count, Way::Each)),
        ("in turns", broadcast::broadcast(job, count, Way::Mixed)),
    ]
}

/// A pass that sends `messages`. `make` returns the function that sends one of them.
fn sending<M: 'static, F>(job: &Job, messages: Vec<M>, make: impl FnOnce(Wire) -> F) -> Pass
where
    F: FnMut(&M) + 'static,
{
    let wire = Wire::sink();
    let written = wire.written();
    let mut check = Check::new(job);
    let mut send = make(wire);
    Box::new(move |sum: &mut Sum| {
        written.begin(sum);
        for message in &messages {
            send(message);
            sum.messages += 1;
        }
        if let (_, Some(copy)) = written.end() {
            sum.wrote(check.check(&copy));
        }
    })
}

/// A pass that receives. `receive` receives at least one message.
fn receiving(job: &Job, mut receive: impl FnMut(&mut Sum) + 'static) -> Pass {
    let count = job.messages.len() as u64;
    Box::new(move |sum: &mut Sum| {
        while sum.messages < count {
            receive(sum);
        }
    })
}
