//! Transports that buffer, fail, or end without notice.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sockless::{CloseCode, Config};
use sockless_tokio::{Error, Timeout, WebSocket};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter, DuplexStream, ReadBuf,
    join, split,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{CLOSE, close, config, frame, message, read, server, server_over, text};

/// A server whose transport passes on nothing before a flush, like TLS.
fn buffered(config: &Config) -> (WebSocket<BufWriter<DuplexStream>>, DuplexStream) {
    server_over(config, 16, |transport| {
        BufWriter::with_capacity(10_000, transport)
    })
}

#[tokio::test(start_paused = true)]
async fn buffered_bytes_are_flushed_before_the_end() {
    let (mut server, mut peer) = buffered(&config());
    let serving = tokio::spawn(async move {
        server.send(message(3)).await.unwrap();
        assert_eq!(server.recv().await, Ok(None));
        assert!(server.close_event().unwrap().was_clean);
    });
    peer.write_all(&close()).await.unwrap();
    // The peer reads slowly.
    let mut all = Vec::new();
    while peer.read_buf(&mut all).await.unwrap() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    serving.await.unwrap();
    assert_eq!(all.len(), 4 + 4000 + 4);
    assert!(all.ends_with(CLOSE));
}

#[tokio::test(start_paused = true)]
async fn the_flush_before_the_end_has_a_deadline() {
    let (mut server, mut peer) = buffered(&config());
    peer.write_all(&close()).await.unwrap();
    server.send(message(3)).await.unwrap();
    let start = Instant::now();
    assert_eq!(server.recv().await, Ok(None));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn flush_waits_for_a_transport_that_buffers() {
    let (mut server, mut peer) = buffered(&config());
    server.send(message(3)).await.unwrap();
    let waited = timeout(Duration::from_secs(1), server.flush()).await;
    waited.expect_err("most of the message is still buffered");
    let (flushed, _) = tokio::join!(server.flush(), read(&mut peer, 4004));
    assert_eq!(flushed, Ok(()));
}

/// The peer sends messages, and leaves without reading the answers.
#[tokio::test(start_paused = true)]
async fn messages_arrive_after_the_peer_has_left() {
    let (mut server, mut peer) = server(&config(), 100_000);
    for number in 0..8 {
        let digits = number.to_string().repeat(10_000);
        peer.write_all(&frame(0x81, digits)).await.unwrap();
    }
    drop(peer);
    server.send(message(0)).await.unwrap();
    assert_eq!(server.send(message(0)).await, Err(Error::Closed));
    for _ in 0..8 {
        assert!(server.recv().await.unwrap().is_some());
    }
    let failure = Err(Error::Transport(Arc::new(ErrorKind::BrokenPipe.into())));
    assert_eq!(server.recv().await, failure);
    assert_eq!(server.recv().await, failure);
    assert_eq!(server.flush().await, Err(Error::Closed));
    let ending = server.close_event().unwrap();
    assert_eq!(ending.code, CloseCode::ABNORMAL_CLOSURE);
}

/// A writer or a reader that always fails.
#[derive(Debug)]
struct Fails(ErrorKind);

impl AsyncWrite for Fails {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.0.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a shutdown after a failed write")
    }
}

impl AsyncRead for Fails {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

/// A server that can read, and whose writes fail.
fn read_only() -> (WebSocket<impl AsyncRead + AsyncWrite>, DuplexStream) {
    server_over(&config(), 10_000, |transport| {
        join(transport, Fails(ErrorKind::BrokenPipe))
    })
}

/// The peer's last message and its Close frame arrive before the failed write, or after it.
#[tokio::test(start_paused = true)]
async fn a_failed_write_loses_nothing_that_was_received() {
    for late in [false, true] {
        let (mut server, mut theirs) = read_only();
        let all = [
            frame(0x89, "are you there?"),
            frame(0x81, "last words"),
            frame(0x88, b"\x03\xf0policy"),
        ];
        let all = all.concat();
        if !late {
            theirs.write_all(&all).await.unwrap();
        }
        server.send(message(1)).await.unwrap();
        assert_eq!(server.send(message(1)).await, Err(Error::Closed));
        assert_eq!(server.flush().await, Err(Error::Closed));
        let writing = tokio::spawn(async move {
            if late {
                sleep(Duration::from_secs(1)).await;
                theirs.write_all(&all).await.unwrap();
            }
            theirs
        });
        assert_eq!(server.recv().await, Ok(Some(text("last words"))));
        assert_eq!(server.recv().await, Ok(None));
        let ending = server.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::POLICY_VIOLATION);
        assert_eq!(ending.reason, "policy");
        drop(writing.await.unwrap());
    }
}

/// After a failed write, a silent peer has until the deadline.
#[tokio::test(start_paused = true)]
async fn a_failed_write_starts_a_deadline() {
    let (mut server, _theirs) = read_only();
    server.send(message(1)).await.unwrap();
    let start = Instant::now();
    assert_eq!(
        server.recv().await,
        Err(Error::Timeout(Timeout::EndOfStream))
    );
    assert_eq!(start.elapsed().as_secs(), 11);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.code, CloseCode::ABNORMAL_CLOSURE);
}

/// The peer has closed, and then reading fails with this error. A message still waits for the peer to read.
async fn closed_and(
    error: ErrorKind,
) -> (WebSocket<impl AsyncRead + AsyncWrite + Unpin>, DuplexStream) {
    let (mut server, mut theirs) = server_over(&config(), 64, |transport| {
        let (reader, writer) = split(transport);
        join(reader.chain(Fails(error)), writer)
    });
    server.send(message(3)).await.unwrap();
    let all = [frame(0x81, "Hi"), close()].concat();
    theirs.write_all(&all).await.unwrap();
    theirs.shutdown().await.unwrap();
    assert_eq!(server.recv().await, Ok(Some(text("Hi"))));
    (server, theirs)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_a_reset() {
    let (mut server, _peer) = closed_and(ErrorKind::ConnectionReset).await;
    let start = Instant::now();
    assert_eq!(server.recv().await, Ok(None));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(server.flush().await, Err(Error::Closed));
    // The code is the peer's. The answer to its Close frame was lost, which is not clean.
    let ending = server.close_event().unwrap();
    assert_eq!((u16::from(ending.code), ending.was_clean), (1000, false));
}

/// TLS ends like this without `close_notify`.
#[tokio::test(start_paused = true)]
async fn the_output_is_written_after_an_unexpected_end() {
    let (mut server, mut peer) = closed_and(ErrorKind::UnexpectedEof).await;
    let (received, all) = tokio::join!(server.recv(), read(&mut peer, 4 + 4000 + 4));
    assert_eq!(received, Ok(None));
    assert!(all.ends_with(CLOSE));
    server.flush().await.unwrap();
}
