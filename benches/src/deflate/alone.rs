//! zlib-rs alone, which does the least work that every connection must do.

use std::hint::black_box;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

use crate::deflate::{Job, LEVEL, WINDOW_BITS};
use crate::peers::Pass;
use crate::sum::Sum;

/// The end of a flush. A message leaves it out (RFC 7692, section 7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

pub(super) struct Compressor(Deflate);

impl Compressor {
    pub(super) fn new() -> Self {
        Self(Deflate::new_with_config(DeflateConfig {
            level: LEVEL.into(),
            window_bits: -i32::from(WINDOW_BITS),
            ..DeflateConfig::default()
        }))
    }

    /// Compresses a message and flushes. Returns the size of the compressed message.
    #[inline]
    pub(super) fn compress(&mut self, message: &[u8], output: &mut [u8]) -> usize {
        let before = self.0.total_out();
        self.0
            .compress(message, output, DeflateFlush::SyncFlush)
            .unwrap();
        (self.0.total_out() - before) as usize
    }
}

pub(super) struct Decompressor(Inflate);

impl Decompressor {
    pub(super) fn new() -> Self {
        Self(Inflate::new(false, WINDOW_BITS))
    }

    #[inline]
    pub(super) fn decompress(&mut self, compressed: &[u8], output: &mut [u8]) -> usize {
        let before = self.0.total_out();
        self.0
            .decompress(compressed, output, InflateFlush::SyncFlush)
            .unwrap();
        (self.0.total_out() - before) as usize
    }
}

/// Room for a message that compression makes larger.
pub(super) fn room(job: &Job) -> Vec<u8> {
    vec![0; job.messages[0].len() * 2 + 64]
}

/// The messages of all passes, compressed.
pub(super) fn compressed(job: &Job) -> Vec<Box<[u8]>> {
    let mut compressor = Compressor::new();
    let mut output = room(job);
    let count = job.messages.len() * job.passes;
    let messages = job.messages.iter().cycle().take(count);
    messages
        .map(|message| {
            let size = compressor.compress(message.as_bytes(), &mut output);
            assert!(output[..size].ends_with(&TAIL));
            output[..size].into()
        })
        .collect()
}

pub(super) fn send(job: &Job) -> Pass {
    let mut compressor = Compressor::new();
    let mut decompressor = Decompressor::new();
    let mut output = room(job);
    let mut again = room(job);
    let messages = job.messages.clone();
    Box::new(move |sum: &mut Sum| {
        for message in &messages {
            let size = compressor.compress(black_box(message).as_bytes(), &mut output);
            black_box(&output[..size]);
            sum.messages += 1;
            if sum.is_thorough() {
                let n = decompressor.decompress(&output[..size], &mut again);
                assert_eq!(&again[..n], message.as_bytes());
                sum.wrote(size - TAIL.len());
            }
        }
    })
}

pub(super) fn receive(job: &Job) -> Pass {
    let mut compressed = compressed(job).into_iter();
    let mut decompressor = Decompressor::new();
    let mut output = room(job);
    let count = job.messages.len();
    Box::new(move |sum: &mut Sum| {
        for message in compressed.by_ref().take(count) {
            let n = decompressor.decompress(black_box(&message), &mut output);
            sum.add(&output[..n], true);
        }
    })
}
