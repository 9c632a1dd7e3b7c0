//! A frame on the wire, legal or not, as a peer would send it.

use std::vec::Vec;

use arbitrary::Arbitrary;

use crate::test_util::Role;
use crate::{FrameHeader, Opcode, apply_mask};

/// A frame, described by its first byte and its payload.
///
/// # Example
///
/// ```
/// use sockless::test_util::{Frame, Role};
///
/// let hello = Frame::new(0x81, "Hello");
/// assert_eq!(hello.encode(Role::Client), b"\x81\x05Hello");
/// assert_eq!(hello.encode(Role::Server), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Arbitrary)]
pub struct Frame {
    /// FIN, RSV1, RSV2, RSV3 and the opcode (RFC 6455 section 5.2).
    pub first: u8,
    /// The payload before masking.
    pub payload: Vec<u8>,
    /// What it is masked with on its way to a server.
    pub masking_key: [u8; 4],
    /// Masked where it must not be, or the reverse (RFC 6455 section 5.1).
    pub wrongly_masked: bool,
    /// How its length is written.
    pub length: Length,
}

/// How a payload length is written (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Length {
    /// The true length in its shortest form.
    Shortest,
    /// The true length in 16 bits, or in 64 if it does not fit.
    Bits16,
    /// The true length in 64 bits.
    Bits64,
    /// Another length than the payload has, in 64 bits.
    Claimed(u64),
}

impl Frame {
    /// The masking key of the examples in RFC 6455 section 5.7.
    pub const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// A frame with its length in the shortest form and the RFC's masking key.
    pub fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            first,
            payload: payload.as_ref().into(),
            masking_key: Self::MASKING_KEY,
            wrongly_masked: false,
            length: Length::Shortest,
        }
    }

    /// A Close frame (RFC 6455 section 5.5.1), whatever the code and however long the reason.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The frame with its length written in another way.
    #[must_use]
    pub fn with_length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    /// The frame masked where it must not be, or not masked where it must be.
    #[must_use]
    pub fn wrongly_masked(self) -> Self {
        Self {
            wrongly_masked: true,
            ..self
        }
    }

    /// The bytes of the frame on its way to `to`: masked if that is a server (RFC 6455 section 5.1).
    #[must_use]
    pub fn encode(&self, to: Role) -> Vec<u8> {
        let masked = (to == Role::Server) != self.wrongly_masked;
        let header = FrameHeader {
            fin: self.first & 0x80 != 0,
            rsv: self.first >> 4 & 7,
            opcode: Opcode::from_bits(self.first & 0xf).unwrap_or(Opcode::Continuation),
            masking_key: masked.then_some(self.masking_key),
            payload_length: self.payload.len() as u64,
        };
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let mut bytes = header.write(&mut buffer).to_vec();
        // The writer knows neither reserved opcodes nor long forms.
        bytes[0] = self.first;
        let key = bytes.len() - if masked { 4 } else { 0 };
        let (form, length) = match (self.length, u16::try_from(self.payload.len())) {
            (Length::Shortest, _) => (bytes[1] & 0x7f, bytes[2..key].to_vec()),
            (Length::Bits16, Ok(length)) => (126, length.to_be_bytes().to_vec()),
            (Length::Bits16 | Length::Bits64, _) => {
                (127, header.payload_length.to_be_bytes().to_vec())
            }
            (Length::Claimed(length), _) => (127, length.to_be_bytes().to_vec()),
        };
        bytes[1] = bytes[1] & 0x80 | form;
        bytes.splice(2..key, length);

        let mut payload = self.payload.clone();
        if masked {
            apply_mask(&mut payload, self.masking_key, 0);
        }
        bytes.extend(payload);
        bytes
    }
}

/// The frames in one stream of bytes on its way to `to`.
#[must_use]
pub fn encode(frames: &[Frame], to: Role) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.encode(to)).collect()
}
