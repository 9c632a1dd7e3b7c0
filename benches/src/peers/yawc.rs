//! `yawc`, with vector instructions for UTF-8, without compression.
//!
//! 16 KiB to read into are faster than 64 or 128 KiB. 64 KiB to write from are faster than 16 KiB where messages are
//! larger, since it gives back what it had to grow by after each of them.

use std::any::Any;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use yawc::{Frame, Options, Role as Side, WebSocket};

use crate::job::{Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, answered, settle, watch};
use crate::shared::Shared;
use crate::sum::Sum;
use crate::upgrade::Server;
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
        let payload = Bytes::from_owner(job.payload());
        let text = job.kind.is_text();
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire.wire(), sum);
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
            settle(&mut wire.wire(), sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let wire = Shared::new(Wire::new(job.stream(), job.read_size));
        let mut socket = socket(Role::Server, wire.clone());
        let text = job.kind.is_text();
        let job = job.echoed();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire.wire(), sum);
            now(async {
                for _ in 0..job.count {
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
            settle(&mut wire.wire(), sum, &job);
        }))
    }

    /// Over hyper, which reads the request and writes the answer that yawc gives.
    fn handshake(&self) -> Option<Pass> {
        let server = Server::default();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut server.wire(), sum);
            let socket =
                server.upgrade(|request| WebSocket::upgrade_with_options(request, options()));
            drop(now(socket).unwrap());
            answered(&mut server.wire(), sum);
        }))
    }

    /// With buffers of the sizes that they have by default.
    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let options = Options::default().without_compression().with_utf8();
        let mut socket = WebSocket::from_stream(Nowhere::new(used), Side::Server, options).unwrap();
        if used {
            now(async {
                let payload = socket.next_frame().await.unwrap().into_payload();
                socket.send(Frame::binary(payload)).await.unwrap();
            });
        }
        Some(Box::new(socket))
    }
}
