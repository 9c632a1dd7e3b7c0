//! The rules for receiving (RFC 6455), written a second time and as simply as possible. This file uses no code of the
//! library, so it does not share the library's mistakes.

use std::string::String;
use std::vec::Vec;

use crate::test_util::{OwnedEvent, Role};
use crate::{Config, Delivery};

/// The role and the limits of the receiver.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests make up rules of their own, and these are all that the oracle knows"
)]
pub struct Rules {
    /// Whether the receiver is a server, so its peer must mask.
    pub server: bool,
    /// [`Config::max_frame_size`].
    pub max_frame: u64,
    /// [`Config::max_message_size`].
    pub max_message: u64,
    /// Whether messages are delivered in parts.
    pub chunks: bool,
}

/// What must follow from a stream of bytes, with automatic replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The whole messages and the control frames, in order. A message is at the position of its end.
    pub events: Vec<OwnedEvent>,
    /// The part of an unfinished message that [`Delivery::Chunks`](crate::Delivery::Chunks) delivers. With whole
    /// messages, ignore it.
    pub open: Option<OwnedEvent>,
    /// The close code of the violation.
    pub error: Option<u16>,
    /// The number of bytes that a receiver needs to see the violation, the last one included.
    pub refused_at: Option<usize>,
    /// The frames that the peer must receive: Pongs and a Close frame, also the Close frame for a violation. The
    /// reason of the Close frame is empty here.
    pub replies: Vec<OwnedEvent>,
    /// The position in the stream after the last whole frame. Bytes after a Close frame do not count.
    pub end: usize,
}

struct Violation {
    code: u16,
    at: usize,
}

/// An unfinished message.
#[derive(Default)]
struct Message {
    text: bool,
    /// The bytes so far. Of text, the whole characters.
    bytes: Vec<u8>,
    /// The bytes of an unfinished character.
    character: Vec<u8>,
    /// The sum of the lengths in the headers of its frames.
    announced: u64,
}

/// The rest of the stream.
struct Stream<'b> {
    rest: &'b [u8],
    /// The number of bytes before the rest.
    at: usize,
}

impl<'b> Stream<'b> {
    /// Takes the next `n` bytes, or returns `None` if there are fewer.
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        self.at = self.at.saturating_add(n);
        Some(taken)
    }

    /// Takes the next `n` bytes, or fewer if the stream ends.
    fn take_what_is_there(&mut self, n: u64) -> &'b [u8] {
        let n = usize::try_from(n).map_or(self.rest.len(), |n| n.min(self.rest.len()));
        self.take(n).unwrap_or_default()
    }
}

impl Rules {
    /// Makes the rules for a connection without extensions.
    #[must_use]
    pub const fn new(role: Role, config: &Config) -> Self {
        Self {
            server: matches!(role, Role::Server),
            max_frame: config.max_frame_size,
            max_message: config.max_message_size,
            chunks: matches!(config.delivery, Delivery::Chunks),
        }
    }
}

/// Judges a stream of bytes from its beginning.
///
/// The oracle knows no extension and no limit for unsent Pongs.
///
/// # Example
///
/// ```
/// use sockless::Config;
/// use sockless::test_util::{OwnedEvent, Role, Rules, judge};
///
/// let verdict = judge(&Rules::new(Role::Client, &Config::default()), b"\x81\x02Hi\x83\x00");
/// assert_eq!(verdict.events, [OwnedEvent::text("Hi")]);
/// assert_eq!((verdict.error, verdict.refused_at), (Some(1002), Some(6)));
/// ```
#[must_use]
pub fn judge(rules: &Rules, bytes: &[u8]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut message = None;
    if let Err(violation) = read_frames(rules, bytes, &mut message, &mut verdict) {
        verdict.error = Some(violation.code);
        verdict.refused_at = Some(violation.at);
        verdict.replies.push(OwnedEvent::close(violation.code, ""));
    }
    if let (true, Some(message)) = (rules.chunks, message) {
        verdict.open = match message.text {
            _ if message.bytes.is_empty() => None,
            true => Some(OwnedEvent::TextPart(text(&message.bytes))),
            false => Some(OwnedEvent::BinaryPart(message.bytes)),
        };
    }
    verdict
}

