//! `yawc`, with `zlib-rs`. It takes in every message with one flush, and ends it with another.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use yawc::{CompressionLevel, Frame, Options, Role as Side, WebSocket};

use crate::deflate::frames::{Check, Frames};
use crate::deflate::{Job, LEVEL};
use crate::job::Role;
use crate::peers::{Pass, watch};
use crate::shared::Shared;
use crate::sum::Sum;
use crate::wire::{Wire, now};

/// With buffers as for messages that are not compressed.
fn socket<S: AsyncRead + AsyncWrite + Unpin>(role: Role, transport: S) -> WebSocket<S> {
    let side = match role {
        Role::Server => Side::Server,
        Role::Client => Side::Client,
    };
    let options = Options::default()
        .with_compression_level(CompressionLevel::new(LEVEL.into()))
        .with_read_buffer_capacity(16 << 10)
        .with_write_buffer_capacity(64 << 10)
        .with_utf8();
    WebSocket::from_stream_with_extensions(transport, side, Some("permessage-deflate"), options)
        .unwrap()
}

pub(super) fn send(job: &Job) -> Pass {
    let wire = Shared::new(Wire::sink());
    let mut socket = socket(job.role, wire.clone());
    let mut check = Check::new(job);
    let messages: Vec<_> = job.messages.iter().cloned().map(Bytes::from).collect();
    Box::new(move |sum: &mut Sum| {
        watch(&mut wire.wire(), sum);
        now(async {
            for message in &messages {
                socket.send(Frame::text(message.clone())).await.unwrap();
                sum.messages += 1;
            }
        });
        check.settle(&mut wire.wire(), sum);
    })
}

pub(super) fn receive(job: &Job, frames: Frames) -> Pass {
    let mut socket = socket(job.role, frames);
    let count = job.messages.len() as u64;
    Box::new(move |sum: &mut Sum| {
        now(async {
            while sum.messages < count {
                let message = socket.next_frame().await.unwrap();
                assert!(!message.opcode().is_control());
                sum.add(message.payload(), true);
            }
        });
    })
}
