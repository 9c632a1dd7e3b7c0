//! Peers that do not do their part are left at their deadlines, and a second later: what arrived in time has turns to be read.

use std::time::Duration;

use example_tokio::{AcceptError, Closed, ConnectError, Message, WebSocket};
use sockless::handshake::{ClientOptions, Request, ResponseError};
use sockless::{CloseCode, Config, Connection, Deadlines, ReadBuffer, SendError, Timeout};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use crate::support::{accept, config, frames, message, pair, read, server};

/// Runs until the future is ready and says how many simulated seconds that took.
async fn seconds<T>(future: impl Future<Output = T>) -> (T, u64) {
    let start = Instant::now();
    let day = Duration::from_hours(24);
    let value = tokio::time::timeout(day, future).await;
    (value.expect("it ends at all"), start.elapsed().as_secs())
}

async fn connect(transport: DuplexStream) -> Result<WebSocket<DuplexStream>, ConnectError> {
    let uri = "ws://localhost/".parse().expect("a valid address");
    let options = ClientOptions::new().with_config(config());
    WebSocket::connect(transport, &uri, &options).await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_asks() {
    let (ours, mut peer) = duplex(10_000);
    peer.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    let (accepted, after) = seconds(WebSocket::accept(ours, &config(), accept)).await;
    assert!(matches!(accepted, Err(AcceptError::Refused)));
    // The handshake, and the time to read what it was told and to end the stream.
    assert_eq!(after, 22);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_neither_reads_its_answer_nor_writes_any_more() {
    let (ours, mut peer) = duplex(64);
    let asking = tokio::spawn(async move {
        peer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        peer.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1000)).await;
    });
    let page = |_: &Request<'_>| Connection::refused(vec![b'x'; 1000], &config());
    let (accepted, after) = seconds(WebSocket::accept(ours, &config(), page)).await;
    assert!(matches!(accepted, Err(AcceptError::Refused)));
    assert_eq!(after, 11);
    asking.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers() {
    // With room for the request, and without.
    for capacity in [10_000, 8] {
        let (ours, _peer) = duplex(capacity);
        let (connected, after) = seconds(connect(ours)).await;
        let error = connected.expect_err("nobody answered");
        assert!(
            matches!(error, ConnectError::Response(ResponseError::Timeout)),
            "{error:?}"
        );
        assert_eq!(after, 11);
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_of_the_opening_handshake() {
    let (ours, theirs) = duplex(10);
    let config = config();
    let (server, client) = tokio::join!(WebSocket::accept(ours, &config, accept), connect(theirs));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    client.send(&message(3)).await.unwrap();
    let (flushed, received) = tokio::join!(client.flush(), server.recv());
    assert_eq!(flushed, Ok(()));
    assert!(received == Some(message(3)));
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_frame() {
    let (mut server, mut peer) = server(&config(), 10_000);
    let text = frames(|client| client.send_text("half").unwrap());
    peer.write_all(&text[..7]).await.unwrap();
    let (received, after) = seconds(server.recv()).await;
    assert_eq!(received, None);
    // A Ping, and the time for its answer.
    assert_eq!(after, 41);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Pong));
    assert_eq!(server.send(&message(0)).await, Err(Closed));
}

#[tokio::test(start_paused = true)]
async fn after_a_close_frame() {
    let (mut server, _peer) = server(&config(), 10_000);
    let refused = server.close(CloseCode::ABNORMAL_CLOSURE, "").await;
    assert!(matches!(refused, Err(SendError::InvalidCloseCode(_))));
    let (closed, after) = seconds(server.close(CloseCode::NORMAL, "")).await;
    assert_eq!(closed, Ok(()));
    assert_eq!(after, 11);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Close));
}

