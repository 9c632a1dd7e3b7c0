//! The jobs that passes do.

use std::sync::{Arc, Mutex, PoisonError};

use sockless::{FrameHeader, Opcode, apply_mask};

use crate::page;
use crate::sum::Sum;
use crate::wire::Wire;

/// The side of the implementation under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

/// The contents of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binary,
    /// English, one byte per character.
    Ascii,
    /// Chinese, three bytes per character.
    Chinese,
}

impl Kind {
    pub fn is_text(self) -> bool {
        self != Self::Binary
    }

    /// The opcode of a message's first frame.
    pub fn opcode(self) -> Opcode {
        if self.is_text() {
            Opcode::Text
        } else {
            Opcode::Binary
        }
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
        // The last character may be cut.
        if self.is_text() {
            let good = str::from_utf8(&payload).map_or_else(|error| error.valid_up_to(), str::len);
            payload[good..].fill(b'.');
        }
        payload
    }
}

/// Receive equal messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// The side that receives. A server receives masked frames.
    pub role: Role,
    pub kind: Kind,
    /// Bytes of payload in a message.
    pub size: usize,
    /// Bytes of payload in a frame: `size` for messages in one frame.
    pub fragment: usize,
    /// Messages in a pass.
    pub count: usize,
    /// The most that a read returns.
    pub read_size: usize,
    /// Whether the implementation may deliver parts of messages. Otherwise it delivers whole messages.
    pub chunks: bool,
}

impl Receive {
    /// Messages in one frame, and reads of 16 KiB.
    pub fn new(role: Role, kind: Kind, size: usize, count: usize) -> Self {
        Self {
            role,
            kind,
            size,
            fragment: size,
            count,
            read_size: 16 << 10,
            chunks: false,
        }
    }

    /// A transport that delivers these messages in every pass.
    pub fn wire(&self) -> Wire {
        Wire::new(self.stream(), self.read_size)
    }

    /// The bytes of one pass.
    ///
    /// Everyone who does this job reads the same copy. With a copy for each, they would push each other's copy out
    /// of the caches.
    pub fn stream(&self) -> Arc<[u8]> {
        static LAST: Mutex<Option<(Receive, Arc<[u8]>)>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((job, stream)) if job == self => stream.clone(),
            _ => last.insert((self.clone(), self.frames().into())).1.clone(),
        }
    }

    fn frames(&self) -> Vec<u8> {
        let payload = self.kind.payload(self.size);
        let mut stream = Vec::new();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..self.count {
            let mut start = 0;
            loop {
                let end = (start + self.fragment).min(payload.len());
                let opcode = match start {
                    0 => self.kind.opcode(),
                    _ => Opcode::Continuation,
                };
                let key = (self.role == Role::Server).then(|| random.u32(..).to_be_bytes());
                let header = FrameHeader {
                    fin: end == payload.len(),
                    ..header(opcode, key)
                };
                push_frame(&mut stream, header, &payload[start..end]);
                start = end;
                if start == payload.len() {
                    break;
                }
            }
        }
        stream
    }

    /// The job of a server that sends these messages back.
    pub fn echoed(&self) -> Send {
        Send {
            role: Role::Server,
            kind: self.kind,
            size: self.size,
            count: self.count,
        }
    }

    /// Adds what a pass must receive.
    pub fn expected(&self, mut sum: Sum) -> Sum {
        let payload = self.kind.payload(self.size);
        for _ in 0..self.count {
            sum.add(&payload, true);
        }
        sum
    }
}

/// Send equal messages. Each is written to the transport before the next one is sent.
#[derive(Clone, Debug)]
pub struct Send {
    /// The side that sends. A client masks.
    pub role: Role,
    pub kind: Kind,
    /// Bytes of payload in a message.
    pub size: usize,
    /// Messages in a pass.
    pub count: usize,
}

