//! The frame header (RFC 6455, section 5.2).

use crate::wire::protocol_error::ProtocolError;

/// What a frame contains: data of a message, or control of the connection (RFC 6455, section 5.2).
///
/// The enum is exhaustive. All other opcodes are reserved, and [`from_bits`](Self::from_bits) returns `None` for them.
///
/// # Example
///
/// ```
/// use sockless::Opcode;
///
/// assert_eq!(Opcode::from_bits(0x9), Some(Opcode::Ping));
/// assert_eq!(Opcode::from_bits(0x3), None);
/// assert!(Opcode::Close.is_control() && !Opcode::Text.is_control());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[expect(
    clippy::exhaustive_enums,
    reason = "all other opcodes are reserved and refused"
)]
#[repr(u8)]
pub enum Opcode {
    /// 0: the next fragment of a message that began with a text or binary frame.
    Continuation = 0x0,
    /// 1: a text message, or its first fragment.
    Text = 0x1,
    /// 2: a binary message, or its first fragment.
    Binary = 0x2,
    /// 8: the last frame that its sender sends.
    Close = 0x8,
    /// 9: a request for a Pong.
    Ping = 0x9,
    /// 10: the answer to a Ping. An endpoint may also send one without a Ping.
    Pong = 0xa,
}

impl Opcode {
    /// Returns the opcode with this value, which is the low 4 bits of a frame's first byte.
    ///
    /// Returns `None` for a reserved opcode (3 to 7, 11 to 15) and for numbers above 15.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Returns the value in a frame's first byte, from 0 to 10.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Returns whether this is Close, Ping or Pong. Control frames may occur between the fragments of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

pub(crate) const FIN: u8 = 0x80;
pub(crate) const MASK: u8 = 0x80;
pub(crate) const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The largest payload of a control frame (RFC 6455, section 5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

/// All of a frame except its payload: 2 to 14 bytes (RFC 6455, section 5.2).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-------+-+-------------+-------------------------------+
/// |F|R|R|R| opcode|M| payload     | extended payload length       |
/// |I|S|S|S|       |A| length      | (16 bits if payload length is |
/// |N|V|V|V|       |S|             |  126, 64 bits if it is 127)   |
/// | |1|2|3|       |K|             |                               |
/// +-+-+-+-+-------+-+-------------+-------------------------------+
/// | masking key (32 bits if MASK is set)                          |
/// +---------------------------------------------------------------+
/// ```
///
/// # Example
///
/// ```
/// use sockless::{FrameHeader, Opcode};
///
/// // "Hello", unmasked (RFC 6455 section 5.7).
/// let frame = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
/// let (header, size) = FrameHeader::parse(&frame)?.expect("the header is whole");
/// assert_eq!((header.fin, header.opcode, header.payload_length), (true, Opcode::Text, 5));
/// assert_eq!(&frame[size..], b"Hello");
///
/// let mut buffer = [0; FrameHeader::MAX_SIZE];
/// assert_eq!(header.write(&mut buffer), &frame[..size]);
/// # Ok::<(), sockless::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are all fields of the header"
)]
pub struct FrameHeader {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The reserved bits, from 0 to 7: [RSV1](Self::RSV1) is 4, RSV2 is 2, RSV3 is 1. Without extensions they are 0.
    pub rsv: u8,
    /// What the frame contains.
    pub opcode: Opcode,
    /// The key of a masked payload. A client always masks, a server never does.
    pub masking_key: Option<[u8; 4]>,
    /// The number of bytes of payload after the header, less than 2^63.
    pub payload_length: u64,
}

impl FrameHeader {
    /// The size of the longest header in bytes: 2, then 8 of extended length and 4 of masking key.
    pub const MAX_SIZE: usize = 14;

    /// RSV1 in [`rsv`](Self::rsv). It is set in the first frame of a compressed message (RFC 7692, section 6).
    pub const RSV1: u8 = 0b100;

