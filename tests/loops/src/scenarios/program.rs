//! A client program, for which this plays the server.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::connection::Connection;
use super::frames::{CLOSE, PING, PONG, Role, TEXT, close, frame};
use super::process::Process;
use super::{Deadlines, LIMIT, Report, SLACK, Verdict};

pub(super) const NAMES: [&str; 4] = [
    "client-stopped-past-pong",
    "client-reset-after-close",
    "client-many-lines",
    "client-without-stderr",
];

/// What to do with a client. It prints `text: ` and the text for each message, and `closed `, the code and the reason in
/// quotes at the end; it sends each line of stdin, and closes with 1000 at the end of stdin.
pub struct ClientPlan {
    /// The program and its arguments, but for the URL, which is the last.
    pub command: Vec<String>,
    /// The length of all its deadlines, if it was given one.
    pub timeout: Option<Duration>,
    /// Only these scenarios. All of them if there is no name.
    pub names: Vec<String>,
}

pub(super) async fn run(plan: &ClientPlan, report: &mut Report) {
    let [past_pong, reset, many_lines, stderr] = NAMES;
    report.run(past_pong, stopped_past_pong(plan)).await;
    report.run(reset, reset_after_close(plan)).await;
    report.run(many_lines, many_lines_echoed(plan)).await;
    report.run(stderr, without_stderr(plan)).await;
}

/// What is done with the program's stderr.
#[derive(Clone, Copy, Debug)]
enum Stderr {
    /// It is read.
    Read,
    /// There is none.
    Closed,
    /// It is a pipe from which nobody reads.
    Broken,
}

/// The program, connected, and ended with this.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    /// What it says on stderr.
    complaints: mpsc::UnboundedReceiver<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Program {
    /// Starts it, and answers its opening handshake.
    async fn start(plan: &ClientPlan, stderr: Stderr) -> Result<(Self, Connection), String> {
        let listener = listen().map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let url = format!("ws://{address}/");
        let mut command = if let Stderr::Closed = stderr {
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec \"$@\" 2>&-", "sh"]);
            shell.args(&plan.command);
            shell
        } else {
            let mut command = Command::new(&plan.command[0]);
            command.args(&plan.command[1..]);
            command
        };
        command
            .arg(&url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", plan.command[0]))?;
        let (complaint, complaints) = mpsc::unbounded_channel();
        let pipe = child.stderr.take();
        if let (Stderr::Read, Some(pipe)) = (stderr, pipe) {
            thread::spawn(move || send_lines(pipe, &complaint));
        }
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let (line, lines) = mpsc::unbounded_channel();
        thread::spawn(move || send_lines(stdout, &line));
        let stdin = child.stdin.take();
        let program = Self {
            child,
            stdin,
            lines,
            complaints,
        };
        let accepted = timeout(LIMIT, listener.accept()).await;
        let (tcp, _) = accepted
            .map_err(|_| String::from("it does not connect"))?
            .map_err(|error| error.to_string())?;
        Ok((program, Connection::serve(tcp).await?))
    }

    /// The next line that it prints; none at the end.
    async fn line(&mut self) -> Result<Option<String>, String> {
        let line = timeout(LIMIT, self.lines.recv()).await;
        line.map_err(|_| String::from("it prints nothing more"))
    }

    /// Waits for a line that begins so. Others may come before.
    async fn prints(&mut self, start: &str) -> Result<(), String> {
        let mut others = Vec::new();
        while let Some(line) = self.line().await? {
            if line.starts_with(start) {
                return Ok(());
            }
            others.push(line);
        }
        Err(format!("it does not print {start:?}, but {others:?}"))
    }

    /// Waits for its end.
    async fn status(&mut self) -> Result<ExitStatus, String> {
        let began = Instant::now();
        loop {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            if let Some(status) = status {
                return Ok(status);
            }
            if began.elapsed() > LIMIT {
                return Err(String::from("it does not end"));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn process(&self) -> Process {
        Process(self.child.id())
    }
}

/// Reads lines until the end, also when nobody wants them any more.
fn send_lines(from: impl Read, to: &mpsc::UnboundedSender<String>) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        _ = to.send(line);
    }
}

/// Small buffers are full soon.
fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 << 10)?;
    socket.set_send_buffer_size(64 << 10)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(1)
}

/// The Pong comes in time, while the client is stopped.
async fn stopped_past_pong(plan: &ClientPlan) -> Verdict {
    let deadlines = Deadlines::new(plan.timeout);
    let (mut program, mut connection) = Program::start(plan, Stderr::Read).await?;
    let ping = match timeout(deadlines.ping + LIMIT, connection.frame()).await {
        Ok(Ok(Some(frame))) if frame.first == PING => frame.payload,
        other => return Err(format!("{other:?} and no Ping")),
    };
    let stopped = program.process().stop().await?;
    connection.send_frame(PONG, &ping).await?;
    sleep(deadlines.pong + Duration::from_secs(1)).await;
    drop(stopped);
    connection.send_frame(TEXT, b"after the stop").await?;
    program.prints("text: after the stop").await?;
    connection.send_frame(CLOSE, &close(1000, "")).await?;
    connection.expect_close(&close(1000, "")).await?;
    // A server is the first to end TCP.
    drop(connection);
    program.prints("closed 1000 \"\"").await?;
    match program.status().await? {
        status if status.success() => Ok(String::from("it goes on")),
        status => Err(format!("it ends with {status}")),
    }
}

