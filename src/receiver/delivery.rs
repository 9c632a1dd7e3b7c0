//! What payload that was taken in completes: a message, a part of one, or nothing yet (RFC 6455 sections 6.2 and 8.1).

use crate::config::Delivery;
use crate::error::ProtocolError;
use crate::frame::MessageType;
use crate::read_buffer::{ReadBuffer, Span, Store};
use crate::receiver::{Progress, Received, Receiver, Stage};
use crate::utf8;

impl Receiver {
    /// After more payload was taken in: the event it completes, if any.
    pub(super) fn deliver(
        &mut self,
        buffer: &mut ReadBuffer,
        store: Store,
    ) -> Result<Progress, ProtocolError> {
        let (Stage::Payload { remaining, fin, .. }, Some(message)) = (&self.stage, self.message)
        else {
            return Ok(Progress::Incomplete);
        };
        let (frame_ends, message_ends) = (*remaining == 0, *remaining == 0 && *fin);
        if frame_ends {
            self.stage = Stage::Header;
        }
        let event = if message_ends {
            self.message = None;
            self.length = 0;
            Some(self.whole(buffer, store, message)?)
        } else if self.delivery == Delivery::Chunks {
            self.chunk(buffer, store)
        } else {
            self.join(buffer, store)?;
            None
        };
        Ok(match event {
            Some(received) => Progress::Event(received),
            None if frame_ends => Progress::Continue,
            None => Progress::Incomplete,
        })
    }

    /// The message, or what of it was not delivered yet, now that it ends.
    fn whole(
        &self,
        buffer: &mut ReadBuffer,
        store: Store,
        message: MessageType,
    ) -> Result<Received, ProtocolError> {
        let last = buffer.store(store).release(usize::MAX);
        if !buffer.is_joining() {
            buffer.close_joined();
            return Ok(received(message, store, last, true));
        }
        buffer.join_text(store, last, self.max_message())?;
        buffer.close_joined();
        Ok(Received::JoinedText)
    }

    /// Puts what has come of a text message to what came of it before, without the beginning of a character. So wrong
    /// text fails at the wrong byte and not at the end of its message (section 8.1).
    pub(super) fn join(&self, buffer: &mut ReadBuffer, store: Store) -> Result<(), ProtocolError> {
        /// What of it is validated once more is still in the nearest cache then.
        const SHORT: u64 = 32 << 10;
        // Binary data is joined where it lies.
        if self.message != Some(MessageType::Text) {
            return Ok(());
        }
        let is_short = matches!(self.stage, Stage::Payload { fin: true, .. })
            && store == Store::Wire
            && self.length <= SHORT;
        if is_short && buffer.leaves_text() {
            return Ok(());
        }
        if let Some(Received::Text(_, span, _)) = self.chunk(buffer, store) {
            buffer.join_text(store, span, self.max_message())?;
        }
        Ok(())
    }

    /// What has come of the message and is not delivered yet, without the beginning of a character.
    pub(super) fn chunk(&self, buffer: &mut ReadBuffer, store: Store) -> Option<Received> {
        let message = self.message?;
        let buffer = buffer.store(store);
        let held = buffer.slice(buffer.held());
        let whole = match message {
            MessageType::Text => utf8::last_boundary(held),
            MessageType::Binary => held.len(),
        };
        (whole > 0).then(|| received(message, store, buffer.release(whole), false))
    }
}

const fn received(message: MessageType, store: Store, span: Span, fin: bool) -> Received {
    match message {
        MessageType::Text => Received::Text(store, span, fin),
        MessageType::Binary => Received::Binary(store, span, fin),
    }
}
