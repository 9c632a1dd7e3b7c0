//! `yawc`, with vector instructions for UTF-8, without compression.
//!
//! 16 KiB to read into are faster than 64 or 128 KiB. 64 KiB to write from are faster than 16 KiB where messages are
//! larger, since it gives back what it had to grow by after each of them.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::ready;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::SinkExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, join, sink};
use yawc::{Frame, Options, Role as Side, WebSocket};

use crate::job::{ACCEPT, REQUEST, Receive, Role, Send};
use crate::peers::{Pass, Peer};
use crate::sum::Sum;
use crate::wire::{Wire, now};

pub(super) struct Yawc;

fn options() -> Options {
    Options::default()
        .without_compression()
        .with_limits(64 << 20, 64 << 20)
        .with_read_buffer_capacity(16 << 10)
        .with_write_buffer_capacity(64 << 10)
        .with_utf8()
}

fn socket<T>(role: Role, transport: T) -> WebSocket<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let side = match role {
        Role::Server => Side::Server,
        Role::Client => Side::Client,
    };
    WebSocket::from_stream(transport, side, options()).unwrap()
}

/// A [`Wire`] that can be looked at while a connection has it, which does not lend its transport.
#[derive(Clone)]
struct Shared(Rc<RefCell<Wire>>);

impl Shared {
    fn new(wire: Wire) -> Self {
        Self(Rc::new(RefCell::new(wire)))
    }
}

impl AsyncRead for Shared {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut *self.0.borrow_mut()), context, buffer)
    }
}

impl AsyncWrite for Shared {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut *self.0.borrow_mut()), context, data)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(Pin::new(&mut *self.0.borrow_mut()), context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A transport of one handshake: gives the request once, and keeps the answer.
struct Handshake {
    request: &'static [u8],
    answer: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Handshake {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.request.len().min(buffer.remaining());
        if n == 0 {
            return Poll::Pending;
        }
        let (now, later) = self.request.split_at(n);
        buffer.put_slice(now);
        self.request = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshake {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer.lock().unwrap().extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Peer for Yawc {
    fn name(&self) -> &'static str {
        "yawc"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut socket = socket(job.role, Wire::new(job.stream(), job.read_size));
        let count = job.count as u64;
        if job.chunks && !job.kind.is_text() {
            // Frames, as they are. This way no text is checked.
            let mut frames = socket.into_streaming();
            return Some(Box::new(move |sum: &mut Sum| {
                now(async {
                    while sum.messages < count {
                        let frame = frames.next_frame().await.unwrap();
                        assert!(!frame.opcode().is_control());
                        sum.add(frame.payload(), frame.is_fin());
                    }
                });
            }));
        }
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                while sum.messages < count {
                    let message = socket.next_frame().await.unwrap();
                    assert!(!message.opcode().is_control());
                    sum.add(message.payload(), true);
                }
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let wire = Shared::new(Wire::sink());
        let mut socket = socket(job.role, wire.clone());
        let payload = Bytes::from(job.kind.payload(job.size));
        let text = job.kind.is_text();
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            if sum.is_thorough() {
                wire.0.borrow_mut().record();
            }
            now(async {
                for _ in 0..job.count {
                    let payload = payload.clone();
                    let frame = if text {
                        Frame::text(payload)
                    } else {
                        Frame::binary(payload)
                    };
                    socket.send(frame).await.unwrap();
                }
            });
            let mut wire = wire.0.borrow_mut();
            sum.wrote(wire.take_written());
            if let Some(written) = wire.recorded() {
                job.check(&written).unwrap();
            }
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let wire = Shared::new(Wire::new(job.stream(), job.read_size));
        let mut socket = socket(Role::Server, wire.clone());
        let text = job.kind.is_text();
        let count = job.count;
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                for _ in 0..count {
                    let payload = socket.next_frame().await.unwrap().into_payload();
                    let frame = if text {
                        Frame::text(payload)
                    } else {
                        Frame::binary(payload)
                    };
                    socket.send(frame).await.unwrap();
                    sum.messages += 1;
                }
            });
            sum.wrote(wire.0.borrow_mut().take_written());
        }))
    }

    /// Over hyper, which reads the request and writes the answer that yawc gives.
    fn handshake(&self) -> Option<Pass> {
        let answer = Arc::new(Mutex::new(Vec::with_capacity(1024)));
        Some(Box::new(move |sum: &mut Sum| {
            answer.lock().unwrap().clear();
            let transport = Handshake {
                request: REQUEST,
                answer: answer.clone(),
            };
            let upgrade = Rc::new(Cell::new(None));
            let service = service_fn(|request: Request<Incoming>| {
                let answer = WebSocket::upgrade_with_options(request, options());
                ready(answer.map(|(answer, future)| {
                    upgrade.set(Some(future));
                    answer
                }))
            });
            now(http1::Builder::new()
                .serve_connection(TokioIo::new(transport), service)
                .with_upgrades())
            .unwrap();
            black_box(now(upgrade.take().unwrap()).unwrap());
            let answer = answer.lock().unwrap();
            if sum.is_thorough() {
                assert!(answer.windows(ACCEPT.len()).any(|part| part == ACCEPT));
            }
            sum.add(&answer, true);
        }))
    }

    /// With buffers of the sizes that they have by default.
    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let frames: &'static [u8] = b"\x82\x81\0\0\0\0x";
        let transport = join(frames, sink());
        let options = Options::default().without_compression().with_utf8();
        let mut socket = WebSocket::from_stream(transport, Side::Server, options).unwrap();
        if used {
            now(async {
                let payload = socket.next_frame().await.unwrap().into_payload();
                socket.send(Frame::binary(payload)).await.unwrap();
            });
        }
        Some(Box::new(socket))
    }
}
