//! Opening handshakes of implementations that answer a request which hyper has read.

use std::cell::Cell;
use std::error::Error;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::job::REQUEST;
use crate::peers::{Pass, responding};
use crate::wire::{Wire, now};

/// A pass in which hyper's server reads [`REQUEST`] once and writes the response that `answer` returns.
///
/// `answer` also returns the future of the connection.
pub fn handshake<T, B, E>(
    answer: impl Fn(Request<Incoming>) -> Result<(Response<B>, T), E> + 'static,
) -> Pass
where
    T: Future<Output: Sized> + 'static,
    B: Body<Error: Error + Send + Sync> + 'static,
    E: Error + Send + Sync + 'static,
{
    let wire = Wire::new(REQUEST.into(), REQUEST.len());
    let written = wire.written();
    let wire = Arc::new(Mutex::new(wire));
    responding(written, move || {
        let connection = Cell::new(None);
        let service = service_fn(|request| {
            ready(answer(request).map(|(response, future)| {
                connection.set(Some(future));
                response
            }))
        });
        let caller = Caller {
            wire: wire.clone(),
            asked: false,
        };
        now(http1::Builder::new()
            .serve_connection(TokioIo::new(caller), service)
            .with_upgrades())
        .unwrap();
        drop(now(connection.take().unwrap()));
    })
}

/// A transport with one request. hyper owns its transport and may send it to another thread.
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
        Pin::new(&mut *self.wire.lock().unwrap()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Caller {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.wire.lock().unwrap()).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
