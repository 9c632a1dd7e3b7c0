//! Prints every frame that a client sends, bit by bit, for people who want to see the protocol.
//!
//! It watches the bytes beside the connection and needs only the crate's pure layer.

use std::fmt::Write;

use crate::command_line::say;
use sockless::{CloseFrame, FrameHeader, Opcode, apply_mask};

/// How many bytes of a payload are shown.
const SHOWN: usize = 125;

pub(crate) struct FrameLog {
    connection: u64,
    /// Whether permessage-deflate was agreed on, so that RSV1 means a compressed message.
    deflate: bool,
    /// Whether the message is compressed that the last data frame belongs to.
    compressed: bool,
    /// The bytes of the next header, until it is whole.
    start: Vec<u8>,
    frame: Option<Frame>,
    /// After an illegal header nobody knows where the next one begins.
    lost: bool,
}

struct Frame {
    header: FrameHeader,
    compressed: bool,
    header_bytes: Vec<u8>,
    /// The beginning of the payload, as it came.
    payload: Vec<u8>,
    remaining: u64,
}

impl FrameLog {
    pub(crate) fn new(connection: u64, deflate: bool) -> Self {
        Self {
            connection,
            deflate,
            compressed: false,
            start: Vec::new(),
            frame: None,
            lost: false,
        }
    }

    /// Takes in bytes as they were read, and prints the frames that end in them.
    pub(crate) fn watch(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            let n = match &mut self.frame {
                Some(frame) => frame.take(bytes),
                None => self.take_header(bytes),
            };
            bytes = &bytes[n..];
            if let Some(frame) = self.frame.take_if(|frame| frame.remaining == 0) {
                say(describe(self.connection, &frame));
            }
        }
    }

    /// Takes the next byte of a header, and says that it took one.
    fn take_header(&mut self, bytes: &[u8]) -> usize {
        self.start.extend(bytes.first());
        match FrameHeader::parse(&self.start) {
            Ok(None) => {}
            Ok(Some((header, _))) => {
                self.frame = Some(Frame {
                    header,
                    compressed: self.is_compressed(&header),
                    header_bytes: std::mem::take(&mut self.start),
                    payload: Vec::new(),
                    remaining: header.payload_length,
                });
            }
            Err(error) => {
                say(format_args!(
                    "[{}] {}\n    {error}",
                    self.connection,
                    bits(&self.start)
                ));
                self.lost = true;
            }
        }
        1
    }

    /// Only the first frame of a compressed message has RSV1 (RFC 7692 section 6), and control frames are
    /// never compressed.
    fn is_compressed(&mut self, header: &FrameHeader) -> bool {
        match header.opcode {
            Opcode::Text | Opcode::Binary => self.compressed = self.deflate && header.rsv & 4 != 0,
            Opcode::Continuation => {}
            Opcode::Close | Opcode::Ping | Opcode::Pong => return false,
        }
        self.compressed
    }
}

impl Frame {
    /// Takes what belongs to the payload, and says how much that was.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let n =
            usize::try_from(self.remaining).map_or(bytes.len(), |length| length.min(bytes.len()));
        let shown = n.min(SHOWN - self.payload.len());
        self.payload.extend_from_slice(&bytes[..shown]);
        self.remaining -= n as u64;
        n
    }
}

fn describe(connection: u64, frame: &Frame) -> String {
    let FrameHeader {
        fin,
        rsv,
        opcode,
        masking_key,
        payload_length,
    } = frame.header;
    let mut text = format!("[{connection}] {}\n", bits(&frame.header_bytes));
    let key = masking_key.map_or(String::from("none"), |key| hex(&key));
    _ = write!(
        text,
        "    FIN {}  RSV {rsv:03b}  opcode {:#x} ({})  MASK {}  payload length {payload_length}  masking key {key}",
        u8::from(fin),
        opcode.bits(),
        name(opcode),
        u8::from(masking_key.is_some()),
    );
    if !frame.payload.is_empty() {
        let more = if payload_length > SHOWN as u64 {
            " ..."
        } else {
            ""
        };
        let mut unmasked = frame.payload.clone();
        apply_mask(&mut unmasked, masking_key.unwrap_or_default(), 0);
        _ = write!(text, "\n    as sent   {}{more}", hex(&frame.payload));
        _ = write!(text, "\n    unmasked  {}{more}", hex(&unmasked));
        _ = match CloseFrame::parse(&unmasked) {
            _ if frame.compressed => write!(text, "\n              compressed"),
            Ok(close) if opcode == Opcode::Close => {
                write!(text, "\n              {} {:?}", close.code, close.reason)
            }
            _ => write!(
                text,
                "\n              {:?}{more}",
                String::from_utf8_lossy(&unmasked)
            ),
        };
    }
    text
}

fn name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::Continuation => "continuation",
        Opcode::Text => "text",
        Opcode::Binary => "binary",
        Opcode::Close => "close",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
    }
}

fn bits(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:08b}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
