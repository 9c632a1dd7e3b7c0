//! Messages in parts, and the traits `Stream` and `Sink`.

use std::io::{self, ErrorKind};
use std::task::Poll;

use futures_util::{SinkExt, StreamExt as _, TryStreamExt as _};
use sockless::Config;
use sockless_tokio::{CloseCode, Delivery, Error, Message, MessageType, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::yield_now;

use crate::support::{close, config, frame, message, once, pair, read, server};

/// With parts as they arrive, and little room.
fn chunks() -> Config {
    config()
        .with_delivery(Delivery::Chunks)
        .with_max_output(500)
}

/// Sends `data` from a reader, receives it as a reader, over a transport that holds `capacity` bytes.
async fn transfer(kind: MessageType, data: Vec<u8>, capacity: usize) -> Vec<u8> {
    let [mut client, mut server] = pair(&chunks(), capacity);
    let sent = data.clone();
    let sending = tokio::spawn(async move {
        let n = client.send_from(kind, &sent[..]).await.unwrap();
        assert_eq!(n, sent.len() as u64);
        client.send("next").await.unwrap();
        client.flush().await.unwrap();
        client
    });
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    assert_eq!(reader.kind(), kind);
    let mut received = Vec::new();
    reader.read_to_end(&mut received).await.unwrap();
    drop(reader);
    assert_eq!(server.recv().await, Ok(Some("next".into())));
    sending.await.unwrap();
    received
}

#[tokio::test(start_paused = true)]
async fn from_a_reader_to_a_reader() {
    for capacity in [16, 1000, 100_000] {
        for length in [0, 1, 125, 16 << 10, (16 << 10) + 1, 50_000] {
            let data: Vec<u8> = (0..=250).cycle().take(length).collect();
            let received = transfer(MessageType::Binary, data.clone(), capacity).await;
            assert!(received == data, "{length} bytes");
            // Characters of three bytes, which reads of 16 KiB cut.
            let text = "\u{4f60}".repeat(length / 3).into_bytes();
            let received = transfer(MessageType::Text, text.clone(), capacity).await;
            assert!(received == text, "{length} bytes of text");
        }
    }
}

/// `recv` joins the parts, and both ways of receiving may alternate.
#[tokio::test(start_paused = true)]
async fn parts_and_whole_messages_alternate() {
    let [mut client, mut server] = pair(&chunks(), 100);
    let sending = tokio::spawn(async move {
        for number in 0..40 {
            client.send(message(number)).await.unwrap();
        }
        client.flush().await.unwrap();
        client
    });
    for number in 0..40 {
        let received = if number % 3 == 0 {
            server.recv().await.unwrap().unwrap()
        } else {
            let reader = server.recv_stream().await.unwrap().unwrap();
            let kind = reader.kind();
            let parts: Vec<Message> = reader.try_collect().await.unwrap();
            let joined: Vec<u8> = parts.iter().flat_map(|it| it.as_bytes().to_vec()).collect();
            match kind {
                MessageType::Text => String::from_utf8(joined).unwrap().into(),
                MessageType::Binary => joined.into(),
            }
        };
        assert!(received == message(number), "message {number}");
    }
    sending.await.unwrap();
}

/// The rest of a message is dropped with its reader. The next message is whole.
#[tokio::test(start_paused = true)]
async fn a_dropped_reader_skips_its_message() {
    for read_first in [false, true] {
        let (mut server, mut peer) = server(&chunks(), 1000);
        peer.write_all(&frame(0x02, [1; 10])).await.unwrap();
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        if read_first {
            assert!(reader.chunk().await.unwrap().is_some());
            assert_eq!(once(reader.chunk()), Poll::Pending);
        }
        drop(reader);
        let rest = [
            frame(0x00, [2; 10]),
            frame(0x80, [3; 10]),
            frame(0x81, "next"),
        ];
        peer.write_all(&rest.concat()).await.unwrap();
        assert_eq!(server.recv().await, Ok(Some("next".into())));
    }
}

/// A cancelled `recv` has received the beginning of a message. A reader then returns it, too.
#[tokio::test(start_paused = true)]
async fn a_reader_continues_after_a_cancelled_recv() {
    let (mut server, mut peer) = server(&chunks(), 1000);
    peer.write_all(&frame(0x01, "begin")).await.unwrap();
    assert_eq!(once(server.recv()), Poll::Pending);
    peer.write_all(&frame(0x80, "end")).await.unwrap();
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    let mut all = String::new();
    reader.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "beginend");
}

/// A message that the peer does not complete is an error, never a short message.
#[tokio::test(start_paused = true)]
async fn an_incomplete_message_is_an_error() {
    for ends in [close(), Vec::new()] {
        let (mut server, mut peer) = server(&chunks(), 1000);
        peer.write_all(&frame(0x02, [1; 10])).await.unwrap();
        peer.write_all(&ends).await.unwrap();
        drop(peer);
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        let mut all = Vec::new();
        let error = reader.read_to_end(&mut all).await.unwrap_err();
        assert_eq!((error.kind(), all.len()), (ErrorKind::UnexpectedEof, 10));
    }
}

