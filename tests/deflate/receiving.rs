//! Received compressed messages (RFC 7692, sections 6, 7.2.2 and 7.2.3).

use sockless::test_util::{Frame, OwnedEvent, Peer, Role, encode};
use sockless::{ProtocolError, TakenEvent};

use super::data::json;
use super::extension::pair;
use super::reference::inflate;
use super::support::hex;
use super::{
    DELIVERIES, agreed, agreed_peer, ask, everything, fragments, noise, received, repeat, run,
    serve, stored,
};

const HELLO: &str = "f2 48 cd c9 c9 07 00";
const AGAIN: &str = "f2 00 11 00 00";
const FLUSHED: &str = "f2 48 cd c9 c9 07 00 00 00 ff ff";
const FLUSHED_AGAIN: &str = "f2 00 11 00 00 00 00 ff ff";
const EMPTY: &str = "00 00 00 ff ff";
const TWICE: &str = "f3 48 cd c9 c9 07 00 f2 00 11 00 00";
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
    // The frames, and the messages with `|` between them.
    let table: &[(&[(u8, &str)], &str)] = &[
        // The examples of RFC 7692, section 7.2.3.
        (&[(0xc1, HELLO)], "Hello"),
        (&[(0x41, "f2 48 cd"), (0x80, "c9 c9 07 00")], "Hello"),
        (&[(0xc1, HELLO), (0xc1, AGAIN)], "Hello|Hello"),
        (&[(0xc1, "00 05 00 fa ff 48 65 6c 6c 6f 00")], "Hello"),
        (&[(0xc1, FINAL)], "Hello"),
        (&[(0xc1, "f2 48 05 00 00 00 ff ff ca c9 c9 07 00")], "Hello"),
        // Section 7.2.3.6: an empty message.
        (&[(0xc1, "00")], ""),
        (&[(0xc1, "02 00")], ""),
        // An empty message without payload.
        (&[(0xc1, "")], ""),
        (&[(0x41, ""), (0x00, ""), (0x80, "")], ""),
        (&[(0x41, "00"), (0x80, "")], ""),
        (&[(0x41, ""), (0x80, "00")], ""),
        (&[(0xc1, ""), (0xc1, HELLO)], "|Hello"),
        (
            &[(0xc1, HELLO), (0xc1, ""), (0xc1, "00"), (0xc1, AGAIN)],
            "Hello|||Hello",
        ),
        // Fragments of many sizes, also empty ones.
        (
            &[
                (0x41, ""),
                (0x00, "f2"),
                (0x00, "48"),
                (0x00, ""),
                (0x00, "cd c9 c9 07 00"),
                (0x80, ""),
            ],
            "Hello",
        ),
        // The window stays after a block with BFINAL, inside a message and after it (section 7.2.3.4).
        (&[(0xc1, FINAL), (0xc1, AGAIN)], "Hello|Hello"),
        (
            &[(0xc1, FINAL), (0xc1, FINAL), (0xc1, AGAIN), (0xc1, AGAIN)],
            "Hello|Hello|Hello|Hello",
        ),
        (&[(0xc1, TWICE)], "HelloHello"),
        (
            &[(0xc1, HELLO), (0xc1, "03 00 03 00 f2 00 11 00 00")],
            "Hello|Hello",
        ),
        // Section 7.2.1: any block may have BFINAL, also the empty block at the end.
        (&[(0xc1, "01")], ""),
        (&[(0xc1, "01"), (0xc1, HELLO)], "|Hello"),
        (
            &[(0xc1, "f2 48 cd c9 c9 07 04"), (0xc1, AGAIN)],
            "Hello|Hello",
        ),
        (
            &[(0xc1, "f3 48 cd c9 c9 07 00 01"), (0xc1, AGAIN)],
            "Hello|Hello",
        ),
        // Section 7.2.1: only the last fragment leaves out the marker of its flush, `00 00 ff ff`.
        (&[(0x41, FLUSHED), (0x80, AGAIN)], "HelloHello"),
        (
            &[(0x41, FLUSHED), (0x00, FLUSHED_AGAIN), (0x80, "00")],
            "HelloHello",
        ),
        (
            &[(0x41, EMPTY), (0x00, FLUSHED), (0x00, EMPTY), (0x80, AGAIN)],
            "HelloHello",
        ),
        // Messages without compression do not change the window.
        (
            &[(0xc1, HELLO), (0x81, "48 69"), (0xc1, AGAIN)],
            "Hello|Hi|Hello",
        ),
        (
            &[
                (0xc1, HELLO),
                (0x01, "48"),
                (0x80, "69"),
                (0x81, ""),
                (0xc1, AGAIN),
            ],
            "Hello|Hi||Hello",
        ),
    ];
    for (rows, messages) in table {
        let messages: Vec<_> = messages.split('|').collect();
        let found = received(&everything(), &frames(rows));
        assert_eq!(found, (texts(&messages), None), "{rows:?}");
        // The reference agrees. Other tests use it as the judge.
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
        // The same as binary messages.
        let mut binary = frames(rows);
        for frame in binary.iter_mut().filter(|frame| frame.first & 1 == 1) {
            frame.first ^= 0x03;
        }
        let messages = messages.iter().map(|it| OwnedEvent::binary(it.as_bytes()));
        let found = received(&everything(), &binary);
        assert_eq!(found, (messages.collect(), None), "{rows:?}");
    }
}

