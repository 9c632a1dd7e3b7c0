//! Prints every frame of a client, bit by bit, for readers who want to see the protocol.
//!
//! The log watches the bytes beside the connection. It uses only the crate's pure layer.

use std::fmt::Write;

use crate::command_line::say;
use sockless::{CloseFrame, FrameHeader, Opcode, apply_mask};

/// How many bytes of a payload to print.
const SHOWN: usize = 125;

pub(crate) struct FrameLog {
    connection: u64,
    /// Whether both sides agreed on permessage-deflate. RSV1 then marks a compressed message.
    deflate: bool,
    /// Whether the current message is compressed.
    compressed: bool,
    /// The first bytes of an incomplete header.
    start: Vec<u8>,
    frame: Option<Frame>,
    /// Whether a header was illegal. The start of the next frame is then unknown.
    lost: bool,
}

struct Frame {
    header: FrameHeader,
    compressed: bool,
    header_bytes: Vec<u8>,
    /// The first bytes of the payload, still masked.
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

    /// Takes received bytes, and prints the frames that end in them.
    pub(crate) fn watch(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            let n = match &mut self.frame {
                Some(frame) => frame.take(bytes),
                None => self.take_header(bytes),
            };
            bytes = &bytes[n..];
            if let Some(frame) = self.frame.take_if(|frame| frame.remaining == 0) {
                say(frame.describe(self.connection));
            }
        }
    }

    /// Takes one byte of a header, and returns 1.
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
                let (connection, bits) = (self.connection, bits(&self.start));
                say(format_args!("[{connection}] {bits}\n    {error}"));
                self.lost = true;
            }
        }
        1
    }

    /// RFC 7692, section 6: only the first frame of a compressed message has RSV1. Control frames are never compressed.
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
    /// Takes bytes of the payload, and returns how many.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let n =
            usize::try_from(self.remaining).map_or(bytes.len(), |length| length.min(bytes.len()));
        let shown = n.min(SHOWN - self.payload.len());
        self.payload.extend_from_slice(&bytes[..shown]);
        self.remaining -= n as u64;
        n
    }

    fn describe(&self, connection: u64) -> String {
        let FrameHeader {
            fin,
            rsv,
            opcode,
            masking_key,
            payload_length,
        } = self.header;
        let key = masking_key.map_or(String::from("none"), |key| hex(&key));
        let mut text = format!(
            "[{connection}] {}\n    FIN {}  RSV {rsv:03b}  opcode {:#x} ({opcode:?})  MASK {}  \
            payload length {payload_length}  masking key {key}",
            bits(&self.header_bytes),
            u8::from(fin),
            opcode.bits(),
            u8::from(masking_key.is_some()),
        );
        if self.payload.is_empty() {
            return text;
        }
        let more = if payload_length > SHOWN as u64 {
            " ..."
        } else {
            ""
        };
        let mut unmasked = self.payload.clone();
        apply_mask(&mut unmasked, masking_key.unwrap_or_default(), 0);
        _ = write!(text, "\n    as sent   {}{more}", hex(&self.payload));
        _ = write!(
            text,
            "\n    unmasked  {}{more}\n              ",
            hex(&unmasked)
        );
        _ = match CloseFrame::parse(&unmasked) {
            _ if self.compressed => write!(text, "compressed"),
            Ok(close) if opcode == Opcode::Close => {
                write!(text, "{} {:?}", close.code, close.reason)
            }
            _ => write!(text, "{:?}{more}", String::from_utf8_lossy(&unmasked)),
        };
        text
    }
}

fn bits(bytes: &[u8]) -> String {
    let bits: Vec<_> = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    bits.join(" ")
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}
