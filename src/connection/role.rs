//! The two sides of a connection.

/// One of the two sides of a connection (RFC 6455, section 1.2). The RFC has no others, so the enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[expect(clippy::exhaustive_enums, reason = "the RFC has two roles")]
pub enum Role {
    /// Masks every frame that it sends, and refuses masked frames (RFC 6455, section 5.1).
    Client,
    /// Masks no frame, and refuses unmasked frames (RFC 6455, section 5.1).
    Server,
}
