//! Frames that have arrived completely. They are the most frequent case, so few checks decide it.

use crate::connection::config::Delivery;
use crate::connection::message_type::MessageType;
use crate::connection::read_buffer::{Place, ReadBuffer};
use crate::connection::receiver::short_header::ShortHeader;
use crate::connection::receiver::{Receiver, Stage};
use crate::connection::role::Role;
use crate::wire::{ProtocolError, apply_mask};

impl Receiver {
    /// The type and header of the next message, if it has arrived completely in one frame and breaks no rule.
    ///
    /// After `None`, call [`next`](Self::next): the next frame may be anything, even invalid.
    #[inline]
    pub(crate) fn whole_message(&self, buffer: &ReadBuffer) -> Option<(MessageType, ShortHeader)> {
        if !matches!(self.stage, Stage::Header) || self.message.is_some() {
            return None;
        }
        let unread = buffer.unread();
        let header = ShortHeader::parse(unread, self.role == Role::Server)?;
        let kind = match header.first {
            ShortHeader::TEXT => MessageType::Text,
            ShortHeader::BINARY => MessageType::Binary,
            _ => return None,
        };
        let allowed = header.length <= usize::from(self.max_whole);
        (allowed && header.frame_size() <= unread.len()).then_some((kind, header))
    }

    /// Takes the payload of that message. Only the read position in the buffer changes.
    #[inline]
    pub(crate) fn take_whole<'b>(
        &self,
        header: ShortHeader,
        buffer: &'b mut ReadBuffer,
    ) -> &'b [u8] {
        let frame = buffer.received_mut().take(header.frame_size());
        let Some((header, payload)) = frame.split_at_mut_checked(header.size) else {
            return &[];
        };
        if self.role == Role::Server
            && let Some(key) = header.last_chunk()
        {
            apply_mask(payload, *key, 0);
        }
        payload
    }

    /// Adds the next fragments to the message while they have arrived completely, break no rule and do not end the
    /// message. [`next`](Self::next) reads the frame after them.
    pub(super) fn take_fragments(&mut self, buffer: &mut ReadBuffer) -> Result<(), ProtocolError> {
        let Some(message) = self.message else {
            return Ok(());
        };
        if self.delivery == Delivery::Chunks || self.place() == Place::Decompressed {
            return Ok(());
        }
        let masked = self.role == Role::Server;
        while let Some(header) = ShortHeader::parse(buffer.unread(), masked) {
            let length = self.length.saturating_add(header.length as u64);
            if header.first != ShortHeader::FRAGMENT
                || header.frame_size() > buffer.unread().len()
                || header.length as u64 > self.max_frame
                || length > self.max_message
            {
                break;
            }
            self.length = length;
            self.progress = true;
            let received = buffer.received_mut();
            let place = received.consume(header.size);
            let key = received.slice(place).last_chunk().copied();
            let piece = received.hold(header.length);
            if let (true, Some(key)) = (masked, key) {
                apply_mask(received.slice_mut(piece), key, 0);
            }
            self.assemble(message, Place::Received, buffer)?;
        }
        Ok(())
    }
}
