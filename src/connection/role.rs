//! The two sides of a connection.

/// Which side of the connection this is (RFC 6455 section 1.2). There are no others, so the enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[expect(clippy::exhaustive_enums, reason = "the RFC has two roles")]
pub enum Role {
    /// Masks what it sends, and refuses what is masked (section 5.1).
    Client,
    /// Refuses what is not masked, and masks nothing (section 5.1).
    Server,
}
