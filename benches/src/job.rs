//! What the passes do.

use std::sync::{Arc, Mutex, PoisonError};

use sockless::{FrameHeader, Opcode, apply_mask};

use crate::page;
use crate::sum::Sum;

/// Which side the implementation under test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

/// What messages say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binary,
    /// English, a byte a character.
    Ascii,
    /// Chinese, three bytes a character.
    Chinese,
}

impl Kind {
    pub fn is_text(self) -> bool {
        self != Self::Binary
    }

    /// A payload of `size` bytes.
    pub fn payload(self, size: usize) -> Vec<u8> {
        let pattern: &[u8] = match self {
            Self::Binary => &std::array::from_fn::<u8, 251, _>(|i| i.to_le_bytes()[0]),
            Self::Ascii => b"The quick brown fox jumps over the lazy dog. ",
            Self::Chinese => {
                "\u{5929}\u{5730}\u{7384}\u{9ec4}\u{5b87}\u{5b99}\u{6d2a}\u{8352}".as_bytes()
            }
        };
        let mut payload: Vec<_> = pattern.iter().copied().cycle().take(size).collect();
        // What does not make a whole character is filled up.
        if self.is_text() {
            let good = str::from_utf8(&payload).map_or_else(|error| error.valid_up_to(), str::len);
            payload[good..].fill(b'.');
        }
        payload
    }

    /// The same as text, if it is text.
    pub fn text(self, size: usize) -> Option<String> {
        self.is_text()
            .then(|| String::from_utf8(self.payload(size)).unwrap())
    }
}

/// Receive messages, all alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// The side that receives: a server receives masked frames.
    pub role: Role,
    pub kind: Kind,
    /// Bytes of payload in a message.
    pub size: usize,
    /// Bytes of payload in a frame; `size` for whole messages.
    pub fragment: usize,
    /// Messages in a pass.
    pub count: usize,
    /// What a read gives at most.
    pub read_size: usize,
    /// Whether parts of messages may be delivered as they come; otherwise only whole ones.
    pub chunks: bool,
}

impl Receive {
    /// The bytes of one pass, the very same for all who ask one after the other: otherwise each would find its own
    /// gone from the caches when it takes its turn.
    pub fn stream(&self) -> Arc<[u8]> {
        static LAST: Mutex<Option<(Receive, Arc<[u8]>)>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((job, stream)) if job == self => stream.clone(),
            _ => last.insert((self.clone(), self.frames())).1.clone(),
        }
    }

    fn frames(&self) -> Arc<[u8]> {
        let payload = self.kind.payload(self.size);
        let mut stream = Vec::new();
        let mut key = 0x9e37_79b9_u32;
        for _ in 0..self.count {
            let mut start = 0;
            loop {
                let end = (start + self.fragment).min(payload.len());
                key = key.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
                let opcode = match (start, self.kind) {
                    (0, Kind::Binary) => Opcode::Binary,
                    (0, _) => Opcode::Text,
                    _ => Opcode::Continuation,
                };
                let masking_key = (self.role == Role::Server).then(|| key.to_be_bytes());
                let header = FrameHeader {
                    fin: end == payload.len(),
                    rsv: 0,
                    opcode,
                    masking_key,
                    payload_length: (end - start) as u64,
                };
                stream.extend_from_slice(header.write(&mut [0; FrameHeader::MAX_SIZE]));
                let place = stream.len();
                stream.extend_from_slice(&payload[start..end]);
                apply_mask(&mut stream[place..], masking_key.unwrap_or_default(), 0);
                start = end;
                if start == payload.len() {
                    break;
                }
            }
        }
        stream.into()
    }

    /// What a server has to write that sends the messages back.
    pub fn echoed(&self) -> Send {
        Send {
            role: Role::Server,
            kind: self.kind,
            size: self.size,
            count: self.count,
        }
    }

    /// What a pass has to find.
    pub fn expected(&self, mut sum: Sum) -> Sum {
        let payload = self.kind.payload(self.size);
        for _ in 0..self.count {
            sum.add(&payload, true);
        }
        sum
    }
}

/// Send messages, all alike, each written to the transport before the next one.
#[derive(Clone, Debug)]
pub struct Send {
    /// The side that sends: a client masks.
    pub role: Role,
    pub kind: Kind,
    /// Bytes of payload in a message.
    pub size: usize,
    /// Messages in a pass.
    pub count: usize,
}

impl Send {
    /// What each message says, for everyone at the start of a page.
    pub fn payload(&self) -> &'static [u8] {
        page::copy(&self.kind.payload(self.size))
    }

    /// Bytes that one message takes on the wire.
    pub fn wire_size(&self) -> usize {
        let extended = match self.size {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        2 + extended + if self.role == Role::Client { 4 } else { 0 } + self.size
    }

    /// Whether these are the frames of one pass, with keys that differ if there are any.
    ///
    /// # Errors
    ///
    /// Says what is wrong with them.
    pub fn check(&self, mut written: &[u8]) -> Result<(), String> {
        let payload = self.kind.payload(self.size);
        let mut last_key = None;
        for i in 0..self.count {
            let (header, size) = FrameHeader::parse(written)
                .map_err(|error| error.to_string())?
                .ok_or_else(|| format!("only {i} messages"))?;
            let opcode = if self.kind.is_text() {
                Opcode::Text
            } else {
                Opcode::Binary
            };
            if !header.fin || header.opcode != opcode || header.payload_length != self.size as u64 {
                return Err(format!("message {i}: {header:?}"));
            }
            if header.masking_key.is_some() != (self.role == Role::Client) {
                return Err(format!("message {i}: wrong masking"));
            }
            let end = size + self.size;
            let mut data = written
                .get(size..end)
                .ok_or_else(|| format!("message {i} is cut"))?
                .to_vec();
            apply_mask(&mut data, header.masking_key.unwrap_or_default(), 0);
            if data != payload {
                return Err(format!("message {i}: other contents"));
            }
            if last_key.is_some() && last_key == header.masking_key {
                return Err(format!("message {i}: the same key again"));
            }
            last_key = header.masking_key;
            written = &written[end..];
        }
        if written.is_empty() {
            Ok(())
        } else {
            Err(format!("{} bytes too many", written.len()))
        }
    }
}

/// An opening handshake as a browser sends it.
pub const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: http://server.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    \r\n";

/// What the answer to [`REQUEST`] has to contain.
pub const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Whether these bytes are a whole answer that accepts [`REQUEST`].
///
/// # Errors
///
/// Says what is wrong with them.
pub fn check_answer(answer: &[u8]) -> Result<(), String> {
    let shown = String::from_utf8_lossy(answer);
    if !answer.starts_with(b"HTTP/1.1 101 ") || !answer.ends_with(b"\r\n\r\n") {
        return Err(format!("no answer that switches protocols: {shown}"));
    }
    if !answer.windows(ACCEPT.len()).any(|part| part == ACCEPT) {
        return Err(format!("another accept value: {shown}"));
    }
    Ok(())
}
