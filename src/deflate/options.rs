//! The options of compression, and the agreement with the peer (RFC 7692, section 7.1).

/// The options for compression with permessage-deflate (RFC 7692).
///
/// Compression is off until you set [`Config::deflate`](crate::Config::deflate). Then a client offers the extension
/// and a server accepts it. The peer may agree to less than these options.
/// [`Connection::uses_deflate`](crate::Connection::uses_deflate) says whether it agreed.
///
/// # Memory
///
/// With context takeover, a connection keeps a compressor from the first message that it compresses, and a
/// decompressor from the first compressed message that it receives. Without context takeover, it frees them after
/// each message, or many connections share them: see [`Codecs`](crate::Codecs). A
/// [`SharedMessage`](crate::SharedMessage) does not use the connections' compressors.
///
/// This table shows the sizes in KiB. A compressor depends on [`max_window_bits`](Self::max_window_bits) and
/// [`memory_level`](Self::memory_level), a decompressor on [`peer_max_window_bits`](Self::peer_max_window_bits). The
/// [`level`](Self::level) makes no difference.
///
/// | window bits | memory level 1 | memory level 5 | memory level 8 | memory level 9 | decompressor |
/// |------------:|---------------:|---------------:|---------------:|---------------:|-------------:|
/// |           9 |            134 |            147 |            245 |            357 |           47 |
/// |          10 |            136 |            149 |            247 |            359 |           48 |
/// |          11 |            140 |            153 |            251 |            363 |           49 |
/// |          12 |            148 |            161 |            259 |            371 |           51 |
/// |          13 |            164 |            177 |            275 |            387 |           55 |
/// |          14 |            196 |            209 |            307 |            419 |           63 |
/// |          15 |            260 |            273 |            371 |            483 |           79 |
///
/// With the default options that is 371 KiB and 79 KiB per connection. The figures come from
/// `cargo test --features deflate --test deflate_memory documented -- --nocapture`.
///
/// # Security
///
/// Do not compress a message that contains both a secret and data from an attacker. The size of the compressed
/// message can reveal the secret (RFC 7692, section 8).
/// [`Connection::compress_messages`](crate::Connection::compress_messages) turns compression off for single messages.
///
/// # Example
///
/// ```
/// use sockless::{Config, Deflate};
///
/// let deflate = Deflate::new().with_level(1).with_min_size(256);
/// let config = Config::new().with_deflate(deflate);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub struct Deflate {
    /// The effort of compression, from 1 (fastest) to 9 (smallest). Default: 6. Other values count as the nearest of
    /// these.
    pub level: u8,
    /// The memory for the compressor's tables, from 1 to 9: see the table above. Default: 8. Other values count as
    /// the nearest of these.
    pub memory_level: u8,
    /// The length in bytes from which messages are compressed. Default: 128. Fragmented messages are always
    /// compressed, because their length is unknown.
    pub min_size: usize,
    /// The largest window for compression, as a power of 2 in bytes, from 9 to 15. Default: 15 (32 KiB). Other values
    /// count as the nearest of these.
    pub max_window_bits: u8,
    /// The largest window that the peer may use, as a power of 2 in bytes, from 9 to 15. Default: 15 (32 KiB). Other
    /// values count as the nearest of these.
    ///
    /// A smaller window needs less memory: see the table above. A server can limit a client's window only if the
    /// client offers `client_max_window_bits`. Otherwise a server with a value below 15 declines the extension.
    pub peer_max_window_bits: u8,
    /// Whether a client offers the parameter `client_max_window_bits` (RFC 7692, section 7.1.2.2). Default: yes.
    ///
    /// The parameter lets the server limit the client's window. Some servers reject an offer with it. With `false`
    /// the offer does not contain the parameter. The client still keeps to
    /// [`max_window_bits`](Self::max_window_bits). A server that needs a smaller window declines the extension.
    /// Servers ignore this field.
    pub offer_client_max_window_bits: bool,
    /// Whether this side's messages may refer to its earlier messages (context takeover). Default: yes.
    pub context_takeover: bool,
    /// Whether the peer's messages may refer to its earlier messages. Default: yes.
    pub peer_context_takeover: bool,
}

impl Deflate {
    /// Makes the default options. Each field documents its default.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: 6,
            memory_level: 8,
            min_size: 128,
            max_window_bits: 15,
            peer_max_window_bits: 15,
            offer_client_max_window_bits: true,
            context_takeover: true,
            peer_context_takeover: true,
        }
    }

    setters! {
        with_level(level: u8);
        with_memory_level(memory_level: u8);
        with_min_size(min_size: usize);
        with_max_window_bits(max_window_bits: u8);
        with_peer_max_window_bits(peer_max_window_bits: u8);
        with_offer_client_max_window_bits(offer_client_max_window_bits: bool);
        with_context_takeover(context_takeover: bool);
        with_peer_context_takeover(peer_context_takeover: bool);
    }

    /// Returns the options with each number in its range.
    pub(crate) fn clamped(&self) -> Self {
        Self {
            level: self.level.clamp(1, 9),
            memory_level: self.memory_level.clamp(1, 9),
            max_window_bits: self.max_window_bits.clamp(9, 15),
            peer_max_window_bits: self.peer_max_window_bits.clamp(9, 15),
            ..*self
        }
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

/// The agreement, from the view of this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Whether this side's compressor keeps its window between messages.
    pub(crate) context_takeover: bool,
    /// This side's window bits. With 8 bits it never compresses, because zlib has no compressor for that window.
    pub(crate) window_bits: u8,
    /// Whether the peer's compressor keeps its window between messages.
    pub(crate) peer_context_takeover: bool,
    pub(crate) peer_window_bits: u8,
    pub(crate) options: Deflate,
}
