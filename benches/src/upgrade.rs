//! hyper's server, for connections whose opening handshake works on a request that hyper has read.

use std::cell::Cell;
use std::error::Error;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::job::REQUEST;
use crate::wire::{Wire, now};

/// Answers [`REQUEST`] as often as it is asked to.
pub struct Server(Arc<Mutex<Wire>>);

impl Default for Server {
    fn default() -> Self {
        let wire = Wire::new(REQUEST.into(), REQUEST.len());
        Self(Arc::new(Mutex::new(wire)))
    }
}

impl Server {
    /// Reads the request once, and writes the response that `answer` gives; returns what it gives beside that, which
    /// becomes the connection.
    pub fn upgrade<T, B, E>(
        &self,
        answer: impl Fn(Request<Incoming>) -> Result<(Response<B>, T), E>,
    ) -> T
    where
        B: Body<Error: Error + Send + Sync> + 'static,
        E: Error + Send + Sync + 'static,
    {
        let upgraded = Cell::new(None);
        let service = service_fn(|request| {
            ready(answer(request).map(|(response, future)| {
                upgraded.set(Some(future));
                response
            }))
        });
        let caller = Caller {
            wire: self.0.clone(),
            asked: false,
        };
        now(http1::Builder::new()
            .serve_connection(TokioIo::new(caller), service)
            .with_upgrades())
        .unwrap();
        upgraded.take().unwrap()
    }

    /// The transport, to look at.
    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap()
    }
}

/// A transport with one request; hyper wants to own it and to send it to other threads.
struct Caller {
    wire: Arc<Mutex<Wire>>,
    asked: bool,
}

impl AsyncRead for Caller {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.asked {
            return Poll::Pending;
        }
        self.asked = true;
        AsyncRead::poll_read(Pin::new(&mut *self.wire.lock().unwrap()), context, buffer)
    }
}

impl AsyncWrite for Caller {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut *self.wire.lock().unwrap()), context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
