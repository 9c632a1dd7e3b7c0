//! One connection of the load, from its opening handshake to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Barrier, Semaphore};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::io::InspectReader;

use crate::http2::{Http2, Http2Stream};
use crate::load::{Shared, count};
use crate::message::{Messages, ping};
use crate::target::Stream;

/// Every fifth message is followed by a Ping, beginning with the first.
const PING_EVERY: usize = 5;

/// The number of Pings that accompany this number of messages.
pub(crate) fn pings(messages: usize) -> usize {
    messages.div_ceil(PING_EVERY)
}

/// How often all connections wait for each other: open, all messages echoed, memory measured.
pub(crate) const STAGES: usize = 3;

type Inspect = Box<dyn FnMut(&[u8]) + Send>;

type Socket = WebSocketStream<InspectReader<Box<dyn Stream>, Inspect>>;

/// Opens a connection, echoes and closes. Before each step it waits for all other connections.
pub(crate) async fn visit(number: usize, shared: &Shared) -> Result<(), String> {
    let mut stages = Stages {
        barrier: &shared.stages,
        left: STAGES,
    };
    let result = Box::pin(visit_by_stages(number, shared, &mut stages)).await;
    // A connection that failed does not hold up the others.
    while stages.left > 0 {
        stages.pass().await;
    }
    result
}

async fn visit_by_stages(
    number: usize,
    shared: &Shared,
    stages: &mut Stages<'_>,
) -> Result<(), String> {
    // tungstenite does not report how the stream ended after the closing handshake.
    let ended = Arc::new(AtomicBool::new(false));
    let mut socket = open(number, shared, Arc::clone(&ended)).await?;
    count(&shared.totals.open, 1);
    stages.wait(&mut socket).await?;
    let messages = Messages {
        connection: number,
        count: shared.plan.messages,
        size: shared.plan.size,
    };
    let mut socket = talk(socket, messages, shared).await?;
    while stages.left > 0 {
        stages.wait(&mut socket).await?;
    }
    close(&mut socket).await?;
    // The client has not ended its stream yet: the server ends TCP first (RFC 6455, section 7.1.1).
    if !ended.load(Ordering::Relaxed) {
        return Err(String::from("closed, but then the stream broke"));
    }
    // Dropping a stream of HTTP/2 would reset it, so this ends it.
    _ = socket.get_mut().shutdown().await;
    count(&shared.totals.closed, 1);
    Ok(())
}

async fn open(number: usize, shared: &Shared, ended: Arc<AtomicBool>) -> Result<Socket, String> {
    let permit = shared.connecting.acquire().await;
    let _permit = permit.map_err(|error| error.to_string())?;
    let target = &shared.plan.target;
    let inspect = |stream: Box<dyn Stream>| {
        // An empty read is the end of the stream: FIN, and in TLS a `close_notify`.
        let see: Inspect = Box::new(move |read| ended.store(read.is_empty(), Ordering::Relaxed));
        InspectReader::new(stream, see)
    };
    if let Some(streams) = shared.plan.http2 {
        let stream = inspect(Box::new(open_stream(number, streams, shared).await?));
        return Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await);
    }
    let stream = inspect(target.connect().await?);
    let opened = client_async(target.web_socket_url(), stream).await;
    let (socket, _) = opened.map_err(|error| format!("no opening handshake: {error}"))?;
    Ok(socket)
}

/// Opens a stream on the HTTP/2 connection that this WebSocket shares with others. The first one creates the
/// connection.
async fn open_stream(
    number: usize,
    streams: usize,
    shared: &Shared,
) -> Result<Http2Stream, String> {
    let target = &shared.plan.target;
    let connect = async || {
        let http2 = Http2::begin(target.connect().await?).await?;
        let allowed = http2.max_streams();
        if allowed < streams {
            return Err(format!(
                "the server allows {allowed} streams on a connection, not {streams}"
            ));
        }
        Ok(http2)
    };
    let http2 = shared.http2[number / streams]
        .get_or_try_init(connect)
        .await?;
    http2.open(&target.http_url()).await
}

/// The points at which a connection waits for all others.
struct Stages<'a> {
    barrier: &'a Barrier,
    left: usize,
}

