//! The report, in Markdown.

use std::fmt::Write as _;
use std::num::NonZero;
use std::{fs, thread};

use crate::grid::{Grid, Visit};
use crate::load::{Interval, Job};
use crate::servers::Server;

/// The fewest connections whose memory the report states. With fewer, the pages of the process matter more.
const MANY: usize = 1000;

/// All tables.
#[must_use]
pub fn markdown(grid: &Grid, visits: &[Visit]) -> String {
    let figures = Figures { grid, visits };
    let mut text = String::new();
    text += "### Processor time of the server for a message\n\n\
        In µs, and in parentheses as a ratio to the first column.\n\n";
    text += &figures.table(|server, row| {
        let time = figures.median(server, row, micros);
        let ratio = figures.median_ratio(server, row);
        Some(format!("{} ({ratio:.2})", three_digits(time?)))
    });
    text += "\n### Messages per second\n\n";
    text += &figures.table(|server, row| {
        let rate = figures.median(server, row, |it| it.messages / it.wall.as_secs_f64());
        Some(format!("{:.0}", rate?))
    });
    text += "\n### Processor time of the load for a message\n\nIn µs.\n\n";
    text += &figures.table(|server, row| {
        let time = |it: &Interval| it.load.as_secs_f64() * 1e6 / it.messages;
        figures.median(server, row, time).map(three_digits)
    });
    text += &figures.resident();
    text += &machine(&grid.servers);
    text
}

struct Figures<'a> {
    grid: &'a Grid,
    visits: &'a [Visit],
}

/// A row of a table: the number of connections and the index of a job.
type Row = (usize, usize);

impl Figures<'_> {
    fn table(&self, cell: impl Fn(&Server, Row) -> Option<String>) -> String {
        let mut text = String::from("| connections | message | in flight |");
        let servers = &self.grid.servers;
        for server in servers {
            write!(text, " {} |", server.name).unwrap();
        }
        text += "\n|--:|--:|--:|";
        text += &"--:|".repeat(servers.len());
        text.push('\n');
        for &connections in &self.grid.connections {
            for (index, job) in self.grid.jobs.iter().enumerate() {
                let Job { size, in_flight } = job;
                write!(text, "| {connections} | {} | {in_flight} |", bytes(*size)).unwrap();
                for server in servers {
                    let cell = cell(server, (connections, index));
                    write!(text, " {} |", cell.as_deref().unwrap_or("-")).unwrap();
                }
                text.push('\n');
            }
        }
        text
    }

    /// The visits of a server with this number of connections, in the order of the turns.
    fn visits(&self, server: &Server, connections: usize) -> impl Iterator<Item = &Visit> {
        let name = server.name;
        self.visits
            .iter()
            .filter(move |visit| visit.connections == connections && visit.server.name == name)
    }

    fn median(
        &self,
        server: &Server,
        (connections, job): Row,
        figure: impl Fn(&Interval) -> f64,
    ) -> Option<f64> {
        let visits = self.visits(server, connections);
        median(visits.map(|visit| figure(&visit.intervals[job])).collect())
    }

    /// The median of the ratios to the first server in the same turn.
    fn median_ratio(&self, server: &Server, (connections, job): Row) -> f64 {
        let of = |server| {
            let visits = self.visits(server, connections);
            visits.map(|visit| micros(&visit.intervals[job]))
        };
        let pairs = of(server).zip(of(&self.grid.servers[0]));
        median(pairs.map(|(one, first)| one / first).collect()).unwrap_or(f64::NAN)
    }

    fn resident(&self) -> String {
        let mut text = String::new();
        let many = self.grid.connections.iter().max();
        let Some(connections) = many.filter(|many| **many >= MANY) else {
            return text;
        };
        writeln!(
            text,
            "\n### Resident memory of an idle connection\n\n\
            In bytes, with {connections} connections. Each has echoed one message.\n\n\
            | server | bytes |\n|---|--:|"
        )
        .unwrap();
        for server in &self.grid.servers {
            let visits = self.visits(server, *connections);
            if let Some(resident) = median(visits.map(|visit| visit.resident).collect()) {
                writeln!(text, "| {} | {resident:.0} |", server.name).unwrap();
            }
        }
        text
    }
}

/// The machine, and the versions of what was measured.
fn machine(servers: &[Server]) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|it| it.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| {
        model.trim_start_matches([' ', '\t', ':'])
    });
    let cores = thread::available_parallelism().map_or(0, NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut versions: Vec<_> = servers.iter().map(Server::version).collect();
    versions.sort_unstable();
    versions.dedup();
    format!(
        "\n### Machine\n\n- processor: {model}, {cores} cores\n- kernel: Linux {}\n- versions: {}\n",
        kernel.trim(),
        versions.join(", "),
    )
}

/// The processor time of the server for a message, in µs.
fn micros(interval: &Interval) -> f64 {
    interval.server.as_secs_f64() * 1e6 / interval.messages
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(figures[middle - 1], upper))
}

fn three_digits(figure: f64) -> String {
    let decimals = match figure {
        ..0.995 => 3,
        ..9.95 => 2,
        ..99.5 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

fn bytes(size: usize) -> String {
    if size >= 1024 && size.is_multiple_of(1024) {
        format!("{} KiB", size / 1024)
    } else {
        format!("{size} B")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers;

    #[test]
    fn medians() {
        for (figures, expected) in [
            (vec![], None),
            (vec![3.0], Some(3.0)),
            (vec![9.0, 1.0, 2.0], Some(2.0)),
            (vec![4.0, 1.0, 9.0, 2.0], Some(3.0)),
        ] {
            assert_eq!(median(figures), expected);
        }
    }

    #[test]
    fn versions() {
        let version = |name| servers::by_name(name).unwrap().version();
        assert_eq!(version("bare-epoll"), "sockless 0.1.0");
        for (name, start) in [
            ("tokio-websockets-send", "tokio-websockets 0."),
            ("ws", "ws 8."),
        ] {
            assert!(version(name).starts_with(start), "{}", version(name));
        }
    }

    #[test]
    fn figures_have_three_digits() {
        for (figure, expected) in [
            (0.1234, "0.123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (1234.0, "1234"),
        ] {
            assert_eq!(three_digits(figure), expected);
        }
        assert_eq!([16, 1000, 65536].map(bytes), ["16 B", "1000 B", "64 KiB"]);
    }
}
