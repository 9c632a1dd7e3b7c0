//! The two halves of a connection in two tasks.

use std::time::Duration;

use example_tokio::Message;
use sockless::{CloseCode, Config};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::support::{config, frames, message, pair, read, server};

/// Four tasks on several threads, each of which waits again and again for what the others do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_is_lost() {
    let narrow = Config::new().with_max_output(200);
    for round in 0..12 {
        let [client, server] = pair(&narrow, [16, 64, 300, 5000][round % 4]);
        let tasks = [client, server].map(|websocket| {
            let (mut receiver, mut sender) = websocket.split();
            let receiving = tokio::spawn(async move {
                for number in 0..100 {
                    assert!(receiver.recv().await == Some(message(number * 5)));
                }
                receiver
            });
            let sending = tokio::spawn(async move {
                for number in 0..100 {
                    sender.send(&message(number * 5)).await.expect("it is open");
                }
                sender.flush().await.expect("it is open");
                sender
            });
            (receiving, sending)
        });
        for (receiving, sending) in tasks {
            let finished = timeout(Duration::from_mins(1), async {
                (receiving.await, sending.await)
            });
            let (receiver, sender) = finished.await.expect("nobody waits for ever");
            drop((receiver.expect("no panic"), sender.expect("no panic")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_receiver_writes_pongs_while_the_sender_is_idle() {
    // Fewer bytes than a Pong has, so that it waits for the peer to read.
    let (server, mut peer) = server(&Config::new(), 8);
    let (mut receiver, sender) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let ping = frames(|client| client.send_ping(b"are you there?").expect("it is open"));
    for _ in 0..100 {
        peer.write_all(&ping).await.expect("it is open");
        tokio::time::sleep(Duration::from_millis(1)).await;
        let answer = timeout(Duration::from_secs(1), read(&mut peer, 16));
        assert_eq!(answer.await.expect("it came"), b"\x8a\x0eare you there?");
    }
    drop(sender);
    drop(peer);
    assert_eq!(receiving.await.expect("no panic"), None);
}

#[tokio::test(start_paused = true)]
async fn both_wait_for_the_same_transport() {
    let (server, mut peer) = server(&Config::new(), 8);
    let (mut receiver, mut sender) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sending = tokio::spawn(async move {
        let data = Message::Binary(vec![7; 100]);
        sender.send(&data).await.expect("it is open");
        sender.flush().await.expect("it is open");
        sender
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let ping = frames(|client| client.send_ping(b"!").expect("it is open"));
    peer.write_all(&ping).await.expect("it is open");
    let all = timeout(Duration::from_secs(1), read(&mut peer, 2 + 100 + 3));
    let all = all.await.expect("it came");
    assert_eq!(all[..2], *b"\x82\x64");
    assert_eq!(all[102..], *b"\x8a\x01!");
    let sender = timeout(Duration::from_secs(1), sending).await;
    drop((peer, sender.expect("it knows that all is written")));
    assert_eq!(receiving.await.expect("no panic"), None);
}

/// A sender that always has something to say leaves the receiver its turn, and the Pongs of the peer are seen.
#[tokio::test(start_paused = true)]
async fn a_busy_sender_does_not_starve_the_receiver() {
    let [client, server] = pair(&config().with_max_output(100), 64);
    let (mut receiver, mut sender) = server.split();
    let sending = tokio::spawn(async move { while sender.send(&message(2)).await.is_ok() {} });
    let receiving = tokio::spawn(async move { receiver.recv().await });
    // A slow reader.
    let (mut theirs, mut to_them) = client.split();
    let reading = tokio::spawn(async move {
        while let Some(received) = theirs.recv().await {
            assert!(received == message(2));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    tokio::time::sleep(Duration::from_hours(1)).await;
    to_them.send(&message(5)).await.expect("it is open");
    assert_eq!(receiving.await.expect("no panic"), Some(message(5)));
    assert!(!sending.is_finished());
    reading.abort();
    sending.abort();
}

#[tokio::test(start_paused = true)]
async fn either_half_sees_the_end() {
    // The peer closes: the sender, which waits for room, learns it from what the receiver read.
    let (server, mut peer) = server(&Config::new().with_max_output(10), 8);
    let (mut receiver, mut sender) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sending = tokio::spawn(async move {
        let data = Message::Binary(vec![7; 100]);
        while sender.send(&data).await.is_ok() {}
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let close = frames(|client| client.close(CloseCode::NORMAL, "").expect("it is open"));
    peer.write_all(&close).await.expect("it is open");
    let sender = timeout(Duration::from_secs(1), sending).await;
    sender.expect("it was woken").expect("no panic");
    drop(peer);
    assert_eq!(receiving.await.expect("no panic"), None);

    // This side closes: the receiver, which waits, keeps to the deadline of the Close frame.
    let (server, _peer) = self::server(&config(), 8);
    let (mut receiver, mut sender) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let closed = sender.close(CloseCode::NO_STATUS_RECEIVED, "").await;
    assert_eq!(closed, Ok(()));
    drop(sender);
    let ended = timeout(Duration::from_secs(12), receiving).await;
    assert_eq!(ended.expect("in time").expect("no panic"), None);
}

/// Nothing happened at the transport that would have woken the sender.
#[tokio::test(start_paused = true)]
async fn what_one_half_finds_the_other_is_told() {
    let (server, mut peer) = server(&Config::new().with_max_output(10), 8);
    let (mut receiver, mut sender) = server.split();
    let sending = tokio::spawn(async move {
        let data = Message::Binary(vec![7; 100]);
        while sender.send(&data).await.is_ok() {}
    });
    let close = frames(|client| client.close(CloseCode::NORMAL, "").expect("it is open"));
    peer.write_all(&close).await.expect("it is open");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!sending.is_finished(), "it waits for room");
    // Only now is the Close frame read.
    let receiving = timeout(Duration::from_secs(1), receiver.recv()).await;
    receiving.expect_err("the rest is not written yet");
    assert!(sending.is_finished());
    drop(peer);
    assert_eq!(receiver.recv().await, None);
}
