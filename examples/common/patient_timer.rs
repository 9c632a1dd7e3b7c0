//! hyper's timer for the deadlines of request heads, with an extra second.
//!
//! If the system stops the process for some time, a deadline and the request that meets it become visible together. In
//! the extra second hyper reads the request, so that request is not late.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use example_tokio::within;
use hyper::rt::Sleep;

#[derive(Clone, Copy, Debug)]
pub(crate) struct PatientTimer;

impl hyper::rt::Timer for PatientTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait(Box::pin(async move {
            _ = within(duration, pending::<()>()).await;
        })))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

struct Wait(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().0.as_mut().poll(cx)
    }
}

impl Sleep for Wait {}
