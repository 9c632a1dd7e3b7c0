//! Status codes of a Close frame (RFC 6455 section 7.4).

use core::fmt;

/// Why a connection was closed (RFC 6455 section 7.4): a number with names for the registered values.
///
/// A newtype rather than an enum, so that a code an application defines, or one registered later,
/// survives unchanged. Not every value may travel in a frame; see [`is_sendable`](Self::is_sendable).
///
/// # Example
///
/// ```
/// use sockless::CloseCode;
///
/// assert_eq!(CloseCode::NORMAL, CloseCode::new(1000));
/// assert_eq!(u16::from(CloseCode::GOING_AWAY), 1001);
/// assert!(CloseCode::new(4000).is_sendable());
/// assert_eq!(CloseCode::NORMAL.to_string(), "1000 (normal closure)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data that this endpoint cannot accept, such as binary where only text is understood.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: reported when a Close frame came without a code. Never on the wire: sent as an empty Close frame.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: reported when the transport ended without a Close frame. Never on the wire.
    pub const ABNORMAL_CLOSURE: Self = Self(1006);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message breaks a policy and no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too big to be processed.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension in the server's handshake.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: reported when the TLS handshake failed. Never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The code with this number. Any number can be held; only some may be sent.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Whether the code may stand in a Close frame: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
    ///
    /// RFC 6455 section 7.4.1 reserves 1005, 1006 and 1015 for reports, section 7.4.2 leaves 3000 to
    /// 3999 to registered libraries and 4000 to 4999 to applications; 1012 to 1014 were registered
    /// with IANA later. Everything else has no meaning yet.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    const fn meaning(self) -> Option<&'static str> {
        Some(match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake",
            _ => return None,
        })
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "{} ({meaning})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_registered_and_private_codes_are_sendable() {
        let sendable = |code| match code {
            1000..=1003 | 1007..=1014 => true,
            1004..=1006 | 1015 => false,
            _ => (3000..5000).contains(&code),
        };
        for code in 0..=u16::MAX {
            assert_eq!(CloseCode::new(code).is_sendable(), sendable(code), "{code}");
        }
    }
}
