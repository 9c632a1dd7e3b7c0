//! Compressed messages on their way in (RFC 7692 sections 6, 7.2.2 and 7.2.3).

use sockless::{Deflate, Delivery, ProtocolError, ReadBuffer};

use super::reference::inflate;
use super::support::hex;
use super::{agreed, everything, noise, received, repeat, run, stored};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, encode};

const HELLO: &str = "f2 48 cd c9 c9 07 00";
const AGAIN: &str = "f2 00 11 00 00";
const FINAL: &str = "f3 48 cd c9 c9 07 00 00";

fn frames(rows: &[(u8, &str)]) -> Vec<Frame> {
    rows.iter()
        .map(|(first, payload)| Frame::new(*first, hex(payload)))
        .collect()
}

fn texts(texts: &[&str]) -> Vec<OwnedEvent> {
    texts.iter().map(|text| OwnedEvent::text(text)).collect()
}

#[test]
fn good_messages() {
    let table: &[(&[(u8, &str)], &[&str])] = &[
        // The examples of section 7.2.3.
        (&[(0xc1, HELLO)], &["Hello"]),
        (&[(0x41, "f2 48 cd"), (0x80, "c9 c9 07 00")], &["Hello"]),
        (&[(0xc1, HELLO), (0xc1, AGAIN)], &["Hello", "Hello"]),
        (&[(0xc1, "00 05 00 fa ff 48 65 6c 6c 6f 00")], &["Hello"]),
        (&[(0xc1, FINAL)], &["Hello"]),
        (
            &[(0xc1, "f2 48 05 00 00 00 ff ff ca c9 c9 07 00")],
            &["Hello"],
        ),
        // Section 7.2.3.6.
        (&[(0xc1, "00")], &[""]),
        (&[(0xc1, "02 00")], &[""]),
        // Nothing compressed to nothing.
        (&[(0xc1, "")], &[""]),
        (&[(0x41, ""), (0x00, ""), (0x80, "")], &[""]),
        (&[(0x41, "00"), (0x80, "")], &[""]),
        (&[(0x41, ""), (0x80, "00")], &[""]),
        (&[(0xc1, ""), (0xc1, HELLO)], &["", "Hello"]),
        (
            &[(0xc1, HELLO), (0xc1, ""), (0xc1, "00"), (0xc1, AGAIN)],
            &["Hello", "", "", "Hello"],
        ),
        // Fragments of every size, empty ones too.
        (
            &[
                (0x41, ""),
                (0x00, "f2"),
                (0x00, "48"),
                (0x00, ""),
                (0x00, "cd c9 c9 07 00"),
                (0x80, ""),
            ],
            &["Hello"],
        ),
        // The window outlives a block with BFINAL, within a message and beyond it (section 7.2.3.4).
        (&[(0xc1, FINAL), (0xc1, AGAIN)], &["Hello", "Hello"]),
        (
            &[(0xc1, FINAL), (0xc1, FINAL), (0xc1, AGAIN), (0xc1, AGAIN)],
            &["Hello", "Hello", "Hello", "Hello"],
        ),
        (
            &[(0xc1, "f3 48 cd c9 c9 07 00 f2 00 11 00 00")],
            &["HelloHello"],
        ),
        (
            &[(0xc1, HELLO), (0xc1, "03 00 03 00 f2 00 11 00 00")],
            &["Hello", "Hello"],
        ),
        // Section 7.2.1: any block may have BFINAL, also the empty one that is cut off.
        (&[(0xc1, "01")], &[""]),
        (&[(0xc1, "01"), (0xc1, HELLO)], &["", "Hello"]),
        (
            &[(0xc1, "f2 48 cd c9 c9 07 04"), (0xc1, AGAIN)],
            &["Hello", "Hello"],
        ),
        (
            &[(0xc1, "f3 48 cd c9 c9 07 00 01"), (0xc1, AGAIN)],
            &["Hello", "Hello"],
        ),
        // Plain messages do not touch the window.
        (
            &[(0xc1, HELLO), (0x81, "48 69"), (0xc1, AGAIN)],
            &["Hello", "Hi", "Hello"],
        ),
        (
            &[
                (0xc1, HELLO),
                (0x01, "48"),
                (0x80, "69"),
                (0x81, ""),
                (0xc1, AGAIN),
            ],
            &["Hello", "Hi", "", "Hello"],
        ),
    ];
    for (rows, messages) in table {
        assert_eq!(
            received(&everything(), &frames(rows)),
            (texts(messages), None),
            "{rows:?}"
        );
        // The reference, which judges the other tables, agrees.
        let (mut before, mut payload) = (Vec::new(), Vec::new());
        let mut messages_left = messages.iter();
        let mut compressed = false;
        for frame in frames(rows) {
            compressed = frame.first & 0x40 != 0 || frame.first % 16 == 0 && compressed;
            payload.extend(&frame.payload);
            if frame.first & 0x80 != 0 {
                let payload = std::mem::take(&mut payload);
                let text = messages_left.next().unwrap().as_bytes();
                if compressed {
                    let inflated = inflate(&payload, &before);
                    assert!(inflated.whole && inflated.data == text, "{rows:?}");
                    before.extend(inflated.data);
                }
            }
        }
        // As binary messages, too.
        let mut binary = frames(rows);
        for frame in binary.iter_mut().filter(|frame| frame.first & 1 == 1) {
            frame.first ^= 0x03;
        }
        let messages = messages
            .iter()
            .map(|text| OwnedEvent::binary(text.as_bytes()));
        assert_eq!(
            received(&everything(), &binary),
            (messages.collect(), None),
            "{rows:?}"
        );
    }
}

