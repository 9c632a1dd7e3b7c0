//! What comes of a stream, in the form in which receivers are compared.

use sockless::test_util::{OwnedEvent, Role};

/// What a receiver made of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whole messages and control frames, as they were delivered. What came of a message that did not
    /// end is left out: some receivers deliver it and some wait.
    pub events: Vec<OwnedEvent>,
    /// Whether the connection failed, and the close code for what the receiver gave as the cause.
    pub refused: Option<u16>,
    /// What was written, without the reasons of Close frames, which nobody prescribes; [`TOO_LONG`] stands
    /// for one that makes the frame illegal.
    pub replies: Vec<OwnedEvent>,
}

/// Close frames hold 123 bytes of it (RFC 6455 section 5.5).
pub const TOO_LONG: &str = "more than 123 bytes";

/// The Pong and Close frames that were written. Anything else is kept as it is, and equals nothing.
pub fn replies(role: Role, written: &[u8]) -> Vec<OwnedEvent> {
    let mut replies = Vec::new();
    let mut rest = written;
    while !rest.is_empty() {
        let Some(reply) = reply(role, &mut rest) else {
            replies.push(OwnedEvent::binary(rest));
            break;
        };
        replies.push(reply);
    }
    replies
}

/// Not by sockless's own parser, which would take no Close frame of more than 125 bytes.
fn reply(role: Role, rest: &mut &[u8]) -> Option<OwnedEvent> {
    let masked = role == Role::Client;
    let (&[first, second], after) = rest.split_first_chunk()?;
    if (second >= 0x80) != masked {
        return None;
    }
    let (length, after) = match second & 0x7f {
        126 => {
            let (length, after) = after.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), after)
        }
        127 => return None,
        length => (usize::from(length), after),
    };
    let (key, after) = if masked {
        let (key, after) = after.split_first_chunk()?;
        (*key, after)
    } else {
        ([0; 4], after)
    };
    let (payload, after) = after.split_at_checked(length)?;
    let payload: Vec<u8> = payload
        .iter()
        .zip(key.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect();
    let reply = match (first, &payload[..]) {
        (0x8a, _) => OwnedEvent::Pong(payload),
        (0x88, []) => OwnedEvent::close(1005, ""),
        (0x88, [high, low, reason @ ..]) => {
            let reason = if reason.len() > 123 { TOO_LONG } else { "" };
            OwnedEvent::close(u16::from_be_bytes([*high, *low]), reason)
        }
        _ => return None,
    };
    *rest = after;
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_and_what_is_none_is_kept() {
        let written = b"\x8a\x01a\x88\x02\x03\xe8";
        let read = [OwnedEvent::pong(b"a"), OwnedEvent::close(1000, "")];
        assert_eq!(replies(Role::Server, written), read);
        assert_eq!(
            replies(Role::Client, written),
            [OwnedEvent::binary(written)]
        );
        let long = [b"\x88\x7e\x00\x7e\x03\xe8", &[b'a'; 124][..]].concat();
        let read = [OwnedEvent::close(1000, TOO_LONG)];
        assert_eq!(replies(Role::Server, &long), read);
        let masked = b"\x88\x80\x01\x02\x03\x04\x8a";
        let read = [OwnedEvent::close(1005, ""), OwnedEvent::binary(b"\x8a")];
        assert_eq!(replies(Role::Client, masked), read);
    }
}
