//! A single frame, legal or not.

use std::vec;
use std::vec::Vec;

use arbitrary::Arbitrary;

use crate::apply_mask;
use crate::test_util::Role;

/// A frame, given by its first byte and its payload. It may be illegal.
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
#[expect(
    clippy::exhaustive_structs,
    reason = "tests make frames up, and these are all fields on the wire"
)]
pub struct Frame {
    /// FIN, RSV1, RSV2, RSV3 and the opcode (RFC 6455, section 5.2).
    pub first: u8,
    /// The payload before masking.
    pub payload: Vec<u8>,
    /// The key that masks it on its way to a server.
    pub masking_key: [u8; 4],
    /// Whether it violates the masking rule: it is masked on its way to a client, or not masked on its way to a
    /// server (RFC 6455, section 5.1).
    pub wrongly_masked: bool,
    /// The form of its length.
    pub length: Length,
}

/// The form of a payload length (RFC 6455, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
#[non_exhaustive]
pub enum Length {
    /// The true length in its shortest form.
    Shortest,
    /// The true length in 16 bits, or in 64 bits if it does not fit.
    Bits16,
    /// The true length in 64 bits.
    Bits64,
    /// This length in 64 bits, instead of the true one.
    Claimed(u64),
}

impl Frame {
    /// The masking key of the examples in RFC 6455, section 5.7.
    pub const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// Makes a frame with the shortest form of the length and the RFC's masking key.
    pub fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            first,
            payload: payload.as_ref().into(),
            masking_key: Self::MASKING_KEY,
            wrongly_masked: false,
            length: Length::Shortest,
        }
    }

    /// Makes a Close frame with any code and a reason of any length (RFC 6455, section 5.5.1).
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// Changes the form of the length.
    #[must_use]
    pub fn with_length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    /// Makes the frame violate the masking rule (RFC 6455, section 5.1).
    #[must_use]
    pub fn wrongly_masked(self) -> Self {
        Self {
            wrongly_masked: true,
            ..self
        }
    }

    /// Returns the bytes of the frame, as the receiver `to` gets them. If `to` is a server, it is masked (RFC 6455,
    /// section 5.1).
    #[must_use]
    pub fn encode(&self, to: Role) -> Vec<u8> {
        let masked = (to == Role::Server) != self.wrongly_masked;
        let (form, extended) = self.encode_length();
        let mut bytes = vec![self.first, form | if masked { 0x80 } else { 0 }];
        bytes.extend(extended);
        let mut payload = self.payload.clone();
        if masked {
            bytes.extend(self.masking_key);
            apply_mask(&mut payload, self.masking_key, 0);
        }
        bytes.extend(payload);
        bytes
    }

    /// Returns the length in the second byte, and the bytes of the extended length.
    fn encode_length(&self) -> (u8, Vec<u8>) {
        let length = self.payload.len();
        match (self.length, u8::try_from(length), u16::try_from(length)) {
            (Length::Shortest, Ok(length @ ..=125), _) => (length, Vec::new()),
            (Length::Shortest | Length::Bits16, _, Ok(length)) => {
                (126, length.to_be_bytes().into())
            }
            (Length::Claimed(length), ..) => (127, length.to_be_bytes().into()),
            _ => (127, (length as u64).to_be_bytes().into()),
        }
    }
}

/// Returns the bytes of the frames, as the receiver `to` gets them. If `to` is a server, they are masked.
#[must_use]
pub fn encode(frames: &[Frame], to: Role) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.encode(to)).collect()
}
