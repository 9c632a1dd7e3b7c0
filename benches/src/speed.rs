//! Measures all series with all implementations, and reports.

use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::SystemTime;

use crate::measure::{Contestant, Effort, measure};
use crate::page;
use crate::peers::{self, Pass, Peer};
use crate::report::{Figure, Row, Table, markdown};
use crate::series::{Series, groups};

/// How often and what to measure.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether to do a sixth of the turns.
    pub quick: bool,
    /// Beginnings of the ids of the wanted series. Empty means all series.
    pub only: Vec<String>,
    /// A directory for `results.md`.
    pub out: Option<PathBuf>,
}

impl Options {
    fn turns(&self) -> usize {
        if self.quick { 15 } else { 90 }
    }

    fn wants(&self, series: &Series) -> bool {
        let mut prefixes = self.only.iter();
        self.only.is_empty() || prefixes.any(|prefix| series.id.starts_with(prefix))
    }
}

/// Measures, and prints a report in Markdown.
///
/// # Errors
///
/// If an implementation does not do its job, if no series is wanted, or if `results.md` cannot be written.
pub fn report(options: &Options) -> Result<(), String> {
    let mut groups = groups();
    for group in &mut groups {
        group.series.retain(|series| options.wants(series));
    }
    groups.retain(|group| !group.series.is_empty());
    if groups.is_empty() {
        return Err("no id of a series begins so".to_owned());
    }
    let peers = peers::all();
    let count: usize = groups.iter().map(|group| group.series.len()).sum();
    let mut done = 0;
    let mut tables = Vec::new();
    for group in groups {
        let mut rows = Vec::new();
        for series in group.series {
            done += 1;
            eprint!("{done}/{count} {}", series.id);
            let row = measured(&series, &peers, options.turns())?;
            eprintln!(": {}", row.summary());
            rows.push(row);
        }
        let title = group.title;
        tables.push(Table { title, rows });
    }

    let text = format!("{}\n{}", markdown(&tables), method(options));
    print!("{text}");
    if let Some(out) = &options.out {
        std::fs::create_dir_all(out)
            .and_then(|()| std::fs::write(out.join("results.md"), &text))
            .map_err(|error| format!("{}: {error}", out.display()))?;
    }
    Ok(())
}

/// Checks and measures everyone.
fn measured(series: &Series, peers: &[Box<dyn Peer>], turns: usize) -> Result<Row, String> {
    let mut contestants: Vec<Contestant> = Vec::new();
    let mut implementations = 0;
    for place in 0..series.job.places() {
        let mut add = |i: usize, name: String, mut pass: Pass| {
            let expected = series.job.check(&mut pass);
            let expected = expected.map_err(|error| format!("{}: {name}: {error}", series.id))?;
            match contestants.get_mut(i) {
                Some(contestant) => contestant.passes.push(pass),
                None => contestants.push(Contestant {
                    name,
                    passes: vec![pass],
                    expected,
                }),
            }
            Ok::<_, String>(())
        };
        let mut i = 0;
        for peer in peers {
            page::skip(place);
            if let Some(pass) = series.job.pass(&**peer) {
                add(i, with_version(peer.name()), pass)?;
                i += 1;
            }
        }
        implementations = i;
        for (name, pass) in series.job.limits() {
            page::skip(place);
            add(i, name.to_owned(), pass)?;
            i += 1;
        }
    }
    let effort = Effort {
        turns,
        rounds: series.job.rounds(),
    };
    let times = measure(&mut contestants, series.job.messages(), effort);
    let names = contestants.into_iter().map(|contestant| contestant.name);
    let mut figures = names.zip(times).map(|(name, time)| Figure { name, time });
    Ok(Row {
        title: series.title.clone(),
        peers: figures.by_ref().take(implementations).collect(),
        limits: figures.collect(),
    })
}

/// The name of a peer, which begins with the name of its crate, with the version from Cargo.lock.
///
/// # Panics
///
/// If Cargo.lock does not have exactly one version of the crate.
fn with_version(peer: &str) -> String {
    let (name, rest) = peer.split_at(peer.find(' ').unwrap_or(peer.len()));
    let start = format!("\nname = \"{name}\"\nversion = \"");
    let packages: Vec<_> = include_str!("../../Cargo.lock").split(&start).collect();
    let [_, package] = packages[..] else {
        panic!("{} versions of {name} in Cargo.lock", packages.len() - 1);
    };
    let version = package.split(['"', '+']).next().unwrap_or_default();
    format!("{name} {version}{rest}")
}

/// Where the figures come from, as a section of the report.
fn method(options: &Options) -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let mut command = "benches/run".to_owned();
    if options.quick {
        command += " --quick";
    }
    for prefix in &options.only {
        command += " --only ";
        command += prefix;
    }
    format!(
        "## Machine\n\n- processor: {}, {} cores\n- compiler: {}\n- target: {} ({})\n- date: {}\n\
         - command: `{command}`\n\
         - each figure: the median of the fastest third of {} turns\n",
        model(&cpuinfo).unwrap_or("unknown"),
        available_parallelism().map_or(1, usize::from),
        env!("BUILT_BY"),
        env!("BUILT_FOR"),
        env!("BUILT_WITH"),
        date.split('T').next().unwrap_or_default(),
        options.turns()
    )
}

/// The name of the processor.
fn model(cpuinfo: &str) -> Option<&str> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| (key.trim() == "model name").then(|| value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_one_version() {
        for peer in peers::all() {
            let name = with_version(peer.name());
            assert!(name.len() > peer.name().len(), "{name}");
        }
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            with_version("sockless-benches (x)"),
            format!("sockless-benches {version} (x)")
        );
    }

    #[test]
    fn the_method_says_what_was_measured_where() {
        let options = Options {
            quick: true,
            only: vec!["send-".into(), "echo-1".into()],
            out: None,
        };
        let text = method(&options);
        assert!(text.contains("- command: `benches/run --quick --only send- --only echo-1`\n"));
        assert!(text.ends_with(" of 15 turns\n"), "{text}");
        assert!(method(&Options::default()).ends_with(" of 90 turns\n"));

        let cpuinfo =
            "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Some CPU @ 2 GHz\nflags\t: a\n";
        assert_eq!(model(cpuinfo), Some("Some CPU @ 2 GHz"));
        assert_eq!(model("model\t: 143\n"), None);
    }

    #[test]
    fn only_the_wanted_series_are_measured() {
        let mut options = Options {
            only: vec!["send-".into(), "echo-1".into()],
            ..Options::default()
        };
        let groups = groups();
        let wanted = |options: &Options| {
            let series = groups.iter().flat_map(|group| &group.series);
            series.filter(|series| options.wants(series)).count()
        };
        assert_eq!(wanted(&options), 14 + 4);
        options.only.clear();
        assert_eq!(wanted(&options), 57);
        options.only.push("nothing".into());
        report(&options).unwrap_err();
    }
}