/// Reads to a Close frame, a violation or the end of the bytes.
fn read_frames(
    rules: &Rules,
    bytes: &[u8],
    message: &mut Option<Message>,
    verdict: &mut Verdict,
) -> Result<(), Violation> {
    let mut stream = Stream { rest: bytes, at: 0 };
    while let Some(&[first, second]) = stream.take(2) {
        let (fin, rsv, opcode) = (first >= 0x80, first & 0x70, first & 0x0f);
        let (masked, short) = (second >= 0x80, second & 0x7f);
        let control = opcode >= 8;
        // Section 5.2, opcodes and RSV; 5.1, masking; 5.4, order of fragments; 5.5, control frames.
        if rsv != 0
            || ![0, 1, 2, 8, 9, 10].contains(&opcode)
            || masked != rules.server
            || opcode == 0 && message.is_none()
            || (opcode == 1 || opcode == 2) && message.is_some()
            || control && (!fin || short > 125)
        {
            return violation(1002, stream.at);
        }
        // Section 5.2, payload length: the size of its form, and the lengths that need this form.
        let (size, least) = match short {
            126 => (2, 126),
            127 => (8, 65536),
            _ => (0, 0),
        };
        let Some(extended) = stream.take(size) else {
            break;
        };
        let length = match size {
            0 => u64::from(short),
            _ => extended
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if length < least || length >= 1 << 63 {
            return violation(1002, stream.at);
        }
        // Section 10.4, limits.
        let announced = message.as_ref().map_or(0, |message| message.announced);
        let announced = announced.saturating_add(length);
        if !control && (length > rules.max_frame || announced > rules.max_message) {
            return violation(1009, stream.at);
        }
        // Section 5.3, masking.
        let Some(key) = stream.take(if masked { 4 } else { 0 }) else {
            break;
        };
        let start = stream.at;
        let mut payload = stream.take_what_is_there(length).to_vec();
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        let whole = payload.len() as u64 == length;

        if whole {
            verdict.end = stream.at;
        }
        if control && whole {
            read_control(opcode, &payload, stream.at, verdict)?;
            if opcode == 8 {
                // Section 5.5.1: the receiver ignores everything after a Close frame, and a message that was
                // unfinished.
                return Ok(());
            }
        }
        if !control {
            let open = message.get_or_insert_with(|| Message {
                text: opcode == 1,
                ..Message::default()
            });
            open.announced = announced;
            read_data(open, &payload, start)?;
            if fin && whole {
                // Section 8.1: a message must not end inside a character.
                if !open.character.is_empty() {
                    return violation(1007, stream.at);
                }
                let done = message.take().unwrap_or_default();
                verdict.events.push(if done.text {
                    OwnedEvent::Text(text(&done.bytes))
                } else {
                    OwnedEvent::Binary(done.bytes)
                });
            }
        }
        if !whole {
            break;
        }
    }
    Ok(())
}

/// Adds data that begins at `start` in the stream.
fn read_data(message: &mut Message, payload: &[u8], start: usize) -> Result<(), Violation> {
    if !message.text {
        message.bytes.extend(payload);
        return Ok(());
    }
    for (before, byte) in (start..).zip(payload) {
        message.character.push(*byte);
        match character(&message.character) {
            Character::Whole => message.bytes.append(&mut message.character),
            Character::Begun => {}
            Character::Wrong => return violation(1007, before.saturating_add(1)),
        }
    }
    Ok(())
}

fn read_control(
    opcode: u8,
    payload: &[u8],
    end: usize,
    verdict: &mut Verdict,
) -> Result<(), Violation> {
    match (opcode, payload) {
        (9, _) => {
            verdict.events.push(OwnedEvent::ping(payload));
            verdict.replies.push(OwnedEvent::pong(payload));
        }
        (10, _) => verdict.events.push(OwnedEvent::pong(payload)),
        (_, []) => {
            // Section 7.1.5.
            verdict.events.push(OwnedEvent::close(1005, ""));
            verdict.replies.push(OwnedEvent::close(1005, ""));
        }
        (_, [_]) => return violation(1002, end),
        (_, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            // Section 7.4.
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return violation(1002, end);
            }
            // Section 8.1: the reason is UTF-8 as well.
            let mut message = Message {
                text: true,
                ..Message::default()
            };
            let read = read_data(&mut message, reason, 0);
            if read.is_err() || !message.character.is_empty() {
                return violation(1007, end);
            }
            verdict.events.push(OwnedEvent::Close(code, text(reason)));
            verdict.replies.push(OwnedEvent::close(code, ""));
        }
    }
    Ok(())
}

enum Character {
    Whole,
    Begun,
    Wrong,
}

/// Judges one or more bytes of a single character by the table of RFC 3629, section 4.
fn character(bytes: &[u8]) -> Character {
    let Some((first, tail)) = bytes.split_first() else {
        return Character::Begun;
    };
    // The number of bytes after the first one, and the range of the second one.
    let (length, second) = match first {
        0x00..=0x7f => (0, 0..=0),
        0xc2..=0xdf => (1, 0x80..=0xbf),
        0xe0 => (2, 0xa0..=0xbf),
        0xed => (2, 0x80..=0x9f),
        0xe1..=0xef => (2, 0x80..=0xbf),
        0xf0 => (3, 0x90..=0xbf),
        0xf1..=0xf3 => (3, 0x80..=0xbf),
        0xf4 => (3, 0x80..=0x8f),
        _ => return Character::Wrong,
    };
    if tail.first().is_some_and(|byte| !second.contains(byte))
        || tail.iter().any(|byte| !(0x80..=0xbf).contains(byte))
        || tail.len() > length
    {
        Character::Wrong
    } else if tail.len() == length {
        Character::Whole
    } else {
        Character::Begun
    }
}

fn violation(code: u16, at: usize) -> Result<(), Violation> {
    Err(Violation { code, at })
}

/// Converts bytes that are UTF-8 by the table. If the table were wrong, replacement characters would show it.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
