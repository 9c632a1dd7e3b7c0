//! websocket-sans-io, which handles single frames.
//!
//! This file joins messages as the crate's examples do. It uses the data in place if one read has the whole message.
//! The crate checks no rules. This file checks text, because every user must. The user also provides the masking keys,
//! which come from `fastrand` here, as in other implementations.
//!
//! A client copies the payload, masks the copy, and writes it together with the header. A server writes the header and
//! the unchanged payload in one vectored write.

use std::any::Any;
use std::io::{IoSlice, Read, Write};

use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use crate::job::{Kind, Receive, Role, Send};
use crate::peers::{Pass, Peer, echoing, receiving, sending};
use crate::wire::Wire;

pub(super) struct WebsocketSansIo;

const BUFFER: usize = 16 << 10;

/// What a user of the crate writes around the decoder.
struct Receiver {
    decoder: WebsocketFrameDecoder,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    message: Vec<u8>,
    /// Whether the current frame is the last one of its message.
    fin: bool,
    /// Bytes of the current frame that have not been received.
    remaining: u64,
    /// Whether to deliver parts of messages.
    chunks: bool,
    text: bool,
}

impl Receiver {
    fn new(kind: Kind, chunks: bool) -> Self {
        Self {
            decoder: WebsocketFrameDecoder::new(),
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            message: Vec::new(),
            fin: false,
            remaining: 0,
            // A part of text may end inside a character, so only whole text is checked.
            chunks: chunks && !kind.is_text(),
            text: kind.is_text(),
        }
    }

    /// Reads until a message or a part of one is there, and gives it to `each`.
    #[inline]
    fn receive(&mut self, wire: &mut Wire, each: impl FnOnce(&mut Wire, &[u8], bool)) {
        let mut each = Some(each);
        loop {
            let input = &mut self.buffer[self.start..self.end];
            let result = self.decoder.add_data(input).unwrap();
            self.start += result.consumed_bytes;
            let data = match result.event {
                None if result.consumed_bytes == 0 => {
                    self.start = 0;
                    self.end = wire.read(&mut self.buffer).unwrap();
                    continue;
                }
                Some(WebsocketFrameEvent::Start { frame_info, .. }) => {
                    assert!(frame_info.is_reasonable() && frame_info.opcode.is_data());
                    self.fin = frame_info.fin;
                    self.remaining = frame_info.payload_length;
                    if self.remaining > 0 || !self.fin {
                        continue;
                    }
                    &[][..]
                }
                Some(WebsocketFrameEvent::PayloadChunk { .. }) => &input[..result.consumed_bytes],
                _ => continue,
            };
            self.remaining -= data.len() as u64;
            let fin = self.fin && self.remaining == 0;
            let mut deliver = |data: &[u8], fin| {
                assert!(!self.text || str::from_utf8(data).is_ok(), "not UTF-8");
                each.take().unwrap()(wire, data, fin);
            };
            if self.chunks || fin && self.message.is_empty() {
                return deliver(data, fin);
            }
            if self.message.is_empty() {
                let rest = usize::try_from(self.remaining).unwrap();
                self.message.reserve(data.len() + rest);
            }
            self.message.extend_from_slice(data);
            if fin {
                deliver(&self.message, true);
                return self.message.clear();
            }
        }
    }
}

fn opcode(kind: Kind) -> Opcode {
    match kind {
        Kind::Binary => Opcode::Binary,
        Kind::Ascii | Kind::Chinese => Opcode::Text,
    }
}

/// What a user of the crate writes around the encoder.
struct Sender {
    encoder: WebsocketFrameEncoder,
    role: Role,
    opcode: Opcode,
    buffer: Vec<u8>,
}

impl Sender {
    fn new(role: Role, kind: Kind) -> Self {
        Self {
            encoder: WebsocketFrameEncoder::new(),
            role,
            opcode: opcode(kind),
            buffer: Vec::new(),
        }
    }

    /// Writes a message in one frame.
    #[inline]
    fn send(&mut self, wire: &mut Wire, data: &[u8]) {
        let header = self.encoder.start_frame(&FrameInfo {
            opcode: self.opcode,
            payload_length: data.len() as u64,
            mask: (self.role == Role::Client).then(|| fastrand::u32(..).to_ne_bytes()),
            fin: true,
            reserved: 0,
        });
        if self.encoder.transform_needed() {
            self.buffer.clear();
            self.buffer.extend_from_slice(&header);
            self.buffer.extend_from_slice(data);
            self.encoder
                .transform_frame_payload(&mut self.buffer[header.len()..]);
            wire.write_all(&self.buffer).unwrap();
            return;
        }
        let mut pieces = &mut [IoSlice::new(&header), IoSlice::new(data)][..];
        let mut left = header.len() + data.len();
        while left > 0 {
            let n = wire.write_vectored(pieces).unwrap();
            left -= n;
            IoSlice::advance_slices(&mut pieces, n);
        }
    }
}

impl Peer for WebsocketSansIo {
    fn name(&self) -> &'static str {
        "websocket-sans-io"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |mut wire| {
            let mut receiver = Receiver::new(job.kind, job.chunks);
            move |sum| receiver.receive(&mut wire, |_, data, fin| sum.add(data, fin))
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |mut wire| {
            let mut sender = Sender::new(job.role, job.kind);
            let payload = job.payload().bytes();
            move || sender.send(&mut wire, payload)
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |mut wire| {
            let mut receiver = Receiver::new(job.kind, false);
            let mut sender = Sender::new(Role::Server, job.kind);
            move |sum| {
                receiver.receive(&mut wire, |wire, data, _| sender.send(wire, data));
                sum.messages += 1;
            }
        })
    }

    /// It keeps no data, used or not. All connections can share buffers.
    fn idle(&self, _: bool) -> Box<dyn Any> {
        Box::new((WebsocketFrameDecoder::new(), WebsocketFrameEncoder::new()))
    }
}
