//! wsproto, in a child process that runs `wsproto_peer.py`.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use sockless::test_util::{OwnedEvent, Role};

use crate::outcome::{Outcome, replies};
use crate::stream::Stream;

/// A stream, and where it is cut.
pub type Job<'a> = (&'a Stream, &'a [usize]);

/// What it makes of all of them, and the version of it and of Python.
///
/// An error says why the child process did not answer all jobs.
pub fn receive(python: &Path, jobs: &[Job<'_>]) -> Result<(String, Vec<Outcome>), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("wsproto_peer.py");
    let mut child = Command::new(python)
        .arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", python.display()))?;
    let stdin = child.stdin.take().expect("stdin is piped");
    let results = thread::scope(|scope| {
        let writer = scope.spawn(move || write(stdin, jobs));
        let results = read(&mut child, jobs);
        // A child that ended early ends the writing, too, and says more about it than a broken pipe.
        let written = writer.join().expect("writing does not panic");
        results.and_then(|results| written.map(|()| results))
    });
    let status = child.wait().map_err(|error| error.to_string())?;
    match results {
        Ok(results) if status.success() => Ok(results),
        Ok(_) => Err(format!("{}: {status}", script.display())),
        Err(error) => Err(format!("{}: {error}, {status}", script.display())),
    }
}

fn write(stdin: ChildStdin, jobs: &[Job<'_>]) -> io::Result<()> {
    let mut stdin = BufWriter::new(stdin);
    for (stream, places) in jobs {
        stdin.write_all(&[u8::from(stream.role == Role::Client)])?;
        write_number(&mut stdin, places.len())?;
        write_number(&mut stdin, stream.bytes.len())?;
        for place in *places {
            write_number(&mut stdin, *place)?;
        }
        stdin.write_all(&stream.bytes)?;
    }
    stdin.flush()
}

fn write_number(stdin: &mut impl Write, number: usize) -> io::Result<()> {
    let number = u32::try_from(number).map_err(io::Error::other)?;
    stdin.write_all(&number.to_be_bytes())
}

fn read(child: &mut Child, jobs: &[Job<'_>]) -> io::Result<(String, Vec<Outcome>)> {
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let version = read_text(&mut stdout)?;
    let outcomes = jobs
        .iter()
        .map(|(stream, _)| read_outcome(stream.role, &mut stdout))
        .collect::<io::Result<_>>()?;
    Ok((version, outcomes))
}

fn read_outcome(role: Role, stdout: &mut impl Read) -> io::Result<Outcome> {
    let refused = u16::from_be_bytes(read_array(stdout)?);
    let count = u32::from_be_bytes(read_array(stdout)?);
    let events = (0..count).map(|_| read_event(stdout));
    Ok(Outcome {
        events: events.collect::<io::Result<_>>()?,
        refused: (refused != 0).then_some(refused),
        replies: replies(role, &read_bytes(stdout)?),
    })
}

fn read_event(stdout: &mut impl Read) -> io::Result<OwnedEvent> {
    let [kind] = read_array(stdout)?;
    let code = u16::from_be_bytes(read_array(stdout)?);
    Ok(match kind {
        0 => OwnedEvent::Text(read_text(stdout)?),
        1 => OwnedEvent::Binary(read_bytes(stdout)?),
        2 => OwnedEvent::Ping(read_bytes(stdout)?),
        3 => OwnedEvent::Pong(read_bytes(stdout)?),
        4 => OwnedEvent::Close(code, read_text(stdout)?),
        _ => return Err(io::Error::other("an event of no kind")),
    })
}

fn read_text(stdout: &mut impl Read) -> io::Result<String> {
    String::from_utf8(read_bytes(stdout)?).map_err(io::Error::other)
}

fn read_bytes(stdout: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; u32::from_be_bytes(read_array(stdout)?) as usize];
    stdout.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_array<const N: usize>(stdout: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stdout.read_exact(&mut bytes)?;
    Ok(bytes)
}
