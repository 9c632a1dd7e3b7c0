//! sockudo-ws, used in two ways: its `CompressedWebSocketStream`, and its `CompressedProtocol` without a transport.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::{
    CompressedProtocol, CompressedWebSocketStream, Config, DeflateConfig, DeflateWindowBits,
    Message,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::deflate::frames::Frames;
use crate::deflate::{Job, LEVEL, WINDOW_BITS, receiving, sending};
use crate::job::Role;
use crate::peers::Pass;
use crate::sum::Sum;
use crate::wire::now;

fn deflate() -> DeflateConfig {
    let window_bits = DeflateWindowBits::try_from(WINDOW_BITS).unwrap();
    DeflateConfig {
        server_max_window_bits: window_bits,
        client_max_window_bits: window_bits,
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        compression_level: LEVEL.into(),
        compression_threshold: 0,
    }
}

fn stream<S: AsyncRead + AsyncWrite + Unpin>(
    role: Role,
    transport: S,
) -> CompressedWebSocketStream<S> {
    let config = Config::builder().auto_ping(false).idle_timeout(0).build();
    match role {
        Role::Server => CompressedWebSocketStream::server(transport, config, deflate()),
        Role::Client => CompressedWebSocketStream::client(transport, config, deflate()),
    }
}

fn protocol(role: Role) -> CompressedProtocol {
    match role {
        Role::Server => CompressedProtocol::server(1 << 20, 1 << 20, deflate()),
        Role::Client => CompressedProtocol::client(1 << 20, 1 << 20, deflate()),
    }
}

fn messages(job: &Job) -> Vec<Message> {
    job.messages
        .iter()
        .map(|message| Message::Text(Bytes::from(message.clone())))
        .collect()
}

fn add(sum: &mut Sum, message: Message) {
    match message {
        Message::Text(text) => sum.add(&text, true),
        other => panic!("{other:?}"),
    }
}

pub(super) fn send(job: &Job) -> Pass {
    sending(job, messages(job), |wire| {
        let mut stream = stream(job.role, wire);
        move |message: &Message| now(stream.send(message.clone())).unwrap()
    })
}

pub(super) fn receive(job: &Job, frames: Frames) -> Pass {
    let mut stream = stream(job.role, frames);
    receiving(job, move |sum| {
        add(sum, now(stream.next()).unwrap().unwrap());
    })
}

pub(super) fn send_protocol(job: &Job) -> Pass {
    sending(job, messages(job), |mut wire| {
        let mut protocol = protocol(job.role);
        let mut buffer = BytesMut::with_capacity(16 << 10);
        move |message| {
            protocol.encode_message(message, &mut buffer).unwrap();
            now(wire.write_all(&buffer)).unwrap();
            buffer.clear();
        }
    })
}

pub(super) fn receive_protocol(job: &Job, mut frames: Frames) -> Pass {
    let mut protocol = protocol(job.role);
    let mut buffer = BytesMut::with_capacity(16 << 10);
    let mut messages = Vec::new();
    receiving(job, move |sum| {
        buffer.reserve(4096);
        now(frames.read_buf(&mut buffer)).unwrap();
        protocol.process_into(&mut buffer, &mut messages).unwrap();
        for message in messages.drain(..) {
            add(sum, message);
        }
    })
}
