//! fastwebsockets, which masks and unmasks by itself, and writes headers and long payloads apart, as its defaults are.
//!
//! Whole messages come from its collector of fragments. Chunks of binary messages are its frames, of which it checks
//! less: not that a message is over before the next begins. A client masks in a copy that it keeps:
//! giving the payload to be copied by the crate allocates and takes 10 ns more. Other thresholds for writing apart make
//! no difference here.
//!
//! Its handshake works on a request that hyper has read, so hyper's server is part of it.

use std::any::Any;

use fastwebsockets::upgrade::upgrade;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as Side, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::job::{Kind, Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, answered, settle, watch};
use crate::shared::Shared;
use crate::sum::Sum;
use crate::upgrade::Server;
use crate::wire::{Wire, now};

pub(super) struct Fastwebsockets;

fn socket<S: AsyncRead + AsyncWrite + Unpin>(role: Role, transport: S) -> WebSocket<S> {
    let side = match role {
        Role::Server => Side::Server,
        Role::Client => Side::Client,
    };
    let mut socket = WebSocket::after_handshake(transport, side);
    socket.set_auto_apply_mask(true);
    socket.set_writev(true);
    socket.set_max_message_size(64 << 20);
    socket
}

impl Peer for Fastwebsockets {
    fn name(&self) -> &'static str {
        "fastwebsockets"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut socket = socket(job.role, Wire::new(job.stream(), job.read_size));
        let count = job.count as u64;
        // Of text in fragments only the collector checks that it is UTF-8.
        if job.chunks && job.kind == Kind::Binary {
            return Some(Box::new(move |sum: &mut Sum| {
                now(async {
                    while sum.messages < count {
                        let frame = socket.read_frame().await.unwrap();
                        if matches!(frame.opcode, OpCode::Binary | OpCode::Continuation) {
                            sum.add(&frame.payload, frame.fin);
                        }
                    }
                });
            }));
        }
        let mut socket = FragmentCollector::new(socket);
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                while sum.messages < count {
                    let frame = socket.read_frame().await.unwrap();
                    if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                        sum.add(&frame.payload, true);
                    }
                }
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let wire = Shared::new(Wire::sink());
        let mut socket = socket(job.role, wire.clone());
        let payload = job.payload();
        let opcode = if job.kind.is_text() {
            OpCode::Text
        } else {
            OpCode::Binary
        };
        // A client masks in place: in a copy that is its own.
        let mut copy = (job.role == Role::Client).then(Vec::new);
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire.wire(), sum);
            now(async {
                for _ in 0..job.count {
                    let payload = match &mut copy {
                        Some(copy) => {
                            copy.clear();
                            copy.extend_from_slice(payload);
                            Payload::BorrowedMut(copy)
                        }
                        None => Payload::Borrowed(payload),
                    };
                    let frame = Frame::new(true, opcode, None, payload);
                    socket.write_frame(frame).await.unwrap();
                    socket.flush().await.unwrap();
                }
            });
            settle(&mut wire.wire(), sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let wire = Shared::new(Wire::new(job.stream(), job.read_size));
        let mut socket = FragmentCollector::new(socket(Role::Server, wire.clone()));
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire.wire(), sum);
            now(async {
                while sum.messages < count {
                    let frame = socket.read_frame().await.unwrap();
                    if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                        socket.write_frame(frame).await.unwrap();
                        sum.messages += 1;
                    }
                }
            });
            settle(&mut wire.wire(), sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        let server = Server::default();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut server.wire(), sum);
            let socket = server.upgrade(upgrade);
            drop(now(socket).unwrap());
            answered(&mut server.wire(), sum);
        }))
    }

    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let mut socket = FragmentCollector::new(socket(Role::Server, Nowhere::new(used)));
        if used {
            now(async {
                let frame = socket.read_frame().await.unwrap();
                socket.write_frame(frame).await.unwrap();
            });
        }
        Some(Box::new(socket))
    }
}
