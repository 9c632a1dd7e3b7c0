//! What has arrived in time is not late, however late it is read.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use example_tokio::server::{End, options, talk};
use example_tokio::{Closed, Message, WebSocket, within};
use sockless::handshake::ClientOptions;
use sockless::{CloseCode, Config, Connection, Deadlines, ReadBuffer, Timeout};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::{accept, config, frames, message, polls, read, server};

/// How long the process stands still: longer than any deadline.
const STOP: Duration = Duration::from_secs(22);

/// Hands over what has arrived only when it was asked a few times, as TLS and HTTP/2 may do.
#[derive(Debug)]
struct Layered {
    transport: DuplexStream,
    unread: Vec<u8>,
    asked: usize,
}

impl Layered {
    fn new(transport: DuplexStream) -> Self {
        Self {
            transport,
            unread: Vec::new(),
            asked: 0,
        }
    }
}

impl AsyncRead for Layered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            let mut part = [0; 1000];
            let mut part = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut self.transport).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.unread.extend_from_slice(part.filled());
        }
        self.asked += 1;
        if !self.asked.is_multiple_of(10) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..n]);
        self.unread.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Layered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

fn layered(config: &Config) -> (WebSocket<Layered>, DuplexStream) {
    let (ours, theirs) = duplex(10_000);
    let connection = Connection::server(config);
    let server = WebSocket::new(Layered::new(ours), connection, ReadBuffer::new());
    (server, theirs)
}

/// Answers the first Ping of a server, just before the process stands still.
async fn answer_and_stop(peer: &mut DuplexStream) {
    let ping = read(peer, 6).await;
    let answer = frames(|client| client.send_pong(&ping[2..]).unwrap());
    peer.write_all(&answer).await.unwrap();
    advance(STOP).await;
}

