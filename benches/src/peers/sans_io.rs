//! `websocket-sans-io`: frames only.
//!
//! Messages are joined as its examples do it, but data that is a whole message where it lies is used there. It checks
//! no rules; text is checked here, since whoever uses it has to. Masking keys are the user's, too: they come from
//! `fastrand`, which other implementations use.
//!
//! Sending as a client copies the data and masks the copy, which goes out together with the header; a server's header
//! and data go out together, as they are, in one vectored write.

use std::any::Any;
use std::io::{IoSlice, Read, Write};

use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use crate::job::{Receive, Role, Send};
use crate::peers::{Pass, Peer, settle, watch};
use crate::sum::Sum;
use crate::wire::Wire;

pub(super) struct WebsocketSansIo;

const BUFFER: usize = 16 << 10;

/// What its users write around the decoder.
struct Receiver {
    decoder: WebsocketFrameDecoder,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    message: Vec<u8>,
    /// Of the frame that is being received.
    fin: bool,
    remaining: u64,
    wire: Wire,
    /// Whether parts of messages are handed out as they come.
    chunks: bool,
}

impl Receiver {
    fn new(job: &Receive) -> Self {
        Self {
            decoder: WebsocketFrameDecoder::new(),
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            message: Vec::new(),
            fin: false,
            remaining: 0,
            wire: Wire::new(job.stream(), job.read_size),
            // Parts of a text end within characters, so it is checked as a whole.
            chunks: job.chunks && !job.kind.is_text(),
        }
    }

    /// Hands out data until `each` says that there is enough.
    #[inline]
    fn receive(&mut self, mut each: impl FnMut(&mut Wire, &[u8], bool) -> bool) {
        loop {
            let input = &mut self.buffer[self.start..self.end];
            let result = self.decoder.add_data(input).unwrap();
            self.start += result.consumed_bytes;
            let data = match result.event {
                None if result.consumed_bytes == 0 => {
                    self.start = 0;
                    self.end = self.wire.read(&mut self.buffer).unwrap();
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
            let enough = if self.chunks || fin && self.message.is_empty() {
                each(&mut self.wire, data, fin)
            } else {
                if self.message.is_empty() {
                    let rest = usize::try_from(self.remaining).unwrap();
                    self.message.reserve(data.len() + rest);
                }
                self.message.extend_from_slice(data);
                fin && {
                    let enough = each(&mut self.wire, &self.message, true);
                    self.message.clear();
                    enough
                }
            };
            if enough {
                return;
            }
        }
    }
}

fn opcode(text: bool) -> Opcode {
    if text { Opcode::Text } else { Opcode::Binary }
}

/// Writes one frame at once.
#[inline]
fn send(
    encoder: &mut WebsocketFrameEncoder,
    role: Role,
    opcode: Opcode,
    data: &[u8],
    buffer: &mut Vec<u8>,
    wire: &mut Wire,
) {
    let header = encoder.start_frame(&FrameInfo {
        opcode,
        payload_length: data.len() as u64,
        mask: (role == Role::Client).then(|| fastrand::u32(..).to_ne_bytes()),
        fin: true,
        reserved: 0,
    });
    if encoder.transform_needed() {
        buffer.clear();
        buffer.extend_from_slice(&header);
        buffer.extend_from_slice(data);
        encoder.transform_frame_payload(&mut buffer[header.len()..]);
        wire.write_all(buffer).unwrap();
    } else {
        let mut pieces = [IoSlice::new(&header), IoSlice::new(data)];
        let size = header.len() + data.len();
        let mut pieces = &mut pieces[..];
        let mut written = 0;
        while written < size {
            let n = wire.write_vectored(pieces).unwrap();
            written += n;
            IoSlice::advance_slices(&mut pieces, n);
        }
    }
}

impl Peer for WebsocketSansIo {
    fn name(&self) -> &'static str {
        "websocket-sans-io"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut receiver = Receiver::new(job);
        let text = job.kind.is_text();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            if text {
                receiver.receive(|_, data, fin| {
                    sum.add(str::from_utf8(data).unwrap().as_bytes(), fin);
                    sum.messages == count
                });
            } else {
                receiver.receive(|_, data, fin| {
                    sum.add(data, fin);
                    sum.messages == count
                });
            }
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut encoder = WebsocketFrameEncoder::new();
        let payload = job.payload();
        let opcode = opcode(job.kind.is_text());
        let mut buffer = Vec::new();
        let mut wire = Wire::sink();
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            for _ in 0..job.count {
                send(
                    &mut encoder,
                    job.role,
                    opcode,
                    payload,
                    &mut buffer,
                    &mut wire,
                );
            }
            settle(&mut wire, sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut receiver = Receiver::new(job);
        receiver.chunks = false;
        let mut encoder = WebsocketFrameEncoder::new();
        let mut buffer = Vec::new();
        let text = job.kind.is_text();
        let opcode = opcode(text);
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut receiver.wire, sum);
            receiver.receive(|wire, data, _| {
                let data = if text {
                    str::from_utf8(data).unwrap().as_bytes()
                } else {
                    data
                };
                send(&mut encoder, Role::Server, opcode, data, &mut buffer, wire);
                sum.messages += 1;
                sum.messages == count
            });
            settle(&mut receiver.wire, sum, &job);
        }))
    }

    /// It has none.
    fn handshake(&self) -> Option<Pass> {
        None
    }

    /// Used or not, it keeps no data: buffers can be shared by all connections.
    fn idle(&self, _: bool) -> Option<Box<dyn Any>> {
        Some(Box::new((
            WebsocketFrameDecoder::new(),
            WebsocketFrameEncoder::new(),
        )))
    }
}
