//! Drives a server through what load does not show: stops of its process, slow and abrupt clients, and idle
//! connections. These scenarios use single frames and check every frame.

use std::cell::RefCell;
use std::time::Duration;

use crate::command_line::say;
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
pub(crate) use process::resident;
pub use program::{CLIENT_NAMES, ClientPlan, run as run_client};

/// The time after which something hangs. Verdicts depend on shorter times only if deadlines are the subject.
const LIMIT: Duration = Duration::from_mins(2);

/// How much later than its deadlines a server may be on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// What to do with a server.
pub struct Plan {
    /// The server.
    pub target: Target,
    /// Its process.
    pub server: u32,
    /// The length of all its deadlines. `None` means the defaults.
    pub timeout: Option<Duration>,
    /// The number of bytes that the server must take while its client reads no answers. It must be more than the socket
    /// buffers hold.
    pub unread: usize,
    /// A path where the server closes each connection with 4001 and the reason `bye`.
    pub close_at: Option<String>,
    /// The names of the scenarios to run. Empty means all.
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

    /// How long a peer keeps a connection on which nothing happens: until the Ping, the Pong and the Close are due.
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

/// What a scenario observed, or what is wrong.
type Verdict = Result<String, String>;

/// The verdicts so far. Each is printed as soon as it is known.
pub struct Report {
    names: Vec<String>,
    lines: RefCell<Vec<String>>,
}

impl Report {
    fn new(names: Vec<String>) -> Self {
        let lines = RefCell::default();
        Self { names, lines }
    }

    /// Whether no scenario failed.
    #[must_use]
    pub fn ok(&self) -> bool {
        !self
            .lines
            .borrow()
            .iter()
            .any(|line| line.starts_with("not ok"))
    }

    /// A line for each scenario: `ok NAME: ...`, `not ok NAME: ...` or `NOT RUN NAME: ...`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Runs a scenario if the names include it.
    async fn run(&self, name: &str, scenario: impl Future<Output = Verdict>) {
        if self.wants(name) {
            self.judge(name, scenario.await);
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|it| it == name)
    }

    fn judge(&self, name: &str, verdict: Verdict) {
        self.add(match verdict {
            Ok(found) => format!("ok {name}: {found}"),
            Err(wrong) => format!("not ok {name}: {wrong}"),
        });
    }

    fn add(&self, line: String) {
        say(&line);
        self.lines.borrow_mut().push(line);
    }
}

/// The names of all scenarios for a server.
pub const NAMES: [&str; 9] = [
    "idle-does-not-spin",
    "slow-reader",
    "slow-sender",
    "close-then-reset",
    "half-close",
    "only-sends",
    "stopped-past-pong",
    "stopped-past-handshake",
    "stopped-past-close",
];

/// Runs the scenarios for a server and prints a line for each.
///
/// Scenarios that measure or stop the whole process run alone. The others run side by side.
pub async fn run(plan: Plan) -> Report {
    // All scenarios together are too large for the stack.
    Box::pin(run_all(plan)).await
}

async fn run_all(plan: Plan) -> Report {
    let server = &Server {
        target: plan.target,
        process: Process(plan.server),
        deadlines: Deadlines::new(plan.timeout),
        unread: plan.unread,
    };
    let report = Report::new(plan.names);
    let before = server.process.said_on_stderr();
    let [
        idle,
        reader,
        sender,
        reset,
        half_close,
        only_sends,
        pong,
        handshake,
        close,
    ] = NAMES;

    report.run(idle, idle::does_not_spin(server)).await;
    tokio::join!(
        report.run(reader, flow::slow_reader(server)),
        report.run(sender, flow::slow_sender(server)),
        report.run(reset, ending::close_then_reset(server)),
    );
    report.run(half_close, ending::half_close(server)).await;
    report.run(only_sends, flow::only_sends(server)).await;
    report.run(pong, stopped::past_pong(server)).await;
    report.run(handshake, stopped::past_handshake(server)).await;
    if let Some(path) = plan.close_at {
        report.run(close, stopped::past_close(server, &path)).await;
    } else if report.wants(close) {
        report.add(format!("NOT RUN {close}: no --close-at PATH"));
    }

    match before.zip(server.process.said_on_stderr()) {
        Some((before, after)) if before == after => report.judge("stderr", Ok("nothing".into())),
        Some((before, after)) => {
            report.judge("stderr", Err(format!("{} bytes", after - before)));
        }
        None => report.add("NOT RUN stderr: it is not a file, or the server has ended".into()),
    }
    report
}

/// Succeeds if all verdicts did. The error lists each failure once.
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
