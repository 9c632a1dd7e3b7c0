//! Drives a server through what load does not show: stops of its process, slow and rude clients, and waiting without work.
//! Frames are written and judged by hand.

use std::io::Write as _;
use std::time::Duration;

use crate::target::Target;

mod connection;
mod ending;
mod flow;
mod frames;
mod idle;
mod process;
mod program;
mod stopped;

use process::Process;
pub use program::ClientPlan;

/// What takes longer has hung. Verdicts depend on other times only where deadlines are the subject.
const LIMIT: Duration = Duration::from_mins(2);

/// How much later than its deadlines allow a server may be on a machine that is busy.
const SLACK: Duration = Duration::from_secs(10);

/// What to do with a server.
pub struct Plan {
    /// The server.
    pub target: Target,
    /// Its process.
    pub server: u32,
    /// The length of all its deadlines, if it was given one.
    pub timeout: Option<Duration>,
    /// How many bytes it has to take while its client reads none of the answers: more than its transport holds back.
    pub unread: usize,
    /// A path at which the server closes each connection with 4001 and the reason `bye`, if it has one.
    pub close_at: Option<String>,
    /// Only these scenarios. All of them if there is no name.
    pub names: Vec<String>,
}

/// The deadlines of a server or a client.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    handshake: Duration,
    ping: Duration,
    pong: Duration,
    close: Duration,
}

impl Deadlines {
    /// All of one length, or the defaults.
    fn new(timeout: Option<Duration>) -> Self {
        let or = |seconds| timeout.unwrap_or(Duration::from_secs(seconds));
        Self {
            handshake: or(10),
            ping: or(20),
            pong: or(20),
            close: or(10),
        }
    }

    /// When a peer that does nothing any more is given up: the Ping is due, the Pong is late, and the Close frame is.
    fn gives_up(&self) -> Duration {
        self.ping + self.pong + self.close
    }
}

/// The server of a [`Plan`].
struct Server {
    target: Target,
    process: Process,
    deadlines: Deadlines,
    unread: usize,
}

/// What a scenario found, or what is wrong.
type Verdict = Result<String, String>;

/// What came of the scenarios. Each line is printed as soon as it is known.
pub struct Report {
    names: Vec<String>,
    /// A line for each scenario: `ok NAME: ...`, `not ok NAME: ...` or `NOT RUN NAME: ...`.
    pub lines: Vec<String>,
    /// Whether no scenario failed.
    pub ok: bool,
}

impl Report {
    fn new(names: Vec<String>) -> Self {
        Self {
            names,
            lines: Vec::new(),
            ok: true,
        }
    }

    /// Runs a scenario, if it is wanted.
    async fn run(&mut self, name: &str, scenario: impl Future<Output = Verdict>) {
        if self.wants(name) {
            let verdict = scenario.await;
            self.judge(name, verdict);
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|it| it == name)
    }

    fn judge(&mut self, name: &str, verdict: Verdict) {
        self.ok &= verdict.is_ok();
        self.say(match verdict {
            Ok(found) => format!("ok {name}: {found}"),
            Err(wrong) => format!("not ok {name}: {wrong}"),
        });
    }

    fn say(&mut self, line: String) {
        let mut stdout = std::io::stdout().lock();
        // Whoever does not listen any more still learns the result from the status.
        _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        self.lines.push(line);
    }
}

/// The names of all scenarios for a server.
pub const NAMES: [&str; 9] = [
    idle::NAME,
    flow::SLOW_READER,
    flow::SLOW_SENDER,
    ending::CLOSE_THEN_RESET,
    ending::HALF_CLOSE,
    flow::ONLY_SENDS,
    stopped::PAST_PONG,
    stopped::PAST_HANDSHAKE,
    stopped::PAST_CLOSE,
];

/// Runs all scenarios and prints a line for each.
///
/// Those that measure or stop the whole process are alone. The others are side by side.
pub async fn run(plan: Plan) -> Report {
    // All scenarios together are too large for a stack.
    Box::pin(run_all(plan)).await
}

async fn run_all(plan: Plan) -> Report {
    let server = &Server {
        target: plan.target,
        process: Process(plan.server),
        deadlines: Deadlines::new(plan.timeout),
        unread: plan.unread,
    };
    let mut report = Report::new(plan.names);
    let said = server.process.said_on_stderr();

    report.run(idle::NAME, idle::does_not_spin(server)).await;
    side_by_side(server, &mut report).await;
    let half_close = ending::half_close(server);
    report.run(ending::HALF_CLOSE, half_close).await;
    report.run(flow::ONLY_SENDS, flow::only_sends(server)).await;
    let past_pong = stopped::past_pong(server);
    report.run(stopped::PAST_PONG, past_pong).await;
    let past_handshake = stopped::past_handshake(server);
    report.run(stopped::PAST_HANDSHAKE, past_handshake).await;
    match plan.close_at {
        Some(path) => {
            let past_close = stopped::past_close(server, &path);
            report.run(stopped::PAST_CLOSE, past_close).await;
        }
        None if report.wants(stopped::PAST_CLOSE) => {
            report.say(format!(
                "NOT RUN {}: no --close-at PATH",
                stopped::PAST_CLOSE
            ));
        }
        None => {}
    }

    match (said, server.process.said_on_stderr()) {
        (Some(before), Some(after)) => {
            let verdict = if after == before {
                Ok(String::from("nothing"))
            } else {
                Err(format!("{} bytes", after - before))
            };
            report.judge("stderr", verdict);
        }
        _ => report.say("NOT RUN stderr: it is no file, or the server has ended".into()),
    }
    report
}

async fn side_by_side(server: &Server, report: &mut Report) {
    let [mut reader, mut sender, mut reset] = [(); 3].map(|()| Report::new(report.names.clone()));
    tokio::join!(
        reader.run(flow::SLOW_READER, flow::slow_reader(server)),
        sender.run(flow::SLOW_SENDER, flow::slow_sender(server)),
        reset.run(ending::CLOSE_THEN_RESET, ending::close_then_reset(server)),
    );
    for other in [reader, sender, reset] {
        report.ok &= other.ok;
        report.lines.extend(other.lines);
    }
}

/// The names of all scenarios for a client.
pub const CLIENT_NAMES: [&str; 4] = program::NAMES;

/// Plays the server for a client program and prints a line for each scenario.
pub async fn run_client(plan: ClientPlan) -> Report {
    let mut report = Report::new(plan.names.clone());
    program::run(&plan, &mut report).await;
    report
}

/// What is wrong with some of many connections, if anything is: each thing once.
fn all_of(what: &str, verdicts: Vec<Result<(), String>>) -> Result<(), String> {
    let all = verdicts.len();
    let mut wrong: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let count = wrong.len();
    wrong.sort_unstable();
    wrong.dedup();
    Err(format!("{count} of {all} {what}: {}", wrong.join("; ")))
}
