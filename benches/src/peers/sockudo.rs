//! `sockudo-ws`, in two ways: its `WebSocketStream`, and its `Protocol` without a transport.
//!
//! `Protocol` is faster up to a few KiB, `WebSocketStream` sends large messages faster, since it does not copy them as a
//! server; neither is faster at everything. No timers run, as no other implementation has any.

use std::any::Any;
use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Config, Message, Role as Side, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::job::{self, Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, answered, settle, watch};
use crate::sum::Sum;
use crate::wire::{Wire, now};

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

fn message(job: &Send) -> Message {
    let payload = Bytes::from_owner(job.payload());
    if job.kind.is_text() {
        Message::Text(payload)
    } else {
        Message::Binary(payload)
    }
}

fn stream<T>(role: Role, transport: T) -> WebSocketStream<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    match role {
        Role::Server => WebSocketStream::server(transport, config()),
        Role::Client => WebSocketStream::client(transport, config()),
    }
}

impl Peer for Sockudo {
    fn name(&self) -> &'static str {
        "sockudo-ws"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut stream = stream(job.role, Wire::new(job.stream(), job.read_size));
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                while sum.messages < count {
                    match stream.next().await.unwrap().unwrap() {
                        Message::Text(data) | Message::Binary(data) => sum.add(&data, true),
                        other => panic!("{other:?}"),
                    }
                }
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut stream = stream(job.role, Wire::sink());
        let message = message(job);
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(stream.get_mut(), sum);
            now(async {
                for _ in 0..job.count {
                    stream.send(message.clone()).await.unwrap();
                }
            });
            settle(stream.get_mut(), sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut stream = stream(Role::Server, Wire::new(job.stream(), job.read_size));
        let job = job.echoed();
        Some(Box::new(move |sum: &mut Sum| {
            watch(stream.get_mut(), sum);
            now(async {
                for _ in 0..job.count {
                    let message = stream.next().await.unwrap().unwrap();
                    stream.send(message).await.unwrap();
                    sum.messages += 1;
                }
            });
            settle(stream.get_mut(), sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        let config = config();
        let mut wire = Wire::new(job::REQUEST.into(), job::REQUEST.len());
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            let result = now(server_handshake(&mut wire)).unwrap();
            black_box(WebSocketStream::from_raw_with_leftover(
                &mut wire,
                Side::Server,
                config.clone(),
                result.leftover,
            ));
            answered(&mut wire, sum);
        }))
    }

    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let mut stream = stream(Role::Server, Nowhere::new(used));
        if used {
            now(async {
                let message = stream.next().await.unwrap().unwrap();
                stream.send(message).await.unwrap();
            });
        }
        Some(Box::new(stream))
    }
}

/// `Protocol`, with buffers that are used again.
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

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut protocol = protocol(job.role);
        let mut wire = Wire::new(job.stream(), job.read_size);
        let mut buffer = BytesMut::with_capacity(16 << 10);
        let mut messages = Vec::new();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            while sum.messages < count {
                buffer.reserve(4096);
                now(wire.read_buf(&mut buffer)).unwrap();
                protocol.process_into(&mut buffer, &mut messages).unwrap();
                for message in messages.drain(..) {
                    match message {
                        Message::Text(data) | Message::Binary(data) => sum.add(&data, true),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut protocol = protocol(job.role);
        let mut wire = Wire::sink();
        let mut buffer = BytesMut::with_capacity(16 << 10);
        let message = message(job);
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            now(async {
                for _ in 0..job.count {
                    protocol.encode_message(&message, &mut buffer).unwrap();
                    wire.write_all(&buffer).await.unwrap();
                    buffer.clear();
                }
            });
            settle(&mut wire, sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut protocol = protocol(Role::Server);
        let mut wire = Wire::new(job.stream(), job.read_size);
        let mut buffer = BytesMut::with_capacity(16 << 10);
        let mut output = BytesMut::with_capacity(16 << 10);
        let mut messages = Vec::new();
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            while sum.messages < count {
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
            settle(&mut wire, sum, &job);
        }))
    }

    /// That of [`Sockudo`].
    fn handshake(&self) -> Option<Pass> {
        None
    }

    /// Used or not, it keeps no data of whole messages: buffers can be shared by all connections.
    fn idle(&self, _: bool) -> Option<Box<dyn Any>> {
        Some(Box::new(protocol(Role::Server)))
    }
}
