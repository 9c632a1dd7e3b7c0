//! Frames on the wire, legal and illegal, as the peer of one side would send them.

use sockless::{FrameHeader, Opcode, apply_mask};

use super::Side;

/// The masking key of the examples in RFC 6455 section 5.7.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame, described by its first byte (FIN, RSV, opcode) and its payload.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) key: [u8; 4],
    /// Masked where it must not be, or the reverse (RFC 6455 section 5.1).
    pub(crate) wrongly_masked: bool,
    pub(crate) length: Length,
}

/// How the payload length is written (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// The true length in its shortest form.
    Shortest,
    /// The true length in 16 bits.
    Bits16,
    /// The true length in 64 bits.
    Bits64,
    /// Another length than the payload has, in 64 bits.
    Claimed(u64),
}

impl Frame {
    pub(crate) fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            first,
            payload: payload.as_ref().into(),
            key: KEY,
            wrongly_masked: false,
            length: Length::Shortest,
        }
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::new(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    pub(crate) fn with_length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    pub(crate) fn wrongly_masked(self) -> Self {
        Self {
            wrongly_masked: true,
            ..self
        }
    }

    /// The frame on its way to `side`: masked if that is a server (RFC 6455 section 5.1).
    pub(crate) fn encode(&self, side: Side) -> Vec<u8> {
        let masked = (side == Side::Server) != self.wrongly_masked;
        let header = FrameHeader {
            fin: self.first & 0x80 != 0,
            rsv: self.first >> 4 & 7,
            opcode: Opcode::from_bits(self.first & 0xf).unwrap_or(Opcode::Continuation),
            masking_key: masked.then_some(self.key),
            payload_length: self.payload.len() as u64,
        };
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let mut bytes = header.write(&mut buffer).to_vec();
        // The writer knows neither reserved opcodes nor long forms.
        bytes[0] = self.first;
        let key = bytes.len() - if masked { 4 } else { 0 };
        let (form, length) = match self.length {
            Length::Shortest => (bytes[1] & 0x7f, bytes[2..key].to_vec()),
            Length::Bits16 => {
                let length = u16::try_from(self.payload.len()).expect("a payload of 16 bits");
                (126, length.to_be_bytes().to_vec())
            }
            Length::Bits64 => (127, header.payload_length.to_be_bytes().to_vec()),
            Length::Claimed(length) => (127, length.to_be_bytes().to_vec()),
        };
        bytes[1] = bytes[1] & 0x80 | form;
        bytes.splice(2..key, length);

        let mut payload = self.payload.clone();
        if masked {
            apply_mask(&mut payload, self.key, 0);
        }
        bytes.extend(payload);
        bytes
    }
}

/// The frames in one stream of bytes to `side`.
pub(crate) fn stream(frames: &[Frame], side: Side) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.encode(side)).collect()
}

/// Bytes from their hexadecimal notation, such as `"81 05 48"`.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}
