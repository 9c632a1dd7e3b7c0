//! The table in README.md, and bytes in hexadecimal.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use sockless::test_util::Role;

use crate::differences::{DIFFERENCES, Difference, Kind};
use crate::peers::Peer;
use crate::stream::Limits;

const BEGINNING: &str = "<!-- written by tests/differential/run --write-table -->\n";
const END: &str = "<!-- the end of what is written -->\n";

/// One row per class, with how many streams it explains if that is known.
pub fn rows(counts: Option<&[usize]>) -> String {
    let mut table = String::from("| peer | what it does | what sockless does | RFC | kind | ");
    table.push_str(if counts.is_some() { "streams | " } else { "" });
    table.push_str("example |\n|---|---|---|---|---|---|");
    table.push_str(if counts.is_some() { "---|\n" } else { "\n" });
    for (i, row) in DIFFERENCES.iter().enumerate() {
        let (peer, theirs, ours) = (row.peer.name(), row.theirs, row.ours);
        let (section, kind) = (row.section, row.kind.name());
        let _ = write!(
            table,
            "| {peer} | {theirs} | {ours} | {section} | {kind} | "
        );
        if let Some(count) = counts.map(|counts| counts[i]) {
            let _ = write!(table, "{count} | ");
        }
        let _ = writeln!(table, "{} |", example(row));
    }
    table
}

fn example(row: &Difference) -> String {
    let role = match row.example.role {
        Role::Client => "to a client",
        Role::Server => "to a server",
    };
    let limits = match row.example.limits {
        Limits::Default => String::new(),
        small @ Limits::Small => {
            format!(", limits {} and {}", small.max_frame(), small.max_message())
        }
    };
    format!("`{}` {role}{limits}", row.example.bytes)
}

/// Everything between the two marks.
fn written() -> String {
    let mut text = String::from("\n");
    let versions = Peer::ALL.map(|peer| format!("{} {}", peer.name(), peer.version()));
    let _ = writeln!(text, "Versions: {}.\n", versions.join(", "));
    for peer in Peer::ALL {
        let count = |kind: Kind| {
            let of = |row: &&Difference| row.peer == peer && row.kind == kind;
            DIFFERENCES.iter().filter(of).count()
        };
        let _ = writeln!(
            text,
            "- {}: {} of kind violation, {} of kind leniency, {} against a SHOULD, {} choices",
            peer.name(),
            count(Kind::Violation),
            count(Kind::Leniency),
            count(Kind::Should),
            count(Kind::Choice)
        );
    }
    text.push('\n');
    text.push_str(&rows(None));
    text.push('\n');
    text
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// README.md in three parts: before, between and after the marks.
fn split(readme: &str) -> Result<(&str, &str, &str), String> {
    let parts = readme.split_once(BEGINNING).and_then(|(before, rest)| {
        let (between, after) = rest.split_once(END)?;
        Some((before, between, after))
    });
    parts.ok_or_else(|| format!("{} has no place for the table", path().display()))
}

fn read() -> Result<String, String> {
    fs::read_to_string(path()).map_err(|error| format!("{}: {error}", path().display()))
}

/// Writes the table into README.md.
pub fn write() -> Result<(), String> {
    let readme = read()?;
    let (before, _, after) = split(&readme)?;
    let readme = [before, BEGINNING, &written(), END, after].concat();
    fs::write(path(), readme).map_err(|error| format!("{}: {error}", path().display()))
}

/// The table in README.md is the one of the code.
pub fn check() -> Result<(), String> {
    if split(&read()?)?.1 == written() {
        Ok(())
    } else {
        let path = path();
        Err(format!(
            "the table in {} is out of date: --write-table writes it",
            path.display()
        ))
    }
}

/// Bytes as `81 00*5 ff`.
pub fn hex(bytes: &[u8]) -> String {
    let runs = bytes.chunk_by(|one, other| one == other);
    let words = runs.map(|run| match run {
        [byte] => format!("{byte:02x}"),
        [byte, ..] => format!("{byte:02x}*{}", run.len()),
        [] => String::new(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The bytes of what [`hex`] wrote.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let (byte, times) = match word.split_once('*') {
            Some((byte, times)) => (byte, times.parse().ok()?),
            None => (word, 1),
        };
        if byte.len() != 2 {
            return None;
        }
        let byte = u8::from_str_radix(byte, 16).ok()?;
        bytes.resize(bytes.len() + times, byte);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_and_written() {
        assert_eq!(
            parse_hex("81 02 00*3 ff"),
            Some(b"\x81\x02\0\0\0\xff".into())
        );
        assert_eq!(hex(b"\x81\x02\0\0\0\xff"), "81 02 00*3 ff");
        assert_eq!(
            parse_hex(&hex(b"\x00\x7f\xff")),
            Some(b"\x00\x7f\xff".into())
        );
        for wrong in ["8", "8102", "81*", "gg", "81*x"] {
            assert_eq!(parse_hex(wrong), None, "{wrong}");
        }
    }
}
