//! What is wished for compression, and what is agreed on (RFC 7692 section 7.1).

/// How to compress: the options with which permessage-deflate (RFC 7692) is negotiated.
///
/// Set [`Config::deflate`](crate::Config::deflate) to one, and a client offers the extension, a server
/// accepts it. What the peer agrees to may be less than is wished here.
///
/// # Memory
///
/// With context takeover a connection keeps a compressor from the first message it compresses, and a
/// decompressor from the first it receives, for its whole life. Without, they are freed after each
/// message, or shared by many connections: see [`Codecs`](crate::Codecs). A
/// [`SharedMessage`](crate::SharedMessage) takes no compressor of the connections that send it.
///
/// The size of either in KiB, by the window of its side; [`level`](Self::level) makes no difference:
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
/// By default that is 371 KiB and 79 KiB for each connection. The figures come from
/// `cargo test --features deflate --test deflate_memory documented -- --nocapture`.
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
    /// How hard to look for repetitions, from 1 (fast) to 9 (small). Default: 6. Values beyond count as
    /// the nearest.
    pub level: u8,
    /// How much memory the compressor uses for its tables, from 1 to 9. Default: 8. Values beyond count
    /// as the nearest.
    pub memory_level: u8,
    /// Messages shorter than this many bytes are sent as they are; fragmented ones are compressed
    /// always, since their length is not known. Default: 128.
    pub min_size: usize,
    /// The largest window for compressing, as a power of 2: 9 to 15. Default: 15 (32 KiB). Values beyond
    /// count as the nearest.
    pub max_window_bits: u8,
    /// The largest window the peer may use, as a power of 2: 9 to 15. Default: 15 (32 KiB). Values beyond
    /// count as the nearest.
    ///
    /// The decompressor needs that much. A server can ask a client for less only if the client offers
    /// it; otherwise the server then declines the extension.
    pub peer_max_window_bits: u8,
    /// Whether a client offers the parameter `client_max_window_bits` (RFC 7692 section 7.1.2.2). Default: yes.
    ///
    /// It lets the server limit the window of the client. Some servers reject an offer with this parameter. Set it
    /// to `false` for them: then the offer is a bare `permessage-deflate`, as far as the other fields allow.
    /// [`max_window_bits`](Self::max_window_bits) still holds, though the server does not learn of it. A server that
    /// wants a smaller window declines the extension. A server does not use this field.
    pub offer_client_max_window_bits: bool,
    /// Whether messages refer to earlier ones when compressing. Default: yes.
    pub context_takeover: bool,
    /// Whether the peer's messages may refer to its earlier ones. Default: yes.
    pub peer_context_takeover: bool,
}

impl Deflate {
    /// The default options, as each field states them.
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

    /// The options with every number in its range.
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

/// What both sides agreed on, seen from this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Whether this side's compressor keeps its window between messages.
    pub(crate) context_takeover: bool,
    /// This side's window; with 8, which no compressor here can keep to, it never compresses.
    pub(crate) window_bits: u8,
    /// Whether the peer's compressor keeps its window between messages.
    pub(crate) peer_context_takeover: bool,
    pub(crate) peer_window_bits: u8,
    pub(crate) options: Deflate,
}
