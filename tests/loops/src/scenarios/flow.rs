//! Bytes that move slowly, or not at all.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connection, request};
use super::frames::{BINARY, CLOSE, Frame, PONG, Parser, Role, close, frame, pattern};
use super::{LIMIT, SLACK, Server, Verdict};

pub(super) const ONLY_SENDS: &str = "only-sends";
pub(super) const SLOW_READER: &str = "slow-reader";
pub(super) const SLOW_SENDER: &str = "slow-sender";

/// A client sends and never reads. The server stops reading, waits at rest, and gives the client up.
pub(super) async fn only_sends(server: &Server) -> Verdict {
    const ALL: u64 = 200 << 20;
    const MORE_MEMORY: u64 = 64 << 20;
    let process = server.process;
    let before = process.resident()?;
    let frame = frame(Role::Client, BINARY, &pattern(1, 64 << 10));
    let mut connection = Connection::open(server).await?;
    let inode = connection.accepted(server).await;
    let (total, most) = (Cell::new(0), Cell::new(before));

    let send = async {
        while total.get() < ALL {
            let mut rest = frame.as_slice();
            while !rest.is_empty() {
                // An error is what this waits for: the server has given up.
                let written = connection.transport.write(rest).await;
                let Ok(n @ 1..) = written else { return Ok(()) };
                rest = &rest[n..];
                total.set(total.get() + n as u64);
            }
        }
        Err(format!("it took {} MB and nobody read", ALL >> 20))
    };
    let watch = async {
        loop {
            most.set(most.get().max(process.resident()?));
            sleep(Duration::from_millis(20)).await;
        }
    };
    let wait = async {
        stands_still(&total).await;
        let stood = Instant::now();
        process.rests(server.deadlines.gives_up() / 2).await?;
        let moved = total.get();
        let found = process.stays_at_rest(server.deadlines.pong).await;
        if total.get() != moved {
            return Err(String::from("it takes more bytes though nobody reads"));
        }
        found.map(|found| (stood, found))
    };
    // The other half lasts as long as the server does.
    let both = async {
        tokio::join!(
            timeout(LIMIT.max(server.deadlines.gives_up() + SLACK), send),
            wait
        )
    };
    let (sending, waited) = tokio::select! {
        both = both => both,
        never = watch => return never,
    };
    let (stood, found) = waited?;
    sending.map_err(|_| String::from("it is never given up"))??;
    let lasted = stood.elapsed();
    if lasted > server.deadlines.gives_up() + SLACK {
        return Err(format!("it is given up only after {} s", lasted.as_secs()));
    }
    let more = most.get().saturating_sub(before);
    if more > MORE_MEMORY {
        return Err(format!("its memory grows by {} MiB", more >> 20));
    }
    if let Some(inode) = inode {
        process.frees(&[inode], SLACK).await?;
    }
    Connection::open(server).await?.close().await?;
    Ok(format!(
        "it takes {:.1} MB, {found} and gives up {:.1} s later; {:.1} MiB more memory",
        mega(total.get()),
        lasted.as_secs_f64(),
        mega(more) / 1.048_576,
    ))
}

#[expect(clippy::cast_precision_loss, reason = "it is only said")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Waits until no more bytes were sent for a while.
async fn stands_still(sent: &Cell<u64>) {
    let mut before = None;
    while before != Some(sent.get()) {
        before = Some(sent.get());
        sleep(Duration::from_millis(300)).await;
    }
}

/// A client reads steadily, and so slowly that all its data takes longer than any deadline. The first time it is one
/// message and the Close frame, and the server has to queue both. The second time it is many messages, and the server has to wait.
pub(super) async fn slow_reader(server: &Server) -> Verdict {
    const ALL: usize = 16_000_000;
    // What takes long is done before the server waits for anything.
    let one = [pattern(1, ALL)];
    let many: Vec<_> = (0..ALL / (64 << 10))
        .map(|i| pattern(u32::try_from(i).unwrap_or_default(), 64 << 10))
        .collect();
    let (one, many) = tokio::join!(read_slowly(server, &one), read_slowly(server, &many));
    one.map_err(|error| format!("one message: {error}"))?;
    let seconds = many.map_err(|error| format!("many messages: {error}"))?;
    Ok(format!(
        "{} MB arrive whole in {seconds} s, and the Close frame",
        ALL / 1_000_000
    ))
}

