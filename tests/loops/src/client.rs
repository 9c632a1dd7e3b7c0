//! One connection, from its opening to its end, beside a thousand others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OnceCell, Semaphore, mpsc, watch};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http2::{Http2, Http2Stream};
use crate::load::{Plan, Stage, Totals};
use crate::message::{Messages, ping};
use crate::watched::{End, Watched};

/// A Ping goes out behind the first message and then behind every fifth.
const PING_EVERY: usize = 5;

/// How many Pings go with so many messages.
pub(crate) fn pings(messages: usize) -> usize {
    messages.div_ceil(PING_EVERY)
}

/// What a connection shares with the others.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) totals: Arc<Totals>,
    /// The HTTP/2 connections, if they are to be used, each with several of these clients.
    pub(crate) http2: Arc<[OnceCell<Http2>]>,
    /// Lets so many at a time connect.
    pub(crate) connecting: Arc<Semaphore>,
    /// Says that a connection has reached a stage.
    pub(crate) reached: mpsc::UnboundedSender<(usize, Stage)>,
    /// The stage up to which all may go.
    pub(crate) stage: watch::Receiver<Stage>,
}

type Socket<S> = WebSocketStream<Watched<S>>;

/// Opens a connection, echoes and closes, each when all others are ready for it.
pub(crate) async fn visit(number: usize, shared: Shared) -> Result<(), String> {
    let permit = shared
        .connecting
        .acquire()
        .await
        .map_err(|error| error.to_string())?;
    if let Some(streams) = shared.plan.http2 {
        let stream = open_stream(number, streams, &shared).await?;
        let socket =
            WebSocketStream::from_raw_socket(Watched::new(stream), Role::Client, None).await;
        drop(permit);
        return stages(number, socket, shared.clone()).await;
    }
    let stream = shared.plan.target.connect().await?;
    if shared.plan.target.is_tls() {
        let socket = open(shared.plan.target.encrypt(stream).await?, &shared).await?;
        drop(permit);
        stages(number, socket, shared.clone()).await
    } else {
        let socket = open(stream, &shared).await?;
        drop(permit);
        stages(number, socket, shared.clone()).await
    }
}

async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: &Shared,
) -> Result<Socket<S>, String> {
    let url = shared.plan.target.web_socket_url();
    let opened = client_async(url, Watched::new(stream)).await;
    let (socket, _) = opened.map_err(|error| format!("no opening handshake: {error}"))?;
    Ok(socket)
}

/// A stream of the HTTP/2 connection that this WebSocket shares with so many others, which the first of them begins.
async fn open_stream(
    number: usize,
    streams: usize,
    shared: &Shared,
) -> Result<Http2Stream, String> {
    let target = &shared.plan.target;
    let connect = async || {
        let transport = target.connect().await?;
        let http2 = if target.is_tls() {
            Http2::begin(target.encrypt(transport).await?).await?
        } else {
            Http2::begin(transport).await?
        };
        let allowed = http2.max_streams();
        if allowed < streams {
            return Err(format!(
                "the server allows {allowed} streams on a connection, and not {streams}"
            ));
        }
        Ok(http2)
    };
    let http2 = shared.http2[number / streams]
        .get_or_try_init(connect)
        .await?;
    http2.open(&target.http_url()).await
}

async fn stages<S: AsyncRead + AsyncWrite + Unpin>(
    number: usize,
    mut socket: Socket<S>,
    mut shared: Shared,
) -> Result<(), String> {
    wait(number, &mut socket, &mut shared, Stage::Open).await?;
    let messages = Messages {
        connection: number,
        count: shared.plan.messages,
        size: shared.plan.size,
    };
    let mut socket = talk(socket, messages, &shared.totals).await?;
    wait(number, &mut socket, &mut shared, Stage::Echoed).await?;
    close(&mut socket).await?;
    shared.totals.closed();
    Ok(())
}

/// Waits until all connections have reached this stage. Nothing but a Ping may come until then.
async fn wait<S: AsyncRead + AsyncWrite + Unpin>(
    number: usize,
    socket: &mut Socket<S>,
    shared: &mut Shared,
    stage: Stage,
) -> Result<(), String> {
    shared
        .reached
        .send((number, stage))
        .map_err(|error| error.to_string())?;
    loop {
        tokio::select! {
            all = shared.stage.wait_for(|all| *all >= stage) => {
                return all.map(drop).map_err(|error| error.to_string());
            }
            message = socket.next() => match message {
                Some(Ok(Message::Ping(_))) => {} // the next read answers it
                other => return Err(format!("while idle: {}", describe(other.as_ref()))),
            }
        }
    }
}

/// Sends all messages without waiting for their echoes, and a Ping now and then; takes what comes back, in order.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: Socket<S>,
    messages: Messages,
    totals: &Totals,
) -> Result<Socket<S>, String> {
    let (mut sink, mut stream) = socket.split();
    // One Ping at a time: of several only the last needs an answer (RFC 6455 section 5.5.3).
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
                    totals.echoed(message.len());
                }
                Some(Ok(Message::Pong(payload))) => {
                    if answers == asked.load(Ordering::Relaxed) {
                        return Err(String::from("a Pong without a Ping"));
                    }
                    if payload != ping(messages.connection, answers) {
                        return Err(format!("the Pong for Ping {answers} carries {payload:?}"));
                    }
                    answers += 1;
                    totals.answered();
                    free.add_permits(1);
                }
                Some(Ok(Message::Ping(_))) => {} // the next read answers it
                other => {
                    return Err(format!(
                        "message {echoes} of {}: {}",
                        messages.count,
                        describe(other.as_ref())
                    ));
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
        Some(other) => format!("came back as message {other}"),
        None => format!("came back as {}", describe_message(got)),
    };
    let (sent_bytes, got_bytes) = (sent.clone().into_data(), got.clone().into_data());
    let same = sent_bytes.iter().zip(&got_bytes);
    let same = same.take_while(|(sent, got)| sent == got).count();
    Err(format!(
        "message {index}, {}, {what}; the first {same} bytes are the same",
        describe_message(&sent)
    ))
}

/// Closes with 1000, and sees the same code come back, and then the server end the stream.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>) -> Result<(), String> {
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    socket
        .close(Some(frame))
        .await
        .map_err(|error| format!("cannot close: {error}"))?;
    let mut is_answered = false;
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(answer)))) if answer.code == CloseCode::Normal => {
                is_answered = true;
            }
            Some(Ok(Message::Ping(_))) if !is_answered => {}
            None if is_answered => break,
            other => return Err(format!("closing: {}", describe(other.as_ref()))),
        }
    }
    // This side has not ended its stream: a server closes first (RFC 6455 section 7.1.1).
    match socket.get_ref().end() {
        // Now it does. On TCP dropping it would have done as well, on HTTP/2 that resets the stream.
        Some(End::Stream) => {
            _ = socket.get_mut().shutdown().await;
            Ok(())
        }
        Some(End::Error(kind)) => Err(format!("closed, but then the stream broke: {kind}")),
        None => Err(String::from("closed, but the stream did not end")),
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
