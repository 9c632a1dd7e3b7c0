//! The report, in Markdown.

use std::fmt::Write;

use crate::machine::Machine;

/// Who did a job, and the time for a message in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub name: String,
    pub time: f64,
}

/// The figures of a series.
pub struct Row {
    pub title: String,
    pub sockless: Figure,
    /// The other implementations.
    pub peers: Vec<Figure>,
    /// The machine's limits, the one with all the work last.
    pub limits: Vec<Figure>,
    /// Whether the plot has it.
    pub plotted: bool,
}

impl Row {
    /// The fastest of the others.
    pub fn best_peer(&self) -> Option<&Figure> {
        self.peers
            .iter()
            .min_by(|one, other| one.time.total_cmp(&other.time))
    }

    /// What the machine can do if all the work is done.
    pub fn limit(&self) -> Option<&Figure> {
        self.limits.last()
    }

    fn all(&self) -> impl Iterator<Item = &Figure> {
        std::iter::once(&self.sockless)
            .chain(&self.peers)
            .chain(&self.limits)
    }
}

/// The rows of a table.
pub struct Table {
    pub title: &'static str,
    pub rows: Vec<Row>,
}

/// How it was measured.
pub struct Method {
    /// The command that was given.
    pub command: String,
    pub turns: usize,
    pub machine: Machine,
}

/// All of it: what came out in short, all figures, and where they come from.
pub fn markdown(tables: &[Table], method: &Method) -> String {
    let mut text = String::new();
    summary(&mut text, tables);
    for table in tables {
        full(&mut text, table);
    }
    machine(&mut text, method);
    text
}

/// Everything is written to a string, which takes all.
macro_rules! put {
    ($text:expr, $($arguments:tt)*) => {
        writeln!($text, $($arguments)*).expect("a string")
    };
}

fn summary(text: &mut String, tables: &[Table]) {
    put!(text, "## Summary\n");
    put!(
        text,
        "Time for one message. Below 1, sockless is faster than the best peer. The limit is the bare work in safe code.\n"
    );
    put!(
        text,
        "| series | sockless | best peer | | sockless / best peer | limit | | sockless / limit |"
    );
    put!(text, "|---|--:|--:|---|--:|--:|---|--:|");
    for row in tables.iter().flat_map(|table| &table.rows) {
        let beside = |figure: Option<&Figure>| match figure {
            Some(figure) => format!(
                "{} | {} | {}",
                time(figure.time),
                figure.name,
                ratio(row.sockless.time / figure.time)
            ),
            None => "- | - | -".to_owned(),
        };
        put!(
            text,
            "| {} | {} | {} | {} |",
            row.title,
            time(row.sockless.time),
            beside(row.best_peer()),
            beside(row.limit())
        );
    }
}

fn full(text: &mut String, table: &Table) {
    let names = columns(&table.rows);
    put!(text, "\n## {}\n", table.title);
    put!(text, "| series | {} |", names.join(" | "));
    put!(text, "|---|{}", "--:|".repeat(names.len()));
    for row in &table.rows {
        let cells = names.iter().map(|name| {
            let figure = row.all().find(|figure| figure.name == *name);
            figure.map_or_else(|| "-".to_owned(), |figure| time(figure.time))
        });
        put!(
            text,
            "| {} | {} |",
            row.title,
            cells.collect::<Vec<_>>().join(" | ")
        );
    }
}

/// The names, peers before limits, in the order in which the rows with most of them have them.
fn columns(rows: &[Row]) -> Vec<&str> {
    let mut names = vec![];
    let mut add = |figures: &'_ dyn Fn(&Row) -> &[Figure]| {
        let mut rows: Vec<_> = rows.iter().map(figures).collect();
        rows.sort_by_key(|figures| std::cmp::Reverse(figures.len()));
        for figure in rows.into_iter().flatten() {
            if !names.contains(&&*figure.name) {
                names.push(&*figure.name);
            }
        }
    };
    add(&|row| std::slice::from_ref(&row.sockless));
    add(&|row| &row.peers);
    add(&|row| &row.limits);
    names
}

