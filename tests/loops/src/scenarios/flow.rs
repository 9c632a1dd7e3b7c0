//! Clients that read or send slowly, or not at all.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connection::{Connection, request};
use super::frames::{BINARY, CLOSE, Frame, PONG, Parser, close, frame, pattern};
use super::{LIMIT, SLACK, Server, Verdict};

/// A client sends and never reads. The server stops reading, waits at rest, and ends the connection after its
/// deadlines.
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
                // The scenario waits for this error: the server has ended the connection.
                let written = connection.transport.write(rest).await;
                let Ok(n @ 1..) = written else { return Ok(()) };
                rest = &rest[n..];
                total.set(total.get() + n as u64);
            }
        }
        Err(format!("it took {} MiB and nobody read", ALL >> 20))
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
    let limit = LIMIT.max(server.deadlines.gives_up() + SLACK);
    let (sending, waited) = tokio::select! {
        both = async { tokio::join!(timeout(limit, send), wait) } => both,
        failed = watch => return failed,
    };
    let (stood, found) = waited?;
    sending.map_err(|_| String::from("the server never ends the connection"))??;
    let lasted = stood.elapsed();
    if lasted > server.deadlines.gives_up() + SLACK {
        return Err(format!(
            "the server ends the connection only after {} s",
            lasted.as_secs()
        ));
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
        "it takes {:.1} MB, {found} and ends the connection {:.1} s later; {:.1} MiB more memory",
        mega(total.get()),
        lasted.as_secs_f64(),
        mega(more) / 1.048_576,
    ))
}

#[expect(clippy::cast_precision_loss, reason = "it is only printed")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Waits until no more bytes are sent for some time.
async fn stands_still(sent: &Cell<u64>) {
    let mut before = None;
    while before != Some(sent.get()) {
        before = Some(sent.get());
        sleep(Duration::from_millis(300)).await;
    }
}

/// A client reads steadily, but so slowly that all its data takes longer than any deadline. First the data is one
/// message, and the server must queue the message and the Close frame. Then it is many messages, and the server must
/// wait.
pub(super) async fn slow_reader(server: &Server) -> Verdict {
    const ALL: usize = 16_000_000;
    // Computing the messages takes long, so this does it before the server waits for anything.
    let one = [pattern(1, ALL)];
    let many: Vec<_> = (0..ALL as u64 >> 16).map(|i| pattern(i, 1 << 16)).collect();
    let (one, many) = tokio::join!(read_slowly(server, &one), read_slowly(server, &many));
    one.map_err(|error| format!("one message: {error}"))?;
    let seconds = many.map_err(|error| format!("many messages: {error}"))?;
    Ok(format!(
        "{} MB arrive whole in {seconds} s, then the Close frame",
        ALL / 1_000_000
    ))
}

/// Returns the time in seconds until all messages are back.
async fn read_slowly(server: &Server, messages: &[Vec<u8>]) -> Result<u64, String> {
    const TICK: Duration = Duration::from_millis(10);
    let longest = server.deadlines.close.max(server.deadlines.pong);
    let began = Instant::now();
    // With a small buffer the server notices that the client is slow.
    let mut connection = Connection::connect(server, Some(64 << 10)).await?;
    connection.send(&request(server)).await?;
    connection.opened().await?;
    let mut parser = std::mem::take(&mut connection.parser);
    let (mut reading, mut writing) = tokio::io::split(connection.transport);
    // The Pongs that the reader asks the writer to send.
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
                9 => {
                    let pong = super::frames::frame(Role::Client, PONG, &frame.payload);
                    pongs.borrow_mut().extend(pong);
                }
                _ => message.extend(frame.payload),
            }
            // A server may send fragments.
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

/// Writes without a time limit. The reader has one.
async fn write_all(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), String> {
    let written = to.write_all(bytes).await;
    written.map_err(|error| format!("cannot write: {error}"))
}

/// Reads `pace` bytes in each tick until a frame is complete.
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
            Err(_) => return Err(String::from("the server sends nothing more")),
        }
    }
}

/// A client sends one frame so slowly that it cannot answer Pings before their deadlines. One frame is large. The other
/// is small and arrives byte by byte.
pub(super) async fn slow_sender(server: &Server) -> Verdict {
    let large = send_slowly(server, 3_000_000, 200);
    let (large, small) = tokio::join!(large, send_slowly(server, 40, 40));
    large.map_err(|error| format!("a large message: {error}"))?;
    let seconds = small.map_err(|error| format!("a small message: {error}"))?;
    Ok(format!(
        "a message of 3 MB and one of 40 bytes are echoed after {seconds} s"
    ))
}

/// Sends a message in this number of pieces. Returns the time in seconds.
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
    // Now the client answers the Pings, and the connection goes on.
    connection.expect(BINARY, &message).await?;
    connection.echo("and now?").await?;
    connection.idle(Instant::now() + deadlines.ping).await?;
    connection.echo("still there").await?;
    connection.close().await?;
    Ok(seconds)
}
