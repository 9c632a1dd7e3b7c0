//! Bytes that arrive in time are in time, even if this side reads them after the deadline.

use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use sockless::handshake::ClientOptions;
use sockless::test_util::OPENING_REQUEST;
use sockless::{CloseCode, Config, Deadlines, Timeout};
use sockless_tokio::{ConnectError, Error, WebSocket, accept, within};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
    join, sink, split,
};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::{close, config, echo, frame, message, polls, read, server, server_over, text};

/// How long the process is stopped: longer than any deadline.
const STOP: Duration = Duration::from_secs(22);

/// A reader that passes on bytes only at every tenth poll, as TLS and HTTP/2 may do.
#[derive(Debug)]
struct Layer<R> {
    below: R,
    polls: usize,
}

impl<R: AsyncRead + Unpin> AsyncRead for Layer<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.polls += 1;
        if self.polls.is_multiple_of(10) {
            return Pin::new(&mut self.below).poll_read(cx, buffer);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn layer(
    transport: DuplexStream,
) -> impl AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug + 'static {
    let (below, writer) = split(transport);
    join(Layer { below, polls: 0 }, writer)
}

/// The peer answers the first Ping in time. The process is stopped before it reads the Pong.
async fn keep_alive<S>((mut server, mut peer): (WebSocket<S>, DuplexStream))
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let receiving = tokio::spawn(async move { server.recv().await });
    let ping = read(&mut peer, 6).await;
    peer.write_all(&frame(0x8a, &ping[2..])).await.unwrap();
    advance(STOP).await;
    sleep(Duration::from_secs(10)).await;
    peer.write_all(&frame(0x81, "hello")).await.unwrap();
    assert_eq!(receiving.await.unwrap(), Ok(Some(text("hello"))));
}

#[tokio::test(start_paused = true)]
async fn a_pong_in_the_transport() {
    keep_alive(server(&config(), 10_000)).await;
}

#[tokio::test(start_paused = true)]
async fn a_pong_in_the_layers_below() {
    keep_alive(server_over(&config(), 10_000, layer)).await;
}

/// Another task carries the Pong. It needs its own turns, and the process is stopped several times before.
#[tokio::test(start_paused = true)]
async fn a_pong_with_another_task() {
    let (mut server, mut peer) = server(&config(), 10_000);
    let receiving = tokio::spawn(async move { server.recv().await });
    let ping = read(&mut peer, 6).await;
    let carrying = tokio::spawn(async move {
        for _ in 0..3 {
            advance(STOP).await;
            for _ in 0..5 {
                yield_now().await;
            }
        }
        let all = [frame(0x8a, &ping[2..]), frame(0x81, "hello")];
        peer.write_all(&all.concat()).await.unwrap();
        peer
    });
    assert_eq!(receiving.await.unwrap(), Ok(Some(text("hello"))));
    drop(carrying.await.unwrap());
}

