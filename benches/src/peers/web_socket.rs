//! web-socket, over a `BufReader` as its documentation advises.
//!
//! Its user must join fragments and check that text is UTF-8, so this file does both. It has no opening handshake.

use std::any::Any;

use tokio::io::BufReader;
use web_socket::{DataType, Event, Stream, WebSocket};

use crate::job::{Payload, Receive, Role, Send};
use crate::peers::{Pass, Peer, echoing, idle_transport, receiving, sending};
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

/// Receives a whole message or, if `frames`, the payload of a frame. Returns whether the message ends here.
///
/// It joins fragments in `message`. The data is there if it returns `None`.
#[inline]
async fn receive(
    socket: &mut WebSocket<BufReader<Wire>>,
    message: &mut Vec<u8>,
    frames: bool,
) -> (Option<Box<[u8]>>, bool) {
    message.clear();
    loop {
        let Event::Data { ty, data } = socket.recv().await.unwrap() else {
            panic!("no data");
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

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |wire| {
            let mut socket = socket(job.role, wire);
            let mut message = Vec::new();
            let text = job.kind.is_text();
            // A frame of text may end inside a character, so only whole text is checked.
            let frames = job.chunks && !text;
            move |sum| {
                let (data, fin) = now(receive(&mut socket, &mut message, frames));
                let data = data.as_deref().unwrap_or(&message);
                if text {
                    sum.add(str::from_utf8(data).unwrap().as_bytes(), fin);
                } else {
                    sum.add(data, fin);
                }
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |wire| {
            let mut socket = socket(job.role, wire);
            let payload = job.payload();
            move || match payload {
                Payload::Text(text) => now(socket.send(text)).unwrap(),
                Payload::Binary(data) => now(socket.send(data)).unwrap(),
            }
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |wire| {
            let mut socket = socket(Role::Server, wire);
            let mut message = Vec::new();
            let text = job.kind.is_text();
            move |sum| {
                let (data, _) = now(receive(&mut socket, &mut message, false));
                let data = data.as_deref().unwrap_or(&message);
                if text {
                    now(socket.send(str::from_utf8(data).unwrap())).unwrap();
                } else {
                    now(socket.send(data)).unwrap();
                }
                sum.messages += 1;
            }
        })
    }

    /// It has a buffer of the size that `BufReader` has by default.
    fn idle(&self, used: bool) -> Box<dyn Any> {
        let mut socket = WebSocket::server(BufReader::new(idle_transport(used)));
        if used {
            let Ok(Event::Data { data, .. }) = now(socket.recv()) else {
                panic!("no data");
            };
            now(socket.send(&*data)).unwrap();
        }
        Box::new(socket)
    }
}
