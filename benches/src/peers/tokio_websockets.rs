//! tokio-websockets, with its vector instructions, which need no feature on stable Rust.
//!
//! Masking keys come from `rand`. Keys from `fastrand` would be predictable, which RFC 6455, section 5.3 forbids.
//! The size of its buffers is fixed. It splits messages above a limit, which is raised here.

use std::any::Any;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_websockets::{ClientBuilder, Config, Limits, Message, ServerBuilder, WebSocketStream};

use crate::job::{Payload, Receive, Role, Send};
use crate::peers::{Pass, Peer, answering, echoing, idle_transport, receiving, sending};
use crate::wire::now;

pub(super) struct TokioWebsockets;

fn config() -> Config {
    Config::default().frame_size(64 << 20)
}

fn limits() -> Limits {
    Limits::default().max_payload_len(Some(64 << 20))
}

fn server() -> ServerBuilder {
    ServerBuilder::new().config(config()).limits(limits())
}

fn stream<S: AsyncRead + AsyncWrite + Unpin>(role: Role, transport: S) -> WebSocketStream<S> {
    match role {
        Role::Server => server().serve(transport),
        Role::Client => ClientBuilder::new()
            .config(config())
            .limits(limits())
            .take_over(transport),
    }
}

impl Peer for TokioWebsockets {
    fn name(&self) -> &'static str {
        "tokio-websockets"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |wire| {
            let mut stream = stream(job.role, wire);
            move |sum| {
                let message = now(stream.next()).unwrap().unwrap();
                assert!(message.is_text() || message.is_binary());
                sum.add(message.as_payload(), true);
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |wire| {
            let mut stream = stream(job.role, wire);
            let message = match job.payload() {
                Payload::Text(text) => Message::text(text),
                Payload::Binary(data) => Message::binary(Bytes::from_owner(data)),
            };
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
        let server = server();
        Some(answering(move |wire| {
            drop(now(server.accept(wire)).unwrap());
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
