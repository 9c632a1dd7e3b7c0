//! Access to a driver: to a whole connection, or to one half of it.

use std::future::poll_fn;
use std::task::{Context, Poll};

use sockless::SharedMessage;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::assembly::Chunk;
use crate::driver::Driver;
use crate::error::Error;
use crate::message::Message;
use crate::split::Half;

/// Access to a driver for one task.
#[derive(Debug)]
pub(crate) enum Handle<'a, S> {
    Whole(&'a mut Driver<S>),
    Half(&'a Half<S>),
}

impl<S> Handle<'_, S> {
    /// Calls `call` with the driver. This must not start to wait.
    pub(crate) fn with<T>(&mut self, call: impl FnOnce(&mut Driver<S>) -> T) -> T {
        match self {
            Self::Whole(driver) => call(driver),
            Self::Half(half) => half.with(call),
        }
    }

    /// Polls the driver.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self {
            Self::Whole(driver) => poll(driver, cx),
            Self::Half(half) => half.poll(cx, poll),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handle<'_, S> {
    pub(crate) async fn recv(mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_recv)).await
    }

    pub(crate) async fn first_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_first_chunk)).await
    }

    pub(crate) async fn send(mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_send(cx, &message))).await
    }

    pub(crate) async fn feed(mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_feed(cx, &message))).await
    }

    pub(crate) async fn send_shared(mut self, message: &SharedMessage) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, |driver, cx| {
                driver.poll_send_with(cx, usize::MAX, |connection| connection.send_shared(message))
            })
        })
        .await
    }

    pub(crate) async fn feed_shared(mut self, message: &SharedMessage) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_feed_shared(cx, message))).await
    }

    pub(crate) async fn ping(mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, |driver, cx| {
                driver.poll_send_with(cx, payload.len(), |connection| {
                    connection.send_ping(payload)
                })
            })
        })
        .await
    }

    pub(crate) async fn flush(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_flush)).await
    }
}