    /// Parses the header at the start of `bytes`. Returns it with its size in bytes.
    ///
    /// Returns `Ok(None)` if more bytes are needed. Then call again with the same bytes and more. Bytes after the
    /// header do not matter.
    ///
    /// # Errors
    ///
    /// An error is returned as soon as the bytes show it:
    ///
    /// - [`ProtocolError::ReservedOpcode`],
    /// - [`ProtocolError::FragmentedControlFrame`] and [`ProtocolError::ControlFrameTooLong`] (over 125 bytes),
    /// - [`ProtocolError::LengthNotMinimal`] and [`ProtocolError::LengthTooLarge`] (the top bit is set).
    ///
    /// This function does not check rules that depend on the role, on extensions or on earlier frames. `Connection`
    /// does.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(start) = FrameStart::parse(bytes)? else {
            return Ok(None);
        };
        let Some(payload_length) = start.payload_length(bytes)? else {
            return Ok(None);
        };
        let size = start.header_size();
        let Some(header) = bytes.get(..size) else {
            return Ok(None);
        };
        let masking_key = if start.masked {
            header.last_chunk().copied()
        } else {
            None
        };
        let header = Self {
            fin: start.fin,
            rsv: start.rsv,
            opcode: start.opcode,
            masking_key,
            payload_length,
        };
        Ok(Some((header, size)))
    }

    /// Writes the header to the start of `buffer` and returns the part that it wrote.
    ///
    /// The length gets its shortest form (section 5.2). All other fields are written as they are, legal or not, so a
    /// test can make bad frames.
    #[expect(
        clippy::indexing_slicing,
        reason = "the longest form takes MAX_SIZE bytes: 2, 8 and 4"
    )]
    pub fn write<'b>(&self, buffer: &'b mut [u8; Self::MAX_SIZE]) -> &'b [u8] {
        let (bytes, size) = self.to_bytes();
        buffer.copy_from_slice(&bytes[..Self::MAX_SIZE]);
        &buffer[..size]
    }

    /// Returns the header, followed by zeros, and its size.
    ///
    /// It is composed as one number, whose lowest byte is the first one. That is faster than single bytes.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "at most MAX_SIZE")]
    pub(crate) fn to_bytes(self) -> ([u8; 16], usize) {
        let first = first_byte(self.opcode, self.fin) | (self.rsv & 0x7) << 4;
        let (length, extended, size) = match self.payload_length {
            length @ 0..=125 => (length, 0, 2),
            length @ 126..=0xffff => (u64::from(LENGTH_16), length.swap_bytes() >> 48, 4),
            length => (u64::from(LENGTH_64), length.swap_bytes(), 10),
        };
        let start = u128::from(first) | u128::from(length) << 8 | u128::from(extended) << 16;
        match self.masking_key {
            None => (start.to_le_bytes(), size),
            Some(key) => {
                let key = u128::from(u32::from_le_bytes(key)) << (8 * size);
                let bytes = start | u128::from(MASK) << 8 | key;
                (bytes.to_le_bytes(), size + 4)
            }
        }
    }
}

/// The first byte of a frame without reserved bits.
#[inline]
pub(crate) const fn first_byte(opcode: Opcode, fin: bool) -> u8 {
    let fin = if fin { FIN } else { 0 };
    fin | opcode.bits()
}

/// The first two bytes of a frame. Most violations show here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameStart {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: Opcode,
    pub(crate) masked: bool,
    length: u8,
}

