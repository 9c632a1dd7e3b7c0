//! Messages to thousands of connections. Some of them read slowly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sockless::ReadBuffer;
use sockless::test_util::Role;
use sockless_tokio::broadcast::{SlowReader, Subscription};
use sockless_tokio::{CloseCode, Config, Error, SharedMessage, WebSocket};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::broadcast::{Receiver, channel};
use tokio::task::{JoinHandle, yield_now};

use crate::support::client_over;

/// How many messages a subscriber may be behind.
const CAPACITY: usize = 16;

/// How much output a connection may hold before it waits for its client.
const MAX_OUTPUT: usize = 2000;

/// The size of the longest frame.
const LONGEST: usize = 4 + 5000;

/// Message `number`: a short one, or one that is sent without a copy.
fn text(number: usize) -> String {
    let length = if number.is_multiple_of(5) { 5000 } else { 50 };
    format!("{number:<length$}")
}

fn number(text: &str) -> usize {
    text.split(' ').next().unwrap().parse().unwrap()
}

/// How a subscriber has ended.
struct Ended {
    missed: u64,
    most_output: usize,
    result: Result<(), Error>,
}

/// A connection with its subscription in a task, as the documentation shows it. The client is returned.
fn subscribe(
    messages: Receiver<SharedMessage>,
    slow_reader: SlowReader,
) -> (WebSocket<DuplexStream>, JoinHandle<Ended>) {
    let (ours, theirs) = duplex(8000);
    let connection = Role::Server.connection(&Config::new().with_max_output(MAX_OUTPUT));
    let server = WebSocket::new(ours, connection, ReadBuffer::new());
    let task = tokio::spawn(async move {
        let mut subscription = Subscription::new(messages, slow_reader);
        let (mut sender, mut receiver) = server.split();
        let mut most_output = 0;
        let mut subscribed = true;
        let result = loop {
            tokio::select! {
                // Each message of the client interrupts `forward`.
                message = receiver.recv() => match message {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                },
                forwarded = subscription.forward(&mut sender), if subscribed => {
                    subscribed = false;
                    if forwarded.is_ok() {
                        sender.close(CloseCode::NORMAL, "no more news").await.unwrap();
                    }
                }
            }
            most_output = most_output.max(receiver.output_len());
        };
        Ended {
            missed: subscription.missed(),
            most_output,
            result,
        }
    });
    (client_over(theirs), task)
}

/// 2,000 subscribers, and every 40th does not read until the end.
async fn publish_to_many(slow_reader: SlowReader) {
    const CLIENTS: usize = 2000;
    const MESSAGES: usize = 40;
    /// The publisher does not wait for its subscribers, but this test waits for the fast ones after so many messages.
    const BATCH: usize = 10;
    let (publisher, _) = channel(CAPACITY);
    let received = Arc::new(AtomicUsize::new(0));
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    for id in 0..CLIENTS {
        let (mut client, server) = subscribe(publisher.subscribe(), slow_reader);
        if id % 40 == 0 {
            slow.push((client, server));
            continue;
        }
        let received = Arc::clone(&received);
        let client = tokio::spawn(async move {
            let mut next = 0;
            while let Some(message) = client.recv().await.unwrap() {
                assert_eq!(message.as_text().map(number), Some(next));
                next += 1;
                received.fetch_add(1, Ordering::Relaxed);
                if next % 7 == 0 {
                    client.send("an answer").await.unwrap();
                }
            }
            assert_eq!(next, MESSAGES);
            let event = client.close_event().unwrap();
            assert_eq!((event.code, event.was_clean), (CloseCode::NORMAL, true));
        });
        fast.push((client, server));
    }
    for start in (0..MESSAGES).step_by(BATCH) {
        for number in start..start + BATCH {
            let sent = publisher.send(SharedMessage::text(&text(number)));
            assert!(sent.unwrap() >= fast.len());
        }
        // A subscriber that waits for a slow one would never finish.
        while received.load(Ordering::Relaxed) < fast.len() * (start + BATCH) {
            yield_now().await;
        }
    }
    drop(publisher);
    for (client, server) in fast {
        client.await.unwrap();
        let ended = server.await.unwrap();
        ended.result.unwrap();
        assert_eq!(ended.missed, 0);
        assert!(ended.most_output <= MAX_OUTPUT + LONGEST);
    }
    for (mut client, server) in slow {
        let mut numbers = Vec::new();
        while let Some(message) = client.recv().await.unwrap() {
            numbers.push(message.as_text().map(number).unwrap());
        }
        let event = client.close_event().unwrap();
        let ended = server.await.unwrap();
        ended.result.unwrap();
        assert!(
            ended.most_output <= MAX_OUTPUT + LONGEST,
            "{}",
            ended.most_output
        );
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let (before, after) = numbers.split_at(numbers.len().saturating_sub(CAPACITY));
        if slow_reader == SlowReader::Close {
            // Everything up to the first message that was missed.
            assert!(numbers.iter().copied().eq(0..numbers.len()));
            assert!(numbers.len() < MESSAGES - CAPACITY);
            assert_eq!(event.code, CloseCode::POLICY_VIOLATION);
            assert_eq!(event.reason, "too slow");
        } else {
            // Everything up to the first message that was missed, and then what the channel holds.
            assert!(before.iter().copied().eq(0..before.len()));
            assert!(after.iter().copied().eq(MESSAGES - CAPACITY..MESSAGES));
            assert_eq!(event.code, CloseCode::NORMAL);
            assert_eq!(ended.missed, (MESSAGES - numbers.len()) as u64);
        }
        assert!(ended.missed > 0);
    }
}

