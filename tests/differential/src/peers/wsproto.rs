//! wsproto, in a child process that runs `wsproto_peer.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sockless::test_util::{OwnedEvent, Role};

use super::{Name, Peer};
use crate::outcome::{Outcome, replies};
use crate::stream::Stream;
use crate::table::parse_hex;

pub struct Wsproto {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Wsproto {
    pub fn start(python: &str) -> Result<Self, String> {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/wsproto_peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {python}: {error}"))?;
        let mut wsproto = Self {
            stdin: child.stdin.take().expect("stdin is piped"),
            stdout: BufReader::new(child.stdout.take().expect("stdout is piped")),
            child,
        };
        let version = wsproto.read_line();
        let requirements = include_str!("../../requirements.txt");
        if !requirements.lines().any(|line| line == version) {
            return Err(format!("requirements.txt does not ask for {version}"));
        }
        Ok(wsproto)
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        assert!(read.is_ok_and(|n| n > 0), "wsproto_peer.py has ended");
        line.trim_end_matches('\n').to_owned()
    }
}

impl Peer for Wsproto {
    fn name(&self) -> Name {
        Name::Wsproto
    }

    fn receive(&mut self, stream: &Stream, places: &[usize]) -> Outcome {
        let role = match stream.role {
            Role::Client => "CLIENT",
            Role::Server => "SERVER",
        };
        let bytes = &stream.bytes;
        // Rust shows lists of numbers and this string as JSON does.
        let job = writeln!(self.stdin, "[{role:?}, {places:?}, {bytes:?}]");
        job.expect("wsproto_peer.py reads stdin");
        let line = self.read_line();
        let mut words = line.split(',');
        let mut word = || words.next().expect("a refusal and what was written");
        let refused: u16 = word().parse().expect("a close code or 0");
        let written = parse_hex(word()).expect("hexadecimal");
        Outcome {
            refused: (refused != 0).then_some(refused),
            replies: replies(stream.role, &written),
            events: words.map(event).collect(),
        }
    }
}

impl Drop for Wsproto {
    fn drop(&mut self) {
        // The child only waits for the next stream, so nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads `TYPE:CODE:HEX`.
fn event(word: &str) -> OwnedEvent {
    let parts: Vec<&str> = word.split(':').collect();
    let [kind, code, hex] = parts[..] else {
        panic!("an event has three parts, not {word}");
    };
    let data = parse_hex(hex).expect("hexadecimal");
    let text = || String::from_utf8(data.clone()).expect("Python encodes text as UTF-8");
    match kind {
        "Text" => OwnedEvent::Text(text()),
        "Binary" => OwnedEvent::Binary(data),
        "Ping" => OwnedEvent::Ping(data),
        "Pong" => OwnedEvent::Pong(data),
        "Close" => OwnedEvent::Close(code.parse().expect("a close code"), text()),
        _ => panic!("unknown event: {word}"),
    }
}
