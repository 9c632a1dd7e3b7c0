//! The report, in Markdown.

use std::fmt::Write;

/// The time for a message, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub name: String,
    pub time: f64,
}

/// The figures of a series.
pub struct Row {
    pub title: String,
    /// The implementations, sockless first.
    pub peers: Vec<Figure>,
    /// The limits of the machine. The last one does all the work.
    pub limits: Vec<Figure>,
}

impl Row {
    /// The time of sockless.
    fn time(&self) -> f64 {
        self.peers[0].time
    }

    /// The fastest of the other implementations.
    fn best_peer(&self) -> Option<&Figure> {
        self.peers[1..]
            .iter()
            .min_by(|one, other| one.time.total_cmp(&other.time))
    }

    /// In one line, for the terminal.
    pub fn summary(&self) -> String {
        let mut text = time(self.time());
        for figure in [self.best_peer(), self.limits.last()].into_iter().flatten() {
            let ratio = ratio(self.time() / figure.time);
            write!(text, ", {ratio} times {}", figure.name).unwrap();
        }
        text
    }
}

/// The rows of a table.
pub struct Table {
    pub title: &'static str,
    pub rows: Vec<Row>,
}

/// A summary, and a table of all figures for each group.
pub fn markdown(tables: &[Table]) -> String {
    let mut text = String::from(
        "## Summary\n\n\
        Each time is for one message. A ratio below 1 means that sockless is faster. \
        The limit is the work that everyone must do.\n\n\
        | series | sockless | best peer | | sockless / best peer | limit | | sockless / limit |\n\
        |---|--:|--:|---|--:|--:|---|--:|\n",
    );
    for row in tables.iter().flat_map(|table| &table.rows) {
        write!(text, "| {} | {} |", row.title, time(row.time())).unwrap();
        for figure in [row.best_peer(), row.limits.last()] {
            match figure {
                Some(figure) => {
                    let ratio = ratio(row.time() / figure.time);
                    write!(text, " {} | {} | {ratio} |", time(figure.time), figure.name)
                }
                None => write!(text, " - | - | - |"),
            }
            .unwrap();
        }
        text.push('\n');
    }
    for table in tables {
        full(&mut text, table);
    }
    text
}

fn full(text: &mut String, table: &Table) {
    let names = columns(&table.rows);
    writeln!(
        text,
        "\n## {}\n\n| series | {} |",
        table.title,
        names.join(" | ")
    )
    .unwrap();
    writeln!(text, "|---|{}", "--:|".repeat(names.len())).unwrap();
    for row in &table.rows {
        write!(text, "| {} |", row.title).unwrap();
        for name in &names {
            let mut figures = row.peers.iter().chain(&row.limits);
            let figure = figures.find(|figure| figure.name == *name);
            let cell = figure.map_or_else(|| "-".to_owned(), |figure| time(figure.time));
            write!(text, " {cell} |").unwrap();
        }
        text.push('\n');
    }
}

/// The names of all figures, peers before limits. Rows with more figures decide the order.
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
    add(&|row| &row.peers);
    add(&|row| &row.limits);
    names
}

/// A time in nanoseconds, or in microseconds from ten microseconds on.
fn time(nanoseconds: f64) -> String {
    // It is rounded before the comparison: 9999.9 ns are 10.0 us.
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

/// A ratio of times.
fn ratio(ratio: f64) -> String {
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
        let figures = |all: &[(&str, f64)]| -> Vec<_> {
            all.iter().map(|(name, time)| figure(name, *time)).collect()
        };
        let mut peers = figures(peers);
        peers.insert(0, figure("sockless 1", 50.0));
        Row {
            title: title.to_owned(),
            peers,
            limits: figures(limits),
        }
    }

    #[test]
    fn the_best_peer_is_the_fastest_other_one() {
        let row = row(
            "a",
            &[("slow", 90.0), ("best", 20.0), ("other", 21.0)],
            &[("memcpy", 5.0), ("copy+xor", 10.0)],
        );
        assert_eq!(row.best_peer(), Some(&figure("best", 20.0)));
        assert_eq!(
            row.summary(),
            "50.0 ns, 2.50 times best, 5.00 times copy+xor"
        );
    }

    #[test]
    fn figures_are_rounded_before_their_unit_is_chosen() {
        for (nanoseconds, expected) in [
            (0.04, "0.0 ns"),
            (4.26, "4.3 ns"),
            (99.94, "99.9 ns"),
            (99.96, "100 ns"),
            (9999.4, "9999 ns"),
            (9999.6, "10.0 \u{b5}s"),
            (99_960.0, "100 \u{b5}s"),
            (4_812_345.0, "4812 \u{b5}s"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
        for (value, expected) in [
            (0.456, "0.46"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (123.4, "123"),
        ] {
            assert_eq!(ratio(value), expected);
        }
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
        let text = markdown(&tables);
        for line in [
            "| a | 50.0 ns | 100 ns | x 2 | 0.50 | 25.0 ns | memcpy | 2.00 |",
            "| b | 50.0 ns | 40.0 ns | w 1 | 1.25 | - | - | - |",
            "| series | sockless 1 | w 1 | x 2 | memcpy |",
            "| a | 50.0 ns | - | 100 ns | 25.0 ns |",
            "| b | 50.0 ns | 40.0 ns | 20.0 \u{b5}s | - |",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n\n{text}");
        }
    }
}
