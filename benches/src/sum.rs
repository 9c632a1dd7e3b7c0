//! What a pass has done, to be compared with what it should have.

/// Counts messages in every pass, cheaply; looks at every byte where it is told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub messages: u64,
    pub bytes: u64,
    /// The last bytes of the messages, added up.
    edges: u64,
    /// A hash of all bytes.
    contents: Option<u64>,
}

impl Sum {
    /// Looks at every byte: too slow to be timed.
    pub fn thorough() -> Self {
        Self {
            contents: Some(0xcbf2_9ce4_8422_2325),
            ..Self::default()
        }
    }

    /// Whether every byte is looked at, and time does not matter.
    pub fn is_thorough(&self) -> bool {
        self.contents.is_some()
    }

    /// A whole message, or a chunk of one of which `fin` says whether it is the last.
    #[inline]
    pub fn add(&mut self, data: &[u8], fin: bool) {
        self.messages += u64::from(fin);
        self.bytes += data.len() as u64;
        if fin {
            self.edges += u64::from(data.last().copied().unwrap_or_default());
        }
        if let Some(hash) = &mut self.contents {
            for byte in data {
                *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
            if fin {
                *hash = hash.wrapping_mul(31);
            }
        }
    }

    /// `n` bytes that were written, where only their number can be known.
    #[inline]
    pub fn wrote(&mut self, n: usize) {
        self.bytes += n as u64;
    }
}