#[tokio::test(start_paused = true)]
async fn a_pong_in_the_transport() {
    let (mut server, mut peer) = server(&config(), 10_000);
    let receiving = tokio::spawn(async move { server.recv().await });
    answer_and_stop(&mut peer).await;
    let hello = frames(|client| client.send_text("hello").unwrap());
    sleep(Duration::from_secs(10)).await;
    peer.write_all(&hello).await.unwrap();
    assert_eq!(
        receiving.await.unwrap(),
        Some(Message::Text("hello".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_pong_in_the_layers_below() {
    let (mut server, mut peer) = layered(&config());
    let receiving = tokio::spawn(async move { server.recv().await });
    answer_and_stop(&mut peer).await;
    let hello = frames(|client| client.send_text("hello").unwrap());
    sleep(Duration::from_secs(10)).await;
    peer.write_all(&hello).await.unwrap();
    assert_eq!(
        receiving.await.unwrap(),
        Some(Message::Text("hello".into()))
    );
}

/// The task that carries the bytes needs turns of its own, and the process stands still again and again meanwhile.
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
        let all = frames(|client| {
            client.send_pong(&ping[2..]).unwrap();
            client.send_text("hello").unwrap();
        });
        peer.write_all(&all).await.unwrap();
        peer
    });
    assert_eq!(
        receiving.await.unwrap(),
        Some(Message::Text("hello".into()))
    );
    drop(carrying.await.unwrap());
}

/// The half that sends waits for room, and so looks at the clock, too.
#[tokio::test(start_paused = true)]
async fn a_pong_for_two_halves() {
    let (server, mut peer) = layered(&config().with_max_output(100));
    let (mut receiver, mut sender) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let ping = read(&mut peer, 6).await;
    let sending = tokio::spawn(async move {
        for _ in 0..20 {
            sender.send(&message(3)).await?;
        }
        sender.flush().await
    });
    yield_now().await;
    assert!(!sending.is_finished(), "it waits for room");
    let all = frames(|client| {
        client.send_pong(&ping[2..]).unwrap();
        client.send_text("hello").unwrap();
    });
    peer.write_all(&all).await.unwrap();
    advance(STOP).await;
    let hello = Some(Message::Text("hello".into()));
    assert_eq!(receiving.await.unwrap(), hello);
    read(&mut peer, 20 * 4004).await;
    assert_eq!(sending.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_close_frame() {
    let (mut server, mut peer) = layered(&config());
    let closing = tokio::spawn(async move {
        server.close(CloseCode::NORMAL, "").await.unwrap();
        server.close_event().unwrap().was_clean
    });
    read(&mut peer, 4).await;
    let close = frames(|client| client.close(CloseCode::NORMAL, "").unwrap());
    peer.write_all(&close).await.unwrap();
    advance(STOP).await;
    assert!(closing.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_request() {
    let (ours, mut peer) = duplex(10_000);
    let accepting =
        tokio::spawn(async move { WebSocket::accept(Layered::new(ours), &config(), accept).await });
    yield_now().await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    peer.write_all(request.as_bytes()).await.unwrap();
    advance(STOP).await;
    accepting.await.unwrap().expect("the request was in time");
    assert!(read(&mut peer, 12).await == b"HTTP/1.1 101");
}

/// The server answers before it has read the request, and reads no more.
#[tokio::test(start_paused = true)]
async fn a_response() {
    for reads in [true, false] {
        let (ours, mut peer) = duplex(if reads { 10_000 } else { 100 });
        let connecting = tokio::spawn(async move {
            let uri = "ws://localhost/".parse().unwrap();
            let options = ClientOptions::new().with_config(config());
            WebSocket::connect(Layered::new(ours), &uri, &options).await
        });
        yield_now().await;
        let response = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        peer.write_all(response.as_bytes()).await.unwrap();
        if reads {
            advance(STOP).await;
        } else {
            drop(peer);
        }
        let error = connecting.await.unwrap().expect_err("it was refused");
        assert_eq!(error.to_string(), "the server answered with status 503");
    }
}

/// A handshake of several steps, TLS for instance.
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
    let never = within(Duration::from_secs(10), std::future::pending::<()>());
    assert_eq!(never.await, None);
    assert_eq!(start.elapsed().as_secs(), 11);
}

/// The transport takes what is sent, so the peer is there. Its Pong is unread only because nobody receives.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_only_send_is_polled() {
    let (mut server, mut peer) = server(&config().with_max_output(100), 64);
    let waited = timeout(Duration::from_secs(21), server.recv()).await;
    waited.expect_err("there is only a Ping");
    let ping = read(&mut peer, 6).await;
    let answer = frames(|client| client.send_pong(&ping[2..]).unwrap());
    peer.write_all(&answer).await.unwrap();
    // The application has nothing to send for a while, and does not receive either.
    sleep(Duration::from_secs(100)).await;
    let reading = tokio::spawn(async move {
        for _ in 0..20 {
            sleep(Duration::from_secs(15)).await;
            read(&mut peer, 4004).await;
        }
        peer
    });
    for _ in 0..20 {
        server.send(&message(3)).await.expect("the peer reads");
        sleep(Duration::from_secs(5)).await;
    }
    server.flush().await.expect("the peer reads");
    let waited = timeout(Duration::from_secs(19), server.recv()).await;
    waited.expect_err("the Pong was there");
    assert_eq!(server.close_event(), None);

    // But one that takes nothing is given up, though something of it is unread.
    let mut peer = reading.await.unwrap();
    let hello = frames(|client| client.send_text("hello").unwrap());
    peer.write_all(&hello).await.unwrap();
    let start = Instant::now();
    while server.send(&message(3)).await.is_ok() {}
    assert!(start.elapsed().as_secs() <= 42, "{:?}", start.elapsed());
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Pong));
    assert_eq!(server.send(&message(3)).await, Err(Closed));
}

/// Nothing of a client is lost that sends, ends its side, and then reads. Nor does the server spin meanwhile.
#[tokio::test(start_paused = true)]
async fn the_echo_of_a_client_that_has_ended_its_side() {
    let end = End::new();
    let (ours, mut peer) = duplex(64);
    let ending = end.ending();
    let talking = async move { talk(ours, &options(Deadlines::default()), ending).await };
    let serving = tokio::spawn(polls(talking));
    let asking = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    peer.write_all(asking.as_bytes()).await.unwrap();
    peer.write_all(&frames(|client| client.send_text("hello").unwrap()))
        .await
        .unwrap();
    peer.shutdown().await.unwrap();
    // It takes its time, but no longer than the deadline.
    sleep(Duration::from_secs(8)).await;
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 101 "));
    assert!(all.ends_with(b"\x81\x05hello"));
    let (talked, polls) = serving.await.unwrap();
    talked.unwrap();
    assert!(polls < 30, "{polls}");
}

/// A peer that only sends leaves the server waiting for room, and that costs no turns.
#[tokio::test(start_paused = true)]
async fn a_peer_that_only_sends_costs_no_turns() {
    let (mut server, mut peer) = server(&config().with_max_output(100), 10_000);
    let flood = tokio::spawn(async move {
        let text = frames(|client| client.send_text(&"x".repeat(1000)).unwrap());
        let mut sent = 0;
        while peer.write_all(&text).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let ((), polls) = polls(async {
        while let Some(message) = server.recv().await {
            _ = server.send(&message).await;
        }
    })
    .await;
    drop(server);
    let sent = flood.await.unwrap();
    assert!(polls < sent + 30, "{polls} turns for {sent} messages");
}

/// Sends the same again and again, faster than anybody reads. It takes whatever is written.
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

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// There is always more to read, but no more than so much of it can have arrived in time.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_stop_the_clock() {
    let config = Config::new().with_deadlines(Deadlines::new().with_max_extension(Duration::ZERO));
    let data = frames(|client| client.send_binary(&[7; 4000]).unwrap());
    let connection = Connection::server(&config);
    let mut server = WebSocket::new(Flood(data), connection, ReadBuffer::new());
    let closing = tokio::spawn(async move {
        server.close(CloseCode::NORMAL, "").await.unwrap();
        server.close_event().unwrap().timeout
    });
    for _ in 0..200 {
        if closing.is_finished() {
            break;
        }
        advance(Duration::from_secs(1)).await;
    }
    assert!(closing.is_finished());
    assert_eq!(closing.await.unwrap(), Some(Timeout::Close));
}
