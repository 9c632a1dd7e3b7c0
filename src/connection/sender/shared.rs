//! Messages that several connections send.

use crate::connection::send_error::SendError;
use crate::connection::sender::Sender;
use crate::connection::shared_message::{SharedFrame, SharedMessage};

impl Sender {
    /// Queues a whole message in one frame that other connections send too.
    pub(crate) fn shared(&mut self, message: &SharedMessage) -> Result<(), SendError> {
        /// A copy of fewer bytes costs less than a write in parts.
        const WORTH_SHARING: usize = 4096;
        if self.message.is_some() {
            return Err(SendError::MessageOpen);
        }
        let frame = self.form(message);
        let payload = frame.payload();
        if self.keys.is_some() {
            let opcode = message.kind().opcode();
            let header = self.header(opcode, true, frame.rsv(), payload.len());
            self.output.push(&header, payload);
        } else if payload.len() < WORTH_SHARING {
            self.output.push_bytes(frame.bytes());
        } else {
            self.output.push_shared(frame.bytes());
        }
        Ok(())
    }

    /// Chooses the form of a shared message for this connection.
    fn form<'m>(&mut self, message: &'m SharedMessage) -> &'m SharedFrame {
        if let Some(deflation) = &mut self.deflation
            && let Some((options, bits)) = deflation.terms(message.plain().payload().len())
            && let Some(frame) = message.compressed(options, bits)
        {
            deflation.shared_message_sent();
            return frame;
        }
        message.plain()
    }
}
