//! One connection in two tasks.
//!
//! Both share the driver in a mutex, which is held only while it is polled and never while anybody waits. A task of its own
//! with channels would need queues with limits, and answers for who waits until something is written; here a send is in the
//! output or has not happened, as with one task.
//!
//! A transport remembers one task that waits to read and one that waits to write. Here either half may wait for both: the
//! receiver writes Pongs, too. So the transport gets a waker that wakes both halves, and each half remembers its own task in
//! it before it looks. Whoever finds nothing to do waits again.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use sockless::{CloseCode, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::message::{Closed, Message};
use crate::websocket::{WebSocket, close, queue};

/// The half that receives. Keep receiving: it also answers Pings and notices the end.
#[derive(Debug)]
pub struct Receiver<S>(Arc<Shared<S>>);

/// The half that sends.
#[derive(Debug)]
pub struct Sender<S>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    driver: Mutex<Driver<S>>,
    tasks: Arc<Tasks>,
}

/// The tasks of both halves.
#[derive(Debug, Default)]
struct Tasks([Mutex<Option<Waker>>; 2]);

#[derive(Clone, Copy, Debug)]
enum Half {
    Receiver,
    Sender,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_half(Half::Receiver);
        self.wake_half(Half::Sender);
    }
}

impl Tasks {
    fn remember(&self, half: Half, waker: &Waker) {
        *lock(&self.0[half as usize]) = Some(waker.clone());
    }

    fn wake_half(&self, half: Half) {
        let waker = lock(&self.0[half as usize]).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

pub(crate) fn halves<S>(driver: Driver<S>) -> (Receiver<S>, Sender<S>) {
    let shared = Arc::new(Shared {
        driver: Mutex::new(driver),
        tasks: Arc::default(),
    });
    (Receiver(Arc::clone(&shared)), Sender(shared))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    /// Polls the driver for one half. What it changed may be what the other waits for.
    fn poll<T>(
        &self,
        half: Half,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.tasks.remember(half, cx.waker());
        let both = Waker::from(Arc::clone(&self.tasks));
        let mut driver = lock(&self.driver);
        let before = driver.progress;
        let result = poll(&mut driver, &mut Context::from_waker(&both));
        let changed = driver.progress != before;
        drop(driver);
        if changed {
            self.tasks.wake_half(match half {
                Half::Receiver => Half::Sender,
                Half::Sender => Half::Receiver,
            });
        }
        result
    }

    async fn recv(&self) -> Option<Message> {
        poll_fn(|cx| self.poll(Half::Receiver, cx, Driver::poll_recv)).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Option<Message> {
        self.0.recv().await
    }

    /// The whole connection, if `sender` is its other half.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not of one connection.
    pub fn reunite(self, sender: Sender<S>) -> Result<WebSocket<S>, (Self, Sender<S>)> {
        if !Arc::ptr_eq(&self.0, &sender.0) {
            return Err((self, sender));
        }
        drop(sender);
        match Arc::try_unwrap(self.0) {
            Ok(shared) => {
                let driver = shared.driver.into_inner();
                Ok(WebSocket(driver.unwrap_or_else(PoisonError::into_inner)))
            }
            // There are never more than the two.
            Err(shared) => Err((Self(Arc::clone(&shared)), Sender(shared))),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// If one side has closed, or the transport has ended. The message was not sent.
    pub async fn send(&mut self, message: &Message) -> Result<(), Closed> {
        poll_fn(|cx| {
            self.0.poll(Half::Sender, cx, |driver, cx| {
                std::task::ready!(driver.poll_room(cx))?;
                queue(&mut driver.connection, message)?;
                _ = driver.poll_write(cx);
                Poll::Ready(Ok(()))
            })
        })
        .await
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// If the transport ended before.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| self.0.poll(Half::Sender, cx, Driver::poll_flush)).await
    }

    /// Sends a Close frame and waits until it is written, or never will be. The receiver then sees the end.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`]; nothing was done.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        close(&mut lock(&self.0.driver).connection, code, reason)?;
        // A deadline begins, which is the receiver's to wait for from the time that this is written.
        _ = self.flush().await;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
