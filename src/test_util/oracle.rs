//! The receiving rules of RFC 6455, written down once more as simply as possible. Uses nothing of the
//! library, so that it cannot be wrong in the same way.

use std::string::String;
use std::vec::Vec;

use crate::test_util::{OwnedEvent, Role};
use crate::{Config, Delivery};

/// Who receives, and what it accepts.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether the receiver is a server, whose peer masks.
    pub server: bool,
    /// [`Config::max_frame_size`].
    pub max_frame: u64,
    /// [`Config::max_message_size`].
    pub max_message: u64,
    /// Whether parts of messages are delivered.
    pub chunks: bool,
}

/// What must come of a stream of bytes, with automatic replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whole messages, where they end, and control frames.
    pub events: Vec<OwnedEvent>,
    /// What is to be delivered of a message that has not ended.
    pub open: Option<OwnedEvent>,
    /// The close code of the violation.
    pub error: Option<u16>,
    /// How many bytes show the violation.
    pub refused_at: Option<usize>,
    /// What the peer has to hear; the reason of a Close is left empty.
    pub replies: Vec<OwnedEvent>,
    /// Where the last whole frame ends, or the Close frame.
    pub end: usize,
}

struct Violation {
    code: u16,
    at: usize,
}

#[derive(Default)]
struct Message {
    text: bool,
    bytes: Vec<u8>,
    /// How many of the bytes are whole characters.
    characters: usize,
    announced: u128,
}

impl Rules {
    /// The rules of a connection without extensions.
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

/// Judges the stream from its beginning.
///
/// It knows no bound on unsent Pongs and no extension.
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
            true if message.characters == 0 => None,
            true => Some(OwnedEvent::TextPart(text(
                &message.bytes[..message.characters],
            ))),
            false => Some(OwnedEvent::BinaryPart(message.bytes)),
        };
    }
    verdict
}

/// Reads up to a Close frame, a violation, or the end of what has come.
fn read_frames(
    rules: &Rules,
    bytes: &[u8],
    message: &mut Option<Message>,
    verdict: &mut Verdict,
) -> Result<(), Violation> {
    let mut at = 0;
    while bytes.len() >= at + 2 {
        let (first, second) = (bytes[at], bytes[at + 1]);
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
            return violation(1002, at + 2);
        }
        // Section 5.2, payload length.
        let form = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let after_length = at + 2 + form;
        if bytes.len() < after_length {
            break;
        }
        let extended = bytes[at + 2..after_length]
            .iter()
            .fold(0_u128, |sum, byte| sum * 256 + u128::from(*byte));
        let length = if form == 0 {
            u128::from(short)
        } else {
            extended
        };
        let least = [0, 126, 65536][form.div_ceil(4)];
        if length < least || length >= 1 << 63 {
            return violation(1002, after_length);
        }
        // Section 10.4, limits.
        let before = message.as_ref().map_or(0, |message| message.announced);
        if !control
            && (length > u128::from(rules.max_frame)
                || before + length > u128::from(rules.max_message))
        {
            return violation(1009, after_length);
        }
        // Section 5.3, masking.
        let start = after_length + if masked { 4 } else { 0 };
        if bytes.len() < start {
            break;
        }
        let key = &bytes[after_length..start];
        let here = length.min((bytes.len() - start) as u128) as usize;
        let mut payload = bytes[start..start + here].to_vec();
        for (i, byte) in payload.iter_mut().enumerate() {
            *byte ^= if masked { key[i % 4] } else { 0 };
        }
        let whole = here as u128 == length;

        if whole {
            verdict.end = start + here;
        }
        if control && whole {
            read_control(opcode, &payload, start + here, verdict)?;
            if opcode == 8 {
                // Section 5.5.1: nothing after a Close frame counts, nor what was open before it.
                return Ok(());
            }
        }
        if !control {
            let open = message.get_or_insert_with(|| Message {
                text: opcode == 1,
                ..Message::default()
            });
            open.announced += length;
            read_data(open, &payload, start)?;
            if fin && whole {
                // Section 8.1: a message ends with a whole character.
                if open.text && open.characters < open.bytes.len() {
                    return violation(1007, start + here);
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
        at = verdict.end;
    }
    Ok(())
}

fn read_data(message: &mut Message, payload: &[u8], start: usize) -> Result<(), Violation> {
    for (i, byte) in payload.iter().enumerate() {
        message.bytes.push(*byte);
        if !message.text {
            continue;
        }
        match character(&message.bytes[message.characters..]) {
            Character::Whole => message.characters = message.bytes.len(),
            Character::Begun => {}
            Character::Wrong => return violation(1007, start + i + 1),
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
            let code = u16::from(*high) * 256 + u16::from(*low);
            // Section 7.4.
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return violation(1002, end);
            }
            let mut from = 0;
            for to in 1..=reason.len() {
                match character(&reason[from..to]) {
                    Character::Whole => from = to,
                    Character::Begun => {}
                    Character::Wrong => return violation(1007, end),
                }
            }
            if from < reason.len() {
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

/// What `bytes` (one or more, no whole character before the last) is, by the table of RFC 3629 section 4.
fn character(bytes: &[u8]) -> Character {
    let (length, second) = match bytes[0] {
        0x00..=0x7f => (1, 0..=0),
        0xc2..=0xdf => (2, 0x80..=0xbf),
        0xe0 => (3, 0xa0..=0xbf),
        0xed => (3, 0x80..=0x9f),
        0xe1..=0xef => (3, 0x80..=0xbf),
        0xf0 => (4, 0x90..=0xbf),
        0xf1..=0xf3 => (4, 0x80..=0xbf),
        0xf4 => (4, 0x80..=0x8f),
        _ => return Character::Wrong,
    };
    let tail = bytes[1..].iter().skip(1);
    if bytes.get(1).is_some_and(|byte| !second.contains(byte))
        || tail.clone().any(|byte| !(0x80..=0xbf).contains(byte))
        || bytes.len() > length
    {
        Character::Wrong
    } else if bytes.len() == length {
        Character::Whole
    } else {
        Character::Begun
    }
}

fn violation(code: u16, at: usize) -> Result<(), Violation> {
    Err(Violation { code, at })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("checked by the table")
}
