//! The payload of compressed messages (RFC 7692 section 7.2.2).

use crate::connection::config::Delivery;
use crate::connection::message_type::MessageType;
use crate::connection::read_buffer::{ReadBuffer, Store};
use crate::connection::receiver::{Progress, Receiver, Stage, at_most};
use crate::connection::role::Role;
use crate::wire::mask::rotate;
use crate::wire::{ProtocolError, apply_mask, utf8};

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
        self.progress |= n > inflation.unmasked();
        if self.role == Role::Server {
            // More than there is only if the caller mixed up two buffers.
            let unmasked = inflation.unmasked().min(n);
            apply_mask(buffer.unread_mut(unmasked..n), *key, 0);
            *key = rotate(*key, n - unmasked);
        }
        // More than memory can hold, if it is delivered in chunks.
        let limit = self.max_message;
        let in_memory = at_most(limit, usize::MAX);
        // Text is validated while it is in the fastest cache.
        let in_steps = self.delivery == Delivery::Chunks || self.message == Some(MessageType::Text);
        let mut length = self.length.min(limit);
        let mut fresh = 0;
        let mut drained = n == 0 && inflation.is_empty();
        while !drained && (!in_steps || fresh < CHUNK) {
            // One byte more than allowed shows that it is too large.
            let most = at_most((limit - length).saturating_add(1), usize::MAX);
            let (input, output) = buffer.inflate_from(n, most, in_memory);
            let progress = inflation.inflate(input, output);
            drained = progress.produced < output.len();
            buffer.consume(progress.consumed);
            *remaining -= progress.consumed as u64;
            n -= progress.consumed;
            let produced = at_most(limit - length, progress.produced);
            let inflated = buffer.store(Store::Inflated);
            inflated.advance(produced);
            inflated.hold(produced);
            length += produced as u64;
            fresh += produced;
            if produced < progress.produced {
                return Err(self.first_violation(buffer, ProtocolError::MessageTooLarge));
            }
            if progress.corrupt {
                return Err(self.first_violation(buffer, ProtocolError::CorruptCompression));
            }
        }
        inflation.set_unmasked(n);
        self.length = length;
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

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use super::*;
    use crate::connection::config::Config;
    use crate::connection::receiver::Received;
    use crate::deflate::{Agreed, Deflate, Inflation};

    /// The bytes of a message are counted beyond what 32 bits hold, and the limit is exact there.
    #[test]
    fn a_message_over_4_gib_is_counted_to_the_byte() {
        // "Hello", first flushed and then to the end (RFC 7692 section 7.2.3).
        const FIRST: &[u8] = b"\x42\x0b\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff";
        const LAST: &[u8] = b"\x80\x05\xf2\x00\x11\x00\x00";
        for before in [(1 << 32) - 7, (1 << 32) - 5, 1 << 32, 1 << 62] {
            for more in [4, 5] {
                let config = Config {
                    delivery: Delivery::Chunks,
                    max_message_size: before + more,
                    ..Config::default()
                };
                let mut receiver = Receiver::new(Role::Client, &config);
                receiver.inflation = Some(Inflation::new(&Agreed {
                    context_takeover: true,
                    window_bits: 15,
                    peer_context_takeover: true,
                    peer_window_bits: 15,
                    wishes: Deflate::default(),
                }));
                let mut buffer = ReadBuffer::new();
                buffer.extend_from_slice(FIRST);
                let first = receiver.next(&mut buffer);
                assert!(matches!(first, Ok(Some(Received::Binary(.., false)))));
                assert!(matches!(receiver.next(&mut buffer), Ok(None)));
                assert_eq!(receiver.length, 5);

                // As if so much had come.
                receiver.length = before;
                buffer.extend_from_slice(LAST);
                let last = receiver.next(&mut buffer);
                match last {
                    Ok(Some(Received::Binary(store, span, true))) => {
                        assert_eq!(more, 5);
                        assert_eq!(buffer.slice_in(store, span), b"Hello");
                    }
                    last => {
                        assert_eq!(more, 4);
                        assert!(matches!(last, Err(ProtocolError::MessageTooLarge)));
                    }
                }
            }
        }
    }
}
