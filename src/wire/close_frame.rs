//! The payload of a Close frame (RFC 6455, section 5.5.1).

use core::{fmt, str};

use crate::wire::close_code::CloseCode;
use crate::wire::debug::Bytes;
use crate::wire::frame::MAX_CONTROL_PAYLOAD;
use crate::wire::protocol_error::ProtocolError;

/// The code and the reason in a Close frame (RFC 6455, section 5.5.1).
///
/// A Close frame may be empty. Its code is then [`CloseCode::NO_STATUS_RECEIVED`], and its reason is empty. That
/// value is also written as an empty payload.
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, CloseFrame};
///
/// let close = CloseFrame::parse(b"\x03\xe8bye")?;
/// assert_eq!((close.code, close.reason), (CloseCode::NORMAL, "bye"));
///
/// let mut buffer = [0; CloseFrame::MAX_SIZE];
/// assert_eq!(close.write(&mut buffer), Some(&b"\x03\xe8bye"[..]));
/// # Ok::<(), sockless::ProtocolError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a Close frame is a code and a reason"
)]
pub struct CloseFrame<'a> {
    /// Why the sender closes the connection. 1005 if the frame is empty.
    pub code: CloseCode,
    /// A text for people, at most 123 bytes in a frame. Often empty.
    pub reason: &'a str,
}

/// Shows the length of the reason, not its text.
impl fmt::Debug for CloseFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseFrame")
            .field("code", &self.code)
            .field("reason", &Bytes(self.reason.len()))
            .finish()
    }
}

impl<'a> CloseFrame<'a> {
    /// The size of the largest payload in bytes: 2 for the code, 123 for the reason.
    pub const MAX_SIZE: usize = MAX_CONTROL_PAYLOAD;

    /// Parses a whole, unmasked payload.
    ///
    /// # Errors
    ///
    /// - [`ProtocolError::CloseTooShort`] if the payload is one byte.
    /// - [`ProtocolError::InvalidCloseCode`] if the code must not be sent (section 7.4).
    /// - [`ProtocolError::InvalidCloseReason`] if the reason is not UTF-8.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() {
                // Section 7.1.5: without a code, the code is considered to be 1005.
                Ok(Self {
                    code: CloseCode::NO_STATUS_RECEIVED,
                    reason: "",
                })
            } else {
                // Section 5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
                Err(ProtocolError::CloseTooShort)
            };
        };
        let code = CloseCode::new(u16::from_be_bytes(*code));
        if !code.is_sendable() {
            return Err(ProtocolError::InvalidCloseCode(code));
        }
        let reason = str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
        Ok(Self { code, reason })
    }

    /// Writes the payload to the start of `buffer` and returns the part that it wrote.
    ///
    /// A reason of more than 123 bytes is cut after the last character that fits. The code 1005 gives an empty
    /// payload. Returns `None` for any other code that must not be sent (section 7.4).
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "`length` is at most 123 and stops at 0, which is a boundary; `size` is at most MAX_SIZE"
    )]
    pub fn write<'b>(&self, buffer: &'b mut [u8; CloseFrame::MAX_SIZE]) -> Option<&'b [u8]> {
        if self.code == CloseCode::NO_STATUS_RECEIVED {
            return Some(&[]);
        }
        if !self.code.is_sendable() {
            return None;
        }
        let mut length = self.reason.len().min(Self::MAX_SIZE - 2);
        while !self.reason.is_char_boundary(length) {
            length -= 1;
        }
        let size = 2 + length;
        buffer[..2].copy_from_slice(&u16::from(self.code).to_be_bytes());
        buffer[2..size].copy_from_slice(&self.reason.as_bytes()[..length]);
        Some(&buffer[..size])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_is_legal_and_refuses_the_rest() {
        assert_eq!(
            CloseFrame::parse(b""),
            Ok(CloseFrame {
                code: CloseCode::NO_STATUS_RECEIVED,
                reason: ""
            })
        );
        assert_eq!(
            CloseFrame::parse(b"\x03"),
            Err(ProtocolError::CloseTooShort)
        );
        assert_eq!(
            CloseFrame::parse(b"\x03\xe8\xc3"),
            Err(ProtocolError::InvalidCloseReason)
        );
        for code in 0..=u16::MAX {
            let payload = code.to_be_bytes();
            let code = CloseCode::new(code);
            let expected = if code.is_sendable() {
                Ok(CloseFrame { code, reason: "" })
            } else {
                Err(ProtocolError::InvalidCloseCode(code))
            };
            assert_eq!(CloseFrame::parse(&payload), expected);
        }
    }

    #[test]
    fn writes_what_parses_back_and_nothing_illegal() {
        let mut buffer = [0; CloseFrame::MAX_SIZE];
        for code in 0..=u16::MAX {
            let close = CloseFrame {
                code: CloseCode::new(code),
                reason: "why",
            };
            match close.write(&mut buffer) {
                Some([]) => assert_eq!(code, 1005),
                Some(payload) => assert_eq!(CloseFrame::parse(payload), Ok(close)),
                None => assert!(!close.code.is_sendable()),
            }
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        // 122 bytes, then a character of 1 to 4 bytes, which crosses the limit of 123 bytes or not.
        for (character, kept) in [
            ('a', 123),
            ('\u{e9}', 122),
            ('\u{20ac}', 122),
            ('\u{1f600}', 122),
        ] {
            let mut reason = [b'x'; 130];
            character.encode_utf8(&mut reason[122..]);
            let reason = str::from_utf8(&reason).expect("UTF-8");
            let mut buffer = [0; CloseFrame::MAX_SIZE];
            let payload = CloseFrame {
                code: CloseCode::NORMAL,
                reason,
            }
            .write(&mut buffer)
            .expect("sendable");
            assert_eq!(
                CloseFrame::parse(payload).expect("legal").reason,
                &reason[..kept]
            );
        }
    }
}
