//! What has come to one side, frame by frame.

use sockless::{FrameHeader, Opcode};

/// How much payload of messages has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Payload {
    Nothing,
    /// Perhaps some: there was a frame without payload, or the connection has failed and how much it took before is unknown.
    Unclear,
    Some,
}

/// Reads frames up to a Close frame. It neither knows messages nor minds what breaks a rule.
#[derive(Default)]
pub(super) struct Incoming {
    /// The beginning of a header.
    header: Vec<u8>,
    /// A frame with a whole header, and how much of its payload is still to come.
    frame: Option<(FrameHeader, u64)>,
    /// Frames that end a message, and Pings: as many as there are events besides Pongs and the Close.
    completed: usize,
    ended: bool,
}

impl Incoming {
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Payload {
        let mut came = Payload::Nothing;
        let mut rest = bytes;
        loop {
            if let Some((frame, remaining)) = self.frame {
                let n = rest
                    .len()
                    .min(usize::try_from(remaining).unwrap_or(usize::MAX));
                rest = &rest[n..];
                if !frame.opcode.is_control() {
                    let empty = frame.payload_length == 0;
                    came = came.max(match n {
                        0 if empty => Payload::Unclear,
                        0 => Payload::Nothing,
                        _ => Payload::Some,
                    });
                }
                self.frame = Some((frame, remaining - n as u64));
                if remaining > n as u64 {
                    return came;
                }
                self.complete(frame);
                self.frame = None;
            }
            if self.ended {
                return came;
            }
            let Some((byte, tail)) = rest.split_first() else {
                return came;
            };
            rest = tail;
            self.header.push(*byte);
            match FrameHeader::parse(&self.header) {
                Ok(None) => {}
                Ok(Some((frame, _))) => {
                    self.frame = Some((frame, frame.payload_length));
                    self.header.clear();
                }
                Err(_) => self.ended = true,
            }
        }
    }

    /// How many messages and Pings have come whole.
    pub(super) const fn completed(&self) -> usize {
        self.completed
    }

    fn complete(&mut self, frame: FrameHeader) {
        match frame.opcode {
            Opcode::Close => self.ended = true,
            Opcode::Pong => {}
            _ if frame.fin => self.completed += 1,
            _ => {}
        }
    }
}
