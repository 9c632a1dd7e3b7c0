//! One connection in two tasks.
//!
//! Both halves share the driver in a mutex. A half holds the mutex only while it polls the driver, never while it
//! waits. A task with channels would need bounded queues and a way to report what is written. Here, a send is in the
//! output or has not happened, as with one task.
//!
//! A transport remembers one task that waits to read and one task that waits to write. Here, each half may wait for
//! both, because the receiver also writes Pongs. So the transport gets a waker that wakes both halves. Each half
//! registers its own task before it polls. A half that was woken without reason waits again.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use atomic_waker::AtomicWaker;
use sockless::{CloseCode, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::message::{Closed, Message};
use crate::websocket::{WebSocket, close, queue};

/// The half that receives. Keep receiving: this half also answers Pings and notices the end.
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
struct Tasks {
    receiver: AtomicWaker,
    sender: AtomicWaker,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.receiver.wake();
        self.sender.wake();
    }
}

pub(crate) fn halves<S>(driver: Driver<S>) -> (Receiver<S>, Sender<S>) {
    let shared = Arc::new(Shared {
        driver: Mutex::new(driver),
        tasks: Arc::default(),
    });
    (Receiver(Arc::clone(&shared)), Sender(shared))
}

impl<S> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, Driver<S>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the driver for the half `own`. If the driver changes, wakes the `other` half, which may wait for that.
    fn poll<T>(
        &self,
        own: &AtomicWaker,
        other: &AtomicWaker,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        own.register(cx.waker());
        let both = Waker::from(Arc::clone(&self.tasks));
        let mut driver = self.lock();
        let before = driver.progress;
        let result = poll(&mut driver, &mut Context::from_waker(&both));
        let changed = driver.progress != before;
        drop(driver);
        if changed {
            other.wake();
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Option<Message> {
        let Tasks { receiver, sender } = &*self.0.tasks;
        poll_fn(|cx| self.0.poll(receiver, sender, cx, Driver::poll_recv)).await
    }

    /// The whole connection, if `sender` is the other half of it.
    ///
    /// # Errors
    ///
    /// Both halves, if they belong to different connections.
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
            // Unreachable: only the two halves share the connection.
            Err(shared) => Err((Self(Arc::clone(&shared)), Sender(shared))),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// If one side has closed or the transport has ended. The message was not sent.
    pub async fn send(&mut self, message: &Message) -> Result<(), Closed> {
        self.poll(|driver, cx| {
            ready!(driver.poll_room(cx))?;
            queue(&mut driver.connection, message)?;
            _ = driver.poll_write(cx);
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// If the transport has ended before.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        self.poll(Driver::poll_flush).await
    }

    /// Sends a Close frame, and waits until it is written or can no longer be written. The receiver then sees the end.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`]. The connection is unchanged.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        close(&mut self.0.lock().connection, code, reason)?;
        // This write starts the close deadline, and wakes the receiver to wait for it.
        _ = self.flush().await;
        Ok(())
    }

    async fn poll<T>(
        &self,
        mut poll: impl FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        let Tasks { receiver, sender } = &*self.0.tasks;
        poll_fn(|cx| self.0.poll(sender, receiver, cx, &mut poll)).await
    }
}
