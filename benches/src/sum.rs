//! What a pass has done, for comparison with what it should have done.

/// Counts messages, their bytes and their last bytes in every pass. It hashes all bytes only if it is told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub messages: u64,
    pub bytes: u64,
    /// The last bytes of all messages, added up.
    last_bytes: u64,
    /// A hash of all bytes.
    contents: Option<u64>,
}

impl Sum {
    /// A sum that looks at every byte. This is too slow to be timed.
    pub fn thorough() -> Self {
        Self {
            contents: Some(0xcbf2_9ce4_8422_2325),
            ..Self::default()
        }
    }

    /// Whether this sum looks at every byte.
    pub fn is_thorough(&self) -> bool {
        self.contents.is_some()
    }

    /// Adds a message or a part of one. `fin` says whether the message ends here.
    #[inline]
    pub fn add(&mut self, data: &[u8], fin: bool) {
        self.messages += u64::from(fin);
        self.bytes += data.len() as u64;
        if fin {
            self.last_bytes += u64::from(data.last().copied().unwrap_or_default());
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

    /// Adds `n` bytes that were written.
    #[inline]
    pub fn wrote(&mut self, n: usize) {
        self.bytes += n as u64;
    }
}