/// How many seconds it takes to have so many messages back.
async fn read_slowly(server: &Server, messages: &[Vec<u8>]) -> Result<u64, String> {
    const TICK: Duration = Duration::from_millis(10);
    let longest = server.deadlines.close.max(server.deadlines.pong);
    let began = Instant::now();
    // With a small buffer the server sees how slow it is.
    let mut connection = Connection::connect(server, Some(64 << 10)).await?;
    connection.send(&request(server)).await?;
    connection.opened().await?;
    let mut parser = std::mem::take(&mut connection.parser);
    let (mut reading, mut writing) = tokio::io::split(connection.transport);
    // What the reader wants to have written: Pongs.
    let pongs = RefCell::new(Vec::new());

    let write = async {
        for message in messages {
            let pongs = pongs.take();
            write_all(&mut writing, &pongs).await?;
            write_all(&mut writing, &frame(Role::Client, BINARY, message)).await?;
        }
        let closing = frame(Role::Client, CLOSE, &close(1000, ""));
        write_all(&mut writing, &closing).await
    };
    let read = async {
        let all: usize = messages.iter().map(Vec::len).sum();
        let ticks = 4 * longest.as_millis() / TICK.as_millis();
        let pace = all as u64 / u64::try_from(ticks).unwrap_or(u64::MAX).max(1);
        let mut message = Vec::new();
        let mut number = 0;
        loop {
            let frame = read_frame(&mut reading, &mut parser, pace.max(1), TICK).await?;
            match frame.first & 0xf {
                8 if number < messages.len() => {
                    return Err(format!("closed after {number} messages"));
                }
                8 if frame.payload == close(1000, "") => break,
                8 => return Err(format!("a Close frame {:?}", frame.payload)),
                9 => pongs.borrow_mut().extend(pong(&frame.payload)),
                _ => message.extend(frame.payload),
            }
            // A server may cut messages into fragments.
            if frame.first & 0x88 == 0x80 {
                if messages.get(number) != Some(&message) {
                    return Err(format!("message {number} is not what was sent"));
                }
                message.clear();
                number += 1;
            }
        }
        let end = timeout(LIMIT, reading.read(&mut [0])).await;
        match end {
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(_)) => Err(String::from("bytes after the Close frame")),
            Ok(Err(error)) => Err(format!("no end after the Close frame: {error}")),
            Err(_) => Err(String::from("no end after the Close frame")),
        }
    };
    // If one fails, the other would wait.
    tokio::try_join!(write, read)?;
    Ok(began.elapsed().as_secs())
}

fn pong(payload: &[u8]) -> Vec<u8> {
    frame(Role::Client, PONG, payload)
}

/// Writes however long it takes: it is the reader that must not wait too long.
async fn write_all(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), String> {
    let written = to.write_all(bytes).await;
    written.map_err(|error| format!("cannot write: {error}"))
}

/// Reads so much in each tick until there is a whole frame.
async fn read_frame(
    from: &mut (impl AsyncRead + Unpin),
    parser: &mut Parser,
    pace: u64,
    tick: Duration,
) -> Result<Frame, String> {
    loop {
        if let Some(frame) = parser.next(Role::Server)? {
            return Ok(frame);
        }
        sleep(tick).await;
        let mut limited = from.take(pace);
        match timeout(LIMIT, limited.read_buf(&mut parser.bytes)).await {
            Ok(Ok(0)) => return Err(String::from("the stream ended without a Close frame")),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("the stream broke: {error}")),
            Err(_) => return Err(String::from("nothing comes")),
        }
    }
}

/// A client sends one message so slowly that Pings go unanswered past every deadline: it is in the middle of a frame. Once it
/// is large, once it is a byte now and then.
pub(super) async fn slow_sender(server: &Server) -> Verdict {
    let (large, small) = tokio::join!(
        send_slowly(server, 3_000_000, 200),
        send_slowly(server, 40, 40),
    );
    large.map_err(|error| format!("a large message: {error}"))?;
    let seconds = small.map_err(|error| format!("a small message: {error}"))?;
    Ok(format!(
        "a message of 3 MB and one of 40 bytes are echoed after {seconds} s"
    ))
}

/// How many seconds it takes to send a message in so many pieces.
async fn send_slowly(server: &Server, length: usize, pieces: usize) -> Result<u64, String> {
    let deadlines = &server.deadlines;
    let all = (deadlines.ping + deadlines.pong + deadlines.close) * 3 / 2;
    let message = pattern(9, length);
    let frame = frame(Role::Client, BINARY, &message);
    let mut connection = Connection::open(server).await?;
    let began = Instant::now();
    let pieces = frame.chunks(frame.len().div_ceil(pieces));
    let tick = all / u32::try_from(pieces.len()).unwrap_or(1);
    for piece in pieces {
        connection.send(piece).await?;
        sleep(tick).await;
    }
    let seconds = began.elapsed().as_secs();
    // The Pings are answered now, and the connection goes on.
    connection.expect(BINARY, &message).await?;
    connection.echo("and now?").await?;
    connection.idle(Instant::now() + deadlines.ping).await?;
    connection.echo("still there").await?;
    connection.close().await?;
    Ok(seconds)
}
