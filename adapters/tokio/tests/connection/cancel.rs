//! Futures that are dropped after each poll that is not ready. No message is lost.

use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use sockless::{CloseCode, Config};
use sockless_tokio::{Error, Message, SharedMessage};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::{config, message, once, pair};

const MESSAGES: usize = 70;

/// What each side sends.
static ALL: LazyLock<Vec<Message>> = LazyLock::new(|| (0..MESSAGES).map(message).collect());

/// Little room, which makes sends wait.
fn narrow() -> Config {
    config().with_max_output(500)
}

/// What one side has done, and how many of its futures were dropped.
#[derive(Debug, Default)]
struct Side {
    sent: usize,
    received: usize,
    dropped: usize,
}

impl Side {
    fn is_done(&self) -> bool {
        self.sent == MESSAGES && self.received == MESSAGES
    }

    fn send(&mut self, polled: Poll<Result<(), Error>>) {
        match polled {
            Poll::Ready(sent) => {
                sent.unwrap();
                self.sent += 1;
            }
            Poll::Pending => self.dropped += 1,
        }
    }

    fn receive(&mut self, polled: Poll<Result<Option<Message>, Error>>) {
        match polled {
            Poll::Ready(received) => {
                assert!(
                    received.unwrap().as_ref() == ALL.get(self.received),
                    "message {}",
                    self.received
                );
                self.received += 1;
            }
            Poll::Pending => self.dropped += 1,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_task() {
    for capacity in [16, 100, 5000, 1 << 20] {
        let mut both = pair(&narrow(), capacity).map(|it| (it, Side::default()));
        while both.iter().any(|(_, side)| !side.is_done()) {
            for (websocket, side) in &mut both {
                if let Some(message) = ALL.get(side.sent) {
                    side.send(match side.sent % 3 {
                        0 => once(websocket.send(message)),
                        1 => once(websocket.feed(message)),
                        _ => once(websocket.send_shared(&SharedMessage::from(message))),
                    });
                }
                side.dropped += usize::from(once(websocket.flush()).is_pending());
                side.dropped += usize::from(once(websocket.ping(b"ping")).is_pending());
                side.receive(once(websocket.recv()));
            }
            yield_now().await;
        }
        let [(mut client, side), (mut server, _)] = both;
        if capacity == 16 {
            assert!(side.dropped > 10_000, "{}", side.dropped);
        }

        let mut dropped = 0;
        // However many calls there are, one Close frame is sent.
        let closed = loop {
            if let Poll::Ready(closed) = once(client.close(CloseCode::NORMAL, "enough")) {
                break closed;
            }
            dropped += 1;
            _ = once(server.recv());
            yield_now().await;
        };
        assert_eq!(closed, Ok(()));
        assert!(dropped > 0);
        let ending = server.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::NORMAL);
        assert_eq!(ending.reason, "enough");
        assert!(client.close_event().unwrap().was_clean);
    }
}

#[tokio::test(start_paused = true)]
async fn two_halves() {
    for capacity in [16, 5000] {
        let mut both = pair(&narrow(), capacity).map(|it| (it.split(), Side::default()));
        while both.iter().any(|(_, side)| !side.is_done()) {
            for ((sender, receiver), side) in &mut both {
                side.receive(once(receiver.recv()));
                if let Some(message) = ALL.get(side.sent) {
                    side.send(once(sender.send(message)));
                }
            }
            yield_now().await;
        }
        let [
            ((_client_sender, mut client), side),
            ((sender, receiver), _),
        ] = both;
        assert!(side.dropped > 100, "{}", side.dropped);
        // The reunited connection works.
        let mut server = receiver.reunite(sender).unwrap();
        server.send(message(1)).await.unwrap();
        let (_, echo) = tokio::join!(server.flush(), client.recv());
        assert_eq!(echo, Ok(Some(message(1))));
    }
}

/// `timeout` drops its future at any place in a frame.
#[tokio::test(start_paused = true)]
async fn timeouts() {
    let [mut client, mut server] = pair(&narrow(), 1000);
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            sleep(Duration::from_millis(number as u64 % 5)).await;
            let waited = timeout(Duration::from_millis(1), client.recv()).await;
            assert!(waited.is_err(), "{waited:?}");
            client.send(ALL[number].clone()).await.unwrap();
        }
        client.flush().await.unwrap();
        client
    });
    let mut received = 0;
    while received < MESSAGES {
        if let Ok(next) = timeout(Duration::from_micros(300), server.recv()).await {
            assert!(
                next.unwrap().as_ref() == ALL.get(received),
                "message {received}"
            );
            received += 1;
        }
    }
    sending.await.unwrap();
}
