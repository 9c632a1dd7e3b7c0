//! The outcome of a stream, in a form that can be compared.

use sockless::test_util::{OwnedEvent, Role};

use crate::frame::Frame;

/// What a receiver makes of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whole messages and control frames that were delivered. Parts of a message that did not end are left out, since
    /// some receivers deliver them and others wait.
    pub events: Vec<OwnedEvent>,
    /// The close code for the reason why the connection failed.
    pub refused: Option<u16>,
    /// The Pongs and Close frames that were written. No rule fixes the reason of a Close frame, so it is left out. A
    /// reason that makes the frame illegal is [`TOO_LONG`].
    pub replies: Vec<OwnedEvent>,
}

/// The reason of a Close frame with more than 123 bytes of it (RFC 6455, section 5.5).
pub const TOO_LONG: &str = "more than 123 bytes";

/// The Pongs and Close frames in `written`. A binary message holds the rest, which then equals no reply.
///
/// The parser of sockless refuses a Close frame of more than 125 bytes, so this does not use it.
pub fn replies(role: Role, written: &[u8]) -> Vec<OwnedEvent> {
    let mut replies = Vec::new();
    let mut rest = written;
    while let Some(frame) = Frame::read(rest, true) {
        let masked = role == Role::Client;
        if !frame.is_whole() || !frame.fin || frame.rsv || frame.masked != masked {
            break;
        }
        replies.push(match (frame.opcode, &frame.payload[..]) {
            (10, payload) => OwnedEvent::pong(payload),
            (8, []) => OwnedEvent::close(1005, ""),
            (8, [high, low, reason @ ..]) => {
                let reason = if reason.len() > 123 { TOO_LONG } else { "" };
                OwnedEvent::close(u16::from_be_bytes([*high, *low]), reason)
            }
            _ => break,
        });
        rest = &rest[frame.size..];
    }
    if !rest.is_empty() {
        replies.push(OwnedEvent::binary(rest));
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_and_the_rest_is_kept() {
        let written = b"\x8a\x01a\x88\x02\x03\xe8";
        let long = [b"\x88\x7e\x00\x7e\x03\xe8", &[b'a'; 124][..]].concat();
        let masked = b"\x88\x80\x01\x02\x03\x04\x8a";
        let binary = OwnedEvent::binary;
        let rows: [(Role, &[u8], &[OwnedEvent]); 4] = [
            (
                Role::Server,
                written,
                &[OwnedEvent::pong(b"a"), OwnedEvent::close(1000, "")],
            ),
            (Role::Client, written, &[binary(written)]),
            (Role::Server, &long, &[OwnedEvent::close(1000, TOO_LONG)]),
            (
                Role::Client,
                masked,
                &[OwnedEvent::close(1005, ""), binary(b"\x8a")],
            ),
        ];
        for (role, written, expected) in rows {
            assert_eq!(replies(role, written), expected);
        }
    }
}
