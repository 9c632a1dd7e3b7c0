//! yawc with zlib-rs. It compresses every message with one flush, and ends it with another.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite};
use yawc::{CompressionLevel, Frame, Options, Role as Side, WebSocket};

use crate::deflate::frames::Frames;
use crate::deflate::{Job, LEVEL, receiving, sending};
use crate::job::Role;
use crate::peers::Pass;
use crate::wire::now;

/// The buffers have the same sizes as for messages that are not compressed.
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
    let messages = job.messages.iter().cloned().map(Bytes::from).collect();
    sending(job, messages, |wire| {
        let mut socket = socket(job.role, wire);
        move |message: &Bytes| now(socket.send(Frame::text(message.clone()))).unwrap()
    })
}

pub(super) fn receive(job: &Job, frames: Frames) -> Pass {
    let mut socket = socket(job.role, frames);
    receiving(job, move |sum| {
        let message = now(socket.next_frame()).unwrap();
        assert!(!message.opcode().is_control());
        sum.add(message.payload(), true);
    })
}
