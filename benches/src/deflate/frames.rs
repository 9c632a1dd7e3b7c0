//! Compressed messages in frames: given to those that receive, and expected of those that send.

use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use sockless::{FrameHeader, Opcode, apply_mask};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::deflate::Job;
use crate::deflate::alone::{self, Decompressor, TAIL};
use crate::job::Role;
use crate::sum::Sum;
use crate::wire::Wire;

/// Set in the first frame of a compressed message (RFC 7692 section 6).
const RSV1: u8 = 0b100;

/// All passes as frames, for the side that `job` has.
pub(super) fn compressed(job: &Job) -> Frames {
    let mut key = 0x9e37_79b9_u32;
    let frames = alone::compressed(job).into_iter().map(|message| {
        let data = message.strip_suffix(&TAIL).unwrap();
        key = key.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        let masking_key = (job.role == Role::Server).then(|| key.to_be_bytes());
        let header = FrameHeader {
            fin: true,
            rsv: RSV1,
            opcode: Opcode::Text,
            masking_key,
            payload_length: data.len() as u64,
        };
        let mut frame = header.write(&mut [0; FrameHeader::MAX_SIZE]).to_vec();
        let start = frame.len();
        frame.extend_from_slice(data);
        apply_mask(&mut frame[start..], masking_key.unwrap_or_default(), 0);
        frame.into()
    });
    Frames {
        all: frames.collect(),
        next: 0,
        position: 0,
    }
}

/// A transport of which a read gives one frame at most, so that no pass does what belongs to another.
#[derive(Clone)]
pub(super) struct Frames {
    all: Rc<[Box<[u8]>]>,
    next: usize,
    position: usize,
}

impl Frames {
    /// The next `n` bytes or what there is of them.
    #[inline]
    fn give(&mut self, n: usize) -> &[u8] {
        let frame = &self.all[self.next];
        let start = self.position;
        let end = frame.len().min(start + n);
        self.position = end;
        if end == frame.len() {
            self.next += 1;
            self.position = 0;
        }
        &frame[start..end]
    }
}

impl Read for Frames {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.give(buffer.len());
        buffer[..given.len()].copy_from_slice(given);
        Ok(given.len())
    }
}

impl AsyncRead for Frames {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let given = self.give(buffer.remaining());
        buffer.put_slice(given);
        Poll::Ready(Ok(()))
    }
}

/// Nobody who receives has anything to write.
impl AsyncWrite for Frames {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        panic!("writes {data:?}");
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Looks at what a side has written.
pub(super) struct Check {
    job: Job,
    decompressor: Decompressor,
    output: Vec<u8>,
}

impl Check {
    pub(super) fn new(job: &Job) -> Self {
        Self {
            job: job.clone(),
            decompressor: Decompressor::new(),
            output: alone::room(job),
        }
    }

    /// After a pass: if what it wrote was kept, it has to be the messages, compressed.
    pub(super) fn settle(&mut self, wire: &mut Wire, sum: &mut Sum) {
        wire.take_written();
        let Some(written) = wire.recorded() else {
            return;
        };
        let mut written = &written[..];
        for message in &self.job.messages {
            let (header, size) = FrameHeader::parse(written).unwrap().unwrap();
            assert!(header.fin && header.rsv == RSV1 && header.opcode == Opcode::Text);
            let masked = header.masking_key.is_some();
            assert_eq!(masked, self.job.role == Role::Client);
            let length = usize::try_from(header.payload_length).unwrap();
            let (frame, rest) = written.split_at(size + length);
            let mut data = frame[size..].to_vec();
            apply_mask(&mut data, header.masking_key.unwrap_or_default(), 0);
            data.extend_from_slice(&TAIL);
            let n = self.decompressor.decompress(&data, &mut self.output);
            assert_eq!(&self.output[..n], message.as_bytes());
            sum.wrote(length);
            written = rest;
        }
        assert!(written.is_empty(), "{} bytes too many", written.len());
    }
}
