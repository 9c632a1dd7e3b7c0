//! Figures beside what they may be.

use std::fmt::Write;

/// A name and a figure.
pub type Figure = (String, f64);

/// How far a figure may be from its budget, in percent.
pub const TOLERANCE: f64 = 3.0;

/// What [`compare`] finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// A Markdown table: series, counted, budget, difference.
    pub table: String,
    /// What must not be.
    pub failures: Vec<String>,
    /// Budgets that are too high.
    pub too_high: Vec<String>,
}

/// Budgets, one a line: the name, spaces, the figure. Empty lines and lines that begin with `#` say nothing.
///
/// # Errors
///
/// Says which line is wrong.
pub fn parse(text: &str) -> Result<Vec<Figure>, String> {
    let mut budgets: Vec<Figure> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what| format!("line {}: {what}: {line}", i + 1);
        let (name, figure) = line
            .rsplit_once(char::is_whitespace)
            .ok_or_else(|| wrong("not a name and a figure"))?;
        let name = name.trim_end();
        let figure: f64 = figure.parse().map_err(|_| wrong("not a figure"))?;
        if !figure.is_finite() || figure <= 0.0 {
            return Err(wrong("not a figure above 0"));
        }
        if budgets.iter().any(|(other, _)| other == name) {
            return Err(wrong("a second budget of the same name"));
        }
        budgets.push((name.to_owned(), figure));
    }
    Ok(budgets)
}

/// What [`parse`] reads, with as many digits as a budget has.
pub fn write(counted: &[Figure]) -> String {
    let mut text = String::new();
    for (name, figure) in counted {
        writeln!(text, "{name:<40} {figure:8.1}").unwrap();
    }
    text
}

/// Holds what was counted against the budgets.
pub fn compare(counted: &[Figure], budgets: &[Figure]) -> Verdict {
    let mut verdict = Verdict {
        table: "| series | counted | budget | difference |\n|---|--:|--:|--:|\n".into(),
        ..Verdict::default()
    };
    for (name, figure) in counted {
        let Some((_, budget)) = budgets.iter().find(|(other, _)| other == name) else {
            writeln!(verdict.table, "| {name} | {figure:.1} | - | - |").unwrap();
            verdict.failures.push(format!("{name}: has no budget"));
            continue;
        };
        let difference = (figure - budget) * 100.0 / budget;
        writeln!(
            verdict.table,
            "| {name} | {figure:.1} | {budget:.1} | {difference:+.1} % |"
        )
        .unwrap();
        if difference > TOLERANCE {
            verdict.failures.push(format!(
                "{name}: {figure:.1}, {difference:.1} % over its budget of {budget:.1}"
            ));
        } else if difference < -TOLERANCE {
            verdict.too_high.push(format!(
                "{name}: {figure:.1}, {:.1} % under its budget of {budget:.1}",
                -difference
            ));
        }
    }
    for (name, _) in budgets {
        if !counted.iter().any(|(other, _)| other == name) {
            verdict
                .failures
                .push(format!("{name}: a budget for no series"));
        }
    }
    verdict
}

/// The instructions that callgrind counted, from the file it writes.
///
/// # Errors
///
/// Says what is missing.
pub fn instructions(profile: &str) -> Result<u64, String> {
    let field = |name: &str| profile.lines().find_map(|line| line.strip_prefix(name));
    let events = field("events:").ok_or("no line of events")?;
    let place = events
        .split_whitespace()
        .position(|event| event == "Ir")
        .ok_or("instructions were not counted")?;
    let totals = field("totals:").ok_or("no line of totals")?;
    // Zeros at the end are left out.
    match totals.split_whitespace().nth(place) {
        Some(total) => total.parse().map_err(|_| format!("totals:{totals}")),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, f64)]) -> Vec<Figure> {
        figures
            .iter()
            .map(|(name, figure)| ((*name).to_owned(), *figure))
            .collect()
    }

    #[test]
    fn budgets_are_read_as_they_are_written() {
        let counted = figures(&[("receive 0 B", 88.04), ("opening handshake", 12_345.67)]);
        assert_eq!(
            parse(&write(&counted)),
            Ok(figures(&[
                ("receive 0 B", 88.0),
                ("opening handshake", 12_345.7)
            ]))
        );
        assert_eq!(
            parse("# figures\n\n  one two \t 3 \n"),
            Ok(figures(&[("one two", 3.0)]))
        );
    }

    #[test]
    fn a_wrong_budget_is_refused() {
        for text in [
            "one",
            "one x",
            "one -1",
            "one 0",
            "one NaN",
            "one inf",
            "one 1\none 1",
        ] {
            let error = parse(text).unwrap_err();
            let line = format!("line {}: ", text.lines().count());
            assert!(error.starts_with(&line), "{error}");
        }
    }

    #[test]
    fn a_figure_may_be_three_percent_away() {
        let budgets = figures(&[("a", 100.0), ("b", 100.0)]);
        let verdict = compare(&figures(&[("a", 103.0), ("b", 97.0)]), &budgets);
        assert_eq!(verdict.failures, [""; 0]);
        assert_eq!(verdict.too_high, [""; 0]);
        assert!(
            verdict
                .table
                .ends_with("| a | 103.0 | 100.0 | +3.0 % |\n| b | 97.0 | 100.0 | -3.0 % |\n")
        );

        let verdict = compare(&figures(&[("a", 103.1), ("b", 96.9)]), &budgets);
        assert_eq!(
            verdict.failures,
            ["a: 103.1, 3.1 % over its budget of 100.0"]
        );
        assert_eq!(
            verdict.too_high,
            ["b: 96.9, 3.1 % under its budget of 100.0"]
        );
    }

    #[test]
    fn every_series_has_a_budget_and_every_budget_a_series() {
        let verdict = compare(
            &figures(&[("a", 1.0), ("b", 1.0)]),
            &figures(&[("a", 1.0), ("c", 1.0)]),
        );
        assert_eq!(
            verdict.failures,
            ["b: has no budget", "c: a budget for no series"]
        );
        assert!(verdict.table.ends_with("| b | 1.0 | - | - |\n"));
    }

    #[test]
    fn instructions_are_found_among_other_events() {
        assert_eq!(instructions("events: Ir\nfn=x\ntotals: 123\n"), Ok(123));
        assert_eq!(instructions("events: Dr Ir\ntotals: 1 2\n"), Ok(2));
        assert_eq!(instructions("events: Dr Ir\ntotals: 1\n"), Ok(0));
        for profile in [
            "",
            "totals: 1",
            "events: Ir",
            "events: Dr\ntotals: 1",
            "events: Ir\ntotals: x",
        ] {
            assert!(instructions(profile).is_err(), "{profile}");
        }
    }
}
