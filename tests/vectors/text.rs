//! Text messages (section 8.1).

use super::support::hex;
use super::{KOSME, accepts, refuses};
use sockless::test_util::{Frame, OwnedEvent, Role, encode};
use sockless::{Config, ProtocolError};

/// Texts that are not UTF-8, with the index of the byte that shows it.
fn wrong_texts() -> Vec<(Vec<u8>, usize)> {
    [
        (KOSME, 12),
        ("80", 0),
        ("bf", 0),
        ("61 80 62", 1),
        // Surrogates (RFC 3629 section 3), alone and in pairs.
        ("ed a0 80", 1),
        ("ed bf bf", 1),
        ("ed a0 80 ed b0 80", 1),
        // Longer than needed.
        ("c0 af", 0),
        ("c1 bf", 0),
        ("e0 80 af", 1),
        ("e0 9f bf", 1),
        ("f0 80 80 af", 1),
        ("f0 8f bf bf", 1),
        // Beyond U+10FFFF.
        ("f4 90 80 80", 1),
        ("f5 80 80 80", 0),
        ("f8 88 80 80 80", 0),
        ("fe", 0),
        ("ff", 0),
        // Another character begins before the end of a character.
        ("c3 28", 1),
        ("e2 28 a1", 1),
        ("e2 82 28", 2),
        ("f0 9f 98 28", 3),
        ("f0 9f e2 82 ac", 2),
    ]
    .into_iter()
    .map(|(text, fault)| (hex(text), fault))
    .collect()
}

#[test]
fn wrong_text_fails_at_the_byte_that_shows_it() {
    for role in Role::BOTH {
        let header = if role == Role::Server { 6 } else { 2 };
        for (text, fault) in wrong_texts() {
            // The text is in one frame, in a first fragment, and after a valid character.
            for (first, before) in [(0x81, ""), (0x01, ""), (0x81, "ascii \u{1f600}")] {
                let good = [Frame::new(0x81, "good"), Frame::new(0x89, "p")];
                let payload = [before.as_bytes(), &text].concat();
                let bad = Frame::new(first, payload).encode(role);
                let after = header + before.len() + fault + 1;
                let error = ProtocolError::InvalidUtf8;
                refuses(role, &Config::default(), &good, &bad, error, after);
            }
            // The text is cut into two fragments at each place, with a Ping between them.
            for cut in 0..=fault {
                let good = [Frame::new(0x01, &text[..cut]), Frame::new(0x89, "p")];
                let bad = Frame::new(0x80, &text[cut..]).encode(role);
                let after = header + fault - cut + 1;
                let error = ProtocolError::InvalidUtf8;
                refuses(role, &Config::default(), &good, &bad, error, after);
            }
        }
    }
}

#[test]
fn a_message_must_not_end_inside_a_character() {
    for role in Role::BOTH {
        let header = if role == Role::Server { 6 } else { 2 };
        for begun in ["c3", "e2", "e2 82", "f0", "f0 9f", "f0 9f 98", "61 c3"] {
            let begun = hex(begun);
            let whole = Frame::new(0x81, &begun).encode(role);
            let error = ProtocolError::InvalidUtf8;
            refuses(role, &Config::default(), &[], &whole, error, whole.len());
            // The last frame may be empty.
            let good = [Frame::new(0x01, &begun), Frame::new(0x00, "")];
            let empty = Frame::new(0x80, "").encode(role);
            refuses(role, &Config::default(), &good, &empty, error, header);
            // ASCII cannot complete the character.
            let ascii = Frame::new(0x80, "a").encode(role);
            refuses(role, &Config::default(), &good, &ascii, error, header + 1);
        }
    }
}

#[test]
fn a_fragment_may_end_inside_a_character() {
    let text = "\0\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}";
    let bytes = text.as_bytes();
    for role in Role::BOTH {
        for first in 0..=bytes.len() {
            let frames = [
                Frame::new(0x01, &bytes[..first]),
                Frame::new(0x00, ""),
                Frame::new(0x80, &bytes[first..]),
                // The check starts again with every message.
                Frame::new(0x82, [0xff, 0xc3]),
                Frame::new(0x81, "\u{e9}"),
            ];
            let events = [
                OwnedEvent::text(text),
                OwnedEvent::binary(&[0xff, 0xc3]),
                OwnedEvent::text("\u{e9}"),
            ];
            let bytes = encode(&frames, role);
            accepts(role, &Config::default(), &bytes, &events, &[]);
        }
        // Each byte is in its own fragment.
        let mut frames: Vec<_> = bytes.iter().map(|b| Frame::new(0x00, [*b])).collect();
        frames[0].first = 0x01;
        frames.last_mut().unwrap().first = 0x80;
        let stream = encode(&frames, role);
        let events = [OwnedEvent::text(text)];
        accepts(role, &Config::default(), &stream, &events, &[]);
    }
}
