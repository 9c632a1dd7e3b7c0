//! sockudo-ws, used in two ways: its `WebSocketStream`, and its `Protocol` without a transport.
//!
//! `Protocol` is faster up to a few KiB. `WebSocketStream` sends large messages faster, because a server does not copy
//! them. Neither is faster at everything. Its timers are off, because no other implementation has any.

use std::any::Any;
use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Config, Message, Role as Side, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::job::{Payload, Receive, Role, Send};
use crate::peers::{Pass, Peer, answering, echoing, idle_transport, receiving, sending};
use crate::sum::Sum;
use crate::wire::now;

/// `WebSocketStream`.
pub(super) struct Sockudo;

fn config() -> Config {
    Config::builder()
        .max_message_size(64 << 20)
        .max_frame_size(64 << 20)
        .auto_ping(false)
        .idle_timeout(0)
        .build()
}

fn message(payload: Payload) -> Message {
    let data = Bytes::from_owner(payload.bytes());
    match payload {
        Payload::Text(_) => Message::Text(data),
        Payload::Binary(_) => Message::Binary(data),
    }
}

fn add(sum: &mut Sum, message: &Message) {
    match message {
        Message::Text(data) | Message::Binary(data) => sum.add(data, true),
        other => panic!("{other:?}"),
    }
}

fn stream<S: AsyncRead + AsyncWrite + Unpin>(role: Role, transport: S) -> WebSocketStream<S> {
    match role {
        Role::Server => WebSocketStream::server(transport, config()),
        Role::Client => WebSocketStream::client(transport, config()),
    }
}

impl Peer for Sockudo {
    fn name(&self) -> &'static str {
        "sockudo-ws"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |wire| {
            let mut stream = stream(job.role, wire);
            move |sum| add(sum, &now(stream.next()).unwrap().unwrap())
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |wire| {
            let mut stream = stream(job.role, wire);
            let message = message(job.payload());
            move || now(stream.send(message.clone())).unwrap()
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |wire| {
            let mut stream = stream(Role::Server, wire);
            move |sum| {
                let message = now(stream.next()).unwrap().unwrap();
                now(stream.send(message)).unwrap();
                sum.messages += 1;
            }
        })
    }

    fn handshake(&self) -> Option<Pass> {
        let config = config();
        Some(answering(move |wire| {
            let result = now(server_handshake(wire)).unwrap();
            black_box(WebSocketStream::from_raw_with_leftover(
                wire,
                Side::Server,
                config.clone(),
                result.leftover,
            ));
        }))
    }

    fn idle(&self, used: bool) -> Box<dyn Any> {
        let mut stream = stream(Role::Server, idle_transport(used));
        if used {
            let message = now(stream.next()).unwrap().unwrap();
            now(stream.send(message)).unwrap();
        }
        Box::new(stream)
    }
}

/// `Protocol`, with buffers that are reused.
pub(super) struct SockudoProtocol;

fn protocol(role: Role) -> Protocol {
    let side = match role {
        Role::Server => Side::Server,
        Role::Client => Side::Client,
    };
    Protocol::new(side, 64 << 20, 64 << 20)
}

impl Peer for SockudoProtocol {
    fn name(&self) -> &'static str {
        "sockudo-ws (Protocol)"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |mut wire| {
            let mut protocol = protocol(job.role);
            let mut buffer = BytesMut::with_capacity(16 << 10);
            let mut messages = Vec::new();
            move |sum| {
                buffer.reserve(4096);
                now(wire.read_buf(&mut buffer)).unwrap();
                protocol.process_into(&mut buffer, &mut messages).unwrap();
                for message in messages.drain(..) {
                    add(sum, &message);
                }
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |mut wire| {
            let mut protocol = protocol(job.role);
            let mut buffer = BytesMut::with_capacity(16 << 10);
            let message = message(job.payload());
            move || {
                protocol.encode_message(&message, &mut buffer).unwrap();
                now(wire.write_all(&buffer)).unwrap();
                buffer.clear();
            }
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |mut wire| {
            let mut protocol = protocol(Role::Server);
            let mut buffer = BytesMut::with_capacity(16 << 10);
            let mut output = BytesMut::with_capacity(16 << 10);
            let mut messages = Vec::new();
            move |sum| {
                buffer.reserve(4096);
                now(wire.read_buf(&mut buffer)).unwrap();
                protocol.process_into(&mut buffer, &mut messages).unwrap();
                for message in messages.drain(..) {
                    protocol.encode_message(&message, &mut output).unwrap();
                    now(wire.write_all(&output)).unwrap();
                    output.clear();
                    sum.messages += 1;
                }
            }
        })
    }

    /// It keeps no data of whole messages, used or not. All connections can share buffers.
    fn idle(&self, _: bool) -> Box<dyn Any> {
        Box::new(protocol(Role::Server))
    }
}
