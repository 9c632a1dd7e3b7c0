//! tungstenite, blocking as it is.
//!
//! Its read buffer is 16 KiB: it clears all of it before every read, so with the 128 KiB of its default 125 bytes
//! take nine times as long if a read gives one message, and 16 KiB three times. Smaller than 8 KiB is slower again.
//! A message given as `Bytes` is not copied before the write buffer, which is written at once.

use std::any::Any;
use std::io::{Read, Write};

use tungstenite::protocol::{Role as Side, WebSocket, WebSocketConfig};
use tungstenite::{Bytes, Message, Utf8Bytes, accept_with_config};

use crate::job::{self, Receive, Role, Send};
use crate::nowhere::Nowhere;
use crate::peers::{Pass, Peer, answered, settle, watch};
use crate::sum::Sum;
use crate::wire::Wire;

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

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut socket = socket(job.role, Wire::new(job.stream(), job.read_size));
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            while sum.messages < count {
                match socket.read().unwrap() {
                    Message::Text(text) => sum.add(text.as_bytes(), true),
                    Message::Binary(data) => sum.add(&data, true),
                    _ => {}
                }
            }
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut socket = socket(job.role, Wire::sink());
        let payload = Bytes::from_owner(job.payload());
        let message = if job.kind.is_text() {
            Message::Text(Utf8Bytes::try_from(payload).unwrap())
        } else {
            Message::Binary(payload)
        };
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(socket.get_mut(), sum);
            for _ in 0..job.count {
                socket.send(message.clone()).unwrap();
            }
            settle(socket.get_mut(), sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut socket = socket(Role::Server, Wire::new(job.stream(), job.read_size));
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(socket.get_mut(), sum);
            while sum.messages < count {
                let message = socket.read().unwrap();
                if message.is_text() || message.is_binary() {
                    socket.send(message).unwrap();
                    sum.messages += 1;
                }
            }
            settle(socket.get_mut(), sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        let mut wire = Wire::new(job::REQUEST.into(), job::REQUEST.len());
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            let socket = accept_with_config(&mut wire, Some(config())).unwrap();
            drop(socket);
            answered(&mut wire, sum);
        }))
    }

    fn idle(&self, used: bool) -> Option<Box<dyn Any>> {
        let mut socket = socket(Role::Server, Nowhere::new(used));
        if used {
            let message = socket.read().unwrap();
            socket.send(message).unwrap();
        }
        Some(Box::new(socket))
    }
}
