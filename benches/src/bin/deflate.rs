//! What a connection adds to the time of compressing and decompressing: messages through connections beside the same
//! messages through `zlib-rs` alone.
//!
//! ```text
//! cargo run --profile compare --package sockless-benches --bin deflate
//! ```
//!
//! All use the same input and the same settings, with context takeover, and take turns, so that what disturbs one
//! disturbs the others, too. The figure is the median of the quietest third of the turns. Before that all are checked:
//! what they compress has to be the messages again, and so has what they decompress. The bytes are those of a message
//! when it is compressed.
//!
//! At last a server sends messages of 1 KiB to 1,000 connections: as a shared message, which is compressed once; with
//! each of them compressing it, which needs a compressor for each, 371 MiB, but may refer to earlier messages; and in
//! turns, so that neither refers to an earlier one. There the figures are the time and the bytes for one message on
//! one connection.
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

use std::time::Instant;

use sockless_benches::deflate::{Contestant, Job, broadcasters, receivers, senders};
use sockless_benches::job::Role;
use sockless_benches::sum::Sum;

const TURNS: usize = 300;
/// Passes that are checked; they also fill the windows and make all memory.
const CHECKED: usize = 2;

/// The nanoseconds for each message of everyone, who take turns.
fn compare(contestants: &mut [Contestant], job: &Job, expected: &Sum) -> Vec<f64> {
    let mut times = vec![Vec::new(); contestants.len()];
    for turn in 0..TURNS {
        for i in 0..contestants.len() {
            let i = (turn + i) % contestants.len();
            let Contestant { name, pass } = &mut contestants[i];
            let mut sum = Sum::default();
            let start = Instant::now();
            pass(&mut sum);
            times[i].push(start.elapsed().as_secs_f64() * 1e9 / job.messages.len() as f64);
            assert_eq!(sum, *expected, "{name}");
        }
    }
    times.into_iter().map(median_of_quietest).collect()
}

fn report(what: &str, job: &Job, contestants: &[Contestant], times: &[f64], bytes: &[f64]) {
    let size = job.messages[0].len();
    for (i, contestant) in contestants.iter().enumerate() {
        let Contestant { name, .. } = contestant;
        let ratio = times[i] / times[0];
        print!(
            "{size:6} B  {what:15}  {name:21} {:8.0} ns  ratio {ratio:.3}",
            times[i]
        );
        match bytes.get(i) {
            Some(bytes) => println!("  {bytes:7.1} B"),
            None => println!(),
        }
    }
}

fn send(what: &str, job: &Job) {
    let mut contestants = senders(job);
    let mut bytes = Vec::new();
    for contestant in &mut contestants {
        let mut sum = Sum::default();
        for _ in 0..CHECKED {
            sum = Sum::thorough();
            (contestant.pass)(&mut sum);
        }
        bytes.push(sum.bytes as f64 / job.messages.len() as f64);
    }
    let mut expected = Sum::default();
    expected.messages = job.messages.len() as u64;
    let times = compare(&mut contestants, job, &expected);
    report(what, job, &contestants, &times, &bytes);
}

fn receive(what: &str, job: &Job) {
    let mut contestants = receivers(job);
    for contestant in &mut contestants {
        for _ in 0..CHECKED {
            let mut sum = Sum::thorough();
            (contestant.pass)(&mut sum);
            assert_eq!(sum, job.expected(Sum::thorough()), "{}", contestant.name);
        }
    }
    let expected = job.expected(Sum::default());
    let times = compare(&mut contestants, job, &expected);
    report(what, job, &contestants, &times, &[]);
}

/// To many at once.
fn broadcast() {
    const CONNECTIONS: usize = 1000;
    const TURNS: usize = 60;
    let job = Job::new(Role::Server, 1 << 10, 1);
    let mut contestants = broadcasters(&job, CONNECTIONS);
    for Contestant { pass, .. } in &mut contestants {
        (0..CHECKED).for_each(|_| pass(&mut Sum::thorough()));
    }
    let mut times = vec![Vec::new(); contestants.len()];
    let mut bytes = vec![Vec::new(); contestants.len()];
    for turn in 0..TURNS {
        for i in 0..contestants.len() {
            let i = (turn + i) % contestants.len();
            let mut sum = Sum::default();
            let start = Instant::now();
            (contestants[i].pass)(&mut sum);
            let sent = (sum.messages * CONNECTIONS as u64) as f64;
            times[i].push(start.elapsed().as_secs_f64() * 1e9 / sent);
            bytes[i].push(sum.bytes as f64 / sent);
        }
    }
    let times: Vec<_> = times.into_iter().map(median_of_quietest).collect();
    let bytes: Vec<_> = bytes
        .into_iter()
        .map(|bytes| bytes.iter().sum::<f64>() / TURNS as f64)
        .collect();
    report("to 1,000", &job, &contestants, &times, &bytes);
}

/// The median of the quietest third.
fn median_of_quietest(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 6]
}

fn main() {
    for size in [100, 1 << 10, 16 << 10] {
        let job = |role| Job::new(role, size, CHECKED + TURNS);
        send("server sends", &job(Role::Server));
        send("client sends", &job(Role::Client));
        receive("client receives", &job(Role::Client));
        receive("server receives", &job(Role::Server));
    }
    broadcast();
}
