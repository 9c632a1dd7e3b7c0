//! Any bytes, taken apart: choices first, then places to cut, then the bytes to be received.
//!
//! What is structured is read from the front only, so that a seed can be written down in the order it is read.

use arbitrary::{Arbitrary, Result, Unstructured};
use sockless::test_util::Cuts;
use sockless::{Config, Delivery, Reply};

/// What a byte-oriented target is given.
pub(crate) struct Input<'a> {
    /// A byte of choices, each target's own.
    pub(crate) choices: u8,
    /// Where the bytes are cut.
    pub(crate) cuts: Cuts,
    /// The bytes themselves, which stay in one piece so that a dictionary applies to them.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// Two bytes say what is chosen and how many cuts there are (8 at most), two more are for each cut.
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

    /// Whether the choice with this number, 0 to 7, was made.
    pub(crate) const fn chooses(&self, number: u8) -> bool {
        self.choices >> number & 1 != 0
    }

    /// The places in a stream of this length.
    pub(crate) fn places(&self, length: usize) -> Vec<usize> {
        self.cuts.places(length)
    }

    /// Limits and delivery by choices 0 and 1, replies by 2 and 3.
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

/// A value that any bytes decode to, if there are enough of them.
pub(crate) fn structured<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}

/// Bytes behind their length, which is little-endian in two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted<'a>(pub(crate) &'a [u8]);

impl<'a> Arbitrary<'a> for Counted<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // Nearly every length can be had, or most inputs would be one value that takes all.
        let length = usize::from(u16::arbitrary(u)? % 2048);
        u.bytes(length.min(u.len())).map(Self)
    }
}

/// As many values as there are bytes for.
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