/// Section 7.2.1: only the last fragment leaves out the marker of its flush, `00 00 ff ff`. In the others it stays.
#[test]
fn a_flush_marker_may_end_any_fragment_but_the_last() {
    let table: &[&[(u8, &str)]] = &[
        &[(0x41, "f2 48 cd c9 c9 07 00 00 00 ff ff"), (0x80, AGAIN)],
        // The last fragment is an empty block, and a Ping comes between.
        &[
            (0x41, "f2 48 cd c9 c9 07 00 00 00 ff ff"),
            (0x89, "70"),
            (0x00, "f2 00 11 00 00 00 00 ff ff"),
            (0x80, "00"),
        ],
        // A fragment of nothing but an empty block, first and in the middle.
        &[
            (0x41, "00 00 00 ff ff"),
            (0x00, "f2 48 cd c9 c9 07 00 00 00 ff ff"),
            (0x00, "00 00 00 ff ff"),
            (0x80, AGAIN),
        ],
    ];
    for rows in table {
        let (events, error) = received(&everything(), &frames(rows));
        assert_eq!(error, None, "{rows:?}");
        let messages = events
            .iter()
            .filter(|event| matches!(event, OwnedEvent::Text(_)));
        assert!(messages.eq(&texts(&["HelloHello"])), "{rows:?}");
    }
    // At the end of a message it stands for nothing.
    let last = [(0x41, "f2 48 cd c9 c9 07 00 00 00 ff ff"), (0x80, "")];
    let (events, error) = received(&everything(), &frames(&last));
    assert_eq!(events, []);
    assert_eq!(error, Some(ProtocolError::CorruptCompression));
}

