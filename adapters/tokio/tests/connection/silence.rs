//! Peers that stop. A connection gives them up at the deadline, plus one second to read what arrived in time.

use std::time::Duration;

use sockless::handshake::RequestError;
use sockless::{CloseCode, Config, Connection, Deadlines, SendError, Timeout};
use sockless_tokio::{
    AcceptError, ClientOptions, ConnectError, Error, Message, ServerOptions, Step, WebSocket,
    accept, accept_with,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{config, echo, frame, message, pair, server};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a future, and returns how many simulated seconds it took.
async fn seconds<T>(future: impl Future<Output = T>) -> (T, u64) {
    let start = Instant::now();
    let value = timeout(24 * HOUR, future).await;
    (value.expect("it ends"), start.elapsed().as_secs())
}

async fn connect(transport: DuplexStream) -> Result<WebSocket<DuplexStream>, ConnectError> {
    let uri = "ws://localhost/".parse().unwrap();
    let options = ClientOptions::new().with_config(config());
    WebSocket::connect(transport, &uri, &options).await
}

/// Sends messages with pauses until the transport takes no more. Returns how many bytes it took.
fn flood(mut peer: DuplexStream, pause: Duration) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let text = frame(0x81, "x".repeat(1000));
        let mut taken = 0;
        while peer.write_all(&text).await.is_ok() {
            taken += text.len();
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        taken
    })
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_completes_its_request() {
    let (ours, mut peer) = duplex(10_000);
    peer.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    let (accepted, after) = seconds(accept(ours)).await;
    let error = accepted.unwrap_err();
    assert!(matches!(error, AcceptError::Refused(RequestError::Timeout)));
    // Two deadlines: for the handshake, and for the end of the stream after the refusal.
    assert_eq!(after, 22);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_its_side_and_does_not_read_the_answer() {
    let (ours, mut peer) = duplex(64);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    peer.write_all(request).await.unwrap();
    peer.shutdown().await.unwrap();
    let options = ServerOptions::new();
    let page = accept_with(ours, &options, async |_, options| {
        Ok(Connection::refused(vec![b'x'; 1000], &options.config))
    });
    let (accepted, after) = seconds(page).await;
    assert!(matches!(accepted, Ok(None)));
    assert_eq!(after, 11);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers() {
    // With and without room for the request.
    for capacity in [10_000, 8] {
        let (ours, _peer) = duplex(capacity);
        let (connected, after) = seconds(connect(ours)).await;
        assert!(matches!(
            connected,
            Err(ConnectError::Timeout(Step::Handshake))
        ));
        assert_eq!(after, 11);
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_of_the_opening_handshake() {
    let (ours, theirs) = duplex(10);
    let (server, client) = tokio::join!(accept(ours), connect(theirs));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    client.send(message(3)).await.unwrap();
    let (flushed, received) = tokio::join!(client.flush(), server.recv());
    assert_eq!(flushed, Ok(()));
    assert!(received == Ok(Some(message(3))));
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_frame() {
    let (mut server, mut peer) = server(&config(), 10_000);
    peer.write_all(&frame(0x81, "half")[..7]).await.unwrap();
    let (received, after) = seconds(server.recv()).await;
    assert_eq!(received, Err(Error::Timeout(Timeout::Pong)));
    // Two deadlines: for the Ping and for the Pong.
    assert_eq!(after, 41);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Pong));
    assert_eq!(server.send(message(0)).await, Err(Error::Closed));
}

#[tokio::test(start_paused = true)]
async fn after_a_close_frame() {
    let (mut server, _peer) = server(&config(), 10_000);
    let refused = server.close(CloseCode::ABNORMAL_CLOSURE, "").await;
    assert!(matches!(
        refused,
        Err(Error::Send(SendError::InvalidCloseCode(_)))
    ));
    let (closed, after) = seconds(server.close(CloseCode::NORMAL, "")).await;
    assert_eq!(closed, Err(Error::Timeout(Timeout::Close)));
    assert_eq!(after, 11);
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Close));
}

/// The peer continues to send after this side's Close frame. `max_extension` bounds that.
#[tokio::test(start_paused = true)]
async fn a_flood_after_a_close_frame() {
    let deadlines = Deadlines::new().with_max_extension(Duration::from_secs(5));
    let config = Config::new().with_deadlines(deadlines);
    let (mut server, peer) = server(&config, 10_000);
    let flood = flood(peer, Duration::from_millis(1));
    let (closed, after) = seconds(server.close(CloseCode::NORMAL, "")).await;
    assert_eq!(closed, Err(Error::Timeout(Timeout::Close)));
    // One more deadline, to read what arrived in time.
    assert_eq!(after, 10 + 5 + 10);
    drop(server);
    flood.await.unwrap();
}

/// The output for a peer that never reads is bounded.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads() {
    let (mut server, _peer) = server(&config(), 1000);
    let data = Message::from(vec![0; 1000]);
    let mut sent = 0;
    let ((), after) = seconds(async {
        while server.send(data.clone()).await.is_ok() {
            sent += 1000;
        }
    })
    .await;
    assert_eq!(after, 41);
    assert!(sent >= config().max_output - 10_000, "{sent}");
    assert!(sent <= config().max_output + 2000, "{sent}");
    assert_eq!(server.recv().await, Err(Error::Timeout(Timeout::Pong)));
    let ending = server.close_event().unwrap();
    assert_eq!(ending.timeout, Some(Timeout::Pong));
}

/// An echo server reads no more than it can send back.
#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_and_never_reads() {
    let (mut server, peer) = server(&config(), 1000);
    let flood = flood(peer, Duration::ZERO);
    let ((), after) = seconds(echo(&mut server)).await;
    assert_eq!(after, 41);
    drop(server);
    let taken = flood.await.unwrap();
    assert!(taken <= config().max_output + 100_000, "{taken}");
}

/// Neither side waits for the other to read first.
#[tokio::test(start_paused = true)]
async fn full_on_both_sides() {
    let [mut client, mut server] = pair(&config().with_max_output(100), 64);
    for websocket in [&mut client, &mut server] {
        websocket.send(message(3)).await.unwrap();
    }
    let (received, after) = seconds(async { tokio::join!(client.recv(), server.recv()) }).await;
    assert!(received == (Ok(Some(message(3))), Ok(Some(message(3)))));
    assert_eq!(after, 0);
}

#[tokio::test(start_paused = true)]
async fn two_sides_that_only_receive_stay_connected() {
    let [mut client, mut server] = pair(&config(), 64);
    let both = async { tokio::join!(client.recv(), server.recv()) };
    let waited = timeout(7 * 24 * HOUR, both).await;
    waited.expect_err("neither side sends");
    assert_eq!(client.close_event(), None);
    server.send(message(1)).await.unwrap();
    let (_, received) = tokio::join!(server.flush(), client.recv());
    assert_eq!(received, Ok(Some(message(1))));
}

#[tokio::test(start_paused = true)]
async fn without_deadlines_it_waits() {
    let (mut server, _peer) = server(&Config::new(), 64);
    let waited = timeout(365 * 24 * HOUR, server.recv()).await;
    waited.expect_err("the peer is silent");
}