#[test]
fn a_flush_marker_split_over_fragments() {
    // "He", a flush, and "llo". Then a message that repeats the one before it.
    for (before, message) in [
        (&[][..], "f2 48 05 00 00 00 ff ff ca c9 c9 07 00"),
        (&[(0xc1, HELLO)], "f2 00 11 00 00 00 00 ff ff 00"),
    ] {
        let payload = hex(message);
        let mut windows = payload.windows(4);
        let marker = windows.position(|bytes| bytes == [0, 0, 0xff, 0xff]);
        let marker = marker.unwrap();
        // One cut, two cuts, and a cut after every byte of the marker.
        let mut places: Vec<Vec<usize>> = Vec::new();
        for a in marker..=marker + 4 {
            places.push(vec![a]);
            places.extend((a..=marker + 4).map(|b| vec![a, b]));
        }
        places.push((marker..=marker + 4).collect());
        for places in places {
            let mut all = frames(before);
            let expected = texts(&["Hello"].repeat(before.len() + 1));
            all.extend(fragments(0xc1, &payload, &places));
            let found = received(&everything(), &all);
            assert_eq!(found, (expected, None), "{places:?}");
        }
    }
}

/// RFC 6455, section 5.4. Control frames are never compressed (RFC 7692, section 6).
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
        (0x41, FLUSHED_AGAIN),
        (0x89, "70"),
        (0x80, "00"),
        (0x88, "03 e8"),
    ];
    let events = vec![
        OwnedEvent::ping(&hex(HELLO)),
        OwnedEvent::pong(b""),
        OwnedEvent::ping(b""),
        OwnedEvent::text("Hello"),
        OwnedEvent::ping(b"\0"),
        OwnedEvent::ping(b"p"),
        OwnedEvent::text("Hello"),
        OwnedEvent::close(1000, ""),
    ];
    assert_eq!(received(&everything(), &frames(rows)), (events, None));
    // A Close frame between fragments ends the connection.
    let rows = &[(0x41, "f2 48 cd"), (0x88, "03 e8"), (0x80, "c9 c9 07 00")];
    let close = vec![OwnedEvent::close(1000, "")];
    assert_eq!(received(&everything(), &frames(rows)), (close, None));
}

/// RFC 7692, section 6: only the first frame of a data message may have RSV1. No frame may have RSV2 or RSV3.
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
    let error = Some(ProtocolError::ReservedBits);
    for rows in table {
        let mut rows = frames(rows);
        let wrong = rows.pop().unwrap();
        for role in Role::BOTH {
            let mut peer = agreed_peer(role, &everything());
            peer.receive(&encode(&rows, role));
            let bytes = wrong.encode(role);
            peer.receive(&bytes[..1]);
            assert_eq!(peer.error, None, "{rows:?}");
            // The first two bytes of the frame are enough.
            peer.receive(&bytes[1..2]);
            assert_eq!(peer.error, error, "{rows:?} {wrong:?}");
        }
        rows.push(wrong);
        assert_eq!(received(&everything(), &rows), (vec![], error));
    }
    // A compressed message inside another one.
    let inside = frames(&[(0x41, "f2 48 cd"), (0xc1, HELLO)]);
    let error = Some(ProtocolError::ExpectedContinuation);
    assert_eq!(received(&everything(), &inside), (vec![], error));
}

