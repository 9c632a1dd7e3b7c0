//! Compressed messages in frames, for those that receive and from those that send.

use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use sockless::{FrameHeader, Opcode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::deflate::Job;
use crate::deflate::alone::{self, Decompressor, TAIL};
use crate::job::{Role, header, push_frame, take_frame};

/// The bit in the first frame of a compressed message (RFC 7692, section 6).
const RSV1: u8 = 0b100;

/// The messages of all passes as frames, for the side of `job`.
pub(super) fn compressed(job: &Job) -> Frames {
    let mut random = fastrand::Rng::with_seed(1);
    let frames = alone::compressed(job).into_iter().map(|message| {
        let key = (job.role == Role::Server).then(|| random.u32(..).to_be_bytes());
        let header = FrameHeader {
            rsv: RSV1,
            ..header(Opcode::Text, key)
        };
        let mut frame = Vec::new();
        push_frame(&mut frame, header, message.strip_suffix(&TAIL).unwrap());
        frame.into()
    });
    Frames {
        all: frames.collect(),
        next: 0,
        position: 0,
    }
}

/// A transport whose reads return at most one frame. A pass then never decompresses for the next one.
#[derive(Clone)]
pub(super) struct Frames {
    all: Rc<[Box<[u8]>]>,
    next: usize,
    position: usize,
}

impl Frames {
    /// The next `n` bytes, or fewer if the frame ends.
    #[inline]
    fn next_bytes(&mut self, n: usize) -> &[u8] {
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
        let given = self.next_bytes(buffer.len());
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
        let given = self.next_bytes(buffer.remaining());
        buffer.put_slice(given);
        Poll::Ready(Ok(()))
    }
}

/// Nothing is written to it.
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

/// Checks what was written.
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

    /// Checks that `written` is the messages of a pass, compressed. Returns their size without headers.
    pub(super) fn check(&mut self, mut written: &[u8]) -> usize {
        let mut size = 0;
        for message in &self.job.messages {
            let (header, mut data) = take_frame(&mut written).unwrap();
            assert!(header.fin && header.rsv == RSV1 && header.opcode == Opcode::Text);
            let masked = header.masking_key.is_some();
            assert_eq!(masked, self.job.role == Role::Client);
            size += data.len();
            data.extend_from_slice(&TAIL);
            let n = self.decompressor.decompress(&data, &mut self.output);
            assert_eq!(&self.output[..n], message.as_bytes());
        }
        assert!(written.is_empty(), "{} bytes too many", written.len());
        size
    }
}
