//! tokio-websockets, with its vector instructions, which need no feature on stable Rust.
//!
//! Keys come from `rand`: of `fastrand` they could be foretold, against RFC 6455 section 5.3.
//! It has no choice of buffers. A message is a frame as long as it is not larger than a limit, which is raised.

use std::any::Any;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_websockets::{ClientBuilder, Config, Limits, Message, ServerBuilder, WebSocketStream};

use crate::job::{self, Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, answered, settle, watch};
use crate::sum::Sum;
use crate::wire::{Wire, now};

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

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut stream = stream(job.role, Wire::new(job.stream(), job.read_size));
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                while sum.messages < count {
                    let message = stream.next().await.unwrap().unwrap();
                    if message.is_text() || message.is_binary() {
                        sum.add(message.as_payload(), true);
                    }
                }
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut stream = stream(job.role, Wire::sink());
        let payload = job.payload();
        let message = if job.kind.is_text() {
            Message::text(String::from_utf8(payload.to_vec()).unwrap())
        } else {
            Message::binary(bytes::Bytes::from_owner(payload))
        };
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
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(stream.get_mut(), sum);
            now(async {
                while sum.messages < count {
                    let message = stream.next().await.unwrap().unwrap();
                    if message.is_text() || message.is_binary() {
                        stream.send(message).await.unwrap();
                        sum.messages += 1;
                    }
                }
            });
            settle(stream.get_mut(), sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        let server = server();
        let mut wire = Wire::new(job::REQUEST.into(), job::REQUEST.len());
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            let (request, stream) = now(server.accept(&mut wire)).unwrap();
            drop((request, stream));
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
