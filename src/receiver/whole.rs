//! Whole messages in one frame.

use crate::frame::WholeMessage;
use crate::mask::apply_mask;
use crate::read_buffer::ReadBuffer;
use crate::receiver::{Receiver, Stage};
use crate::role::Role;

impl Receiver {
    /// The header of the next message, if all of it is there, in one frame that no rule is against: the most
    /// frequent case by far, so it is decided with few looks.
    ///
    /// `None` says nothing about what comes, not even whether it is wrong; [`next`](Self::next) does.
    #[inline]
    pub(crate) fn whole_message(&self, buffer: &ReadBuffer) -> Option<WholeMessage> {
        if !matches!(self.stage, Stage::Header) || self.message.is_some() {
            return None;
        }
        let unread = buffer.unread();
        let message = WholeMessage::parse(unread, self.role == Role::Server)?;
        let allowed = message.length <= usize::from(self.max_whole);
        (allowed && message.size() <= unread.len()).then_some(message)
    }

    /// Takes a message out of the buffer it was found in, and leaves no trace but the position there.
    #[inline]
    pub(crate) fn take_whole<'b>(
        &self,
        message: WholeMessage,
        buffer: &'b mut ReadBuffer,
    ) -> &'b [u8] {
        let frame = buffer.take(message.size());
        let Some((header, payload)) = frame.split_at_mut_checked(message.header_size) else {
            return &[];
        };
        if self.role == Role::Server
            && let Some(key) = header.last_chunk()
        {
            apply_mask(payload, *key, 0);
        }
        payload
    }
}