/// Fragments may end anywhere, also in the marker of a flush.
#[test]
fn a_flush_marker_split_over_fragments() {
    // "He", flushed, and "llo", and the same message with the window of the first one.
    for (before, message) in [
        ("", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00"),
        (HELLO, "f2 00 11 00 00 00 00 ff ff 00"),
    ] {
        let payload = hex(message);
        let marker = payload
            .windows(4)
            .position(|bytes| bytes == [0, 0, 0xff, 0xff]);
        let marker = marker.unwrap();
        // One place to split at, two, and every byte of the marker alone.
        let mut places: Vec<Vec<usize>> = Vec::new();
        for a in marker..=marker + 4 {
            places.push(vec![a]);
            places.extend((a..=marker + 4).map(|b| vec![a, b]));
        }
        places.push((marker..=marker + 4).collect());
        for places in places {
            let mut all = Vec::new();
            if !before.is_empty() {
                all.push(Frame::new(0xc1, hex(before)));
            }
            let mut start = 0;
            for (i, &end) in places.iter().chain(&[payload.len()]).enumerate() {
                let first = if i == 0 { 0x41 } else { 0x00 };
                all.push(Frame::new(first, &payload[start..end]));
                start = end;
            }
            all.last_mut().unwrap().first |= 0x80;
            let expected = if before.is_empty() {
                texts(&["Hello"])
            } else {
                texts(&["Hello", "Hello"])
            };
            assert_eq!(
                received(&everything(), &all),
                (expected, None),
                "{places:?}"
            );
        }
    }
}

/// RFC 6455 section 5.4: control frames between the fragments; they are never compressed (section 6).
#[test]
fn control_frames_between_fragments() {
    let rows = &[
        (0x41, "f2 48 cd"),
        (0x89, "f2 48 cd c9 c9 07 00"),
        (0x00, ""),
        (0x8a, ""),
        (0x89, ""),
        (0x80, "c9 c9 07 00"),
        (0x89, "00"),
        (0xc1, AGAIN),
        (0x88, "03 e8"),
    ];
    let events = vec![
        OwnedEvent::ping(&hex(HELLO)),
        OwnedEvent::pong(b""),
        OwnedEvent::ping(b""),
        OwnedEvent::text("Hello"),
        OwnedEvent::ping(b"\0"),
        OwnedEvent::text("Hello"),
        OwnedEvent::close(1000, ""),
    ];
    assert_eq!(received(&everything(), &frames(rows)), (events, None));
    // A Close frame may stand there, too, and is the end.
    let rows = &[(0x41, "f2 48 cd"), (0x88, "03 e8"), (0x80, "c9 c9 07 00")];
    let close = vec![OwnedEvent::close(1000, "")];
    assert_eq!(received(&everything(), &frames(rows)), (close, None));
}

/// Section 6: RSV1 belongs to the first frame of a data message, RSV2 and RSV3 to nobody.
#[test]
fn reserved_bits() {
    let table: &[&[(u8, &str)]] = &[
        &[(0xc9, "")],
        &[(0xca, "")],
        &[(0xc8, "")],
        &[(0x41, "f2 48 cd"), (0xc9, "")],
        &[(0x41, "f2 48 cd"), (0xc0, "c9 c9 07 00")],
        &[(0x41, "f2 48 cd"), (0x40, "c9 c9 07 00")],
        &[(0x01, "48"), (0xc0, "")],
        &[(0xa1, "")],
        &[(0x91, "")],
        &[(0xe1, HELLO)],
        &[(0xd2, HELLO)],
        &[(0xf1, HELLO)],
    ];
    for rows in table {
        let mut rows = frames(rows);
        let wrong = rows.pop().unwrap();
        for role in Role::BOTH {
            let mut peer = Peer::with(agreed(role, &everything()), ReadBuffer::new());
            peer.receive(&encode(&rows, role));
            assert_eq!(peer.error, None, "{rows:?}");
            let bytes = wrong.encode(role);
            peer.receive(&bytes[..1]);
            assert_eq!(peer.error, None, "{rows:?}");
            // Shown by the first two bytes.
            peer.receive(&bytes[1..2]);
            assert_eq!(
                peer.error,
                Some(ProtocolError::ReservedBits),
                "{rows:?} {wrong:?}"
            );
        }
        rows.push(wrong);
        let error = Some(ProtocolError::ReservedBits);
        assert_eq!(received(&everything(), &rows), (vec![], error));
    }
    // Other rules hold for compressed messages as well.
    let inside = frames(&[(0x41, "f2 48 cd"), (0xc1, HELLO)]);
    let error = Some(ProtocolError::ExpectedContinuation);
    assert_eq!(received(&everything(), &inside), (vec![], error));
}

/// Without the extension RSV1 means nothing (RFC 6455 section 5.2).
#[test]
fn not_agreed() {
    let bytes = |role| Frame::new(0xc1, hex(HELLO)).encode(role);
    // Wanted, and not agreed on.
    let (server, None) = super::serve(&[], &everything()).unwrap() else {
        panic!("an answer to no offer");
    };
    let client = super::ask(&[], &everything()).0.unwrap();
    for (role, connection) in [(Role::Server, server), (Role::Client, client)] {
        assert!(!connection.uses_deflate());
        let error = run(connection, &bytes(role), &[]).error;
        assert_eq!(error, Some(ProtocolError::ReservedBits), "{role:?}");
        let error = run(role.connection(&everything()), &bytes(role), &[]).error;
        assert_eq!(error, Some(ProtocolError::ReservedBits), "{role:?}");
    }
}

/// No DEFLATE data, or not all of it, or more than all: 1007, and nothing is delivered.
#[test]
fn corrupt_messages() {
    let far = |distance| [hex("f2 48 cd c9 c9 07 00 00 00 ff ff"), repeat(distance)].concat();
    let table = [
        // A block of type 3; a stored block whose lengths differ; nothing to repeat.
        hex("06"),
        hex("07 00"),
        hex("00 05 00 fa fe 48 65 6c 6c 6f 00"),
        hex(AGAIN),
        far(6),
        // Impossible codes of a dynamic block.
        hex("04 00"),
        hex("fc ff 00"),
        // Without the header of the last, empty block, where the tail would become data.
        hex("00 05 00 fa ff 48 65 6c 6c 6f"),
        hex("f2 48 cd c9 c9 07"),
        // Nothing behind BFINAL, where section 7.2.1 demands an empty block.
        hex("f3 48 cd c9 c9 07 00"),
        hex("01 05 00 fa ff 48 65 6c 6c 6f"),
        hex("03 00"),
        // With the tail that was to be cut off, or half of it, or anything else behind.
        hex("f2 48 cd c9 c9 07 00 00 00 ff ff"),
        hex("f2 48 cd c9 c9 07 00 00 00"),
        hex("00 00 00 ff ff"),
        hex("f2 48 cd c9 c9 07 00 00"),
        hex("f2 48 cd c9 c9 07 00 ff"),
        hex("f3 48 cd c9 c9 07 00 00 00"),
        hex("f3 48 cd c9 c9 07 00 ff"),
        hex("00 00"),
        // In the middle of a stored block that goes on with the tail.
        hex("00 05 00 fa ff 48"),
        hex("00 0a 00 f5 ff 48 65 6c 6c 6f 00"),
        // Not compressed at all.
        b"Hello, this is no DEFLATE".to_vec(),
    ];
    assert!(inflate(&far(5), b"").whole);
    for payload in table {
        assert!(!inflate(&payload, b"").whole, "{payload:02x?}");
        for rows in [
            vec![Frame::new(0xc2, &payload)],
            vec![
                Frame::new(0x42, &payload[..1]),
                Frame::new(0x80, &payload[1..]),
            ],
            vec![Frame::new(0x42, &payload), Frame::new(0x80, "")],
        ] {
            let error = Some(ProtocolError::CorruptCompression);
            let good = [Frame::new(0x82, "before"), Frame::new(0x89, "ping")];
            let after = [Frame::new(0xc1, hex(HELLO)), Frame::new(0x89, "pong")];
            let frames = [&good[..], &rows, &after].concat();
            let (events, found) = received(&everything(), &frames);
            assert_eq!(found, error, "{payload:02x?}");
            assert_eq!(
                events,
                [OwnedEvent::binary(b"before"), OwnedEvent::ping(b"ping")]
            );
        }
    }
}

/// The beginning of a message is whole only if the reference says so.
#[test]
fn messages_cut_short() {
    for payload in [
        HELLO,
        FINAL,
        "00 05 00 fa ff 48 65 6c 6c 6f 00",
        "f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
        "f3 48 cd c9 c9 07 00 f2 00 11 00 00",
    ] {
        let payload = hex(payload);
        for length in 0..=payload.len() {
            let cut = &payload[..length];
            let expected = inflate(cut, b"");
            let (events, error) = received(&everything(), &[Frame::new(0xc2, cut)]);
            if expected.whole {
                assert_eq!(
                    (&events[..], error),
                    (&[OwnedEvent::Binary(expected.data)][..], None)
                );
            } else {
                let corrupt = Some(ProtocolError::CorruptCompression);
                assert_eq!((&events[..], error), (&[][..], corrupt), "{cut:02x?}");
            }
        }
    }
}

/// RFC 6455 section 8.1 holds for what was decompressed: wrong text fails as soon as its byte is known.
#[test]
fn text_is_utf8() {
    let invalid = Some(ProtocolError::InvalidUtf8);
    for (wrong, shown) in [
        (&b"Hello \xff and more"[..], 7),
        (b"\xc0\x80 overlong", 1),
        (b"\xe2\x82( cut", 3),
        (b"\xed\xa0\x80 surrogate", 2),
        (b"\xf4\x90\x80\x80 beyond", 2),
    ] {
        let payload = stored(wrong);
        assert_eq!(
            received(&everything(), &[Frame::new(0xc1, &payload)]),
            (vec![], invalid)
        );
        // Known though the message goes on, and the frame too.
        let open = [Frame::new(0x41, &payload)];
        assert_eq!(received(&everything(), &open), (vec![], invalid));
        for role in Role::BOTH {
            for delivery in [Delivery::Messages, Delivery::Chunks] {
                let config = everything().with_delivery(delivery);
                let bytes = open[0].encode(role);
                let header = bytes.len() - payload.len();
                let mut peer = Peer::with(agreed(role, &config), ReadBuffer::new());
                let at = (1..=bytes.len()).find(|n| {
                    peer.receive(&bytes[n - 1..*n]);
                    peer.error.is_some()
                });
                assert_eq!(at, Some(header + 5 + shown), "{role:?} {delivery:?}");
                assert_eq!(peer.error, invalid);
            }
        }
        // As data it is right.
        assert_eq!(
            received(&everything(), &[Frame::new(0xc2, &payload)]),
            (vec![OwnedEvent::binary(wrong)], None)
        );
    }
    // A message ends with a whole character; fragments, reads and blocks may end anywhere.
    for cut in [&b"Hello \xe2"[..], b"\xe2\x82", b"\xf0\x9f\x92"] {
        let frames = [Frame::new(0xc1, stored(cut))];
        assert_eq!(received(&everything(), &frames), (vec![], invalid));
        let frames = [Frame::new(0x41, stored(cut)), Frame::new(0x80, "")];
        assert_eq!(received(&everything(), &frames), (vec![], invalid));
    }
    let euro = "\u{20ac}\u{1f496}\u{e9}";
    for cut in 0..=euro.len() {
        let (left, right) = euro.as_bytes().split_at(cut);
        let mut left = stored(left);
        left.pop();
        let frames = [Frame::new(0x41, left), Frame::new(0x80, stored(right))];
        assert_eq!(
            received(&everything(), &frames),
            (vec![OwnedEvent::text(euro)], None)
        );
    }
}

/// Of two violations the first one counts, however much is decompressed at once: the wrong byte that comes out
/// before the block that is corrupt, the limit, or the end that is missing.
#[test]
fn wrong_text_counts_before_what_follows_it() {
    let block = |data: &[u8]| {
        let mut bytes = stored(data);
        // Without the empty block behind it.
        bytes.pop();
        bytes
    };
    let wrong_block = &[0x07][..];
    let wrong = ProtocolError::InvalidUtf8;
    let corrupt = ProtocolError::CorruptCompression;
    let full = &everything();
    let limited = &everything().with_max_message_size(5);
    for (config, payload, error) in [
        (full, [&block(b"ok\xff"), wrong_block].concat(), wrong),
        (full, [&block(b"ok\xce"), wrong_block].concat(), corrupt),
        (full, block(b"ok\xff"), wrong),
        (full, block(b"ok\xce"), corrupt),
        (limited, stored(b"abcd\xffefg"), wrong),
        (
            limited,
            stored(b"abcde\xfffg"),
            ProtocolError::MessageTooLarge,
        ),
        (
            limited,
            stored(b"abcd\xcefg"),
            ProtocolError::MessageTooLarge,
        ),
    ] {
        let (first, second) = payload.split_at(payload.len() / 2);
        let one = [Frame::new(0xc1, &payload)];
        let two = [Frame::new(0x41, first), Frame::new(0x80, second)];
        for frames in [&one[..], &two] {
            assert_eq!(
                received(config, frames),
                (vec![], Some(error)),
                "{payload:02x?}"
            );
        }
    }
}

/// A peer that may not refer to earlier messages has no earlier messages (section 7.1.1).
#[test]
fn no_takeover() {
    let deflate = Deflate::new().with_peer_context_takeover(false);
    let answer = "permessage-deflate; server_no_context_takeover";
    let config = super::with(deflate);
    for first in [HELLO, FINAL] {
        for role in Role::BOTH {
            let connection = || match role {
                Role::Server => agreed(role, &config),
                Role::Client => super::ask(&[answer], &config).0.unwrap(),
            };
            let bytes = encode(&frames(&[(0xc1, first), (0xc1, HELLO)]), role);
            let outcome = run(connection(), &bytes, &[]);
            assert_eq!(outcome.events, texts(&["Hello", "Hello"]));
            assert_eq!(outcome.error, None);
            let bytes = encode(&frames(&[(0xc1, first), (0xc1, AGAIN)]), role);
            let outcome = run(connection(), &bytes, &[]);
            assert_eq!(outcome.events, texts(&["Hello"]));
            assert_eq!(outcome.error, Some(ProtocolError::CorruptCompression));
            // Within a message it may.
            let both = "f3 48 cd c9 c9 07 00 f2 00 11 00 00";
            let bytes = encode(&frames(&[(0xc1, first), (0xc1, both)]), role);
            let outcome = run(connection(), &bytes, &[]);
            assert_eq!(outcome.events, texts(&["Hello", "HelloHello"]));
        }
    }
}

/// The whole window counts, across messages, stored blocks and blocks with BFINAL.
#[test]
fn the_window_is_whole() {
    let data = noise(70_000, 1);
    for (length, distance) in [
        (70_000, 1),
        (70_000, 32_768),
        (32_768, 32_768),
        (40_000, 32_767),
        (3, 3),
        (1000, 1000),
    ] {
        for bfinal in [false, true] {
            let mut first = stored(&data[..length]);
            if bfinal {
                // An empty block with BFINAL, and the one to be cut off.
                first.extend([0, 0, 0xff, 0xff, 0x03, 0x00, 0x00]);
            }
            let frames = [
                Frame::new(0xc2, first),
                Frame::new(0x82, noise(300, 2)),
                Frame::new(0xc2, repeat(distance)),
            ];
            for role in Role::BOTH {
                for delivery in [Delivery::Messages, Delivery::Chunks] {
                    let config = everything().with_delivery(delivery);
                    let bytes = encode(&frames, role);
                    for cuts in [vec![], (0..bytes.len()).step_by(977).collect()] {
                        let outcome = run(agreed(role, &config), &bytes, &cuts);
                        let from = length - distance;
                        let again: Vec<_> =
                            data[from..length].iter().cycle().take(3).copied().collect();
                        assert_eq!(outcome.error, None);
                        assert_eq!(outcome.events.last(), Some(&OwnedEvent::Binary(again)));
                        assert_eq!(outcome.events[0].data(), &data[..length]);
                    }
                }
            }
        }
    }
}

/// Inside a compressed message the buffer is the connection's, and giving memory back loses nothing of it.
#[test]
fn a_buffer_inside_a_message_is_not_empty() {
    let payload = stored(b"Hello");
    for role in Role::BOTH {
        let bytes = Frame::new(0xc1, &payload).encode(role);
        let (first, rest) = bytes.split_at(bytes.len() - 3);
        let mut peer = Peer::with(agreed(role, &everything()), ReadBuffer::new());
        assert!(peer.buffer.is_empty());
        peer.receive(first);
        // All that came was decompressed, and is held until the message ends.
        assert!(peer.buffer.unread().is_empty() && !peer.buffer.is_empty());
        let before = peer.buffer.capacity();
        peer.buffer.shrink_to(0);
        assert!(peer.buffer.capacity() < before);
        peer.receive(rest);
        assert_eq!(peer.events(), [OwnedEvent::text("Hello")]);
        assert!(peer.buffer.is_empty());
        let before = peer.buffer.capacity();
        peer.buffer.clear();
        assert_eq!(peer.buffer.capacity(), before);
        peer.buffer.shrink_to(0);
        assert_eq!(peer.buffer.capacity(), 0);
    }
}
