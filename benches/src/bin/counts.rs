//! Instructions that sockless takes for a message, counted by callgrind and held against their budgets.
//!
//! `benches/counts/run` builds this program with its profile and runs it: `counts [--write] BUDGET`.
//!
//! Every series runs twice under `valgrind --tool=callgrind`, the second time with twice as many messages. The
//! difference, divided by the number of messages, is the figure: what happens once cancels out. Counted is the
//! loop of a user (see `counted.rs`) with all that it calls: `next_event`, the sending methods, `advance_output` and a
//! look at the message of a few instructions. Not counted are reads into the buffer, 16 KiB each, and the transport.
//!
//! The same program gives the same figures every time, whatever else the machine does. Another compiler gives others,
//! and so may another processor: the C library and httparse choose the vector instructions that valgrind has for it.
//! The budgets are for x86-64 with AVX2 and the stable compiler of their day.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use sockless_benches::budget::{self, Figure};
use sockless_benches::counted::{self, Series};

const USAGE: &str = "usage: counts [--write] BUDGET";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["--series", name, count] => run(name, count),
        ["--write", path] => count(&counted::all()).and_then(|counted| write(path, &counted)),
        [path] if !path.starts_with('-') => check(path),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counts: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind looks at.
fn run(name: &str, count: &str) -> Result<(), String> {
    let count = count.parse().map_err(|_| USAGE)?;
    let all = counted::all();
    let series = all.iter().find(|series| series.name == name);
    series.ok_or(USAGE)?.run(count);
    Ok(())
}

fn check(path: &str) -> Result<(), String> {
    // First, since counting takes a while.
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let budgets = budget::parse(&text).map_err(|error| format!("{path}: {error}"))?;
    let verdict = budget::compare(&count(&counted::all())?, &budgets);
    print!("{}", verdict.table);
    if !verdict.too_high.is_empty() {
        println!("\nThese budgets should be lowered, with --write:\n");
        for line in &verdict.too_high {
            println!("- {line}");
        }
    }
    if verdict.failures.is_empty() {
        return Ok(());
    }
    Err(verdict.failures.join("\ncounts: "))
}

fn write(path: &str, counted: &[Figure]) -> Result<(), String> {
    let text = format!(
        "# Instructions for a message; benches/counts/run holds what it counts against them.\n{}",
        budget::write(counted)
    );
    fs::write(path, &text).map_err(|error| format!("{path}: {error}"))?;
    print!("{text}");
    Ok(())
}

/// Instructions for a message of each series.
#[expect(clippy::cast_precision_loss, reason = "figures to be read")]
fn count(series: &[Series]) -> Result<Vec<Figure>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let profile = env::temp_dir().join(format!("sockless-counts-{}", std::process::id()));
    let mut counted = Vec::new();
    for series in series {
        let n = series.messages;
        let once = callgrind(&program, &profile, series, n)?;
        let twice = callgrind(&program, &profile, series, 2 * n)?;
        // Every message takes some, unless the functions that are counted were not found.
        let difference = twice.checked_sub(once).filter(|count| *count >= n as u64);
        let difference = difference.ok_or_else(|| {
            let name = &series.name;
            format!("{name}: {once} instructions for {n} messages, {twice} for twice as many")
        })?;
        // To the tenths that a budget has.
        let figure = (difference as f64 * 10.0 / n as f64).round() / 10.0;
        counted.push((series.name.clone(), figure));
    }
    Ok(counted)
}

/// The instructions counted while `count` messages pass.
fn callgrind(program: &Path, profile: &Path, series: &Series, count: usize) -> Result<u64, String> {
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(profile);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted*counted_*"])
        .arg(out)
        .arg(program)
        .args(["--series", &series.name, &count.to_string()])
        .env_remove("VALGRIND_OPTS")
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "valgrind is missing (Debian has it in `valgrind`)".into(),
            _ => format!("valgrind: {error}"),
        })?;
    let text = fs::read_to_string(profile);
    // It may not be there if valgrind failed, which is said below.
    let _ = fs::remove_file(profile);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}\n{said}", series.name, output.status));
    }
    text.map_err(|error| error.to_string())
        .and_then(|text| budget::instructions(&text))
        .map_err(|error| format!("{}: the profile of callgrind: {error}", series.name))
}
