//! One direction of a connection, as the reference and another library read it.

use flate2::{Decompress, FlushDecompress};
use sockless::test_util::OwnedEvent;

use super::reference::{TAIL, inflate};
use super::sent;

/// The receiver of compressed messages. It panics if the messages break what was agreed on.
pub(crate) struct Listener {
    bits: u8,
    takeover: bool,
    /// The data of all earlier compressed messages.
    before: Vec<u8>,
    stream: Decompress,
    /// The frames of the open message.
    open: Vec<(u8, Vec<u8>)>,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) compressed: bool,
    pub(crate) fragments: usize,
    pub(crate) event: OwnedEvent,
}

impl Listener {
    pub(crate) fn new(bits: u8, takeover: bool) -> Self {
        Self {
            bits,
            takeover,
            before: Vec::new(),
            stream: Decompress::new(false),
            open: Vec::new(),
        }
    }

    /// The messages that this output completes. Control frames are left out.
    pub(crate) fn hear(&mut self, output: &[u8]) -> Vec<Heard> {
        let mut messages = Vec::new();
        for (first, payload) in sent(output) {
            // RFC 7692, section 6: only the first frame of a data message may have RSV1.
            let rsv1 = [0x41, 0x42].contains(&(first & 0x4f));
            assert!(first & 0x70 == 0 || first & 0x70 == 0x40 && rsv1);
            if first & 0x08 != 0 {
                continue;
            }
            self.open.push((first, payload));
            if first & 0x80 != 0 {
                messages.push(self.message());
            }
        }
        messages
    }

    fn message(&mut self) -> Heard {
        let frames = std::mem::take(&mut self.open);
        let payload: Vec<_> = frames.iter().flat_map(|(_, part)| part.clone()).collect();
        let first = frames[0].0;
        let compressed = first & 0x40 != 0;
        let data = if compressed {
            self.inflate(&payload)
        } else {
            payload
        };
        Heard {
            compressed,
            fragments: frames.len(),
            event: if first & 0x0f == 1 {
                OwnedEvent::text(std::str::from_utf8(&data).unwrap())
            } else {
                OwnedEvent::Binary(data)
            },
        }
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        // RFC 7692, section 7.2.3.6: an empty message has one byte.
        assert!(!payload.is_empty());
        if !self.takeover {
            self.before.clear();
            self.stream.reset(false);
        }
        let inflated = inflate(payload, &self.before);
        assert!(inflated.whole, "{payload:02x?}");
        assert!(inflated.reach <= 1 << self.bits, "{}", inflated.reach);
        self.before.extend(&inflated.data);
        assert_eq!(self.decompress(payload), inflated.data);
        inflated.data
    }

    /// Decompresses a whole message with the other library.
    fn decompress(&mut self, payload: &[u8]) -> Vec<u8> {
        let stream = &mut self.stream;
        let input = [payload, &TAIL].concat();
        let mut data = Vec::with_capacity(1024);
        let start = stream.total_in();
        loop {
            let before = (stream.total_in(), stream.total_out());
            let read = usize::try_from(before.0 - start).unwrap();
            stream
                .decompress_vec(&input[read..], &mut data, FlushDecompress::Sync)
                .unwrap();
            if before == (stream.total_in(), stream.total_out()) {
                assert_eq!(read, input.len());
                return data;
            }
            data.reserve(1024);
        }
    }
}