impl FrameStart {
    /// Parses the first two bytes, if both have arrived. Refuses what is illegal in any role, with any extension, in
    /// any order.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some(&[first, second]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let Some(opcode) = Opcode::from_bits(first & 0xf) else {
            // RFC 6455, section 5.2: an unknown opcode fails the connection.
            return Err(ProtocolError::ReservedOpcode(first & 0xf));
        };
        let start = Self {
            fin: first & FIN != 0,
            rsv: first >> 4 & 0x7,
            opcode,
            masked: second & MASK != 0,
            length: second & !MASK,
        };
        if opcode.is_control() {
            // RFC 6455, section 5.5: control frames are not fragmented and have at most 125 bytes of payload.
            if !start.fin {
                return Err(ProtocolError::FragmentedControlFrame);
            }
            if usize::from(start.length) > MAX_CONTROL_PAYLOAD {
                return Err(ProtocolError::ControlFrameTooLong);
            }
        }
        Ok(Some(start))
    }

    /// Parses the payload length, if all of it has arrived. The masking key may be missing.
    pub(crate) fn payload_length(self, bytes: &[u8]) -> Result<Option<u64>, ProtocolError> {
        let extended = bytes.get(2..).unwrap_or_default();
        match self.length {
            LENGTH_16 => {
                let Some(&length) = extended.first_chunk() else {
                    return Ok(None);
                };
                let length = u64::from(u16::from_be_bytes(length));
                // Section 5.2: "the minimal number of bytes MUST be used to encode the length".
                if length < u64::from(LENGTH_16) {
                    Err(ProtocolError::LengthNotMinimal)
                } else {
                    Ok(Some(length))
                }
            }
            LENGTH_64 => {
                let Some(&length) = extended.first_chunk() else {
                    return Ok(None);
                };
                let length = u64::from_be_bytes(length);
                // Section 5.2: "the most significant bit MUST be 0".
                if length >> 63 != 0 {
                    Err(ProtocolError::LengthTooLarge)
                } else if u16::try_from(length).is_ok() {
                    Err(ProtocolError::LengthNotMinimal)
                } else {
                    Ok(Some(length))
                }
            }
            length => Ok(Some(u64::from(length))),
        }
    }

    /// Returns the size of the whole header in bytes.
    #[expect(clippy::arithmetic_side_effects, reason = "at most MAX_SIZE")]
    pub(crate) const fn header_size(self) -> usize {
        let extended = match self.length {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        2 + extended + if self.masked { 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(opcode: Opcode, masking_key: Option<[u8; 4]>, payload_length: u64) -> FrameHeader {
        FrameHeader {
            fin: true,
            rsv: 0,
            opcode,
            masking_key,
            payload_length,
        }
    }

    /// Section 5.2: each form of the length at both of its bounds, with and without a key.
    #[test]
    fn write_and_parse_agree_and_every_shorter_cut_needs_more() {
        let lengths = [
            0,
            1,
            125,
            126,
            127,
            0xffff,
            0x1_0000,
            u64::from(u32::MAX) + 1,
            u64::MAX >> 1,
        ];
        for payload_length in lengths {
            for masking_key in [None, Some([0x37, 0xfa, 0x21, 0x3d])] {
                for rsv in 0..8 {
                    for fin in [false, true] {
                        let header = FrameHeader {
                            fin,
                            rsv,
                            ..header(Opcode::Binary, masking_key, payload_length)
                        };
                        let mut buffer = [0; FrameHeader::MAX_SIZE];
                        let written = header.write(&mut buffer);
                        assert_eq!(
                            FrameHeader::parse(written),
                            Ok(Some((header, written.len())))
                        );
                        for cut in 0..written.len() {
                            assert_eq!(
                                FrameHeader::parse(&written[..cut]),
                                Ok(None),
                                "{header:?} cut at {cut}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// Section 5.7: the headers of the RFC's examples.
    #[test]
    fn the_examples_of_the_rfc() {
        let examples: &[(&[u8], FrameHeader)] = &[
            (&[0x81, 0x05], header(Opcode::Text, None, 5)),
            (
                &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d],
                header(Opcode::Text, Some([0x37, 0xfa, 0x21, 0x3d]), 5),
            ),
            (
                &[0x01, 0x03],
                FrameHeader {
                    fin: false,
                    ..header(Opcode::Text, None, 3)
                },
            ),
            (&[0x80, 0x02], header(Opcode::Continuation, None, 2)),
            (&[0x89, 0x05], header(Opcode::Ping, None, 5)),
            (
                &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d],
                header(Opcode::Pong, Some([0x37, 0xfa, 0x21, 0x3d]), 5),
            ),
            (&[0x82, 0x7e, 0x01, 0x00], header(Opcode::Binary, None, 256)),
            (
                &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0],
                header(Opcode::Binary, None, 65536),
            ),
        ];
        for (bytes, expected) in examples {
            assert_eq!(
                FrameHeader::parse(bytes),
                Ok(Some((*expected, bytes.len())))
            );
            assert_eq!(expected.write(&mut [0; FrameHeader::MAX_SIZE]), *bytes);
        }
    }

    /// All pairs of first bytes, compared with the rules in another form.
    #[test]
    fn the_first_two_bytes_decide() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let opcode = first & 0xf;
                let expected = if matches!(opcode, 3..=7 | 11..=15) {
                    Err(ProtocolError::ReservedOpcode(opcode))
                } else if opcode >= 8 && first & 0x80 == 0 {
                    Err(ProtocolError::FragmentedControlFrame)
                } else if opcode >= 8 && second & 0x7f > 125 {
                    Err(ProtocolError::ControlFrameTooLong)
                } else {
                    Ok(())
                };
                assert_eq!(
                    FrameHeader::parse(&[first, second]).map(drop),
                    expected,
                    "{first:02x} {second:02x}"
                );
                assert_eq!(FrameHeader::parse(&[first]), Ok(None));
            }
        }
    }

    /// Section 5.2: a bad length is refused before the masking key arrives.
    #[test]
    fn lengths_that_are_not_minimal_or_too_large() {
        let too_small_16: [u16; 3] = [0, 3, 125];
        for length in too_small_16 {
            let [high, low] = length.to_be_bytes();
            assert_eq!(FrameHeader::parse(&[0x82, 0xfe, high]), Ok(None));
            assert_eq!(
                FrameHeader::parse(&[0x82, 0xfe, high, low]),
                Err(ProtocolError::LengthNotMinimal)
            );
        }
        let wrong_64 = [
            (3, ProtocolError::LengthNotMinimal),
            (0xffff, ProtocolError::LengthNotMinimal),
            (1 << 63, ProtocolError::LengthTooLarge),
            (u64::MAX, ProtocolError::LengthTooLarge),
        ];
        for (length, error) in wrong_64 {
            let mut bytes = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes[2..].copy_from_slice(&u64::to_be_bytes(length));
            assert_eq!(FrameHeader::parse(&bytes[..9]), Ok(None));
            assert_eq!(FrameHeader::parse(&bytes), Err(error));
        }
    }
}
