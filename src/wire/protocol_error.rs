//! Violations by the peer.

use core::fmt;

use crate::wire::close_code::CloseCode;

/// The peer violated the protocol or exceeded a limit. The connection has failed (RFC 6455, section 7.1.7).
///
/// The error is final. Each further call returns the same error, and you receive no more events. The Close frame with
/// [`close_code`](Self::close_code) is already in the output, unless this side had sent a Close frame before.
///
/// # Example
///
/// ```
/// use sockless::{CloseCode, FrameHeader, ProtocolError};
///
/// // A Ping frame without FIN: control frames must not be fragmented.
/// let error = FrameHeader::parse(&[0x09, 0x00]).unwrap_err();
/// assert_eq!(error, ProtocolError::FragmentedControlFrame);
/// assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
/// assert_eq!(error.to_string(), "fragmented control frame (RFC 6455 section 5.5)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RSV1, RSV2 or RSV3 is set, and no agreed extension gives it a meaning.
    ReservedBits,
    /// Opcode 3 to 7 or 11 to 15.
    ReservedOpcode(u8),
    /// A client sent a frame without a mask.
    UnmaskedFrame,
    /// A server sent a masked frame.
    MaskedFrame,
    /// A Close, Ping or Pong frame without FIN.
    FragmentedControlFrame,
    /// A Close, Ping or Pong frame with a payload of more than 125 bytes.
    ControlFrameTooLong,
    /// A payload length in a longer form than necessary.
    LengthNotMinimal,
    /// A payload length with its most significant bit set.
    LengthTooLarge,
    /// A continuation frame without a message to continue.
    UnexpectedContinuation,
    /// A text or binary frame before the last fragment of the current message.
    ExpectedContinuation,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// A Close frame with a payload of one byte, which is half a code.
    CloseTooShort,
    /// A Close frame with a code that must not be sent.
    InvalidCloseCode(CloseCode),
    /// A Close frame with a reason that is not UTF-8.
    InvalidCloseReason,
    /// A frame announced a payload larger than `Config::max_frame_size`. For a
    /// compressed message the limit is larger by the most that compression can add.
    FrameTooLarge,
    /// A compressed message that is not valid DEFLATE data, or that ends too early (RFC 7692, section 7.2.2).
    CorruptCompression,
    /// A message is larger than `Config::max_message_size`.
    MessageTooLarge,
}

impl ProtocolError {
    /// Returns the code of the Close frame for this error (RFC 6455, section 7.4.1): 1002, 1007 or 1009.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::FragmentedControlFrame
            | Self::ControlFrameTooLong
            | Self::LengthNotMinimal
            | Self::LengthTooLarge
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::CloseTooShort
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidCloseReason | Self::CorruptCompression => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::FrameTooLarge | Self::MessageTooLarge => CloseCode::MESSAGE_TOO_BIG,
        }
    }

    /// Returns the section with the rule, such as `"5.5"`, in RFC 6455, or in RFC 7692 for compression.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::LengthNotMinimal
            | Self::LengthTooLarge => "5.2",
            Self::UnmaskedFrame | Self::MaskedFrame => "5.1",
            Self::UnexpectedContinuation | Self::ExpectedContinuation => "5.4",
            Self::FragmentedControlFrame | Self::ControlFrameTooLong => "5.5",
            Self::CloseTooShort | Self::InvalidCloseReason => "5.5.1",
            Self::InvalidUtf8 => "8.1",
            Self::CorruptCompression => "7.2.2",
            Self::InvalidCloseCode(_) => "7.4",
            Self::FrameTooLarge | Self::MessageTooLarge => "10.4",
        }
    }

    /// Describes the violation. Short enough for the reason of a Close frame.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bit set",
            Self::ReservedOpcode(_) => "reserved opcode",
            Self::UnmaskedFrame => "unmasked frame from a client",
            Self::MaskedFrame => "masked frame from a server",
            Self::FragmentedControlFrame => "fragmented control frame",
            Self::ControlFrameTooLong => "control frame over 125 bytes",
            Self::LengthNotMinimal => "payload length not in its shortest form",
            Self::LengthTooLarge => "payload length over 63 bits",
            Self::UnexpectedContinuation => "continuation frame without a message",
            Self::ExpectedContinuation => "new message inside a fragmented one",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::CloseTooShort => "close payload of one byte",
            Self::InvalidCloseCode(_) => "invalid close code",
            Self::InvalidCloseReason => "close reason is not UTF-8",
            Self::CorruptCompression => "corrupt compressed message",
            Self::FrameTooLarge => "frame too large",
            Self::MessageTooLarge => "message too large",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())?;
        match self {
            Self::ReservedOpcode(opcode) => write!(f, " {opcode:#x}")?,
            Self::InvalidCloseCode(code) => write!(f, " {}", u16::from(*code))?,
            _ => {}
        }
        let rfc = match self {
            Self::CorruptCompression => 7692,
            _ => 6455,
        };
        write!(f, " (RFC {rfc} section {})", self.section())
    }
}

impl core::error::Error for ProtocolError {}