/// RFC 6455, section 5.2: without the extension, RSV1 is a violation.
#[test]
fn not_agreed() {
    let bytes = |role| Frame::new(0xc1, hex(HELLO)).encode(role);
    let (server, answer) = serve(&[], &everything()).unwrap();
    assert_eq!(answer, None);
    let client = ask(&[], &everything()).0.unwrap();
    for (role, connection) in [
        // This side wants the extension, and the peer does not.
        (Role::Server, server),
        (Role::Client, client),
        // A handshake of somebody else has agreed on no extension.
        (Role::Server, Role::Server.connection(&everything())),
        (Role::Client, Role::Client.connection(&everything())),
    ] {
        assert!(!connection.uses_deflate());
        let error = run(connection, &bytes(role), &[]).error;
        assert_eq!(error, Some(ProtocolError::ReservedBits), "{role:?}");
    }
}

/// Data that is not DEFLATE, ends too early or goes on after its end. The connection fails with 1007 and delivers
/// nothing.
#[test]
fn corrupt_messages() {
    let far = |distance| [hex("f2 48 cd c9 c9 07 00 00 00 ff ff"), repeat(distance)].concat();
    let table = [
        // A block of type 3, a stored block with two lengths, references to data that does not exist.
        hex("06"),
        hex("07 00"),
        hex("00 05 00 fa fe 48 65 6c 6c 6f 00"),
        hex(AGAIN),
        far(6),
        // Impossible codes of a dynamic block.
        hex("04 00"),
        hex("fc ff 00"),
        // No header of the empty block at the end, so the tail becomes data.
        hex("00 05 00 fa ff 48 65 6c 6c 6f"),
        hex("f2 48 cd c9 c9 07"),
        // No empty block after BFINAL, which RFC 7692, section 7.2.1, demands.
        hex("f3 48 cd c9 c9 07 00"),
        hex("01 05 00 fa ff 48 65 6c 6c 6f"),
        hex("03 00"),
        // More bytes at the end: the whole tail, a part of it, or others.
        hex("f2 48 cd c9 c9 07 00 00 00 ff ff"),
        hex("f2 48 cd c9 c9 07 00 00 00"),
        hex("00 00 00 ff ff"),
        hex("f2 48 cd c9 c9 07 00 00"),
        hex("f2 48 cd c9 c9 07 00 ff"),
        hex("f3 48 cd c9 c9 07 00 00 00"),
        hex("f3 48 cd c9 c9 07 00 ff"),
        hex("00 00"),
        // An incomplete stored block, so the tail becomes data.
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
            fragments(0xc2, &payload, &[1]),
            fragments(0xc2, &payload, &[payload.len()]),
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

/// The reference decides whether the beginning of a message is whole.
#[test]
fn messages_cut_short() {
    for payload in [
        HELLO,
        FINAL,
        "00 05 00 fa ff 48 65 6c 6c 6f 00",
        "f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
        TWICE,
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

/// RFC 6455, section 8.1: decompressed text must be UTF-8. The connection fails at the first wrong byte.
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
        // The error does not wait for the end of the message or of the frame.
        let open = [Frame::new(0x41, &payload)];
        assert_eq!(received(&everything(), &open), (vec![], invalid));
        for role in Role::BOTH {
            for delivery in DELIVERIES {
                let config = everything().with_delivery(delivery);
                let bytes = open[0].encode(role);
                let header = bytes.len() - payload.len();
                let mut peer = agreed_peer(role, &config);
                let at = (1..=bytes.len()).find(|n| {
                    peer.receive(&bytes[n - 1..*n]);
                    peer.error.is_some()
                });
                assert_eq!(at, Some(header + 5 + shown), "{role:?} {delivery:?}");
                assert_eq!(peer.error, invalid);
            }
        }
        // Binary messages may have any bytes.
        assert_eq!(
            received(&everything(), &[Frame::new(0xc2, &payload)]),
            (vec![OwnedEvent::binary(wrong)], None)
        );
    }
    // A message must end with a whole character. Fragments, reads and blocks may end anywhere.
    for cut in [&b"Hello \xe2"[..], b"\xe2\x82", b"\xf0\x9f\x92"] {
        let payload = stored(cut);
        for places in [&[][..], &[payload.len()]] {
            let frames = fragments(0xc1, &payload, places);
            assert_eq!(received(&everything(), &frames), (vec![], invalid));
        }
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

/// The first of two violations counts, however much sockless decompresses at once. The second one is a corrupt block,
/// the limit, or a missing end.
#[test]
fn wrong_text_counts_before_what_follows_it() {
    let block = |data: &[u8]| {
        let mut bytes = stored(data);
        // Removes the empty block at the end.
        bytes.pop();
        bytes
    };
    let wrong_block = &[0x07][..];
    let wrong = ProtocolError::InvalidUtf8;
    let corrupt = ProtocolError::CorruptCompression;
    let too_large = ProtocolError::MessageTooLarge;
    let full = &everything();
    let limited = &everything().with_max_message_size(5);
    for (config, payload, error) in [
        (full, [&block(b"ok\xff"), wrong_block].concat(), wrong),
        (full, [&block(b"ok\xce"), wrong_block].concat(), corrupt),
        (full, block(b"ok\xff"), wrong),
        (full, block(b"ok\xce"), corrupt),
        (limited, stored(b"abcd\xffefg"), wrong),
        (limited, stored(b"abcde\xfffg"), too_large),
        (limited, stored(b"abcd\xcefg"), too_large),
    ] {
        for places in [&[][..], &[payload.len() / 2]] {
            let found = received(config, &fragments(0xc1, &payload, places));
            assert_eq!(found, (vec![], Some(error)), "{payload:02x?}");
        }
    }
}

/// A message may refer to everything in the window, over messages, stored blocks and blocks with BFINAL.
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
                // An empty block with BFINAL, and the empty block at the end.
                first.extend([0, 0, 0xff, 0xff, 0x03, 0x00, 0x00]);
            }
            let frames = [
                Frame::new(0xc2, first),
                Frame::new(0x82, noise(300, 2)),
                Frame::new(0xc2, repeat(distance)),
            ];
            for role in Role::BOTH {
                for delivery in DELIVERIES {
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

/// The buffer holds decompressed data until the message ends.
/// [`ReadBuffer::shrink_to`](sockless::ReadBuffer::shrink_to) keeps this data.
#[test]
fn a_buffer_inside_a_message_is_not_empty() {
    let payload = stored(b"Hello");
    for role in Role::BOTH {
        let bytes = Frame::new(0xc1, &payload).encode(role);
        let (first, rest) = bytes.split_at(bytes.len() - 3);
        let mut peer = agreed_peer(role, &everything());
        assert!(peer.buffer.is_empty());
        peer.receive(first);
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

/// Decompressed messages come with their memory, too. Their bytes do not depend on how they are taken.
#[test]
fn large_decompressed_messages_are_taken() {
    for (text, size) in [
        (false, 64 << 10),
        (true, 64 << 10),
        (false, 300_000),
        (true, 300_000),
    ] {
        for read in [100, 4096, usize::MAX] {
            let mut pair = pair(&everything(), &everything());
            let mut moved = 0;
            let mut heard = Vec::new();
            let sent: Vec<_> = (0..3).map(|number| json(size + number, number)).collect();
            for message in &sent {
                let client = &mut pair.client.connection;
                if text {
                    client.send_text(message).unwrap();
                } else {
                    client.send_binary(message.as_bytes()).unwrap();
                }
                let wire = pair.client.write_all();
                assert!(wire.len() < size);
                for piece in wire.chunks(read) {
                    let Peer {
                        connection, buffer, ..
                    } = &mut pair.server;
                    buffer.extend_from_slice(piece);
                    while let Some(event) = connection.take_event(buffer).unwrap() {
                        moved += usize::from(!matches!(event, TakenEvent::Borrowed(_)));
                        heard.extend_from_slice(event.into_owned().data());
                    }
                }
                assert!(pair.server.buffer.is_empty());
            }
            assert!(heard == sent.concat().into_bytes(), "{text} {size} {read}");
            assert_eq!(moved, 3, "{text} {size} {read}");
        }
    }
}
