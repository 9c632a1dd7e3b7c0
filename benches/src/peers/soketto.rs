//! soketto, without its compression, on the bare transport.
//!
//! It reads every header in two steps and writes it apart from the payload. Some of its examples put buffers between,
//! which save system calls; in memory they only cost: 5 % of receiving, 10 % of sending, a third of the handshake.
//!
//! It does not check that text is UTF-8, so the one who receives does, as its documentation shows.

use std::any::Any;

use futures_io::{AsyncRead, AsyncWrite};
use soketto::connection::Builder;
use soketto::handshake::server::{Response, Server};
use soketto::{Data, Mode, Receiver, Sender};

use crate::job::{self, Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, answered, settle, watch};
use crate::shared::Shared;
use crate::sum::Sum;
use crate::wire::{Wire, now};

pub(super) struct Soketto;

fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    role: Role,
    transport: S,
) -> (Sender<S>, Receiver<S>) {
    let mode = match role {
        Role::Server => Mode::Server,
        Role::Client => Mode::Client,
    };
    let mut builder = Builder::new(transport, mode);
    builder.set_max_message_size(64 << 20);
    builder.set_max_frame_size(64 << 20);
    builder.finish()
}

impl Peer for Soketto {
    fn name(&self) -> &'static str {
        "soketto"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let wire = Wire::new(job.stream(), job.read_size);
        let (_, mut receiver) = connection(job.role, wire);
        let mut message = Vec::new();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                while sum.messages < count {
                    message.clear();
                    match receiver.receive_data(&mut message).await.unwrap() {
                        Data::Text(_) => {
                            let text = str::from_utf8(&message).unwrap();
                            sum.add(text.as_bytes(), true);
                        }
                        Data::Binary(_) => sum.add(&message, true),
                    }
                }
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let wire = Shared::new(Wire::sink());
        let (mut sender, _) = connection(job.role, wire.clone());
        let payload = job.payload();
        let text = job
            .kind
            .is_text()
            .then(|| String::from_utf8(payload.to_vec()).unwrap());
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire.wire(), sum);
            now(async {
                for _ in 0..job.count {
                    match &text {
                        Some(text) => sender.send_text(text).await.unwrap(),
                        None => sender.send_binary(&payload).await.unwrap(),
                    }
                    sender.flush().await.unwrap();
                }
            });
            settle(&mut wire.wire(), sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let wire = Shared::new(Wire::new(job.stream(), job.read_size));
        let (mut sender, mut receiver) = connection(Role::Server, wire.clone());
        let mut message = Vec::new();
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire.wire(), sum);
            now(async {
                while sum.messages < count {
                    message.clear();
                    match receiver.receive_data(&mut message).await.unwrap() {
                        Data::Text(_) => {
                            let text = str::from_utf8(&message).unwrap();
                            sender.send_text(text).await.unwrap();
                        }
                        Data::Binary(_) => sender.send_binary(&message).await.unwrap(),
                    }
                    sender.flush().await.unwrap();
                    sum.messages += 1;
                }
            });
            settle(&mut wire.wire(), sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        let mut wire = Wire::new(job::REQUEST.into(), job::REQUEST.len());
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            now(async {
                let mut server = Server::new(&mut wire);
                let key = server.receive_request().await.unwrap().key();
                let accept = Response::Accept {
                    key,
                    protocol: None,
                };
                server.send_response(&accept).await.unwrap();
                drop(server.into_builder().finish());
            });
            answered(&mut wire, sum);
        }))
    }

    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let (mut sender, mut receiver) = connection(Role::Server, Nowhere::new(used));
        if used {
            now(async {
                let mut message = Vec::new();
                receiver.receive_data(&mut message).await.unwrap();
                sender.send_binary(&message).await.unwrap();
                sender.flush().await.unwrap();
            });
        }
        Some(Box::new((sender, receiver)))
    }
}