#[tokio::test]
async fn slow_readers_are_closed() {
    publish_to_many(SlowReader::Close).await;
}

#[tokio::test]
async fn slow_readers_miss_messages() {
    publish_to_many(SlowReader::Skip).await;
}

/// A client that leaves ends its own subscription only.
#[tokio::test]
async fn a_client_that_leaves() {
    let (publisher, messages) = channel(CAPACITY);
    let (mut stays, staying) = subscribe(messages, SlowReader::Close);
    let (leaves, leaving) = subscribe(publisher.subscribe(), SlowReader::Close);
    drop(leaves);
    let ended = leaving.await.unwrap();
    assert!(
        matches!(ended.result, Err(Error::Eof)),
        "{:?}",
        ended.result
    );
    publisher.send(SharedMessage::binary(b"news")).unwrap();
    let message = stays.recv().await.unwrap().unwrap();
    assert_eq!(message.as_bytes(), b"news");
    stays.close(CloseCode::NORMAL, "").await.unwrap();
    staying.await.unwrap().result.unwrap();
    // Nobody is subscribed any more.
    publisher.send(SharedMessage::text("late")).unwrap_err();
}

#[tokio::test]
async fn after_the_close_frame() {
    let (publisher, messages) = channel(CAPACITY);
    let (ours, _theirs) = duplex(1000);
    let connection = Role::Server.connection(&Config::new());
    let (mut sender, _receiver) = WebSocket::new(ours, connection, ReadBuffer::new()).split();
    let mut subscription = Subscription::new(messages, SlowReader::default());
    sender.close(CloseCode::NORMAL, "").await.unwrap();
    publisher.send(SharedMessage::text("late")).unwrap();
    for _ in 0..2 {
        let forwarded = subscription.forward(&mut sender).await;
        assert!(matches!(forwarded, Err(Error::Closed)));
    }
    assert_eq!(subscription.missed(), 0);
}

/// A client sends more messages at once than the channel holds, and the server publishes each of them. Clients that read
/// get all of them, because the task that receives leaves turns for the others.
#[tokio::test]
async fn a_burst_closes_no_client_that_reads() {
    const MESSAGES: usize = 2000;
    let (publisher, _) = channel(256);
    let mut readers = Vec::new();
    for _ in 0..5 {
        let (mut client, task) = subscribe(publisher.subscribe(), SlowReader::Close);
        readers.push(tokio::spawn(async move {
            let mut count = 0;
            while let Ok(Some(_)) = client.recv().await {
                count += 1;
            }
            (count, task.await.unwrap().missed)
        }));
    }
    let (ours, theirs) = duplex(100_000);
    let connection = Role::Server.connection(&Config::new());
    let mut server = WebSocket::new(ours, connection, ReadBuffer::new());
    let mut client = client_over(theirs);
    for _ in 0..MESSAGES {
        client.feed("Hi").await.unwrap();
    }
    client.flush().await.unwrap();
    for _ in 0..MESSAGES {
        let message = server.recv().await.unwrap().unwrap();
        publisher.send(SharedMessage::from(&message)).unwrap();
    }
    drop(publisher);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (MESSAGES, 0));
    }
}
