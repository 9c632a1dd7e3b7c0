//! The table in README.md: one row for each difference of a receiver.

use std::fmt;
use std::sync::LazyLock;

use sockless::test_util::Role;

use crate::peers::Name;
use crate::stream::{Limits, Stream};

macro_rules! switches {
    ($($name:ident)*) => {
        /// One thing that a receiver does differently.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Switch {
            $($name,)*
        }

        impl Switch {
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

switches! {
    AnyLengthForm
    TopBitTooBig
    TakesUnmasked
    TakesMasked
    LongCloseAndPong
    MessageReplacesMessage
    CutCharacterDropped
    NoCloseFrame
    RefusesAfterClose
    LateRules
    LateUtf8
    LateSurrogates
    InvalidCodeReplaced
    Refuses1014
    ReasonBeforeCode
    NoLimits
    NoMessageLimit
    PingNotDelivered
}

/// A set of switches.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches(u32);

impl Switches {
    /// The switches of all rows of this peer.
    pub fn of(peer: Name) -> Self {
        let rows = ROWS.iter().filter(|row| row.peer == peer);
        rows.fold(Self::default(), |all, row| all.with(row.switch))
    }

    pub const fn contains(self, switch: Switch) -> bool {
        self.0 & 1 << switch as u32 != 0
    }

    pub const fn with(self, switch: Switch) -> Self {
        Self(self.0 | 1 << switch as u32)
    }

    pub const fn without(self, switch: Switch) -> Self {
        Self(self.0 & !(1 << switch as u32))
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Switch> {
        let all = Switch::ALL.iter().copied();
        all.filter(move |switch| self.contains(*switch))
    }
}

impl fmt::Debug for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A row of the table.
pub struct Row {
    pub peer: Name,
    pub switch: Switch,
    /// A stream that shows the difference.
    pub example: Stream,
    /// The switch of the row, and others that the example cannot avoid.
    pub example_switches: Switches,
}

/// All rows.
///
/// # Panics
///
/// If a row is malformed.
pub static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let lines = include_str!("../README.md").lines();
    let lines = lines
        .skip_while(|line| !line.starts_with("| peer |"))
        .skip(2);
    let lines = lines.take_while(|line| line.starts_with('|'));
    let row = |line| row(line).unwrap_or_else(|| panic!("malformed row: {line}"));
    lines.map(row).collect()
});

/// Reads `| peer | switch | theirs | ours | section | kind | example |`.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let ["", peer, switch, _, _, section, kind, example, ""] = cells[..] else {
        return None;
    };
    let kinds = ["violation", "leniency", "SHOULD", "choice"];
    if !section.starts_with("RFC 6455, section ") || !kinds.contains(&kind) {
        return None;
    }
    let switch = parse_switch(switch)?;
    let mut parts = example.split('`').skip(1);
    let (bytes, rest) = (parse_hex(parts.next()?)?, parts.next()?);
    let role = match () {
        () if rest.starts_with(" to a client") => Role::Client,
        () if rest.starts_with(" to a server") => Role::Server,
        () => return None,
    };
    let limits = if rest.contains("small limits") {
        Limits::Small
    } else {
        Limits::Default
    };
    let mut example_switches = Switches::default().with(switch);
    if rest.contains("also shows ") {
        example_switches = example_switches.with(parse_switch(parts.next()?)?);
    }
    Some(Row {
        peer: Name::ALL
            .into_iter()
            .find(|name| name.to_string() == peer)?,
        switch,
        example: Stream::new(role, limits, bytes),
        example_switches,
    })
}

fn parse_switch(name: &str) -> Option<Switch> {
    let name = name.trim_matches('`');
    let mut all = Switch::ALL.iter().copied();
    all.find(|switch| format!("{switch:?}") == name)
}

/// Reads bytes such as `81 00*5 ff`, where `00*5` is five times `00`.
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
    fn every_row_is_read_and_every_switch_has_a_row() {
        assert!(
            Name::ALL
                .iter()
                .all(|name| Switches::of(*name) != Switches::default())
        );
        let used = |switch: &Switch| ROWS.iter().any(|row| row.switch == *switch);
        assert!(Switch::ALL.iter().all(used));
    }

    #[test]
    fn hexadecimal_is_read() {
        assert_eq!(
            parse_hex("81 02 00*3 ff"),
            Some(b"\x81\x02\0\0\0\xff".into())
        );
        for wrong in ["8", "8102", "81*", "gg", "81*x"] {
            assert_eq!(parse_hex(wrong), None, "{wrong}");
        }
    }
}
