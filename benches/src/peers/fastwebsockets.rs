//! fastwebsockets with its defaults: it masks and unmasks, and writes headers and long payloads separately.
//!
//! Whole messages come from its `FragmentCollector`. Parts of binary messages are its frames. For those it does not
//! check that a message ends before the next one begins. A client masks a copy of the payload in a buffer that is
//! reused. If the crate copies the payload, it allocates, which takes 10 ns more. Other thresholds for separate writes
//! make no difference here.
//!
//! Its opening handshake needs a request that hyper has read, so the time includes hyper's server.

use std::any::Any;

use fastwebsockets::upgrade::upgrade;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as Side, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::job::{self, Kind, Receive, Role, Send};
use crate::peers::{Pass, Peer, echoing, idle_transport, receiving, sending};
use crate::upgrade;
use crate::wire::now;

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

    fn receive(&self, job: &Receive) -> Pass {
        // For text in fragments, only the collector checks that it is UTF-8.
        if job.chunks && job.kind == Kind::Binary {
            return receiving(job, |wire| {
                let mut socket = socket(job.role, wire);
                move |sum| {
                    let frame = now(socket.read_frame()).unwrap();
                    assert!(matches!(
                        frame.opcode,
                        OpCode::Binary | OpCode::Continuation
                    ));
                    sum.add(&frame.payload, frame.fin);
                }
            });
        }
        receiving(job, |wire| {
            let mut socket = FragmentCollector::new(socket(job.role, wire));
            move |sum| {
                let frame = now(socket.read_frame()).unwrap();
                assert!(matches!(frame.opcode, OpCode::Text | OpCode::Binary));
                sum.add(&frame.payload, true);
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |wire| {
            let mut socket = socket(job.role, wire);
            let (opcode, payload) = match job.payload() {
                job::Payload::Text(text) => (OpCode::Text, text.as_bytes()),
                job::Payload::Binary(data) => (OpCode::Binary, data),
            };
            let mut copy = (job.role == Role::Client).then(Vec::new);
            move || {
                let payload = match &mut copy {
                    Some(copy) => {
                        copy.clear();
                        copy.extend_from_slice(payload);
                        Payload::BorrowedMut(copy)
                    }
                    None => Payload::Borrowed(payload),
                };
                let frame = Frame::new(true, opcode, None, payload);
                now(socket.write_frame(frame)).unwrap();
                now(socket.flush()).unwrap();
            }
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |wire| {
            let mut socket = FragmentCollector::new(socket(Role::Server, wire));
            move |sum| {
                now(async {
                    let frame = socket.read_frame().await.unwrap();
                    socket.write_frame(frame).await.unwrap();
                });
                sum.messages += 1;
            }
        })
    }

    fn handshake(&self) -> Option<Pass> {
        Some(upgrade::handshake(upgrade))
    }

    fn idle(&self, used: bool) -> Box<dyn Any> {
        let mut socket = FragmentCollector::new(socket(Role::Server, idle_transport(used)));
        if used {
            now(async {
                let frame = socket.read_frame().await.unwrap();
                socket.write_frame(frame).await.unwrap();
            });
        }
        Box::new(socket)
    }
}
