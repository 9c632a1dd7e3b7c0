//! The payload of compressed messages (RFC 7692 section 7.2.2).

use crate::config::Delivery;
use crate::error::ProtocolError;
use crate::frame::MessageType;
use crate::mask::{apply_mask, rotate};
use crate::read_buffer::{ReadBuffer, Store};
use crate::receiver::{Progress, Receiver, Stage, at_most};
use crate::role::Role;
use crate::utf8;

/// How much is decompressed before it is delivered as a chunk, or validated: little input can make much output.
const CHUNK: usize = 32 << 10;

impl Receiver {
    /// Takes in what there is of the current frame's payload, and decompresses it.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`unmasked` and what the codec consumes are at most `n`, which is at most `remaining`; `length` never exceeds `limit`, or it fails first"
    )]
    pub(super) fn read_compressed(
        &mut self,
        buffer: &mut ReadBuffer,
    ) -> Result<Progress, ProtocolError> {
        let (
            Stage::Payload {
                remaining,
                key,
                fin,
            },
            Some(inflation),
        ) = (&mut self.stage, &mut self.inflation)
        else {
            return Ok(Progress::Incomplete);
        };
        let mut n = at_most(*remaining, buffer.unread().len());
        self.progress |= n > inflation.unmasked;
        if self.role == Role::Server {
            // More than there is only if the caller mixed up two buffers.
            let unmasked = inflation.unmasked.min(n);
            apply_mask(buffer.unread_mut(unmasked..n), *key, 0);
            *key = rotate(*key, n - unmasked);
        }
        let limit = self.max_message.try_into().unwrap_or(usize::MAX);
        // Text is validated while it is in the fastest cache.
        let in_steps = self.delivery == Delivery::Chunks || self.message == Some(MessageType::Text);
        let mut length = at_most(self.length, limit);
        let mut fresh = 0;
        let mut drained = n == 0 && inflation.is_empty();
        while !drained && (!in_steps || fresh < CHUNK) {
            // One byte more than allowed shows that it is too large.
            let most = (limit - length).saturating_add(1);
            let (input, output) = buffer.inflate_from(n, most, limit);
            let progress = inflation.inflate(input, output);
            drained = progress.produced < output.len();
            buffer.consume(progress.consumed);
            *remaining -= progress.consumed as u64;
            n -= progress.consumed;
            let produced = progress.produced.min(limit - length);
            let inflated = buffer.store(Store::Inflated);
            inflated.advance(produced);
            inflated.hold(produced);
            length += produced;
            fresh += produced;
            if produced < progress.produced {
                return Err(self.first_violation(buffer, ProtocolError::MessageTooLarge));
            }
            if progress.corrupt {
                return Err(self.first_violation(buffer, ProtocolError::CorruptCompression));
            }
        }
        inflation.unmasked = n;
        self.length = length as u64;
        if !drained {
            if self.delivery == Delivery::Messages {
                self.join(buffer, Store::Inflated)?;
                return Ok(Progress::Continue);
            }
            return Ok(self
                .chunk(buffer, Store::Inflated)
                .map_or(Progress::Continue, Progress::Event));
        }
        if *remaining == 0 && *fin && inflation.finish().is_err() {
            return Err(self.first_violation(buffer, ProtocolError::CorruptCompression));
        }
        self.deliver(buffer, Store::Inflated)
    }

    /// The violation to fail for: wrong text that came out before it is the earlier one, and would have been
    /// found first in smaller pieces.
    fn first_violation(&self, buffer: &mut ReadBuffer, violation: ProtocolError) -> ProtocolError {
        let inflated = buffer.store(Store::Inflated);
        let wrong_text = self.message == Some(MessageType::Text)
            && utf8::complete_length(inflated.slice(inflated.held())).is_err();
        if wrong_text {
            ProtocolError::InvalidUtf8
        } else {
            violation
        }
    }
}
