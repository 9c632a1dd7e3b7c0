//! Where the masking keys of a client come from (RFC 6455, sections 5.3 and 10.3).

use alloc::boxed::Box;
use core::fmt;

use chacha20::rand_core::SeedableRng;
use chacha20::rand_core::block::Generator;
use chacha20::variants::Legacy;
use chacha20::{ChaChaCore, R8};

/// 32 unpredictable bytes, the only randomness of a client connection.
///
/// A stream cipher expands them to the key of the opening handshake and to one fresh masking key for each frame. RFC
/// 6455, section 5.3 demands this: "The masking key needs to be unpredictable".
///
/// The same seed gives the same bytes on the wire. This makes tests repeatable. In production, every connection needs a
/// different seed from a cryptographic source. So a seed can be neither copied nor cloned.
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
#[doc(alias("rng", "random", "entropy", "mask"))]
pub struct Seed([u8; 32]);

impl Seed {
    /// Makes a seed of these bytes. The server, and everyone on the way to it, must not be able to predict them.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Hides the bytes: they predict every masking key.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").finish_non_exhaustive()
    }
}

/// The masking keys of one client.
///
/// Boxed, because only clients have one. It would triple the size of every server connection.
pub(crate) struct MaskingKeys(Box<Keystream>);

/// A stream cipher of 8 rounds, and its last output. Taking a word of that output takes a few instructions and no call.
struct Keystream {
    cipher: ChaChaCore<R8, Legacy>,
    words: Words,
    /// The index of the first unused word.
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

    /// A key that no frame has had before.
    #[inline]
    pub(crate) fn next(&mut self) -> [u8; 4] {
        loop {
            if let Some(key) = self.ready() {
                return key;
            }
            self.refill();
        }
    }

    /// The next key, if it exists already.
    #[inline]
    pub(crate) fn ready(&mut self) -> Option<[u8; 4]> {
        let stream = &mut *self.0;
        let word = stream.words.get(stream.next)?;
        stream.next = stream.next.wrapping_add(1);
        Some(word.to_le_bytes())
    }

    #[inline(never)]
    pub(crate) fn refill(&mut self) {
        self.0.cipher.generate(&mut self.0.words);
        self.0.next = 0;
    }

    /// Bytes for the `Sec-WebSocket-Key` header.
    pub(crate) fn nonce(&mut self) -> [u8; 16] {
        self.bytes()
    }

    /// A seed that is independent of all earlier and later keys.
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

    /// Section 4.1, item 7: the nonce is "selected randomly for each connection".
    #[test]
    fn another_seed_gives_another_nonce() {
        let nonce = |seed| MaskingKeys::new(Seed::new([seed; 32])).nonce();
        assert_eq!(nonce(1), nonce(1));
        assert_ne!(nonce(1), nonce(2));
        // The next nonce of the same seed differs too, and its bytes are not all the same.
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