/// The sender waits for room, and also passes the time.
#[tokio::test(start_paused = true)]
async fn a_pong_for_two_halves() {
    let (server, mut peer) = server_over(&config().with_max_output(100), 10_000, layer);
    let (mut sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let ping = read(&mut peer, 6).await;
    let sending = tokio::spawn(async move {
        for _ in 0..20 {
            sender.send(message(3)).await?;
        }
        sender.flush().await
    });
    yield_now().await;
    assert!(!sending.is_finished(), "it waits for room");
    let all = [frame(0x8a, &ping[2..]), frame(0x81, "hello")];
    peer.write_all(&all.concat()).await.unwrap();
    advance(STOP).await;
    assert_eq!(receiving.await.unwrap(), Ok(Some(text("hello"))));
    read(&mut peer, 20 * 4004).await;
    assert_eq!(sending.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_close_frame() {
    let (mut server, mut peer) = server_over(&config(), 10_000, layer);
    let closing = tokio::spawn(async move {
        server.close(CloseCode::NORMAL, "").await.unwrap();
        server.close_event().unwrap().was_clean
    });
    read(&mut peer, 4).await;
    peer.write_all(&close()).await.unwrap();
    advance(STOP).await;
    assert!(closing.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_request() {
    let (ours, mut peer) = duplex(10_000);
    let accepting = tokio::spawn(accept(layer(ours)));
    yield_now().await;
    peer.write_all(OPENING_REQUEST).await.unwrap();
    advance(STOP).await;
    let _server = accepting.await.unwrap().expect("the request is in time");
    assert!(read(&mut peer, 12).await == b"HTTP/1.1 101");
}

/// The server answers before it reads the request. Then it reads the request, or leaves.
#[tokio::test(start_paused = true)]
async fn a_response() {
    for reads in [true, false] {
        let (ours, mut peer) = duplex(if reads { 10_000 } else { 100 });
        let connecting = tokio::spawn(async move {
            let uri = "ws://localhost/".parse().unwrap();
            let options = ClientOptions::new().with_config(config());
            WebSocket::connect(layer(ours), &uri, &options).await
        });
        yield_now().await;
        let response = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        peer.write_all(response.as_bytes()).await.unwrap();
        if reads {
            advance(STOP).await;
        } else {
            drop(peer);
        }
        let error = connecting.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Refused(response) if response.status == 503));
    }
}

/// A handshake of several steps below the WebSocket, such as TLS.
#[tokio::test(start_paused = true)]
async fn a_handshake_below() {
    let steps = async {
        for _ in 0..20 {
            yield_now().await;
        }
        sleep(Duration::from_millis(100)).await;
    };
    let mut waiting = pin!(within(Duration::from_secs(10), steps));
    assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
    advance(STOP).await;
    assert_eq!(waiting.await, Some(()));

    let start = Instant::now();
    assert_eq!(within(Duration::from_secs(10), pending::<()>()).await, None);
    assert_eq!(start.elapsed().as_secs(), 11);
}

/// The transport takes the output, which shows that the peer is alive. Its Pong is unread only because the
/// application does not receive.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_the_application_only_sends() {
    let (mut server, mut peer) = server(&config().with_max_output(100), 64);
    let waited = timeout(Duration::from_secs(21), server.recv()).await;
    waited.expect_err("the output is a Ping");
    let ping = read(&mut peer, 6).await;
    peer.write_all(&frame(0x8a, &ping[2..])).await.unwrap();
    // For a while the application neither sends nor receives.
    sleep(Duration::from_secs(100)).await;
    let reading = tokio::spawn(async move {
        for _ in 0..20 {
            sleep(Duration::from_secs(15)).await;
            read(&mut peer, 4004).await;
        }
        peer
    });
    for _ in 0..20 {
        server.send(message(3)).await.expect("the peer reads");
        sleep(Duration::from_secs(5)).await;
    }
    server.flush().await.expect("the peer reads");
    let waited = timeout(Duration::from_secs(19), server.recv()).await;
    waited.expect_err("the Pong was in time");
    assert_eq!(server.close_event(), None);

    // A peer that takes no output is given up, although bytes of it are unread.
    let mut peer = reading.await.unwrap();
    peer.write_all(&frame(0x81, "hello")).await.unwrap();
    let start = Instant::now();
    while server.send(message(3)).await.is_ok() {}
    assert!(start.elapsed().as_secs() <= 42, "{:?}", start.elapsed());
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Pong));
    assert_eq!(server.send(message(3)).await, Err(Error::Closed));
}

/// The client sends, ends its side, and then reads. The server sends everything back and does not spin meanwhile.
#[tokio::test(start_paused = true)]
async fn the_echo_of_a_client_that_has_ended_its_side() {
    let (ours, mut peer) = duplex(64);
    let serving = tokio::spawn(polls(async move {
        echo(&mut accept(ours).await.expect("the request is valid")).await;
    }));
    peer.write_all(OPENING_REQUEST).await.unwrap();
    peer.write_all(&frame(0x81, "hello")).await.unwrap();
    peer.shutdown().await.unwrap();
    // The client reads just before the deadline.
    sleep(Duration::from_secs(8)).await;
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 101 "));
    assert!(all.ends_with(b"\x81\x05hello"));
    let ((), polls) = serving.await.unwrap();
    assert!(polls < 30, "{polls}");
}

/// A peer sends without reading. The server waits for room and does not spin.
#[tokio::test(start_paused = true)]
async fn a_peer_that_only_sends_causes_no_spinning() {
    let (mut server, mut peer) = server(&config().with_max_output(100), 10_000);
    let flood = tokio::spawn(async move {
        let text = frame(0x81, "x".repeat(1000));
        let mut sent = 0;
        while peer.write_all(&text).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let ((), polls) = polls(echo(&mut server)).await;
    drop(server);
    let sent = flood.await.unwrap();
    assert!(polls < sent + 30, "{polls} polls for {sent} messages");
}

/// A reader that always has more of the same frame.
#[derive(Debug)]
struct Flood(Vec<u8>);

impl AsyncRead for Flood {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while buffer.remaining() >= self.0.len() {
            buffer.put_slice(&self.0);
        }
        Poll::Ready(Ok(()))
    }
}

/// There is always more to read. Only a bounded part of it can have arrived before the deadline.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_stop_the_clock() {
    let config = Config::new().with_deadlines(Deadlines::new().with_max_extension(Duration::ZERO));
    let flood = Flood(frame(0x82, [7; 4000]));
    let (mut server, _) = server_over(&config, 1, |_| join(flood, sink()));
    let closing = tokio::spawn(async move { server.close(CloseCode::NORMAL, "").await });
    for _ in 0..200 {
        if closing.is_finished() {
            break;
        }
        advance(Duration::from_secs(1)).await;
    }
    assert!(closing.is_finished());
    assert_eq!(closing.await.unwrap(), Err(Error::Timeout(Timeout::Close)));
}
