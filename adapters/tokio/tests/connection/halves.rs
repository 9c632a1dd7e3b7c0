//! The two halves of a connection in two tasks.

use std::time::Duration;

use sockless::{CloseCode, Config};
use sockless_tokio::{Error, Message, Sender, Timeout};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::{close, config, frame, message, pair, read, server};

const SECOND: Duration = Duration::from_secs(1);

/// Sends this message again and again until the connection closes.
fn flood(mut sender: Sender<DuplexStream>, message: Message) -> JoinHandle<()> {
    tokio::spawn(async move { while sender.send(message.clone()).await.is_ok() {} })
}

/// Four tasks on several threads wait again and again for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_is_lost() {
    let narrow = Config::new().with_max_output(200);
    for round in 0..12 {
        let tasks = pair(&narrow, [16, 64, 300, 5000][round % 4]).map(|websocket| {
            let (mut sender, mut receiver) = websocket.split();
            let receiving = tokio::spawn(async move {
                for number in 0..100 {
                    assert!(receiver.recv().await == Ok(Some(message(number * 5))));
                }
                receiver
            });
            let sending = tokio::spawn(async move {
                for number in 0..100 {
                    sender.send(message(number * 5)).await.unwrap();
                }
                sender.flush().await.unwrap();
                sender
            });
            async { tokio::join!(receiving, sending) }
        });
        for both in tasks {
            let (receiver, sender) = timeout(60 * SECOND, both).await.unwrap();
            drop((receiver.unwrap(), sender.unwrap()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_receiver_writes_pongs_while_the_sender_is_idle() {
    // The transport holds fewer bytes than a Pong, which waits for the peer to read.
    let (server, mut peer) = server(&Config::new(), 8);
    let (sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    for _ in 0..100 {
        peer.write_all(&frame(0x89, "are you there?"))
            .await
            .unwrap();
        sleep(Duration::from_millis(1)).await;
        let pong = timeout(SECOND, read(&mut peer, 16)).await.unwrap();
        assert_eq!(pong, b"\x8a\x0eare you there?");
    }
    drop((sender, peer));
    assert_eq!(receiving.await.unwrap(), Err(Error::Eof));
}

#[tokio::test(start_paused = true)]
async fn both_wait_for_the_same_transport() {
    let (server, mut peer) = server(&Config::new(), 8);
    let (mut sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sending = tokio::spawn(async move {
        sender.send(Message::from(vec![7; 100])).await.unwrap();
        sender.flush().await.unwrap();
        sender
    });
    sleep(Duration::from_millis(1)).await;
    peer.write_all(&frame(0x89, "!")).await.unwrap();
    let all = timeout(SECOND, read(&mut peer, 2 + 100 + 3)).await.unwrap();
    assert_eq!(all[..2], *b"\x82\x64");
    assert_eq!(all[102..], *b"\x8a\x01!");
    let sender = timeout(SECOND, sending).await.unwrap();
    drop((peer, sender.unwrap()));
    assert_eq!(receiving.await.unwrap(), Err(Error::Eof));
}

/// The receiver gets its turn beside a sender that never pauses. It sees the Pongs of the peer.
#[tokio::test(start_paused = true)]
async fn a_busy_sender_does_not_starve_the_receiver() {
    let [client, server] = pair(&config().with_max_output(100), 64);
    let (sender, mut receiver) = server.split();
    let sending = flood(sender, message(2));
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let (mut to_them, mut theirs) = client.split();
    let slow_reader = tokio::spawn(async move {
        while let Ok(Some(received)) = theirs.recv().await {
            assert!(received == message(2));
            sleep(SECOND).await;
        }
    });
    sleep(3600 * SECOND).await;
    to_them.send(message(5)).await.unwrap();
    assert_eq!(receiving.await.unwrap(), Ok(Some(message(5))));
    assert!(!sending.is_finished());
    slow_reader.abort();
    sending.abort();
}

/// The sender waits for room. The receiver reads the peer's Close frame.
#[tokio::test(start_paused = true)]
async fn the_sender_learns_that_the_peer_closes() {
    let (server, mut peer) = server(&Config::new().with_max_output(10), 8);
    let (sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sending = flood(sender, Message::from(vec![7; 100]));
    sleep(Duration::from_millis(1)).await;
    peer.write_all(&close()).await.unwrap();
    timeout(SECOND, sending).await.unwrap().unwrap();
    drop(peer);
    assert_eq!(receiving.await.unwrap(), Ok(None));
}

/// This side closes while the receiver waits. The receiver keeps the deadline of the Close frame.
#[tokio::test(start_paused = true)]
async fn the_receiver_learns_that_this_side_closes() {
    let (server, _peer) = server(&config(), 8);
    let (mut sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    sleep(Duration::from_millis(1)).await;
    let closed = sender.close(CloseCode::NO_STATUS_RECEIVED, "").await;
    assert_eq!(closed, Ok(()));
    drop(sender);
    assert_eq!(
        timeout(12 * SECOND, receiving).await.unwrap().unwrap(),
        Err(Error::Timeout(Timeout::Close))
    );
}

/// No event at the transport wakes the sender. The receiver must do it.
#[tokio::test(start_paused = true)]
async fn the_receiver_wakes_the_sender() {
    let (server, mut peer) = server(&Config::new().with_max_output(10), 8);
    let (sender, mut receiver) = server.split();
    let sending = flood(sender, Message::from(vec![7; 100]));
    peer.write_all(&close()).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert!(!sending.is_finished(), "it waits for room");
    // Only this call reads the Close frame.
    let receiving = timeout(SECOND, receiver.recv()).await;
    receiving.expect_err("the output is not yet written");
    assert!(sending.is_finished());
    drop(peer);
    assert_eq!(receiver.recv().await, Ok(None));
}
