//! Where a client's masking keys come from (RFC 6455 sections 5.3 and 10.3).

use alloc::boxed::Box;
use core::fmt;

use chacha20::rand_core::SeedableRng;
use chacha20::rand_core::block::Generator;
use chacha20::variants::Legacy;
use chacha20::{ChaChaCore, R8};

/// 32 unpredictable bytes, the only randomness a client connection ever asks for.
///
/// A stream cipher expands them to the key of the opening handshake and one fresh masking key for each
/// frame, as section 5.3 demands ("the masking key needs to be unpredictable"). The same seed gives the
/// same bytes on the wire, which makes tests repeatable; in production every connection needs a seed of
/// its own from a cryptographic source, so it can be neither copied nor cloned.
///
/// # Example
///
/// ```
/// use sockless::{Config, Connection, Seed};
///
/// // In a test: repeatable.
/// let connection = Connection::client(&Config::default(), Seed::new([7; 32]));
/// // In production: from the operating system (feature `getrandom`, on by default).
/// # #[cfg(feature = "getrandom")] {
/// let connection = Connection::client(&Config::default(), Seed::from_os()?);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of these bytes, which must be unpredictable to the server and everyone between.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Hides the bytes: who knows them can predict every masking key.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").finish_non_exhaustive()
    }
}

/// The keystream a seed expands to.
///
/// Boxed, because only clients have one and it would triple the size of every server connection.
pub(crate) struct MaskingKeys(Box<Keystream>);

/// A stream cipher of 8 rounds, and what it gave last: to take a word of that is a few instructions, without a call.
struct Keystream {
    cipher: ChaChaCore<R8, Legacy>,
    words: Words,
    /// The first of them that was not given out.
    next: usize,
}

type Words = <ChaChaCore<R8, Legacy> as Generator>::Output;

impl MaskingKeys {
    pub(crate) fn new(Seed(bytes): Seed) -> Self {
        Self(Box::new(Keystream {
            cipher: ChaChaCore::from_seed(bytes),
            words: [0; _],
            next: usize::MAX,
        }))
    }

    /// A key no frame has had before.
    #[inline]
    pub(crate) fn next(&mut self) -> [u8; 4] {
        loop {
            if let Some(key) = self.ready() {
                return key;
            }
            self.refill();
        }
    }

    /// The next key, if it was made already.
    #[inline]
    pub(crate) fn ready(&mut self) -> Option<[u8; 4]> {
        let stream = &mut *self.0;
        let word = stream.words.get(stream.next)?;
        stream.next = stream.next.wrapping_add(1);
        Some(word.to_le_bytes())
    }

    /// Makes the next keys.
    #[inline(never)]
    pub(crate) fn refill(&mut self) {
        self.0.cipher.generate(&mut self.0.words);
        self.0.next = 0;
    }

    /// Bytes for the `Sec-WebSocket-Key` header.
    pub(crate) fn nonce(&mut self) -> [u8; 16] {
        self.bytes()
    }

    /// A seed that shares nothing with the keys given out so far or later.
    pub(crate) fn fork(&mut self) -> Seed {
        Seed(self.bytes())
    }

    /// `N` is a multiple of 4.
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (words, _) = bytes.as_chunks_mut();
        words.fill_with(|| self.next());
        bytes
    }
}

impl fmt::Debug for MaskingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskingKeys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 4.1, item 7: a nonce "selected randomly for each connection".
    #[test]
    fn another_seed_gives_another_nonce() {
        let nonce = |seed| MaskingKeys::new(Seed::new([seed; 32])).nonce();
        assert_eq!(nonce(1), nonce(1));
        assert_ne!(nonce(1), nonce(2));
        // Nor is one like the next of the same seed, and its bytes differ.
        let mut keys = MaskingKeys::new(Seed::new([1; 32]));
        let (first, second) = (keys.nonce(), keys.nonce());
        assert_ne!(first, second);
        assert!(first.iter().any(|byte| *byte != first[0]));
    }

    #[test]
    fn the_same_seed_gives_the_same_keys_and_no_key_twice_in_a_row() {
        let mut keys = MaskingKeys::new(Seed::new([1; 32]));
        let mut twin = MaskingKeys::new(Seed::new([1; 32]));
        let mut other = MaskingKeys::new(Seed::new([2; 32]));
        let mut last = [0; 4];
        for _ in 0..1000 {
            let key = keys.next();
            assert_eq!(key, twin.next());
            assert_ne!(key, other.next());
            assert_ne!(key, last);
            last = key;
        }
    }
}
