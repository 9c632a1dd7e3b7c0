//! One connection in two tasks.
//!
//! Both halves share the driver in a mutex. A half holds the mutex only while it polls the driver, never while it
//! waits. A task with channels would need bounded queues and a way to report what is written. Here, a send is in the
//! output or has not happened, as with one task.
//!
//! A transport remembers one task that waits to read and one task that waits to write. Here, each half may wait for
//! both, because the receiver also writes Pongs. So the transport gets a waker that wakes both halves. Each half
//! registers its own task before it polls. A half that was woken without reason waits again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

use crate::driver::Driver;

/// One half of a connection.
#[derive(Debug)]
pub(crate) struct Half<S> {
    shared: Arc<Shared<S>>,
    side: Side,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Receiver,
    Sender,
}

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

/// The sending half and the receiving half of a connection.
pub(crate) fn split<S>(driver: Driver<S>) -> (Half<S>, Half<S>) {
    let shared = Arc::new(Shared {
        driver: Mutex::new(driver),
        tasks: Arc::default(),
    });
    let sender = Half {
        shared: Arc::clone(&shared),
        side: Side::Sender,
    };
    let receiver = Half {
        shared,
        side: Side::Receiver,
    };
    (sender, receiver)
}

impl<S> Half<S> {
    /// The whole connection, or both halves if they belong to different connections.
    pub(crate) fn reunite(self, other: Self) -> Result<Driver<S>, (Self, Self)> {
        if !Arc::ptr_eq(&self.shared, &other.shared) {
            return Err((self, other));
        }
        let Self { shared, side } = self;
        let other_side = other.side;
        drop(other);
        match Arc::try_unwrap(shared) {
            Ok(shared) => {
                let driver = shared.driver.into_inner();
                Ok(driver.unwrap_or_else(PoisonError::into_inner))
            }
            // Unreachable: only the two halves share the connection.
            Err(shared) => {
                let half = |side| Self {
                    shared: Arc::clone(&shared),
                    side,
                };
                Err((half(side), half(other_side)))
            }
        }
    }

    /// Calls `call` with the driver. If the driver changes, wakes the other half, which may wait for that.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Driver<S>) -> T) -> T {
        let mut driver = self.lock();
        let before = driver.progress();
        let result = call(&mut driver);
        let changed = driver.progress() != before;
        drop(driver);
        if changed {
            self.tasks().1.wake();
        }
        result
    }

    /// Polls the driver for this half.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.tasks().0.register(cx.waker());
        let both = Waker::from(Arc::clone(&self.shared.tasks));
        self.with(|driver| poll(driver, &mut Context::from_waker(&both)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Driver<S>> {
        let driver = self.shared.driver.lock();
        driver.unwrap_or_else(PoisonError::into_inner)
    }

    /// The waker of this half, and that of the other half.
    fn tasks(&self) -> (&AtomicWaker, &AtomicWaker) {
        let Tasks { receiver, sender } = &*self.shared.tasks;
        match self.side {
            Side::Receiver => (receiver, sender),
            Side::Sender => (sender, receiver),
        }
    }
}