/// The payload of a message to send. It begins at the start of a page.
#[derive(Clone, Copy, Debug)]
pub enum Payload {
    Text(&'static str),
    Binary(&'static [u8]),
}

impl Payload {
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }
}

impl Send {
    /// The payload of each message.
    pub fn payload(&self) -> Payload {
        let data = page::copy(&self.kind.payload(self.size));
        if self.kind.is_text() {
            Payload::Text(str::from_utf8(data).unwrap())
        } else {
            Payload::Binary(data)
        }
    }

    /// The size of one message on the wire.
    pub fn wire_size(&self) -> usize {
        let extended = match self.size {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        let key = if self.role == Role::Client { 4 } else { 0 };
        2 + extended + key + self.size
    }

    /// Checks that `written` is the frames of one pass, each with another masking key if frames are masked.
    ///
    /// # Errors
    ///
    /// Describes the first difference.
    pub fn check(&self, mut written: &[u8]) -> Result<(), String> {
        let payload = self.kind.payload(self.size);
        let mut last_key = None;
        for i in 0..self.count {
            let (header, data) =
                take_frame(&mut written).map_err(|error| format!("message {i}: {error}"))?;
            if !header.fin || header.rsv != 0 || header.opcode != self.kind.opcode() {
                return Err(format!("message {i}: {header:?}"));
            }
            if header.masking_key.is_some() != (self.role == Role::Client) {
                return Err(format!("message {i}: wrong masking"));
            }
            if data != payload {
                return Err(format!("message {i}: wrong payload"));
            }
            if last_key.is_some() && last_key == header.masking_key {
                return Err(format!("message {i}: the same masking key again"));
            }
            last_key = header.masking_key;
        }
        if written.is_empty() {
            Ok(())
        } else {
            Err(format!("{} bytes too many", written.len()))
        }
    }
}

/// The header of a message in one frame. [`push_frame`] sets the payload length.
pub fn header(opcode: Opcode, masking_key: Option<[u8; 4]>) -> FrameHeader {
    FrameHeader {
        fin: true,
        rsv: 0,
        opcode,
        masking_key,
        payload_length: 0,
    }
}

/// Appends a frame with this payload, masked if the header has a masking key.
pub fn push_frame(stream: &mut Vec<u8>, mut header: FrameHeader, payload: &[u8]) {
    header.payload_length = payload.len() as u64;
    stream.extend_from_slice(header.write(&mut [0; FrameHeader::MAX_SIZE]));
    let start = stream.len();
    stream.extend_from_slice(payload);
    apply_mask(
        &mut stream[start..],
        header.masking_key.unwrap_or_default(),
        0,
    );
}

/// Takes the first frame from `bytes`. Returns its header and its payload, unmasked.
///
/// # Errors
///
/// If `bytes` does not begin with a whole frame.
pub fn take_frame(bytes: &mut &[u8]) -> Result<(FrameHeader, Vec<u8>), String> {
    let (header, size) = FrameHeader::parse(bytes)
        .map_err(|error| error.to_string())?
        .ok_or("the header is cut")?;
    let (_, rest) = bytes.split_at(size);
    let (payload, rest) = usize::try_from(header.payload_length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or("the payload is cut")?;
    let mut payload = payload.to_vec();
    apply_mask(&mut payload, header.masking_key.unwrap_or_default(), 0);
    *bytes = rest;
    Ok((header, payload))
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

/// The key in [`REQUEST`].
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The `Sec-WebSocket-Accept` of a response to [`REQUEST`].
pub const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Checks that `response` is one whole response that switches protocols, with this accept value.
///
/// # Errors
///
/// Shows the response if it is wrong.
pub fn check_response(response: &[u8], accept: &[u8]) -> Result<(), String> {
    let right = response.starts_with(b"HTTP/1.1 101 ")
        && response.ends_with(b"\r\n\r\n")
        && response.windows(accept.len()).any(|part| part == accept);
    if right {
        Ok(())
    } else {
        let shown = String::from_utf8_lossy(response);
        Err(format!("wrong response: {shown}"))
    }
}
