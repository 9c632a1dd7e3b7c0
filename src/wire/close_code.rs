//! The status codes of Close frames (RFC 6455, section 7.4).

use core::fmt;

/// The reason why a connection was closed, as a number (RFC 6455, section 7.4).
///
/// The registered codes have names. Other numbers are kept unchanged, because applications define codes of their own
/// and new codes get registered. You can send only some of the codes: see [`is_sendable`](Self::is_sendable).
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
    /// 1000: the connection has done its work.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server shuts down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer violated the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: this endpoint cannot accept the type of data, for example binary data where it expects text.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: a Close frame arrived without a code. This code is never sent. If you pass it, the Close frame is empty.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: the transport ended without a Close frame. This code is never sent.
    pub const ABNORMAL_CLOSURE: Self = Self(1006);
    /// 1007: the data does not fit its type, for example text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message violates a policy, and no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too large.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not agree to.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded. Try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from its upstream server.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. This code is never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Makes a code from any number.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Returns whether a Close frame may contain the code: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
    ///
    /// RFC 6455, section 7.4.1, reserves 1005, 1006 and 1015 for reports to the application. Section 7.4.2 reserves
    /// 3000 to 3999 for registered libraries and 4000 to 4999 for applications. IANA registered 1012 to 1014 later.
    /// All other numbers have no meaning.
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
