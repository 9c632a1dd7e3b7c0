//! Every future is dropped after every poll that finds nothing, and nothing is lost.

use std::sync::LazyLock;
use std::time::Duration;

use example_tokio::{Message, Receiver, Sender, WebSocket};
use sockless::{CloseCode, Config};
use tokio::io::DuplexStream;
use tokio::task::yield_now;

use crate::support::{config, message, once, pair};

const MESSAGES: usize = 70;

/// All that is sent.
static ALL: LazyLock<Vec<Message>> = LazyLock::new(|| (0..MESSAGES).map(message).collect());

/// Little room, so that sends have to wait.
fn narrow() -> Config {
    config().with_max_output(500)
}

/// What one side has done, and how often a future of it was dropped while it waited.
#[derive(Debug, Default)]
struct Side {
    sent: usize,
    received: Vec<Message>,
    dropped: usize,
}

impl Side {
    fn is_done(&self) -> bool {
        self.sent == MESSAGES && self.received.len() == MESSAGES
    }

    async fn step(&mut self, websocket: &mut WebSocket<DuplexStream>) {
        if self.sent < MESSAGES {
            match once(websocket.send(&ALL[self.sent])).await {
                Some(sent) => {
                    sent.expect("the connection is open");
                    self.sent += 1;
                }
                None => self.dropped += 1,
            }
        }
        if once(websocket.flush()).await.is_none() {
            self.dropped += 1;
        }
        match once(websocket.recv()).await {
            Some(message) => self.received.push(message.expect("the connection is open")),
            None => self.dropped += 1,
        }
    }

    async fn step_halves(
        &mut self,
        (receiver, sender): &mut (Receiver<DuplexStream>, Sender<DuplexStream>),
    ) {
        match once(receiver.recv()).await {
            Some(message) => self.received.push(message.expect("the connection is open")),
            None => self.dropped += 1,
        }
        if self.sent < MESSAGES {
            match once(sender.send(&ALL[self.sent])).await {
                Some(sent) => {
                    sent.expect("the connection is open");
                    self.sent += 1;
                }
                None => self.dropped += 1,
            }
        }
    }

    fn check(&self) {
        for (number, received) in self.received.iter().enumerate() {
            assert!(*received == ALL[number], "message {number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_task() {
    for capacity in [16, 100, 5000, 1 << 20] {
        let [mut client, mut server] = pair(&narrow(), capacity);
        let (mut here, mut there) = (Side::default(), Side::default());
        while !(here.is_done() && there.is_done()) {
            here.step(&mut client).await;
            there.step(&mut server).await;
            yield_now().await;
        }
        here.check();
        there.check();
        if capacity == 16 {
            assert!(here.dropped > 10_000, "{}", here.dropped);
        }

        let mut dropped = 0;
        let closed = loop {
            // A Close frame was sent once, whatever the number of calls.
            if let Some(closed) = once(client.close(CloseCode::NORMAL, "enough")).await {
                break closed;
            }
            dropped += 1;
            _ = once(server.recv()).await;
            yield_now().await;
        };
        assert_eq!(closed, Ok(()));
        assert!(dropped > 0);
        let ending = server.close_event().expect("it has ended");
        assert_eq!((ending.code, ending.reason), (CloseCode::NORMAL, "enough"));
        assert!(client.close_event().expect("it has ended").was_clean);
    }
}

#[tokio::test(start_paused = true)]
async fn two_halves() {
    for capacity in [16, 5000] {
        let [client, server] = pair(&narrow(), capacity);
        let (mut client, mut server) = (client.split(), server.split());
        let (mut here, mut there) = (Side::default(), Side::default());
        while !(here.is_done() && there.is_done()) {
            here.step_halves(&mut client).await;
            there.step_halves(&mut server).await;
            yield_now().await;
        }
        here.check();
        there.check();
        assert!(here.dropped > 100, "{}", here.dropped);
        // Whole again, it still works.
        let (receiver, sender) = server;
        let mut server = receiver.reunite(sender).expect("they belong together");
        server.send(&message(1)).await.expect("it is open");
        let (_, echo) = tokio::join!(server.flush(), client.0.recv());
        assert_eq!(echo, Some(message(1)));
    }
}

/// `timeout` drops what it waits for, at any time of the frame.
#[tokio::test(start_paused = true)]
async fn timeouts() {
    let [mut client, mut server] = pair(&narrow(), 1000);
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            tokio::time::sleep(Duration::from_millis(number as u64 % 5)).await;
            let waited = tokio::time::timeout(Duration::from_millis(1), client.recv()).await;
            assert!(waited.is_err(), "{waited:?}");
            client.send(&ALL[number]).await.expect("it is open");
        }
        client.flush().await.expect("it is open");
        client
    });
    let mut received = 0;
    while received < MESSAGES {
        if let Ok(next) = tokio::time::timeout(Duration::from_micros(300), server.recv()).await {
            assert!(next.as_ref() == ALL.get(received), "message {received}");
            received += 1;
        }
    }
    sending.await.expect("no panic");
}
