//! What a careless user or a hostile peer may do to a connection.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sockless::Config;
use sockless_tokio::{CloseCode, Delivery, Error, Message, MessageType, Timeout, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::task::coop::{consume_budget, has_budget_remaining};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::{close, config, frame, pair, read, server, text};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const NEARLY_AN_HOUR: Duration = Duration::from_secs(3590);

/// A task that has used up its budget starts to wait. Its timer must run all the same.
#[tokio::test(start_paused = true)]
async fn a_busy_task_still_notices_a_lost_peer() {
    let (mut server, _peer) = server(&config(), 10_000);
    let serving = tokio::spawn(async move {
        poll_fn(|cx| {
            while has_budget_remaining() {
                _ = pin!(consume_budget()).poll(cx);
            }
            Poll::Ready(())
        })
        .await;
        server.recv().await
    });
    let ended = timeout(HOUR, serving).await.expect("a deadline").unwrap();
    assert_eq!(ended, Err(Error::Timeout(Timeout::Pong)));
}

/// The same after many sends, and with two halves.
#[tokio::test(start_paused = true)]
async fn a_peer_that_is_lost_after_many_messages() {
    let (server, mut peer) = server(&config(), 4 << 20);
    let (mut sender, mut receiver) = server.split();
    let sending = tokio::spawn(async move {
        for _ in 0..700 {
            sender.send(vec![7; 4000]).await.unwrap();
        }
        sender
    });
    let receiving = tokio::spawn(async move { receiver.recv().await });
    read(&mut peer, 700 * 4004).await;
    let _sender = sending.await.unwrap();
    let ended = timeout(HOUR, receiving).await.expect("a deadline").unwrap();
    assert_eq!(ended, Err(Error::Timeout(Timeout::Pong)));
}

/// A connection that gets another transport keeps its deadlines.
#[tokio::test(start_paused = true)]
async fn the_parts_of_a_connection_keep_its_time() {
    let [mut client, mut server] = pair(&config(), 1000);
    let talking = tokio::spawn(async move {
        _ = timeout(NEARLY_AN_HOUR, client.recv()).await;
        client
    });
    _ = timeout(NEARLY_AN_HOUR, server.recv()).await;
    let _client = talking.await.unwrap();
    let (transport, connection, buffer) = server.into_parts();
    let mut server = WebSocket::new(transport, connection, buffer);
    let start = Instant::now();
    assert_eq!(server.recv().await, Err(Error::Timeout(Timeout::Pong)));
    assert!(start.elapsed() <= 42 * SECOND, "{:?}", start.elapsed());
}

/// Another task has the Pong. A Ping of the application goes out meanwhile.
#[tokio::test(start_paused = true)]
async fn a_ping_does_not_shorten_the_time_for_a_late_pong() {
    let (server, mut peer) = server(&config(), 10_000);
    let (mut sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let ping = read(&mut peer, 6).await;
    let pinging = tokio::spawn(async move {
        sleep(15 * SECOND).await;
        yield_now().await;
        _ = sender.ping(b"").await;
        sender
    });
    let carrying = tokio::spawn(async move {
        sleep(15 * SECOND).await;
        for _ in 0..10 {
            yield_now().await;
        }
        let all = [frame(0x8a, &ping[2..]), frame(0x81, "hello")];
        peer.write_all(&all.concat()).await.unwrap();
        peer
    });
    yield_now().await;
    advance(22 * SECOND).await;
    assert_eq!(receiving.await.unwrap(), Ok(Some(text("hello"))));
    drop((pinging.await, carrying.await));
}

/// Each message is alone in its read, and its handler takes long. The answers do not wait for further reads.
#[tokio::test(start_paused = true)]
async fn a_fed_answer_does_not_wait_for_further_reads() {
    let (mut server, peer) = server(&config(), 10_000);
    let serving = tokio::spawn(async move {
        while let Ok(Some(message)) = server.recv().await {
            sleep(SECOND).await;
            server.feed(message).await.unwrap();
        }
    });
    let (mut reading, mut writing) = split(peer);
    let sending = tokio::spawn(async move {
        for _ in 0..60 {
            writing.write_all(&frame(0x81, "hello")).await.unwrap();
            sleep(SECOND * 9 / 10).await;
        }
    });
    let start = Instant::now();
    reading.read_exact(&mut [0; 7]).await.unwrap();
    assert!(start.elapsed() <= 3 * SECOND, "{:?}", start.elapsed());
    sending.abort();
    serving.abort();
}

fn uploads() -> Config {
    config()
        .with_delivery(Delivery::Chunks)
        .with_max_message_size(1 << 40)
}

fn capacity<S>(websocket: WebSocket<S>) -> (usize, usize) {
    let (_, mut connection, buffer) = websocket.into_parts();
    let mut output = Vec::new();
    connection.take_output(&mut output);
    (buffer.capacity(), output.capacity())
}

/// `close` drops messages, so it keeps none of their bytes. After a cancelled `close`, the next message is whole.
#[tokio::test(start_paused = true)]
async fn closing_keeps_no_message_in_memory() {
    let (mut server, mut peer) = server(&uploads(), 1 << 20);
    peer.write_all(&frame(0x02, [1; 1000])).await.unwrap();
    _ = timeout(SECOND, server.recv()).await;
    assert!(
        format!("{server:?}").contains("Binary(1000 B)"),
        "it is joined"
    );
    peer.write_all(&frame(0x00, vec![2; 100_000]))
        .await
        .unwrap();
    let closing = server.close(CloseCode::GOING_AWAY, "");
    timeout(SECOND, closing)
        .await
        .expect_err("the peer goes on");
    let shown = format!("{server:?}");
    assert!(!shown.contains("Binary("), "{shown}");
    let rest = [frame(0x80, [3; 1000]), frame(0x81, "next"), close()];
    peer.write_all(&rest.concat()).await.unwrap();
    assert_eq!(server.recv().await, Ok(Some(text("next"))));
    assert_eq!(server.recv().await, Ok(None));
}

/// A message begins while the connection closes. After a cancelled `close`, its rest does not look like a message.
#[tokio::test(start_paused = true)]
async fn a_message_that_begins_during_a_cancelled_close_is_skipped() {
    let (mut server, mut peer) = server(&uploads(), 1000);
    peer.write_all(&frame(0x01, "be")).await.unwrap();
    let closing = server.close(CloseCode::GOING_AWAY, "");
    timeout(SECOND, closing)
        .await
        .expect_err("the peer goes on");
    let rest = [frame(0x80, "gin"), frame(0x81, "next"), close()];
    peer.write_all(&rest.concat()).await.unwrap();
    assert_eq!(server.recv().await, Ok(Some(text("next"))));
    assert_eq!(server.recv().await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_keeps_little_memory() {
    // A peer that stops inside a frame.
    for stream in [
        &b"\x82"[..],
        b"\x82\xfe",
        &frame(0x82, [7; 200])[..50],
        b"\x01\x81\0\0\0\0a\x80",
    ] {
        let (mut server, mut peer) = server(&config(), 1000);
        peer.write_all(stream).await.unwrap();
        _ = timeout(SECOND, server.recv()).await;
        let (buffer, _) = capacity(server);
        assert!(buffer <= 1100, "{buffer} bytes for {stream:?}");
    }
    // Many Pongs, which the peer reads slowly.
    let (mut server, peer) = server(&config(), 100);
    let (mut reading, mut writing) = split(peer);
    let pinging = tokio::spawn(async move {
        let pings = frame(0x89, [0; 125]).repeat(30);
        writing.write_all(&pings).await.unwrap();
        writing
    });
    let receiving = tokio::spawn(async move {
        _ = timeout(SECOND, server.recv()).await;
        server
    });
    sleep(SECOND / 10).await;
    _ = timeout(SECOND / 2, reading.read_to_end(&mut Vec::new())).await;
    let _writing = pinging.await.unwrap();
    let server = receiving.await.unwrap();
    assert_eq!(server.output_len(), 0);
    assert_eq!(capacity(server), (0, 0));
}

/// A reader that is forgotten is not dropped. The rest of its message must not look like a message.
#[tokio::test(start_paused = true)]
async fn a_forgotten_reader_skips_its_message() {
    for joins in [false, true] {
        let (mut server, mut peer) = server(&uploads(), 1000);
        let all = [frame(0x01, "be"), frame(0x80, "gin"), frame(0x81, "next")];
        peer.write_all(&all.concat()).await.unwrap();
        std::mem::forget(server.recv_stream().await.unwrap());
        let next = if joins {
            server.recv().await
        } else {
            server.recv_stream().await.unwrap().unwrap().chunk().await
        };
        assert_eq!(next, Ok(Some(text("next"))));
    }
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_payload() {
    let (mut server, mut peer) = server(&uploads(), 1000);
    peer.write_all(&frame(0x01, "secret")).await.unwrap();
    _ = timeout(SECOND, server.recv()).await;
    assert!(!format!("{server:?}").contains("secret"));
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    assert!(!format!("{reader:?}").contains("secret"));
    reader.read_exact(&mut [0; 1]).await.unwrap();
    let shown = format!("{reader:?}");
    assert!(shown.contains("5 B") && !shown.contains("ecret"), "{shown}");
    drop(reader);
    let mut writer = server.send_stream(MessageType::Text);
    writer.write(b"secret\xf0").await.unwrap();
    // The transport in memory shows what it holds.
    read(&mut peer, 8).await;
    let shown = format!("{writer:?}");
    assert!(
        !shown.contains("240") && !shown.contains("secret"),
        "{shown}"
    );
}

/// All methods may be called after the end, again and again.
#[tokio::test(start_paused = true)]
async fn after_the_end() {
    for clean in [true, false] {
        let (mut server, mut peer) = server(&config(), 1000);
        if clean {
            peer.write_all(&close()).await.unwrap();
        }
        drop(peer);
        let end = server.recv().await;
        assert_eq!(end.is_ok(), clean);
        for _ in 0..3 {
            let closed = Err(Error::Closed);
            assert_eq!(server.recv().await, end);
            let stream = server.recv_stream().await;
            assert_eq!(stream.map(|it| it.map(|_| Message::from(""))), end);
            let ended = end.clone().map(|_| ());
            assert_eq!(server.close(CloseCode::NORMAL, "").await, ended);
            assert_eq!(server.send("x").await, closed);
            assert_eq!(server.feed("x").await, closed);
            assert_eq!(server.ping(b"x").await, closed);
            assert_eq!(
                server.send_stream(MessageType::Text).write("x").await,
                closed
            );
            assert_eq!(server.send_stream(MessageType::Text).finish().await, closed);
            server
                .send_from(MessageType::Text, &b"x"[..])
                .await
                .unwrap_err();
            _ = server.flush().await;
        }
        let (sender, receiver) = server.split();
        assert_eq!(receiver.reunite(sender).unwrap().recv().await, end);
    }
}
