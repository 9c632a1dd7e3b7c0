//! What is read after a failure (RFC 6455 section 7.1.7).

use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode};
use crate::read_buffer::ReadBuffer;
use crate::receiver::{Progress, Received, Receiver, Stage, at_most, read_control};

impl Receiver {
    /// The connection has failed. A Close frame that was itself refused is the end of what is read: it is
    /// no Close frame for the record, and no other can follow it.
    pub(crate) fn failed(&mut self, error: ProtocolError) {
        self.abandon_message();
        if matches!(
            error,
            ProtocolError::CloseTooShort
                | ProtocolError::InvalidCloseCode(_)
                | ProtocolError::InvalidCloseReason
        ) {
            self.stage = Stage::Lost;
        }
    }

    /// Reads on after a failure, dropping everything, to learn whether the peer sent a Close frame.
    ///
    /// Section 7.1.7 forbids to act on what still comes; how the connection ended is for the record only.
    #[expect(clippy::arithmetic_side_effects, reason = "`n` is at most `remaining`")]
    pub(crate) fn discard<'b>(&mut self, buffer: &'b mut ReadBuffer) -> Option<CloseFrame<'b>> {
        buffer.release_all();
        let close = loop {
            match &mut self.stage {
                Stage::Lost => {
                    buffer.clear();
                    return None;
                }
                Stage::Payload { remaining, .. } => {
                    let n = at_most(*remaining, buffer.unread().len());
                    buffer.consume(n);
                    *remaining -= n as u64;
                    if *remaining > 0 {
                        return None;
                    }
                    self.stage = Stage::Header;
                }
                Stage::Header => match FrameHeader::parse(buffer.unread()) {
                    Err(_) => self.stage = Stage::Lost,
                    Ok(None) => return None,
                    Ok(Some((header, size))) if header.opcode == Opcode::Close => {
                        let key = header.masking_key.unwrap_or_default();
                        let Progress::Event(Received::Close(payload)) = read_control(
                            header.opcode,
                            size,
                            at_most(header.payload_length, MAX_CONTROL_PAYLOAD),
                            key,
                            buffer,
                        ) else {
                            return None;
                        };
                        break payload;
                    }
                    Ok(Some((header, size))) => {
                        buffer.consume(size);
                        self.stage = Stage::Payload {
                            remaining: header.payload_length,
                            key: [0; 4],
                            fin: true,
                        };
                    }
                },
            }
        };
        self.stage = Stage::Lost;
        CloseFrame::parse(buffer.slice(close)).ok()
    }
}
