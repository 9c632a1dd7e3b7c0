//! Splits any bytes into choices, places to cut, and the bytes to receive.
//!
//! All structured input is read from front to back. You can write a seed by hand in this order.

use arbitrary::{Arbitrary, Result, Unstructured};
use sockless::test_util::Cuts;
use sockless::{Config, Delivery, Reply};

/// The input of a target that receives bytes.
pub(crate) struct Input<'a> {
    /// Each target gives these bits its own meaning.
    pub(crate) choices: u8,
    /// Where to cut the bytes.
    pub(crate) cuts: Cuts,
    /// The bytes. They are contiguous in the input, so the words of a dictionary match.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads one byte of choices, one byte for the number of cuts (at most 8), and two bytes for each cut.
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let (&[choices, count], mut bytes) = data.split_first_chunk()?;
        let mut cuts = Vec::new();
        for _ in 0..count % 9 {
            let (place, rest) = bytes.split_first_chunk()?;
            cuts.push(u16::from_le_bytes(*place));
            bytes = rest;
        }
        Some(Self {
            choices,
            cuts: Cuts(cuts),
            bytes,
        })
    }

    /// Whether the choice with this number (0 to 7) is made.
    pub(crate) const fn chooses(&self, number: u8) -> bool {
        self.choices >> number & 1 != 0
    }

    /// The places to cut a stream of this length.
    pub(crate) fn places(&self, length: usize) -> Vec<usize> {
        self.cuts.places(length)
    }

    /// Choice 0 sets small limits, 1 delivers chunks, 2 and 3 leave Pongs and Close frames to the application.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new().with_max_unsent_pongs(usize::MAX);
        if self.chooses(0) {
            config.max_frame_size = 300;
            config.max_message_size = 400;
        }
        if self.chooses(1) {
            config.delivery = Delivery::Chunks;
        }
        if self.chooses(2) {
            config.ping_reply = Reply::Manual;
        }
        if self.chooses(3) {
            config.close_reply = Reply::Manual;
        }
        config
    }
}

/// Decodes the bytes. `None` if there are too few.
pub(crate) fn structured<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}

/// Bytes that follow their length, which takes two bytes in little-endian order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted<'a>(pub(crate) &'a [u8]);

impl<'a> Arbitrary<'a> for Counted<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // The bound keeps most inputs from being one value that takes all bytes.
        let length = usize::from(u16::arbitrary(u)? % 2048);
        u.bytes(length.min(u.len())).map(Self)
    }
}

/// Values until the end of the input.
#[derive(Debug)]
pub(crate) struct Rest<T>(pub(crate) Vec<T>);

impl<'a, T: Arbitrary<'a>> Arbitrary<'a> for Rest<T> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut values = Vec::new();
        while !u.is_empty() {
            values.push(T::arbitrary(u)?);
        }
        Ok(Self(values))
    }
}
