//! Scenarios for a client program. This side plays the server.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connection::Connection;
use super::frames::{CLOSE, PING, PONG, TEXT, close, frame};
use super::process::Process;
use super::{Deadlines, LIMIT, Report, SLACK, Verdict};

/// The names of all scenarios for a client.
pub const CLIENT_NAMES: [&str; 4] = [
    "client-stopped-past-pong",
    "client-reset-after-close",
    "client-many-lines",
    "client-without-stderr",
];

/// What to do with a client. The client prints `text: ` and the text for each message. At the end it prints `closed `,
/// the code and the reason in quotes. It sends each line of stdin, and closes with 1000 at the end of stdin.
pub struct ClientPlan {
    /// The program and its arguments. This adds the URL as the last argument.
    pub command: Vec<String>,
    /// The length of all its deadlines. `None` means the defaults.
    pub timeout: Option<Duration>,
    /// The names of the scenarios to run. Empty means all.
    pub names: Vec<String>,
}

/// Runs the scenarios for a client program and prints a line for each.
pub async fn run(plan: ClientPlan) -> Report {
    let report = Report::new(plan.names.clone());
    let [past_pong, reset, many_lines, stderr] = CLIENT_NAMES;
    report.run(past_pong, stopped_past_pong(&plan)).await;
    report.run(reset, reset_after_close(&plan)).await;
    report.run(many_lines, many_lines_echoed(&plan)).await;
    report.run(stderr, without_stderr(&plan)).await;
    report
}

/// What happens to the program's stderr.
#[derive(Clone, Copy, Debug)]
enum Stderr {
    /// This side reads it.
    Read,
    /// It is closed from the start.
    Closed,
    /// It is a pipe, and nobody has its other end.
    Broken,
}

/// A running program. Dropping this kills it.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    /// The lines of its stderr.
    complaints: mpsc::UnboundedReceiver<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Program {
    /// Starts it and answers its opening handshake.
    async fn start(plan: &ClientPlan, stderr: Stderr) -> Result<(Self, Connection), String> {
        // Small buffers are full soon.
        let listening = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(64 << 10)?;
            socket.set_send_buffer_size(64 << 10)?;
            socket.bind(([127, 0, 0, 1], 0).into())?;
            let listener = socket.listen(1)?;
            let address = listener.local_addr()?;
            std::io::Result::Ok((listener, address))
        };
        let (listener, address) = listening().map_err(|error| error.to_string())?;
        let mut command = Command::new("sh");
        command.arg("-c");
        command.arg(match stderr {
            Stderr::Closed => "exec \"$@\" 2>&-",
            Stderr::Read | Stderr::Broken => "exec \"$@\"",
        });
        command.arg("sh").args(&plan.command);
        command.arg(format!("ws://{address}/"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
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

    /// The next line that it prints, or `None` at the end.
    async fn line(&mut self) -> Result<Option<String>, String> {
        let line = timeout(LIMIT, self.lines.recv()).await;
        line.map_err(|_| String::from("it prints nothing more"))
    }

    /// Waits for a line with this start. Other lines may come before it.
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

    /// Waits until it ends with this status.
    async fn ends_with(&mut self, expected: i32) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            match status {
                Some(status) if status.code() == Some(expected) => return Ok(()),
                Some(status) => return Err(format!("it ends with {status}")),
                None if began.elapsed() > LIMIT => return Err(String::from("it does not end")),
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn process(&self) -> Process {
        Process(self.child.id())
    }
}

/// Reads lines until the end, even if nobody receives them.
fn send_lines(from: impl Read, to: &mpsc::UnboundedSender<String>) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        _ = to.send(line);
    }
}

/// The Pong arrives in time, while the client is stopped.
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
    // The server ends TCP first.
    drop(connection);
    program.prints("closed 1000 \"\"").await?;
    program.ends_with(0).await?;
    Ok(String::from("it goes on"))
}

/// The server sends a text, closes with 1008 and resets TCP. The client is about to read that, or is stopped.
async fn reset_after_close(plan: &ClientPlan) -> Verdict {
    const TURNS: usize = 20;
    for turn in 0..TURNS {
        let (mut program, mut connection) = Program::start(plan, Stderr::Read).await?;
        // After this line the client waits in a read.
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
        for line in ["text: goodbye", "closed 1008 \"reason\""] {
            program.prints(line).await.map_err(what)?;
        }
        program.ends_with(1).await.map_err(what)?;
    }
    Ok(format!(
        "it prints what the server sent before a reset, {TURNS} times"
    ))
}

/// The client gets many lines of stdin. The server reads only after it has written. All buffers are full, in both
/// directions.
async fn many_lines_echoed(plan: &ClientPlan) -> Verdict {
    const LINES: usize = 2_000_000;
    let (mut program, connection) = Program::start(plan, Stderr::Read).await?;
    let stdin = program.stdin.take().ok_or("no stdin")?;
    // The thread ends with the program, or after the last line.
    thread::spawn(move || {
        let mut stdin = std::io::BufWriter::with_capacity(32 << 10, stdin);
        for number in 1..=LINES {
            if writeln!(stdin, "{number}").is_err() {
                return;
            }
        }
    });
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
    if let Err(error) = tokio::try_join!(echo_late(connection), read) {
        // The client may say more about it.
        let complaint = timeout(Duration::from_secs(1), program.complaints.recv()).await;
        let complaint = complaint.ok().flatten().unwrap_or_default();
        return Err(format!("{error}; on stderr: {complaint:?}"));
    }
    program.ends_with(0).await?;
    Ok(format!("{LINES} lines come back, in order"))
}

/// Echoes until the Close frame, in large batches.
async fn echo_late(mut connection: Connection) -> Result<(), String> {
    /// More than the buffers on the way back hold. The client must read this while it has a lot to send.
    const BATCH: usize = 2 << 20;
    // In this time the client fills all buffers.
    sleep(Duration::from_secs(1)).await;
    let mut closed = false;
    while !closed {
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
    Ok(())
}

/// If stderr is closed or broken, the client still prints messages, and an error does not become a panic.
async fn without_stderr(plan: &ClientPlan) -> Verdict {
    for stderr in [Stderr::Closed, Stderr::Broken] {
        let what = |error| format!("{stderr:?}: {error}");
        let (mut program, mut connection) = Program::start(plan, stderr).await.map_err(what)?;
        let text = frame(Role::Server, TEXT, b"Hello");
        // The client complains about a reserved opcode.
        connection.send(&[&text, &b"\x83\x00"[..]].concat()).await?;
        program.prints("text: Hello").await.map_err(what)?;
        match timeout(SLACK + LIMIT, connection.frame()).await {
            Ok(Ok(Some(frame))) if frame.first == CLOSE && frame.payload[..2] == [3, 0xea] => {}
            other => return Err(what(format!("{other:?} and no Close frame with 1002"))),
        }
        drop(connection);
        // The server sent no Close frame (RFC 6455, section 7.1.5).
        program.prints("closed 1006 \"\"").await.map_err(what)?;
        program.ends_with(1).await.map_err(what)?;
    }
    Ok(String::from(
        "it prints messages and the end, whatever stderr is",
    ))
}
