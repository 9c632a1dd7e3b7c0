//! Transports with ways of their own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use example_tokio::{Closed, Message, WebSocket};
use sockless::{CloseCode, Config, Connection, ReadBuffer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::io::{DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;

use crate::support::{config, frames, message, read, server};

/// Takes everything at once and hands on nothing until it is flushed, as TLS may do.
#[derive(Debug)]
struct Hoarding {
    transport: DuplexStream,
    held: Vec<u8>,
}

impl AsyncRead for Hoarding {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Hoarding {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { transport, held } = &mut *self;
        while !held.is_empty() {
            let n = ready!(Pin::new(&mut *transport).poll_write(cx, held))?;
            held.drain(..n);
        }
        Pin::new(transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

fn hoarding(config: &Config, capacity: usize) -> (WebSocket<Hoarding>, DuplexStream) {
    let (ours, theirs) = duplex(capacity);
    let ours = Hoarding {
        transport: ours,
        held: Vec::new(),
    };
    let server = WebSocket::new(ours, Connection::server(config), ReadBuffer::new());
    (server, theirs)
}

#[tokio::test(start_paused = true)]
async fn what_the_transport_holds_back_goes_out_before_it_is_dropped() {
    let (mut server, mut peer) = hoarding(&config(), 16);
    let close = frames(|client| client.close(CloseCode::NORMAL, "").unwrap());
    let serving = tokio::spawn(async move {
        server.send(&message(3)).await.unwrap();
        assert_eq!(server.recv().await, None);
        assert!(server.close_event().unwrap().was_clean);
    });
    peer.write_all(&close).await.unwrap();
    // A slow reader, but it reads.
    let mut all = Vec::new();
    loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut part = [0; 16];
        let n = peer.read(&mut part).await.unwrap();
        if n == 0 {
            break;
        }
        all.extend_from_slice(&part[..n]);
    }
    serving.await.unwrap();
    assert_eq!(all.len(), 4 + 4000 + 4);
    assert!(all.ends_with(b"\x88\x02\x03\xe8"));
}

#[tokio::test(start_paused = true)]
async fn but_not_for_ever() {
    let (mut server, mut peer) = hoarding(&config(), 16);
    let close = frames(|client| client.close(CloseCode::NORMAL, "").unwrap());
    peer.write_all(&close).await.unwrap();
    server.send(&message(3)).await.unwrap();
    let start = Instant::now();
    assert_eq!(server.recv().await, None);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn flush_waits_until_it_holds_back_nothing() {
    let (mut server, mut peer) = hoarding(&config(), 16);
    server.send(&message(3)).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(1), server.flush()).await;
    waited.expect_err("most of it is still there");
    let (flushed, _) = tokio::join!(server.flush(), read(&mut peer, 4004));
    assert_eq!(flushed, Ok(()));
}

/// The peer has said something, and left without waiting for an answer.
#[tokio::test(start_paused = true)]
async fn what_came_is_received_though_nothing_can_be_sent() {
    let (mut server, mut peer) = server(&config(), 100_000);
    let all = frames(|client| {
        for number in 0..8 {
            let text = number.to_string().repeat(10_000);
            client.send_text(&text).unwrap();
        }
    });
    peer.write_all(&all).await.unwrap();
    drop(peer);
    assert_eq!(server.send(&message(0)).await, Ok(()));
    assert_eq!(server.send(&message(0)).await, Err(Closed));
    for _ in 0..8 {
        assert!(server.recv().await.is_some());
    }
    assert_eq!(server.recv().await, None);
    assert_eq!(server.recv().await, None);
    assert_eq!(server.flush().await, Err(Closed));
    let ending = server.close_event().unwrap();
    assert_eq!(ending.code, CloseCode::ABNORMAL_CLOSURE);
}

/// Its writes fail. What the peer sent before can be read.
#[derive(Debug)]
struct ReadOnly(DuplexStream);

impl AsyncRead for ReadOnly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ReadOnly {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("nothing can be written")
    }
}

/// The peer's last message and its Close frame arrive, before the failed write and after it.
#[tokio::test(start_paused = true)]
async fn a_failed_write_loses_nothing_that_was_received() {
    for late in [false, true] {
        let (ours, mut theirs) = duplex(10_000);
        let connection = Connection::server(&config());
        let mut server = WebSocket::new(ReadOnly(ours), connection, ReadBuffer::new());
        let all = frames(|client| {
            client.send_ping(b"are you there?").unwrap();
            client.send_text("last words").unwrap();
            client.close(CloseCode::POLICY_VIOLATION, "policy").unwrap();
        });
        if !late {
            theirs.write_all(&all).await.unwrap();
        }
        assert_eq!(server.send(&message(1)).await, Ok(()));
        assert_eq!(server.send(&message(1)).await, Err(Closed));
        assert_eq!(server.flush().await, Err(Closed));
        let writing = tokio::spawn(async move {
            if late {
                tokio::time::sleep(Duration::from_secs(1)).await;
                theirs.write_all(&all).await.unwrap();
            }
            theirs
        });
        let text = Message::Text("last words".into());
        assert_eq!(server.recv().await, Some(text));
        assert_eq!(server.recv().await, None);
        let ending = server.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::POLICY_VIOLATION);
        assert_eq!(ending.reason, "policy");
        drop(writing.await.unwrap());
    }
}

/// Nor is a peer that says nothing more waited for without end.
#[tokio::test(start_paused = true)]
async fn after_a_failed_write_the_peer_has_its_time() {
    let (ours, _theirs) = duplex(10_000);
    let connection = Connection::server(&config());
    let mut server = WebSocket::new(ReadOnly(ours), connection, ReadBuffer::new());
    server.send(&message(1)).await.unwrap();
    let start = Instant::now();
    assert_eq!(server.recv().await, None);
    assert_eq!(start.elapsed().as_secs(), 11);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.code, CloseCode::ABNORMAL_CLOSURE);
}

/// Fails where the other one ends.
#[derive(Debug)]
struct Failing {
    transport: DuplexStream,
    error: io::ErrorKind,
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buffer))?;
        if buffer.filled().len() == before {
            return Poll::Ready(Err(self.error.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

/// A peer has closed, and ended what it sends in this way, while a message waits for it to read.
async fn closed_and(error: io::ErrorKind) -> (WebSocket<Failing>, DuplexStream) {
    let (ours, mut theirs) = duplex(64);
    let transport = Failing {
        transport: ours,
        error,
    };
    let mut server = WebSocket::new(transport, Connection::server(&config()), ReadBuffer::new());
    server.send(&message(3)).await.unwrap();
    let all = frames(|client| {
        client.send_text("Hi").unwrap();
        client.close(CloseCode::NORMAL, "").unwrap();
    });
    theirs.write_all(&all).await.unwrap();
    theirs.shutdown().await.unwrap();
    assert_eq!(server.recv().await, Some(Message::Text("Hi".into())));
    (server, theirs)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_a_reset() {
    let (mut server, _peer) = closed_and(io::ErrorKind::ConnectionReset).await;
    let start = Instant::now();
    assert_eq!(server.recv().await, None);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(server.flush().await, Err(Closed));
    // The code is the peer's. The answer to its Close frame was lost, so the end is not clean.
    let ending = server.close_event().unwrap();
    assert_eq!((u16::from(ending.code), ending.was_clean), (1000, false));
}

/// So TLS ends whose peer has not said that it would.
#[tokio::test(start_paused = true)]
async fn what_waits_is_written_after_an_end_that_was_not_announced() {
    let (mut server, mut peer) = closed_and(io::ErrorKind::UnexpectedEof).await;
    let (received, all) = tokio::join!(server.recv(), read(&mut peer, 4 + 4000 + 4));
    assert_eq!(received, None);
    assert!(all.ends_with(b"\x88\x02\x03\xe8"));
    assert_eq!(server.flush().await, Ok(()));
}
