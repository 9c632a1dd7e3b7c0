//! The graceful end of a server.

use std::future::pending;
use std::time::Duration;

use sockless_tokio::server::Shutdown;
use sockless_tokio::{CloseCode, Error, WebSocket};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{echo, open};

/// Longer than all deadlines.
const LONG: Duration = Duration::from_secs(3600);

/// A client of a server that sends everything back until the end.
async fn client(shutdown: &Shutdown) -> WebSocket<DuplexStream> {
    let (client, mut server) = open(1000).await;
    let ending = shutdown.clone();
    shutdown.spawn(async move {
        let ended = tokio::select! {
            _ = echo(&mut server) => false,
            () = ending.begun() => true,
        };
        if ended {
            _ = server.close(CloseCode::GOING_AWAY, "bye").await;
        }
    });
    client
}

#[tokio::test(start_paused = true)]
async fn all_clients_are_told() {
    let shutdown = Shutdown::new();
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = client(&shutdown).await;
        client.send("Hello").await.unwrap();
        assert_eq!(
            client.recv().await.unwrap().unwrap().as_text(),
            Some("Hello")
        );
        clients.push(client);
    }
    assert_eq!(shutdown.tasks(), 100);
    let leave = async {
        for client in &mut clients {
            assert!(client.recv().await.unwrap().is_none());
            let event = client.close_event().unwrap();
            assert_eq!(
                (event.code, &*event.reason, event.was_clean),
                (CloseCode::GOING_AWAY, "bye", true)
            );
        }
    };
    let start = Instant::now();
    let (left, ()) = tokio::join!(shutdown.finish(LONG), leave);
    assert_eq!((left, shutdown.tasks()), (0, 0));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// A client that does not answer is left to the deadlines of its connection, until the time limit.
#[tokio::test(start_paused = true)]
async fn clients_that_do_not_answer() {
    for (limit, expected) in [(LONG, 0), (Duration::from_secs(3), 2)] {
        let shutdown = Shutdown::new();
        let mut silent = [client(&shutdown).await, client(&shutdown).await];
        let start = Instant::now();
        assert_eq!(shutdown.finish(limit).await, expected);
        let seconds = start.elapsed().as_secs();
        if expected == 0 {
            // The deadline for closing is 10 s, plus the extra second.
            assert!((10..=12).contains(&seconds), "{seconds}");
        } else {
            assert_eq!(seconds, 3);
        }
        for client in &mut silent {
            // The Close frame is there. After that, the transport has ended.
            assert!(client.recv().await.unwrap().is_none());
            let event = client.close_event().unwrap();
            assert_eq!(event.code, CloseCode::GOING_AWAY);
        }
        assert_eq!(shutdown.tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_of_tasks() {
    let shutdown = Shutdown::new();
    let done = shutdown.spawn(async { 1 });
    let dropped = shutdown.spawn(pending::<i32>());
    assert_eq!(done.await.unwrap(), Some(1));
    assert_eq!(shutdown.finish(Duration::ZERO).await, 1);
    assert_eq!(dropped.await.unwrap(), None);
    // After the time limit, a new task runs until it first waits.
    assert_eq!(shutdown.spawn(async { 2 }).await.unwrap(), Some(2));
    assert_eq!(shutdown.spawn(pending::<i32>()).await.unwrap(), None);
    // A panic ends a task as well.
    let panics = shutdown.spawn(async { panic!("as the test wants") });
    panics.await.unwrap_err();
    assert_eq!(shutdown.finish(LONG).await, 0);
}

/// `begun` does not count as a task. After the end it returns at once, also in new tasks.
#[tokio::test(start_paused = true)]
async fn the_beginning() {
    let shutdown = Shutdown::default();
    let waits = timeout(LONG, shutdown.begun()).await;
    waits.expect_err("nobody has begun");
    let ending = shutdown.clone();
    let waiting = tokio::spawn(async move { ending.begun().await });
    assert_eq!(shutdown.tasks(), 0);
    shutdown.begin();
    shutdown.begin();
    waiting.await.unwrap();
    let late = shutdown.clone();
    let task = shutdown.spawn(async move { late.begun().await });
    assert_eq!(shutdown.finish(LONG).await, 0);
    assert_eq!(task.await.unwrap(), Some(()));
}

/// The future of `finish` is dropped. No task is dropped with it, and a second call waits again.
#[tokio::test(start_paused = true)]
async fn finish_is_cancel_safe() {
    let shutdown = Shutdown::new();
    let task = shutdown.spawn(sleep(Duration::from_secs(20)));
    for _ in 0..2 {
        let finished = timeout(Duration::from_secs(5), shutdown.finish(LONG)).await;
        finished.expect_err("the task still runs");
    }
    assert_eq!(shutdown.finish(LONG).await, 0);
    assert_eq!(task.await.unwrap(), Some(()));
}

/// An application that never looks at the end is dropped, too. The client sees an end without a Close frame.
#[tokio::test(start_paused = true)]
async fn a_task_that_ignores_the_end() {
    let shutdown = Shutdown::new();
    let (mut client, mut server) = open(1000).await;
    shutdown.spawn(async move { echo(&mut server).await });
    let answering = async {
        let received = client.recv().await;
        assert!(matches!(received, Err(Error::Eof)), "{received:?}");
    };
    let (left, ()) = tokio::join!(shutdown.finish(Duration::from_secs(30)), answering);
    assert_eq!(left, 1);
}
