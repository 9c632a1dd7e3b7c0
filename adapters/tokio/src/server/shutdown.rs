//! The graceful end of a server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The graceful end of a server: it tells the tasks of all clients and waits for them.
///
/// Run the task of each client with [`spawn`](Self::spawn). In the task, wait for [`begun`](Self::begun) besides
/// [`recv`](crate::WebSocket::recv). Then close the connection with [`CloseCode::GOING_AWAY`]. When the server ends,
/// call [`finish`](Self::finish).
///
/// All clones are the same value. Cloning increments a reference count.
///
/// # Example
///
/// See the [module](super).
///
/// [`CloseCode::GOING_AWAY`]: crate::CloseCode::GOING_AWAY
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    /// Each task has a receiver, which is dropped with the task.
    tasks: watch::Sender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// The tasks end.
    Begun,
    /// The tasks are dropped.
    TimeLimit,
}

impl Shutdown {
    /// Makes a value without tasks. The shutdown has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            phase: watch::Sender::new(Phase::Serving),
            tasks: watch::Sender::new(()),
        }))
    }

    /// Spawns a task. [`finish`](Self::finish) waits for it, and drops it at its limit.
    ///
    /// Join the handle to get the output. It is `None` if the task was dropped at the time limit. If the task starts
    /// other tasks, start them with this method, too. Otherwise `finish` does not wait for them.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, like [`tokio::spawn`].
    pub fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let shutdown = self.clone();
        let running = self.0.tasks.subscribe();
        // On the heap, because a future that moves into `select!` takes its memory twice.
        let mut task = Box::pin(task);
        tokio::spawn(async move {
            let _running = running;
            tokio::select! {
                biased;
                output = &mut task => Some(output),
                () = shutdown.reached(Phase::TimeLimit) => None,
            }
        })
    }

    /// Waits until the shutdown begins. After that, it returns at once.
    ///
    /// # Cancel safety
    ///
    /// You can drop the future in `select!` and call this again.
    pub async fn begun(&self) {
        self.reached(Phase::Begun).await;
    }

    /// Begins the shutdown: [`begun`](Self::begun) returns in all tasks. This method does not wait for them.
    ///
    /// [`finish`](Self::finish) does the same. Call this earlier if you do something else before you wait.
    pub fn begin(&self) {
        self.reach(Phase::Begun);
    }

    /// Begins the shutdown and waits until all tasks have ended. After `limit`, drops the remaining tasks. Returns the
    /// number of dropped tasks.
    ///
    /// A task that closes its connection usually ends within one round trip. If the client does not answer, closing
    /// takes 11 seconds by default, so 15 seconds are a good `limit`. Without `limit`, a slow client could stay for 20
    /// minutes and 40 seconds by default: see [`Deadlines`].
    ///
    /// The runtime drops a task when the task next waits. A task that blocks its thread is not dropped. This method
    /// still returns after `limit`.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the tasks continue, and no task is dropped. You can call this again.
    ///
    /// [`Deadlines`]: crate::Deadlines#what-a-slow-peer-can-hold
    pub async fn finish(&self, limit: Duration) -> usize {
        self.begin();
        if timeout(limit, self.0.tasks.closed()).await.is_ok() {
            return 0;
        }
        let left = self.tasks();
        self.reach(Phase::TimeLimit);
        left
    }

    /// How many tasks run.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.0.tasks.receiver_count()
    }

    fn reach(&self, phase: Phase) {
        self.0.phase.send_if_modified(|current| {
            let is_later = *current < phase;
            *current = phase.max(*current);
            is_later
        });
    }

    async fn reached(&self, phase: Phase) {
        let mut current = self.0.phase.subscribe();
        // The sender exists as long as `self`, so this never fails.
        _ = current.wait_for(|current| *current >= phase).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
