//! Frames, as RFC 6455 section 5.2 lays them out.

pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;

/// The masking key of all frames. It is not zero, so a peer that does not unmask is found.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Who sends a frame. Only clients mask (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// A whole frame with this first byte.
pub(super) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let length = payload.len() as u64;
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => bytes.push(length),
        (_, Ok(length)) => {
            bytes.push(126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(length.to_be_bytes());
        }
    }
    if role == Role::Client {
        bytes[1] |= 0x80;
        bytes.extend(KEY);
        let start = bytes.len();
        bytes.extend(payload);
        mask(&mut bytes[start..], KEY);
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// In words of 8 bytes: there are megabytes to mask while servers wait.
fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// What a Close frame carries.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

/// Bytes that differ from place to place and from seed to seed, so that a swap or a loss shows.
pub(super) fn pattern(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A frame that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub(super) first: u8,
    pub(super) payload: Vec<u8>,
}

/// Finds frames in what was read.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// What was read. What is before `start` was taken.
    pub(super) bytes: Vec<u8>,
    start: usize,
}

impl Parser {
    /// The next frame, if it is whole. `from` is who sends it.
    pub(super) fn next(&mut self, from: Role) -> Result<Option<Frame>, String> {
        let frame = self.parse(from);
        if !matches!(frame, Ok(Some(_))) {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        frame
    }

    fn parse(&mut self, from: Role) -> Result<Option<Frame>, String> {
        let unread = self.unread();
        let [first, second, rest @ ..] = unread else {
            return Ok(None);
        };
        if (second & 0x80 != 0) != (from == Role::Client) {
            return Err(format!(
                "a frame of {from:?} that begins {first:02x} {second:02x}"
            ));
        }
        let (length, mut header) = match second & 0x7f {
            126 if rest.len() < 2 => return Ok(None),
            127 if rest.len() < 8 => return Ok(None),
            126 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), 4),
            127 => {
                let length = rest[..8].iter();
                (length.fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 10)
            }
            length => (u64::from(length), 2),
        };
        let length = usize::try_from(length).map_err(|error| error.to_string())?;
        let mut key = [0; 4];
        if from == Role::Client {
            if unread.len() < header + 4 {
                return Ok(None);
            }
            key.copy_from_slice(&unread[header..header + 4]);
            header += 4;
        }
        if unread.len() - header.min(unread.len()) < length {
            return Ok(None);
        }
        let first = *first;
        let mut payload = unread[header..header + length].to_vec();
        if from == Role::Client {
            mask(&mut payload, key);
        }
        self.start += header + length;
        Ok(Some(Frame { first, payload }))
    }

    /// What was read and not taken.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Takes so many bytes that are no frame.
    pub(super) fn skip(&mut self, n: usize) {
        self.start += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for role in [Role::Client, Role::Server] {
            let mut parser = Parser::default();
            let lengths = [0, 1, 125, 126, 65_535, 65_536];
            let all: Vec<_> = lengths
                .iter()
                .flat_map(|&length| frame(role, BINARY, &pattern(7, length)))
                .collect();
            let mut found = Vec::new();
            for piece in all.chunks(1000) {
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

    #[test]
    fn the_example_of_the_rfc() {
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(frame(Role::Client, TEXT, b"Hello"), hello);
        let mut parser = Parser::default();
        parser.bytes.extend(hello);
        assert!(parser.next(Role::Server).is_err());
    }
}
