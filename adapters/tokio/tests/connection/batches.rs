//! How many writes answers take.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sockless_tokio::{Message, SharedMessage};
use tokio::io::{AsyncWrite, AsyncWriteExt as _, join, split};
use tokio::time::timeout;

use crate::support::{config, frame, read, server_over};

/// A writer that counts writes.
#[derive(Debug)]
struct Counted<W>(W, Arc<AtomicUsize>);

impl<W: AsyncWrite + Unpin> AsyncWrite for Counted<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(cx, bytes);
        self.1
            .fetch_add(written.is_ready().into(), Ordering::Relaxed);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write_vectored(cx, parts);
        self.1
            .fetch_add(written.is_ready().into(), Ordering::Relaxed);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The number of writes for the answers to `count` messages that arrive in one read.
async fn writes(count: usize, feed: bool, ping: bool) -> usize {
    let writes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&writes);
    let (mut server, mut peer) = server_over(&config(), 100_000, |transport| {
        let (reading, writing) = split(transport);
        join(reading, Counted(writing, counter))
    });
    let mut all = frame(0x81, "hello").repeat(count);
    if ping {
        all.extend(frame(0x89, ""));
    }
    peer.write_all(&all).await.unwrap();
    for _ in 0..count {
        let message = server.recv().await.unwrap().unwrap();
        if feed {
            server.feed(message).await.unwrap();
        } else {
            server.send(message).await.unwrap();
        }
    }
    // Nothing else arrives, so the answers are written.
    let waited = timeout(Duration::from_millis(1), server.recv()).await;
    assert!(waited.is_err());
    let control: &[u8] = if ping { b"\x8a\0" } else { b"" };
    let expected = [&b"\x81\x05hello".repeat(count)[..], control].concat();
    assert_eq!(read(&mut peer, expected.len()).await, expected);
    writes.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn several_answers_take_one_write() {
    for count in [1, 2, 16, 500] {
        assert_eq!(writes(count, true, false).await, 1, "{count}");
        assert_eq!(writes(count, true, true).await, 1, "{count}, with a Pong");
        // The runtime may make a task wait that does much.
        let one_by_one = writes(count, false, false).await;
        assert!(one_by_one.min(20) == count.min(20), "{one_by_one}");
    }
}

/// A fed message waits for one of several things, and each of them writes it.
#[tokio::test(start_paused = true)]
async fn what_writes_fed_messages() {
    let (mut server, mut peer) = server_over(&config(), 1000, |transport| transport);
    server.feed("1").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(read(&mut peer, 3).await, b"\x81\x011");
    server.feed("2").await.unwrap();
    server.send("3").await.unwrap();
    assert_eq!(read(&mut peer, 6).await, b"\x81\x012\x81\x013");
    server.feed("4").await.unwrap();
    server.ping(b"!").await.unwrap();
    assert_eq!(read(&mut peer, 6).await, b"\x81\x014\x89\x01!");
    let shared = SharedMessage::text("5");
    server.feed_shared(&shared).await.unwrap();
    server.send_shared(&shared).await.unwrap();
    assert_eq!(read(&mut peer, 6).await, b"\x81\x015\x81\x015");
    // A Pong takes it along, although more messages wait in the buffer.
    let all = [
        frame(0x81, ""),
        frame(0x89, "?"),
        frame(0x81, ""),
        frame(0x81, ""),
    ];
    peer.write_all(&all.concat()).await.unwrap();
    server.recv().await.unwrap();
    server.feed("6").await.unwrap();
    server.recv().await.unwrap();
    assert_eq!(read(&mut peer, 6).await, b"\x81\x016\x8a\x01?");
}

/// A full output is written, so a loop that only feeds goes on.
#[tokio::test(start_paused = true)]
async fn feeding_without_end() {
    let (mut server, mut peer) = server_over(&config().with_max_output(100), 16, |it| it);
    let feeding = tokio::spawn(async move {
        for _ in 0..100 {
            server.feed(Message::from(vec![7; 50])).await.unwrap();
        }
        server.flush().await.unwrap();
        server
    });
    read(&mut peer, 100 * 52).await;
    feeding.await.unwrap();
}

/// A long message is written from its own memory, whatever the transport takes at once.
#[tokio::test(start_paused = true)]
async fn long_messages_arrive_whole_over_any_transport() {
    for length in [4095, 4096, 70_000] {
        for capacity in [1, 100, 5000, 100_000] {
            let writes = Arc::new(AtomicUsize::new(0));
            let (mut server, mut peer) = server_over(&config(), capacity, |transport| {
                let (reading, writing) = split(transport);
                join(reading, Counted(writing, Arc::clone(&writes)))
            });
            let data: Vec<u8> = (0..=250).cycle().take(length).collect();
            let sent = data.clone();
            let sending = tokio::spawn(async move {
                server.feed("before").await.unwrap();
                server.send(sent).await.unwrap();
                server.send("after").await.unwrap();
                server.flush().await.unwrap();
                server
            });
            assert_eq!(read(&mut peer, 8).await, b"\x81\x06before");
            let header = if length < 65536 { 4 } else { 10 };
            assert!(read(&mut peer, header + length).await[header..] == data);
            assert_eq!(read(&mut peer, 7).await, b"\x81\x05after");
            sending.await.unwrap();
        }
    }
}

/// A client sends many messages at once. Another task gets its turns while they are received.
#[tokio::test(start_paused = true)]
async fn a_burst_leaves_turns_for_other_tasks() {
    let (mut server, mut peer) = server_over(&config(), 100_000, |it| it);
    peer.write_all(&frame(0x81, "").repeat(5000)).await.unwrap();
    let turns = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..5000 {
        server.recv().await.unwrap().unwrap();
    }
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= 20, "{turns}");
    other.abort();
}
