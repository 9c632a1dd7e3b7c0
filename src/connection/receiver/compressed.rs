//! The payload of compressed messages (RFC 7692, section 7.2.2).

use crate::connection::config::Delivery;
use crate::connection::message_type::MessageType;
use crate::connection::read_buffer::{Place, ReadBuffer};
use crate::connection::receiver::{Payload, at_most};
use crate::connection::role::Role;
use crate::deflate::Inflation;
use crate::wire::masking_key::rotate;
use crate::wire::{ProtocolError, apply_mask, utf8};

/// How much is decompressed before it is delivered as a chunk or validated. Little input can make much output.
const CHUNK: usize = 32 << 10;

/// The rules for the output.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) role: Role,
    pub(super) delivery: Delivery,
    pub(super) max_message: u64,
}

/// Decompresses the received payload of a frame. Returns false if the output is larger than its space. Then the caller
/// takes the output and calls again.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "`unmasked` and `consumed` are at most `n`, `n` is at most `remaining`, and `length` at most `limit`"
)]
#[expect(
    clippy::indexing_slicing,
    reason = "`unmasked` is at most `n`, and `n` bytes are unread"
)]
pub(super) fn decompress(
    inflation: &mut Inflation,
    payload: &mut Payload,
    length: &mut u64,
    rules: Rules,
    buffer: &mut ReadBuffer,
) -> Result<bool, ProtocolError> {
    let mut n = at_most(payload.remaining, buffer.unread().len());
    if rules.role == Role::Server {
        // This is more than `n` only if the caller mixed up two buffers.
        let unmasked = inflation.unmasked().min(n);
        let masked = &mut buffer.received_mut().unread_mut()[unmasked..n];
        apply_mask(masked, payload.key, 0);
        payload.key = rotate(payload.key, n - unmasked);
    }
    // With chunks, the limit may be more than memory can hold.
    let limit = rules.max_message;
    let in_memory = at_most(limit, usize::MAX);
    // Text is validated while it is in the fastest cache.
    let in_steps = rules.delivery == Delivery::Chunks || payload.message == MessageType::Text;
    // At most the limit, so `limit - length` does not underflow.
    *length = limit.min(*length);
    let mut fresh = 0;
    let mut all = n == 0 && inflation.is_empty();
    while !all && (!in_steps || fresh < CHUNK) {
        // One byte beyond the limit shows that the message is too large.
        let most = at_most((limit - *length).saturating_add(1), usize::MAX);
        let (input, output) = buffer.decompression(n, most, in_memory);
        let progress = inflation.inflate(input, output);
        all = progress.produced < output.len();
        buffer.received_mut().consume(progress.consumed);
        payload.remaining -= progress.consumed as u64;
        n -= progress.consumed;
        let produced = at_most(limit - *length, progress.produced);
        let decompressed = buffer.region_mut(Place::Decompressed);
        decompressed.advance(produced);
        decompressed.hold(produced);
        *length += produced as u64;
        fresh += produced;
        if produced < progress.produced {
            return Err(first_violation(
                payload.message,
                buffer,
                ProtocolError::MessageTooLarge,
            ));
        }
        if progress.corrupt {
            return Err(first_violation(
                payload.message,
                buffer,
                ProtocolError::CorruptCompression,
            ));
        }
    }
    inflation.set_unmasked(n);
    if all && payload.remaining == 0 && payload.fin && inflation.finish().is_err() {
        return Err(first_violation(
            payload.message,
            buffer,
            ProtocolError::CorruptCompression,
        ));
    }
    Ok(all)
}

/// The violation to fail for. Invalid text that was decompressed before `violation` comes first: smaller pieces would
/// have found it first.
fn first_violation(
    message: MessageType,
    buffer: &mut ReadBuffer,
    violation: ProtocolError,
) -> ProtocolError {
    let text = buffer.region_mut(Place::Decompressed).held();
    if message == MessageType::Text && utf8::complete_length(text).is_err() {
        ProtocolError::InvalidUtf8
    } else {
        violation
    }
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use super::*;
    use crate::connection::config::Config;
    use crate::connection::receiver::{Received, Receiver};
    use crate::deflate::{Agreed, Deflate, Inflation};

    /// The length of a message may exceed 32 bits, and the limit is exact there.
    #[test]
    fn a_message_over_4_gib_is_counted_to_the_byte() {
        // "Hello", first flushed and then to the end (RFC 7692, section 7.2.3).
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
                    options: Deflate::default(),
                }));
                let mut buffer = ReadBuffer::new();
                buffer.extend_from_slice(FIRST);
                let first = receiver.next(&mut buffer);
                assert!(matches!(first, Ok(Some(Received::Binary(.., false)))));
                assert!(matches!(receiver.next(&mut buffer), Ok(None)));
                assert_eq!(receiver.length, 5);

                // As if this many bytes had come.
                receiver.length = before;
                buffer.extend_from_slice(LAST);
                let last = receiver.next(&mut buffer);
                match last {
                    Ok(Some(Received::Binary(place, span, true))) => {
                        assert_eq!(more, 5);
                        assert_eq!(buffer.slice(place, span), b"Hello");
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
