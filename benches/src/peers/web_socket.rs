//! `web-socket`, over a `BufReader` as its users are told to do it.
//!
//! It joins no fragments and looks at no text: both are left to whoever uses it, so both are done here. It has no
//! opening handshake.

use std::any::Any;

use tokio::io::BufReader;
use web_socket::{DataType, Event, Stream, WebSocket};

use crate::job::{Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, settle, watch};
use crate::sum::Sum;
use crate::wire::{Wire, now};

pub(super) struct WebSocketCrate;

const BUFFER: usize = 16 << 10;

fn socket(role: Role, wire: Wire) -> WebSocket<BufReader<Wire>> {
    let stream = BufReader::with_capacity(BUFFER, wire);
    let mut socket = match role {
        Role::Server => WebSocket::server(stream),
        Role::Client => WebSocket::client(stream),
    };
    socket.max_payload_len = 64 << 20;
    socket
}

/// Takes what comes, and hands out whole messages or, if `frames`, the data of frames.
#[inline]
async fn receive(
    socket: &mut WebSocket<BufReader<Wire>>,
    message: &mut Vec<u8>,
    frames: bool,
) -> (Option<Box<[u8]>>, bool) {
    loop {
        let Event::Data { ty, data } = socket.recv().await.unwrap() else {
            panic!("something else than data");
        };
        let fin = match ty {
            DataType::Complete(_) => return (Some(data), true),
            DataType::Stream(part) => matches!(part, Stream::End(_)),
        };
        if frames {
            return (Some(data), fin);
        }
        message.extend_from_slice(&data);
        if fin {
            return (None, true);
        }
    }
}

impl Peer for WebSocketCrate {
    fn name(&self) -> &'static str {
        "web-socket"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut socket = socket(job.role, Wire::new(job.stream(), job.read_size));
        let mut message = Vec::new();
        let text = job.kind.is_text();
        // The frames of a text end within characters, so it is checked as a whole.
        let frames = job.chunks && !text;
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            now(async {
                while sum.messages < count {
                    let (data, fin) = receive(&mut socket, &mut message, frames).await;
                    let data = data.as_deref().unwrap_or(&message);
                    if text {
                        sum.add(str::from_utf8(data).unwrap().as_bytes(), fin);
                    } else {
                        sum.add(data, fin);
                    }
                    message.clear();
                }
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut socket = socket(job.role, Wire::sink());
        let payload = job.payload();
        let text = job.kind.text(job.size);
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(socket.stream.get_mut(), sum);
            now(async {
                for _ in 0..job.count {
                    match &text {
                        Some(text) => socket.send(text.as_str()).await.unwrap(),
                        None => socket.send(payload).await.unwrap(),
                    }
                }
            });
            settle(socket.stream.get_mut(), sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut socket = socket(Role::Server, Wire::new(job.stream(), job.read_size));
        let mut message = Vec::new();
        let text = job.kind.is_text();
        let job = job.echoed();
        Some(Box::new(move |sum: &mut Sum| {
            watch(socket.stream.get_mut(), sum);
            now(async {
                for _ in 0..job.count {
                    let (data, _) = receive(&mut socket, &mut message, false).await;
                    let data = data.as_deref().unwrap_or(&message);
                    if text {
                        socket.send(str::from_utf8(data).unwrap()).await.unwrap();
                    } else {
                        socket.send(data).await.unwrap();
                    }
                    message.clear();
                    sum.messages += 1;
                }
            });
            settle(socket.stream.get_mut(), sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        None
    }

    /// With a buffer of the size that `BufReader` has by default.
    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let mut socket = WebSocket::server(BufReader::new(Nowhere::new(used)));
        if used {
            now(async {
                let Ok(Event::Data { data, .. }) = socket.recv().await else {
                    panic!("no message");
                };
                socket.send(&*data).await.unwrap();
            });
        }
        Some(Box::new(socket))
    }
}
