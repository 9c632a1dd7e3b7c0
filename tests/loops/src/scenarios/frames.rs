//! Single frames (RFC 6455, section 5.2).

use std::io::Cursor;

use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;
use tokio_tungstenite::tungstenite::protocol::frame::{Frame as RawFrame, FrameHeader};

pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;

/// The masking key of all frames. It is not zero, so a peer that does not unmask is found.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Encodes a frame that `from` sends. `first` is its first byte. Only clients mask (RFC 6455, section 5.1).
pub(super) fn frame(from: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        is_final: first & 0x80 != 0,
        opcode: OpCode::from(first & 0xf),
        mask: (from == Role::Client).then_some(KEY),
        ..FrameHeader::default()
    };
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    let frame = RawFrame::from_payload(header, Bytes::copy_from_slice(payload));
    frame.format(&mut bytes).expect("a vector takes everything");
    bytes
}

/// The payload of a Close frame.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

/// Bytes that differ from place to place and from seed to seed, so a swap or a loss is visible.
pub(super) fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A received frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub(super) first: u8,
    pub(super) payload: Vec<u8>,
}

/// Finds frames in received bytes.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// All received bytes. Those before `start` are consumed.
    pub(super) bytes: Vec<u8>,
    start: usize,
}

impl Parser {
    /// The next frame from `from`, or `None` if it is not complete.
    pub(super) fn next(&mut self, from: Role) -> Result<Option<Frame>, String> {
        let frame = self.parse(from);
        if !matches!(frame, Ok(Some(_))) {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        frame
    }

    fn parse(&mut self, from: Role) -> Result<Option<Frame>, String> {
        let mut cursor = Cursor::new(self.unread());
        let header = FrameHeader::parse(&mut cursor).map_err(|error| error.to_string())?;
        let Some((header, length)) = header else {
            return Ok(None);
        };
        if header.mask.is_some() != (from == Role::Client) {
            return Err(format!("a {from:?} frame with the mask {:?}", header.mask));
        }
        let header_length = header.len(length);
        if cursor.position() != header_length as u64 {
            return Err(format!("not the shortest form of the length {length}"));
        }
        let length = usize::try_from(length).map_err(|error| error.to_string())?;
        let unread = self.unread();
        if unread.len() - header_length < length {
            return Ok(None);
        }
        let first = unread[0];
        let mut payload = unread[header_length..header_length + length].to_vec();
        if let Some(key) = header.mask {
            for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
                *byte ^= key;
            }
        }
        self.start += header_length + length;
        Ok(Some(Frame { first, payload }))
    }

    /// The bytes that are received and not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Consumes bytes that are not frames.
    pub(super) fn skip(&mut self, n: usize) {
        self.start += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The masked "Hello" of RFC 6455, section 5.7, and frames of every length form, cut anywhere.
    #[test]
    fn frames_are_read_as_they_were_written() {
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(frame(Role::Client, TEXT, b"Hello"), hello);
        let mut parser = Parser::default();
        parser.bytes.extend(hello);
        assert!(parser.next(Role::Server).is_err());
        for role in [Role::Client, Role::Server] {
            let mut parser = Parser::default();
            let lengths = [0, 1, 125, 126, 65_535, 65_536];
            let frames = lengths.map(|length| frame(role, BINARY, &pattern(7, length)));
            let mut found = Vec::new();
            for piece in frames.concat().chunks(1000) {
                parser.bytes.extend(piece);
                while let Some(frame) = parser.next(role).unwrap() {
                    assert!(frame.payload == pattern(7, frame.payload.len()));
                    found.push(frame.payload.len());
                }
            }
            assert_eq!(found, lengths);
            assert_eq!(parser.unread(), b"");
        }
    }
}