/// While the application does not read the parts, the peer must wait.
#[tokio::test(start_paused = true)]
async fn parts_have_backpressure() {
    let (mut server, mut peer) = server(&chunks(), 1000);
    let data = frame(0x82, vec![7; 10_000_000]);
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        for part in data.chunks(100) {
            if peer.write_all(part).await.is_err() {
                break;
            }
            sent += part.len();
        }
        sent
    });
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    reader.chunk().await.unwrap();
    for _ in 0..10_000 {
        yield_now().await;
    }
    assert!(!sending.is_finished());
    drop(reader);
    drop(server);
    assert!(sending.await.unwrap() < 100_000);
}

/// A message that has begun and cannot be completed ends the connection, because no other message may follow.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_completed_closes() {
    /// A reader that fails after some bytes.
    struct Fails(bool);

    impl tokio::io::AsyncRead for Fails {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(Err(ErrorKind::NotFound.into()));
            }
            buffer.put_slice(b"some");
            Poll::Ready(Ok(()))
        }
    }

    let (mut server, mut peer) = server(&config(), 1000);
    // Nothing has begun, so nothing is lost.
    drop(server.send_stream(MessageType::Text));
    let failed = server.send_from(MessageType::Text, Fails(true)).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
    server.send("first").await.unwrap();

    let failed = server.send_from(MessageType::Text, Fails(false)).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(server.send("next").await, Err(Error::Closed));
    peer.write_all(&close()).await.unwrap();
    assert_eq!(server.recv().await, Ok(None));
    let expected = b"\x81\x05first\x01\x04some\x88\x14\x03\xf3incomplete message";
    assert_eq!(read(&mut peer, expected.len()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn text_in_parts_must_be_utf8() {
    let (mut server, mut peer) = server(&config(), 1000);
    let mut writer = server.send_stream(MessageType::Text);
    writer.write(b"caf\xc3").await.unwrap();
    assert_eq!(writer.write(b"\xff").await, Err(Error::InvalidText));
    writer.write(b"\xa9\xf0\x9f").await.unwrap();
    writer.write(b"\x98").await.unwrap();
    writer.write(b"\x80").await.unwrap();
    writer.finish().await.unwrap();
    let expected = "\x01\x03caf\0\x02\u{e9}\0\0\0\x04\u{1f600}";
    assert_eq!(read(&mut peer, expected.len()).await, expected.as_bytes());
    assert_eq!(read(&mut peer, 2).await, b"\x80\0");

    let mut writer = server.send_stream(MessageType::Text);
    writer.write(b"\xc3").await.unwrap();
    assert_eq!(writer.finish().await, Err(Error::InvalidText));
    assert!(!server.can_send());
}

/// Each future is dropped after each poll that is not ready.
#[tokio::test(start_paused = true)]
async fn cancelled_parts_lose_nothing() {
    let [mut client, mut server] = pair(&chunks(), 50);
    let data: Vec<u8> = (0..=250).cycle().take(20_000).collect();
    let mut parts = data.chunks(300);
    let mut part = parts.next();
    let mut writer = Some(client.send_stream(MessageType::Binary));
    let (mut dropped, mut received) = (0, Vec::new());
    let mut reader = loop {
        dropped += usize::from(once(writer.as_mut().unwrap().write(part.unwrap())).is_pending());
        part = parts.next();
        if let Poll::Ready(reader) = once(server.recv_stream()) {
            break reader.unwrap().unwrap();
        }
    };
    loop {
        if let (Some(writer), Some(bytes)) = (&mut writer, part) {
            match once(writer.write(bytes)) {
                Poll::Ready(written) => {
                    written.unwrap();
                    part = parts.next();
                }
                Poll::Pending => dropped += 1,
            }
        } else if let Some(mut last) = writer.take() {
            // `finish` takes the writer, so this one is not dropped.
            match once(last.shutdown()) {
                Poll::Ready(finished) => finished.unwrap(),
                Poll::Pending => writer = Some(last),
            }
        }
        match once(reader.chunk()) {
            Poll::Ready(Ok(Some(chunk))) => received.extend_from_slice(chunk.as_bytes()),
            Poll::Ready(end) => break assert_eq!(end, Ok(None)),
            Poll::Pending => dropped += 1,
        }
        yield_now().await;
    }
    assert!(dropped > 100, "{dropped}");
    assert!(received == data);
}

async fn forward(server: WebSocket<DuplexStream>) {
    let (sink, stream) = server.split();
    stream.forward(sink).await.unwrap();
}

/// The traits of the crate futures.
#[tokio::test(start_paused = true)]
async fn as_a_stream_and_a_sink() {
    let [mut client, server] = pair(&config(), 1000);
    let echoing = tokio::spawn(forward(server));
    for number in 0..20 {
        SinkExt::send(&mut client, message(number)).await.unwrap();
        assert!(client.next().await == Some(Ok(message(number))));
    }
    SinkExt::close(&mut client).await.unwrap();
    assert_eq!(client.next().await, None);
    assert_eq!(client.next().await, None);
    echoing.await.unwrap();
    assert_eq!(client.close_event().unwrap().code, CloseCode::NORMAL);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_its_error() {
    let (mut server, peer) = server(&config(), 1000);
    drop(peer);
    assert_eq!(server.next().await, Some(Err(Error::Eof)));
    assert_eq!(server.next().await, None);
    assert_eq!(server.recv().await, Err(Error::Eof));
    assert_eq!(
        SinkExt::send(&mut server, "x".into()).await,
        Err(Error::Closed)
    );
}