/// The server says something, closes with 1008 and resets TCP. The client may be about to read that, or stopped.
async fn reset_after_close(plan: &ClientPlan) -> Verdict {
    const TURNS: usize = 20;
    for turn in 0..TURNS {
        let (mut program, mut connection) = Program::start(plan, Stderr::Read).await?;
        // So that it reads.
        connection.send_frame(TEXT, b"first").await?;
        program.prints("text: first").await?;
        let stopped = if turn % 2 == 0 {
            Some(program.process().stop().await?)
        } else {
            None
        };
        let text = frame(Role::Server, TEXT, b"goodbye");
        let closing = frame(Role::Server, CLOSE, &close(1008, "reason"));
        connection.send(&[text, closing].concat()).await?;
        connection.reset()?;
        drop(stopped);
        let what = |error| format!("turn {turn}: {error}");
        program.prints("text: goodbye").await.map_err(what)?;
        program
            .prints("closed 1008 \"reason\"")
            .await
            .map_err(what)?;
        let status = program.status().await?;
        if status.code() != Some(1) {
            return Err(format!("it ends with {status}"));
        }
    }
    Ok(format!(
        "what was said before a reset is printed, {TURNS} times"
    ))
}

/// Many lines of stdin, and a server that reads only when it has written: all buffers are full, in both directions.
async fn many_lines_echoed(plan: &ClientPlan) -> Verdict {
    const LINES: usize = 2_000_000;
    const BATCH: usize = 2 << 20;
    let (mut program, mut connection) = Program::start(plan, Stderr::Read).await?;
    let mut stdin = program.stdin.take().ok_or("no stdin")?;
    // It ends with the program, or with the last line.
    thread::spawn(move || {
        let mut lines = String::new();
        for number in 1..=LINES {
            lines.push_str(&number.to_string());
            lines.push('\n');
            if lines.len() > 32 << 10 || number == LINES {
                if stdin.write_all(lines.as_bytes()).is_err() {
                    break;
                }
                lines.clear();
            }
        }
    });
    let echo = async {
        // Until then it fills what there is.
        sleep(Duration::from_secs(1)).await;
        let mut closed = false;
        while !closed {
            // So much is more than the buffers on the way back hold: the client has to take it while it has a lot to send.
            let mut answers = Vec::new();
            while !closed && answers.len() < BATCH {
                let next = timeout(Duration::from_millis(100), connection.frame()).await;
                let received = match next {
                    Ok(received) => received?,
                    Err(_) if answers.is_empty() => connection.frame().await?,
                    Err(_) => break,
                };
                let received = received.ok_or("the client ended without a Close frame")?;
                let first = match received.first {
                    TEXT | CLOSE => received.first,
                    PING => PONG,
                    first => return Err(format!("a frame {first:02x}")),
                };
                closed = received.first == CLOSE;
                answers.extend(frame(Role::Server, first, &received.payload));
            }
            connection.send(&answers).await?;
        }
        drop(connection);
        Ok(())
    };
    let read = async {
        let mut number = 0;
        while let Some(line) = program.line().await? {
            if let Some(text) = line.strip_prefix("text: ") {
                number += 1;
                if text != number.to_string() {
                    return Err(format!("text {number} is {text:?}"));
                }
            } else if line.starts_with("closed ") {
                if !line.starts_with("closed 1000 \"\"") || number != LINES {
                    return Err(format!("after {number} lines: {line}"));
                }
                return Ok(());
            }
        }
        Err(format!("it ends after {number} lines"))
    };
    if let Err(error) = tokio::try_join!(echo, read) {
        // It may have more to say.
        let complaint = timeout(Duration::from_secs(1), program.complaints.recv()).await;
        let complaint = complaint.ok().flatten().unwrap_or_default();
        return Err(format!("{error}; on stderr: {complaint:?}"));
    }
    match program.status().await? {
        status if status.success() => Ok(format!("{LINES} lines come back, in order")),
        status => Err(format!("it ends with {status}")),
    }
}

/// Without stderr, or with one that takes nothing, the client does the same: messages are printed, and an error is no panic.
async fn without_stderr(plan: &ClientPlan) -> Verdict {
    for stderr in [Stderr::Closed, Stderr::Broken] {
        let what = |error| format!("{stderr:?}: {error}");
        let (mut program, mut connection) = Program::start(plan, stderr).await.map_err(what)?;
        let text = frame(Role::Server, TEXT, b"Hello");
        // A reserved opcode: the client has something to complain about.
        connection.send(&[&text, &b"\x83\x00"[..]].concat()).await?;
        program.prints("text: Hello").await.map_err(what)?;
        match timeout(SLACK + LIMIT, connection.frame()).await {
            Ok(Ok(Some(frame))) if frame.first == CLOSE && frame.payload[..2] == [3, 0xea] => {}
            other => return Err(what(format!("{other:?} and no Close frame with 1002"))),
        }
        drop(connection);
        // No Close frame came (RFC 6455 section 7.1.5).
        program.prints("closed 1006 \"\"").await.map_err(what)?;
        let status = program.status().await?;
        if status.code() != Some(1) {
            return Err(what(format!("it ends with {status}")));
        }
    }
    Ok(String::from(
        "messages and the end are printed, whatever stderr is",
    ))
}