impl Stages<'_> {
    /// Waits for all connections.
    async fn pass(&mut self) {
        self.left -= 1;
        self.barrier.wait().await;
    }

    /// Waits for all connections. The server may send only Pings in the meantime.
    async fn wait(&mut self, socket: &mut Socket) -> Result<(), String> {
        let all = self.pass();
        tokio::pin!(all);
        let mut result = Ok(());
        loop {
            tokio::select! {
                () = &mut all => return result,
                message = socket.next(), if result.is_ok() => match message {
                    Some(Ok(Message::Ping(_))) => {} // the next read sends the Pong
                    other => result = Err(format!("while idle: {}", describe(other.as_ref()))),
                }
            }
        }
    }
}

/// Sends all messages without waiting for their echoes, and some Pings. Checks the answers in order.
async fn talk(socket: Socket, messages: Messages, shared: &Shared) -> Result<Socket, String> {
    let (mut sink, mut stream) = socket.split();
    // One Ping at a time: an endpoint may answer only the most recent of several (RFC 6455, section 5.5.3).
    let free = Semaphore::new(1);
    let asked = AtomicUsize::new(0);

    let send = async {
        let failed = |error: Error| format!("cannot send: {error}");
        for index in 0..messages.count {
            sink.send(messages.get(index)).await.map_err(failed)?;
            if index.is_multiple_of(PING_EVERY) {
                let turn = free.acquire().await.map_err(|error| error.to_string())?;
                turn.forget();
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let payload = ping(messages.connection, number);
                sink.send(Message::Ping(payload.into()))
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(())
    };
    let receive = async {
        let (mut echoes, mut answers) = (0, 0);
        while echoes < messages.count || answers < pings(messages.count) {
            match stream.next().await {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    check_echo(&messages, echoes, &message)?;
                    echoes += 1;
                    count(&shared.totals.messages, 1);
                    count(&shared.totals.bytes, message.len() as u64);
                }
                Some(Ok(Message::Pong(payload))) => {
                    if answers == asked.load(Ordering::Relaxed) {
                        return Err(String::from("a Pong without a Ping"));
                    }
                    if payload != ping(messages.connection, answers) {
                        return Err(format!("the Pong for Ping {answers} carries {payload:?}"));
                    }
                    answers += 1;
                    count(&shared.totals.pings, 1);
                    free.add_permits(1);
                }
                Some(Ok(Message::Ping(_))) => {} // the next read sends the Pong
                other => {
                    let what = describe(other.as_ref());
                    return Err(format!("message {echoes} of {}: {what}", messages.count));
                }
            }
        }
        Ok(())
    };
    tokio::try_join!(send, receive)?;
    sink.reunite(stream).map_err(|error| error.to_string())
}

fn check_echo(messages: &Messages, index: usize, got: &Message) -> Result<(), String> {
    if index >= messages.count {
        return Err(format!("one more than was sent: {}", describe_message(got)));
    }
    let sent = messages.get(index);
    if *got == sent {
        return Ok(());
    }
    let other = (0..messages.count).find(|other| *other != index && messages.get(*other) == *got);
    let what = match other {
        Some(other) => format!("message {other}"),
        None => describe_message(got),
    };
    let (sent_bytes, got_bytes) = (sent.clone().into_data(), got.clone().into_data());
    let same = sent_bytes.iter().zip(&got_bytes);
    let same = same.take_while(|(sent, got)| sent == got).count();
    let sent = describe_message(&sent);
    Err(format!(
        "message {index}, {sent}, came back as {what}; the first {same} bytes are the same"
    ))
}

/// Closes with 1000, then waits for the same code and the end of the stream.
async fn close(socket: &mut Socket) -> Result<(), String> {
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    let closed = socket.close(Some(frame)).await;
    closed.map_err(|error| format!("cannot close: {error}"))?;
    let mut is_answered = false;
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(answer)))) if answer.code == CloseCode::Normal => {
                is_answered = true;
            }
            Some(Ok(Message::Ping(_))) if !is_answered => {}
            None if is_answered => return Ok(()),
            other => return Err(format!("closing: {}", describe(other.as_ref()))),
        }
    }
}

fn describe(message: Option<&Result<Message, Error>>) -> String {
    match message {
        Some(Ok(message)) => format!("the server sent {}", describe_message(message)),
        Some(Err(error)) => error.to_string(),
        None => String::from("the end"),
    }
}

fn describe_message(message: &Message) -> String {
    let kind = match message {
        Message::Text(_) => "text",
        Message::Binary(_) => "binary",
        Message::Ping(_) => "a Ping",
        Message::Pong(_) => "a Pong",
        Message::Close(Some(frame)) => return format!("a Close frame, {}", frame.code),
        Message::Close(None) => return String::from("a Close frame without a code"),
        Message::Frame(_) => "a frame",
    };
    format!("{kind} of {} bytes", message.len())
}