/// It goes on sending instead, which extends the deadline only as far as the configuration says.
#[tokio::test(start_paused = true)]
async fn a_flood_after_a_close_frame() {
    let deadlines = Deadlines::new().with_max_extension(Duration::from_secs(5));
    let config = Config::new().with_deadlines(deadlines);
    let (mut server, mut peer) = server(&config, 10_000);
    let flood = tokio::spawn(async move {
        let text = frames(|client| client.send_text(&"x".repeat(1000)).unwrap());
        while peer.write_all(&text).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let (closed, after) = seconds(server.close(CloseCode::NORMAL, "")).await;
    assert_eq!(closed, Ok(()));
    // Once more the deadline, in which what had arrived may still be read.
    assert_eq!(after, 10 + 5 + 10);
    drop(server);
    flood.await.unwrap();
}

/// What was accepted for a peer that never reads is bounded.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads() {
    let (mut server, _peer) = server(&config(), 1000);
    let data = Message::Binary(vec![0; 1000]);
    let mut sent = 0;
    let ((), after) = seconds(async {
        while server.send(&data).await.is_ok() {
            sent += 1000;
        }
    })
    .await;
    assert_eq!(after, 41);
    assert!(sent >= config().max_output - 10_000, "{sent}");
    assert!(sent <= config().max_output + 2000, "{sent}");
    assert_eq!(server.recv().await, None);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Pong));
}

/// An echo server takes no more from a client than it can give back.
#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_and_never_reads() {
    let (mut server, mut peer) = server(&config(), 1000);
    let flood = tokio::spawn(async move {
        let text = frames(|client| client.send_text(&"x".repeat(1000)).unwrap());
        let mut taken = 0;
        while peer.write_all(&text).await.is_ok() {
            taken += text.len();
        }
        taken
    });
    let ((), after) = seconds(async {
        while let Some(message) = server.recv().await {
            _ = server.send(&message).await;
        }
    })
    .await;
    assert_eq!(after, 41);
    drop(server);
    let taken = flood.await.unwrap();
    assert!(taken <= config().max_output + 100_000, "{taken}");
}

/// Neither waits for the other to read first.
#[tokio::test(start_paused = true)]
async fn full_on_both_sides() {
    let [mut client, mut server] = pair(&config().with_max_output(100), 64);
    for websocket in [&mut client, &mut server] {
        websocket.send(&message(3)).await.unwrap();
    }
    let (received, after) = seconds(async { tokio::join!(client.recv(), server.recv()) }).await;
    assert!(received == (Some(message(3)), Some(message(3))));
    assert_eq!(after, 0);
}

#[tokio::test(start_paused = true)]
async fn two_that_only_listen_stay_connected() {
    let [mut client, mut server] = pair(&config(), 64);
    let week = Duration::from_hours(7 * 24);
    let waited = tokio::time::timeout(week, async { tokio::join!(client.recv(), server.recv()) });
    waited.await.expect_err("nobody has said anything");
    assert_eq!(client.close_event(), None);
    server.send(&message(1)).await.unwrap();
    let (_, received) = tokio::join!(server.flush(), client.recv());
    assert_eq!(received, Some(message(1)));
}

/// The answer to a Ping came while the application was busy with something else.
#[tokio::test(start_paused = true)]
async fn a_pong_that_waited() {
    let (mut server, mut peer) = server(&config(), 10_000);
    _ = tokio::time::timeout(Duration::from_secs(21), server.recv()).await;
    let ping = read(&mut peer, 6).await;
    let answer = frames(|client| client.send_pong(&ping[2..]).unwrap());
    peer.write_all(&answer).await.unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    server.send(&message(1)).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(19), server.recv()).await;
    assert!(waited.is_err(), "{:?}", server.close_event());
}

#[tokio::test(start_paused = true)]
async fn without_deadlines_it_waits_for_ever() {
    let (ours, _peer) = duplex(64);
    let connection = Connection::server(&Config::new());
    let mut server = WebSocket::new(ours, connection, ReadBuffer::new());
    let year = Duration::from_hours(365 * 24);
    tokio::time::timeout(year, server.recv())
        .await
        .expect_err("nothing happens");
}
