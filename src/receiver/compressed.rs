//! The payload of compressed messages (RFC 7692 section 7.2.2).

use crate::config::Delivery;
use crate::error::ProtocolError;
use crate::mask::{apply_mask, rotate};
use crate::read_buffer::{ReadBuffer, Store};
use crate::receiver::{Progress, Receiver, Stage, at_most};
use crate::role::Role;

/// How much is decompressed before it is delivered as a chunk: little input can make much output.
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
        if self.role == Role::Server {
            // More than there is only if the caller mixed up two buffers.
            let unmasked = self.unmasked.min(n);
            apply_mask(buffer.unread_mut(unmasked..n), *key, 0);
            *key = rotate(*key, n - unmasked);
        }
        let limit = usize::try_from(self.max_message).unwrap_or(usize::MAX);
        let mut length = at_most(self.length, limit);
        let mut fresh = 0;
        let mut drained = n == 0 && inflation.is_empty();
        while !drained && (self.delivery == Delivery::Messages || fresh < CHUNK) {
            // One byte more than allowed shows that it is too large.
            let most = (limit - length).saturating_add(1);
            let (input, output) = buffer.inflate_from(n, most, limit);
            let progress = inflation
                .inflate(input, output)
                .map_err(|_| ProtocolError::CorruptCompression)?;
            drained = progress.produced < output.len();
            buffer.consume(progress.consumed);
            *remaining -= progress.consumed as u64;
            n -= progress.consumed;
            if progress.produced > limit - length {
                return Err(ProtocolError::MessageTooLarge);
            }
            let inflated = buffer.store(Store::Inflated);
            inflated.advance(progress.produced);
            inflated.hold(progress.produced);
            length += progress.produced;
            fresh += progress.produced;
        }
        self.unmasked = n;
        self.length = length as u64;
        if !drained {
            return Ok(self
                .chunk(buffer, Store::Inflated)
                .map_or(Progress::Continue, Progress::Event));
        }
        if *remaining == 0 && *fin {
            inflation
                .finish()
                .map_err(|_| ProtocolError::CorruptCompression)?;
        }
        self.deliver(buffer, Store::Inflated, fresh)
    }
}
