//! yawc, with vector instructions for UTF-8, without compression.
//!
//! A read buffer of 16 KiB is faster than one of 64 or 128 KiB. A write buffer of 64 KiB is faster than one of 16 KiB
//! if messages are larger: after each message yawc frees the memory that the buffer has grown by.

use std::any::Any;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use yawc::{Frame, Options, Role as Side, WebSocket};

use crate::job::{Payload, Receive, Role, Send};
use crate::peers::{Pass, Peer, echoing, idle_transport, receiving, sending};
use crate::upgrade;
use crate::wire::now;

pub(super) struct Yawc;

fn options() -> Options {
    Options::default()
        .without_compression()
        .with_limits(64 << 20, 64 << 20)
        .with_read_buffer_capacity(16 << 10)
        .with_write_buffer_capacity(64 << 10)
        .with_utf8()
}

fn socket<S: AsyncRead + AsyncWrite + Unpin>(role: Role, transport: S) -> WebSocket<S> {
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

    fn receive(&self, job: &Receive) -> Pass {
        // Single frames. In this way it does not check text.
        if job.chunks && !job.kind.is_text() {
            return receiving(job, |wire| {
                let mut frames = socket(job.role, wire).into_streaming();
                move |sum| {
                    let frame = now(frames.next_frame()).unwrap();
                    assert!(!frame.opcode().is_control());
                    sum.add(frame.payload(), frame.is_fin());
                }
            });
        }
        receiving(job, |wire| {
            let mut socket = socket(job.role, wire);
            move |sum| {
                let message = now(socket.next_frame()).unwrap();
                assert!(!message.opcode().is_control());
                sum.add(message.payload(), true);
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |wire| {
            let mut socket = socket(job.role, wire);
            let payload = job.payload();
            let data = Bytes::from_owner(payload.bytes());
            move || {
                let frame = match payload {
                    Payload::Text(_) => Frame::text(data.clone()),
                    Payload::Binary(_) => Frame::binary(data.clone()),
                };
                now(socket.send(frame)).unwrap();
            }
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |wire| {
            let mut socket = socket(Role::Server, wire);
            let text = job.kind.is_text();
            move |sum| {
                let payload = now(socket.next_frame()).unwrap().into_payload();
                let frame = if text {
                    Frame::text(payload)
                } else {
                    Frame::binary(payload)
                };
                now(socket.send(frame)).unwrap();
                sum.messages += 1;
            }
        })
    }

    /// hyper reads the request and writes the response that yawc returns.
    fn handshake(&self) -> Option<Pass> {
        let answer = |request| WebSocket::upgrade_with_options(request, options());
        Some(upgrade::handshake(answer))
    }

    /// It has buffers of the default sizes.
    fn idle(&self, used: bool) -> Box<dyn Any> {
        let options = Options::default().without_compression().with_utf8();
        let transport = idle_transport(used);
        let mut socket = WebSocket::from_stream(transport, Side::Server, options).unwrap();
        if used {
            let payload = now(socket.next_frame()).unwrap().into_payload();
            now(socket.send(Frame::binary(payload))).unwrap();
        }
        Box::new(socket)
    }
}