fn machine(text: &mut String, method: &Method) {
    let Machine {
        cpu,
        cores,
        rustc,
        target,
        features,
        date,
    } = &method.machine;
    put!(text, "\n## Machine\n");
    put!(text, "- processor: {cpu}, {cores} cores");
    put!(text, "- compiler: {rustc}");
    put!(text, "- target: {target} ({features})");
    put!(text, "- date: {date}");
    put!(text, "- command: `{}`", method.command);
    put!(
        text,
        "- each figure: the median of the quietest third of {} turns",
        method.turns
    );
}

/// Nanoseconds, in microseconds from ten of them on, with as many digits as say something.
pub fn time(nanoseconds: f64) -> String {
    // Rounded first: 9999.9 ns are 10.0 us.
    if nanoseconds.round() < 10_000.0 {
        format!("{} ns", digits(nanoseconds))
    } else {
        format!("{} \u{b5}s", digits(nanoseconds / 1000.0))
    }
}

fn digits(value: f64) -> String {
    if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// How many times as long.
pub fn ratio(ratio: f64) -> String {
    if ratio < 9.995 {
        format!("{ratio:.2}")
    } else {
        digits(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, time: f64) -> Figure {
        Figure {
            name: name.to_owned(),
            time,
        }
    }

    fn row(title: &str, peers: &[(&str, f64)], limits: &[(&str, f64)]) -> Row {
        let figures = |all: &[(&str, f64)]| {
            let figures = all.iter().map(|(name, time)| figure(name, *time));
            figures.collect()
        };
        Row {
            title: title.to_owned(),
            sockless: figure("sockless 1", 50.0),
            peers: figures(peers),
            limits: figures(limits),
            plotted: true,
        }
    }

    #[test]
    fn times_have_a_unit_and_no_digit_too_many() {
        for (nanoseconds, expected) in [
            (0.04, "0.0 ns"),
            (4.26, "4.3 ns"),
            (99.94, "99.9 ns"),
            (99.96, "100 ns"),
            (9999.4, "9999 ns"),
            (9999.6, "10.0 \u{b5}s"),
            (10_000.0, "10.0 \u{b5}s"),
            (99_960.0, "100 \u{b5}s"),
            (4_812_345.0, "4812 \u{b5}s"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
    }

    #[test]
    fn ratios() {
        for (value, expected) in [
            (0.456, "0.46"),
            (1.0, "1.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (123.4, "123"),
        ] {
            assert_eq!(ratio(value), expected);
        }
    }

    #[test]
    fn the_best_peer_is_the_fastest_whoever_is_faster_than_it() {
        let row = row(
            "a",
            &[("slow", 90.0), ("best", 20.0), ("other", 21.0)],
            &[("memcpy", 5.0), ("copy+xor", 10.0)],
        );
        assert_eq!(row.best_peer(), Some(&figure("best", 20.0)));
        assert_eq!(row.limit(), Some(&figure("copy+xor", 10.0)));
    }

    #[test]
    fn tables_have_a_cell_for_everyone() {
        let tables = [Table {
            title: "Group",
            rows: vec![
                row("a", &[("x 2", 100.0)], &[("memcpy", 25.0)]),
                row("b", &[("w 1", 40.0), ("x 2", 20_000.0)], &[]),
            ],
        }];
        let method = Method {
            command: "benches/run".to_owned(),
            turns: 90,
            machine: Machine {
                cpu: "CPU".to_owned(),
                cores: 2,
                rustc: "rustc 1",
                target: "target",
                features: "sse2",
                date: "2000-01-01".to_owned(),
            },
        };
        let text = markdown(&tables, &method);
        for line in [
            "| a | 50.0 ns | 100 ns | x 2 | 0.50 | 25.0 ns | memcpy | 2.00 |",
            "| b | 50.0 ns | 40.0 ns | w 1 | 1.25 | - | - | - |",
            "| series | sockless 1 | w 1 | x 2 | memcpy |",
            "| a | 50.0 ns | - | 100 ns | 25.0 ns |",
            "| b | 50.0 ns | 40.0 ns | 20.0 \u{b5}s | - |",
            "- processor: CPU, 2 cores",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n\n{text}");
        }
    }
}
