//! tungstenite, which blocks.
//!
//! Its read buffer has 16 KiB. It clears the whole buffer before every read. With its default of 128 KiB, messages of
//! 125 bytes take nine times as long if a read returns one message, and with 16 KiB three times as long. Buffers below
//! 8 KiB are slower again. A message given as `Bytes` is copied once, to the write buffer, which is written at once.

use std::any::Any;
use std::io::{Read, Write};

use tungstenite::protocol::{Role as Side, WebSocket, WebSocketConfig};
use tungstenite::{Bytes, Message, accept_with_config};

use crate::job::{Payload, Receive, Role, Send};
use crate::peers::{Idle, Pass, Peer, answering, echoing, receiving, sending};

pub(super) struct Tungstenite;

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(64 << 20))
        .max_frame_size(Some(64 << 20))
}

fn socket<S: Read + Write>(role: Role, stream: S) -> WebSocket<S> {
    let side = match role {
        Role::Server => Side::Server,
        Role::Client => Side::Client,
    };
    WebSocket::from_raw_socket(stream, side, Some(config()))
}

impl Peer for Tungstenite {
    fn name(&self) -> &'static str {
        "tungstenite"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |wire| {
            let mut socket = socket(job.role, wire);
            move |sum| match socket.read().unwrap() {
                Message::Text(text) => sum.add(text.as_bytes(), true),
                Message::Binary(data) => sum.add(&data, true),
                other => panic!("{other:?}"),
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |wire| {
            let mut socket = socket(job.role, wire);
            let payload = job.payload();
            let data = Bytes::from_owner(payload.bytes());
            let message = match payload {
                Payload::Text(_) => Message::Text(data.try_into().unwrap()),
                Payload::Binary(_) => Message::Binary(data),
            };
            move || socket.send(message.clone()).unwrap()
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |wire| {
            let mut socket = socket(Role::Server, wire);
            move |sum| {
                let message = socket.read().unwrap();
                socket.send(message).unwrap();
                sum.messages += 1;
            }
        })
    }

    fn handshake(&self) -> Option<Pass> {
        Some(answering(|wire| {
            drop(accept_with_config(wire, Some(config())).unwrap());
        }))
    }

    fn idle(&self, used: bool) -> Box<dyn Any> {
        let mut socket = socket(Role::Server, Idle::new(used));
        if used {
            let message = socket.read().unwrap();
            socket.send(message).unwrap();
        }
        Box::new(socket)
    }
}
