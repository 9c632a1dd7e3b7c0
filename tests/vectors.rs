//! Tables of streams and what must come of them (RFC 6455 sections 5 to 8 and 10.4). Every row is run whole,
//! cut at every byte and byte by byte, in both delivery modes, and in both roles where it applies to both.

#![cfg(feature = "alloc")]
// A test that cannot go on has failed; a table has as many columns as the rule has sides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::type_complexity)]

mod support;

use sockless::test_util::{
    Frame, Length, Outcome, OwnedCloseEvent, OwnedEvent, Pair, Peer, Role, Rules, encode,
    join_parts, judge, refused_at, run, same_however_cut,
};
use sockless::{
    CloseCode, CloseFrame, Config, Connection, Delivery, Initiator, ProtocolError, Reply,
    SendError, TransportAction,
};
use support::hex;

const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

/// "κόσμε", then f4 90, which begins no character, then more.
const KOSME: &str = "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64";

fn config(delivery: Delivery) -> Config {
    let mut config = Config::default();
    config.delivery = delivery;
    config
}

fn both_deliveries(config: Config) -> [Config; 2] {
    DELIVERIES.map(|delivery| {
        let mut config = config;
        config.delivery = delivery;
        config
    })
}

/// What `role` has written, as its peer understands it; reasons are left out.
fn heard(role: Role, output: &[u8]) -> Vec<OwnedEvent> {
    let rules = Rules {
        server: role == Role::Client,
        max_frame: u64::MAX,
        max_message: u64::MAX,
        chunks: false,
    };
    let verdict = judge(&rules, output);
    assert_eq!(verdict.error, None, "{role:?} wrote {output:02x?}");
    verdict
        .events
        .into_iter()
        .map(OwnedEvent::without_reason)
        .collect()
}

/// The stream is legal, and gives these events and replies.
fn accepts(
    role: Role,
    config: Config,
    bytes: &[u8],
    events: &[OwnedEvent],
    replies: &[OwnedEvent],
) {
    for config in both_deliveries(config) {
        let outcome = same_however_cut(role, config, bytes);
        assert_eq!(outcome.error, None, "{role:?} {bytes:02x?}");
        assert_eq!(outcome.events, events, "{role:?} {bytes:02x?}");
        assert_eq!(
            heard(role, &outcome.output),
            replies,
            "{role:?} {bytes:02x?}"
        );
    }
}

/// The frames in `good` are delivered and answered, then `bad` fails the connection after `after` bytes of it.
fn refuses(
    role: Role,
    config: Config,
    good: &[Frame],
    bad: &[u8],
    error: ProtocolError,
    after: usize,
) {
    let good_bytes = encode(good, role);
    let good_outcome = run(role, config, &good_bytes, &[]);
    assert_eq!(good_outcome.error, None);
    let mut replies = heard(role, &good_outcome.output);
    replies.push(OwnedEvent::close(error.close_code().into(), ""));
    let bytes = [
        good_bytes.clone(),
        bad.to_vec(),
        Frame::new(0x81, "never delivered").encode(role),
        Frame::new(0x89, "never answered").encode(role),
    ]
    .concat();

    for config in both_deliveries(config) {
        let what = format!("{role:?} {:?} {bad:02x?}", config.delivery);
        let outcome = same_however_cut(role, config, &bytes);
        assert_eq!(outcome.error, Some(error), "{what}");
        assert_eq!(outcome.events, good_outcome.events, "{what}");
        assert_eq!(heard(role, &outcome.output), replies, "{what}");
        assert_eq!(outcome.action, TransportAction::Keep, "{what}");
        assert_eq!(
            outcome.ending,
            Some(OwnedCloseEvent {
                code: 1006,
                reason: String::new(),
                was_clean: false,
                initiator: Initiator::Local,
                error: Some(error),
            }),
            "{what}"
        );
        assert_eq!(
            refused_at(role, config, &bytes),
            Some(good_bytes.len() + after),
            "{what}"
        );
    }
}

/// The first two bytes of a frame to `role`, as given or with the mask bit the other way.
fn start(role: Role, first: u8, length: u8, masking_is_right: bool) -> [u8; 2] {
    let masked = (role == Role::Server) == masking_is_right;
    [first, length | if masked { 0x80 } else { 0 }]
}

// ---- Frames (sections 5.1 to 5.5) ----

#[test]
fn two_bytes_show_a_reserved_bit_or_opcode_or_a_bad_control_frame() {
    use ProtocolError::{
        ControlFrameTooLong, FragmentedControlFrame, ReservedBits, ReservedOpcode,
    };
    let mut table = vec![
        (0x09, 0, FragmentedControlFrame),
        (0x08, 2, FragmentedControlFrame),
        (0x0a, 125, FragmentedControlFrame),
        (0x88, 126, ControlFrameTooLong),
        (0x89, 126, ControlFrameTooLong),
        (0x8a, 127, ControlFrameTooLong),
        (0x91, 0, ReservedBits),
        (0xa2, 5, ReservedBits),
        (0xc1, 0, ReservedBits),
        (0xf1, 126, ReservedBits),
        (0xc8, 125, ReservedBits),
        (0xc9, 0, ReservedBits),
        (0x9a, 125, ReservedBits),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        table.push((0x80 | opcode, 0, ReservedOpcode(opcode)));
        table.push((opcode, 5, ReservedOpcode(opcode)));
    }
    for role in Role::BOTH {
        for &(first, length, error) in &table {
            let bad = start(role, first, length, true);
            refuses(role, Config::default(), &[], &bad, error, 2);
        }
    }
}

#[test]
fn two_bytes_show_wrong_masking() {
    for opcode in [0x81, 0x82, 0x01, 0x02, 0x88, 0x89, 0x8a] {
        for (role, error) in [
            (Role::Server, ProtocolError::UnmaskedFrame),
            (Role::Client, ProtocolError::MaskedFrame),
        ] {
            let bad = start(role, opcode, 5, false);
            refuses(role, Config::default(), &[], &bad, error, 2);
        }
    }
    for (role, error) in [
        (Role::Server, ProtocolError::UnmaskedFrame),
        (Role::Client, ProtocolError::MaskedFrame),
    ] {
        let open = [Frame::new(0x01, "Hel")];
        for first in [0x80, 0x00] {
            let bad = start(role, first, 2, false);
            refuses(role, Config::default(), &open, &bad, error, 2);
        }
    }
}

#[test]
fn two_bytes_show_a_fragment_out_of_order() {
    use ProtocolError::{ExpectedContinuation, ReservedBits, UnexpectedContinuation};
    let hel = || Frame::new(0x01, "Hel");
    let lo = || Frame::new(0x80, "lo");
    let ping = || Frame::new(0x89, "?");
    let table: &[(&[Frame], &[u8], ProtocolError)] = &[
        (&[], &[0x80, 0x00], UnexpectedContinuation),
        (&[ping()], &[0x80, 0x00], UnexpectedContinuation),
        (&[hel(), lo()], &[0x80, 0x00], UnexpectedContinuation),
        (
            &[Frame::new(0x82, [0])],
            &[0x80, 0x00],
            UnexpectedContinuation,
        ),
        (&[hel()], &[0x81, 0x82, 0x01, 0x02], ExpectedContinuation),
        (
            &[Frame::new(0x02, "")],
            &[0x81, 0x82, 0x01, 0x02],
            ExpectedContinuation,
        ),
        (
            &[hel(), ping()],
            &[0x81, 0x82, 0x01, 0x02],
            ExpectedContinuation,
        ),
        (
            &[hel(), Frame::new(0x00, "l"), ping()],
            &[0x81, 0x82],
            ExpectedContinuation,
        ),
        // RSV1 belongs to the first frame of a message, if to any.
        (&[hel()], &[0xc0, 0x40, 0x90, 0x20], ReservedBits),
    ];
    for role in Role::BOTH {
        for &(good, firsts, error) in table {
            for &first in firsts {
                for length in [0, 5, 126, 127] {
                    let bad = start(role, first, length, true);
                    refuses(role, Config::default(), good, &bad, error, 2);
                }
            }
        }
    }
}

#[test]
fn good_frames_before_a_bad_one_are_delivered_and_answered_first() {
    let good = [
        Frame::new(0x81, "one"),
        Frame::new(0x89, "two"),
        Frame::new(0x02, "thr"),
        Frame::new(0x89, ""),
        Frame::new(0x80, "ee"),
    ];
    for role in Role::BOTH {
        let bad = start(role, 0x83, 0, true);
        let bytes = [encode(&good, role), bad.to_vec()].concat();
        let outcome = same_however_cut(role, Config::default(), &bytes);
        assert_eq!(
            outcome.events,
            [
                OwnedEvent::text("one"),
                OwnedEvent::ping(b"two"),
                OwnedEvent::ping(b""),
                OwnedEvent::binary(b"three")
            ]
        );
        assert_eq!(
            heard(role, &outcome.output),
            [
                OwnedEvent::pong(b"two"),
                OwnedEvent::pong(b""),
                OwnedEvent::close(1002, "")
            ]
        );

        // The application's reply to the good message goes out in front of the Close frame, because the
        // bad frame behind it is not looked at before the next call.
        let mut peer = Peer::new(role, Config::default());
        peer.buffer.extend_from_slice(&bytes);
        let event = peer.connection.next_event(&mut peer.buffer);
        assert_eq!(
            event.map(|e| e.map(OwnedEvent::from)),
            Ok(Some(OwnedEvent::text("one")))
        );
        peer.connection.send_text("reply").expect("still open");
        peer.take_events();
        assert_eq!(
            heard(role, peer.connection.output()),
            [
                OwnedEvent::text("reply"),
                OwnedEvent::pong(b"two"),
                OwnedEvent::pong(b""),
                OwnedEvent::close(1002, "")
            ]
        );
    }
}

#[test]
fn lengths_of_every_form_both_ways() {
    let table: [(usize, &[u8]); 6] = [
        (0, &[0x00]),
        (125, &[0x7d]),
        (126, &[0x7e, 0x00, 0x7e]),
        (127, &[0x7e, 0x00, 0x7f]),
        (65535, &[0x7e, 0xff, 0xff]),
        (65536, &[0x7f, 0, 0, 0, 0, 0, 1, 0, 0]),
    ];
    for (length, form) in table {
        let data: Vec<u8> = (0..=250).cycle().take(length).collect();
        for role in Role::BOTH {
            let bytes = Frame::new(0x82, &data).encode(role);
            accepts(
                role,
                Config::default(),
                &bytes,
                &[OwnedEvent::binary(&data)],
                &[],
            );

            let mut connection = role.connection(Config::default());
            connection.send_binary(&data).expect("open");
            let output = connection.output();
            assert_eq!((output[0], output[1] & 0x7f), (0x82, form[0]));
            assert_eq!(&output[2..=form.len()], &form[1..]);
            assert_eq!(heard(role, output), [OwnedEvent::binary(&data)]);
        }
    }
}

#[test]
fn a_length_that_is_not_minimal_or_over_63_bits_is_refused_when_it_is_complete() {
    let generous = {
        let mut config = Config::default();
        config.max_frame_size = usize::MAX;
        config.max_message_size = usize::MAX;
        config
    };
    let table = [
        (Length::Bits16, 0, 4, ProtocolError::LengthNotMinimal),
        (Length::Bits16, 3, 4, ProtocolError::LengthNotMinimal),
        (Length::Bits16, 125, 4, ProtocolError::LengthNotMinimal),
        (Length::Bits64, 3, 10, ProtocolError::LengthNotMinimal),
        (Length::Bits64, 126, 10, ProtocolError::LengthNotMinimal),
        (Length::Bits64, 65535, 10, ProtocolError::LengthNotMinimal),
        (
            Length::Claimed(1 << 63),
            3,
            10,
            ProtocolError::LengthTooLarge,
        ),
        (
            Length::Claimed(u64::MAX),
            3,
            10,
            ProtocolError::LengthTooLarge,
        ),
    ];
    for role in Role::BOTH {
        for (length, size, after, error) in table {
            for first in [0x82, 0x02] {
                let bad = Frame::new(first, vec![b'x'; size])
                    .with_length(length)
                    .encode(role);
                for config in [Config::default(), generous] {
                    // The masking key and the payload play no part.
                    refuses(role, config, &[], &bad[..after], error, after);
                }
            }
        }
    }
    // The greatest legal length is a matter of the limits alone.
    for role in Role::BOTH {
        let bytes = Frame::new(0x82, "x")
            .with_length(Length::Claimed(u64::MAX >> 1))
            .encode(role);
        let outcome = same_however_cut(role, generous, &bytes);
        assert_eq!((outcome.error, outcome.events), (None, vec![]));
        let error = ProtocolError::FrameTooLarge;
        refuses(role, Config::default(), &[], &bytes[..10], error, 10);
    }
}

/// Section 5.7, byte for byte.
#[test]
fn the_examples_of_the_rfc() {
    let hello = || [OwnedEvent::text("Hello")];
    let to_client = [
        ("81 05 48 65 6c 6c 6f", &hello()[..], &[][..]),
        ("01 03 48 65 6c 80 02 6c 6f", &hello(), &[]),
        (
            "89 05 48 65 6c 6c 6f",
            &[OwnedEvent::ping(b"Hello")],
            &[OwnedEvent::pong(b"Hello")],
        ),
        ("8a 05 48 65 6c 6c 6f", &[OwnedEvent::pong(b"Hello")], &[]),
    ];
    for (bytes, events, replies) in to_client {
        accepts(
            Role::Client,
            Config::default(),
            &hex(bytes),
            events,
            replies,
        );
    }
    let masked_text = hex("81 85 37 fa 21 3d 7f 9f 4d 51 58");
    let masked_pong = hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58");
    accepts(Role::Server, Config::default(), &masked_text, &hello(), &[]);
    let pong = [OwnedEvent::pong(b"Hello")];
    accepts(Role::Server, Config::default(), &masked_pong, &pong, &[]);
    for (header, size) in [
        ("82 7e 01 00", 256),
        ("82 7f 00 00 00 00 00 01 00 00", 65536),
    ] {
        let bytes = [hex(header), vec![9; size]].concat();
        let events = [OwnedEvent::Binary(vec![9; size])];
        accepts(Role::Client, Config::default(), &bytes, &events, &[]);
    }

    let mut server = Connection::server(Config::default());
    server.send_text("Hello").unwrap();
    server.send_text_fragment("Hel", false).unwrap();
    server.send_text_fragment("lo", true).unwrap();
    server.send_ping(b"Hello").unwrap();
    server.send_pong(b"Hello").unwrap();
    let expected =
        "81 05 48 65 6c 6c 6f 01 03 48 65 6c 80 02 6c 6f 89 05 48 65 6c 6c 6f 8a 05 48 65 6c 6c 6f";
    assert_eq!(server.output(), hex(expected));
}

/// Section 5.3: "the masking key needs to be unpredictable", so at the least it is not used twice.
#[test]
fn a_client_masks_every_frame_with_a_fresh_key() {
    let mut client = Role::Client.connection(Config::default());
    let mut keys = Vec::new();
    for _ in 0..100 {
        client.send_text("").unwrap();
        client.send_ping(b"").unwrap();
        for frame in client.output().chunks(6) {
            keys.push(frame[2..].to_vec());
        }
        client.advance_output(12);
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 200);
}

/// Sections 5.4 and 5.5: "control frames MAY be injected in the middle of a fragmented message".
#[test]
fn control_frames_between_fragments() {
    let frames = [
        Frame::new(0x01, "\u{3ba}\u{1f79}"),
        Frame::new(0x89, "a"),
        Frame::new(0x00, ""),
        Frame::new(0x8a, "b"),
        Frame::new(0x89, ""),
        Frame::new(0x00, "\u{3c3}"),
        Frame::new(0x89, [0; 125]),
        Frame::new(0x80, "\u{3bc}\u{3b5}"),
        Frame::new(0x82, [1, 2, 3]),
    ];
    let events = [
        OwnedEvent::ping(b"a"),
        OwnedEvent::pong(b"b"),
        OwnedEvent::ping(b""),
        OwnedEvent::ping(&[0; 125]),
        OwnedEvent::text("\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}"),
        OwnedEvent::binary(&[1, 2, 3]),
    ];
    let replies = [
        OwnedEvent::pong(b"a"),
        OwnedEvent::pong(b""),
        OwnedEvent::pong(&[0; 125]),
    ];
    for role in Role::BOTH {
        let bytes = encode(&frames, role);
        accepts(role, Config::default(), &bytes, &events, &replies);
    }
}

/// Each frame of a message has a key of its own, and a cut may fall anywhere in it.
#[test]
fn fragments_with_different_keys() {
    let keys = [[1, 2, 3, 4], [0; 4], [0xff, 0, 0xff, 0], Frame::MASKING_KEY];
    let mut frames = vec![
        Frame::new(0x02, b"abcde"),
        Frame::new(0x00, b"f"),
        Frame::new(0x00, b"ghi"),
        Frame::new(0x80, b"jklmnop"),
    ];
    for (frame, key) in frames.iter_mut().zip(keys) {
        frame.masking_key = key;
    }
    let bytes = encode(&frames, Role::Server);
    let events = [OwnedEvent::binary(b"abcdefghijklmnop")];
    accepts(Role::Server, Config::default(), &bytes, &events, &[]);
}

#[test]
fn parts_come_as_they_arrive_and_whole_messages_only_whole() {
    let bytes = encode(
        &[
            Frame::new(0x01, "a\u{e9}"),
            Frame::new(0x80, "b"),
            Frame::new(0x82, ""),
        ],
        Role::Client,
    );
    let mut chunks = Peer::new(Role::Client, config(Delivery::Chunks));
    let mut whole = Peer::new(Role::Client, config(Delivery::Messages));
    let part = |text: &str| vec![OwnedEvent::TextPart(text.into())];
    // Header (2), "a", c3, a9, header (2), "b", header (2).
    let table = [
        (2, vec![], vec![]),
        (3, part("a"), vec![]),
        (4, vec![], vec![]),
        (5, part("\u{e9}"), vec![]),
        (7, vec![], vec![]),
        (
            8,
            vec![OwnedEvent::text("b")],
            vec![OwnedEvent::text("a\u{e9}b")],
        ),
        (
            10,
            vec![OwnedEvent::binary(b"")],
            vec![OwnedEvent::binary(b"")],
        ),
    ];
    let mut from = 0;
    for (to, parts, messages) in table {
        chunks.receive(&bytes[from..to]);
        whole.receive(&bytes[from..to]);
        assert_eq!(chunks.events(), parts, "after {to} bytes");
        assert_eq!(whole.events(), messages, "after {to} bytes");
        from = to;
    }
}

// ---- Pings (sections 5.5.2 and 5.5.3) ----

#[test]
fn ten_pings_get_ten_pongs_in_order() {
    let pings: Vec<Frame> = (b'0'..=b'9').map(|i| Frame::new(0x89, [i; 9])).collect();
    let events: Vec<OwnedEvent> = (b'0'..=b'9').map(|i| OwnedEvent::ping(&[i; 9])).collect();
    let replies: Vec<OwnedEvent> = (b'0'..=b'9').map(|i| OwnedEvent::pong(&[i; 9])).collect();
    for role in Role::BOTH {
        let bytes = encode(&pings, role);
        accepts(role, Config::default(), &bytes, &events, &replies);
    }
}

#[test]
fn past_the_bound_the_newest_ping_wins() {
    let pong = |payload: &[u8]| OwnedEvent::pong(payload);
    for role in Role::BOTH {
        let frame = if role == Role::Client { 7 } else { 3 };
        // With no room at all one Pong may wait nevertheless.
        for (limit, fit) in [(2 * frame, 2), (3 * frame - 1, 2), (frame, 1), (0, 1)] {
            let mut config = Config::default();
            config.max_unsent_pongs = limit;
            let mut peer = Peer::new(role, config);
            peer.connection.send_text("first").unwrap();
            peer.receive(&encode(
                &[b"a", b"b", b"c", b"d"].map(|payload| Frame::new(0x89, payload)),
                role,
            ));
            assert_eq!(peer.events().len(), 4, "delivered all the same");
            let waiting = [
                vec![OwnedEvent::text("first")],
                [pong(b"a"), pong(b"b")][..fit].to_vec(),
            ];
            assert_eq!(heard(role, peer.connection.output()), waiting.concat());

            // Nothing takes its place until the last of them is written whole.
            let size = peer.connection.output().len();
            peer.connection.advance_output(size - 1);
            assert_eq!(peer.connection.output().len(), 1);
            peer.receive(&Frame::new(0x89, b"e").encode(role));
            assert_eq!(peer.connection.output().len(), 1);
            peer.connection.advance_output(1);
            assert_eq!(heard(role, &peer.write_all()), [pong(b"e")]);
            assert_eq!(peer.write_all(), []);

            // The bound counts anew.
            peer.receive(&Frame::new(0x89, b"f").encode(role));
            assert_eq!(heard(role, &peer.write_all()), [pong(b"f")]);
        }
    }
}

#[test]
fn a_pong_that_waits_for_room_is_dropped_by_any_close() {
    let ends: [(&str, fn(&mut Peer, Role)); 4] = [
        ("peer's Close", |peer, role| {
            peer.receive(&Frame::close(1000, "").encode(role));
        }),
        ("our Close", |peer, _| {
            peer.connection.close(CloseCode::NORMAL, "").unwrap();
        }),
        ("violation", |peer, role| {
            peer.receive(&start(role, 0x83, 0, true));
        }),
        ("end of stream", |peer, _| peer.connection.handle_eof()),
    ];
    for role in Role::BOTH {
        for (what, end) in ends {
            let mut config = Config::default();
            config.max_unsent_pongs = 0;
            let mut peer = Peer::new(role, config);
            let pings = [Frame::new(0x89, "a"), Frame::new(0x89, "b")];
            peer.receive(&encode(&pings, role));
            end(&mut peer, role);
            let said = heard(role, &peer.write_all());
            assert_eq!(said[0], OwnedEvent::pong(b"a"), "{what}");
            assert!(
                matches!(said[1..], [] | [OwnedEvent::Close(..)]),
                "{what}: {said:?}"
            );
            assert_eq!(peer.write_all(), [], "{what}");
        }
    }
}

#[test]
fn a_ping_may_be_left_to_the_application() {
    let mut config = Config::default();
    config.pong = Reply::Manual;
    for role in Role::BOTH {
        let ping = Frame::new(0x89, "who?").encode(role);
        accepts(role, config, &ping, &[OwnedEvent::ping(b"who?")], &[]);
        let mut peer = Peer::new(role, config);
        peer.receive(&ping);
        peer.connection.send_pong(b"who?").unwrap();
        assert_eq!(
            heard(role, peer.connection.output()),
            [OwnedEvent::pong(b"who?")]
        );
    }
}

#[test]
fn a_huge_ping_or_message_header_allocates_nothing() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, Config::default());
        let ping = Frame::new(0x89, "").with_length(Length::Claimed(10 << 20));
        peer.receive(&ping.encode(role));
        assert_eq!(peer.error, Some(ProtocolError::ControlFrameTooLong));
        assert!(peer.buffer.capacity() < 100, "{:?}", peer.buffer);

        let mut peer = Peer::new(role, Config::default());
        let message = Frame::new(0x82, "begin").with_length(Length::Claimed(10 << 20));
        peer.receive(&message.encode(role));
        assert_eq!(peer.error, None);
        assert!(peer.buffer.capacity() < 100, "{:?}", peer.buffer);
    }
}

// ---- Close (sections 5.5.1 and 7.4) ----

#[test]
fn close_codes_on_the_wire() {
    for code in 0..=u16::MAX {
        let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for role in Role::BOTH {
            let bytes = Frame::close(code, "why").encode(role);
            let outcome = run(role, Config::default(), &bytes, &[]);
            if legal {
                assert_eq!(outcome.error, None, "{code}");
                assert_eq!(outcome.events, [OwnedEvent::close(code, "why")]);
                assert_eq!(heard(role, &outcome.output), [OwnedEvent::close(code, "")]);
            } else {
                let error = ProtocolError::InvalidCloseCode(CloseCode::new(code));
                assert_eq!(outcome.error, Some(error), "{code}");
                assert_eq!(outcome.events, []);
                assert_eq!(heard(role, &outcome.output), [OwnedEvent::close(1002, "")]);
            }
        }
    }
}

#[test]
fn a_close_frame_is_delivered_and_echoed() {
    let long = "\u{20ac}".repeat(41);
    let table = [
        (Frame::new(0x88, ""), 1005, ""),
        (Frame::close(1000, ""), 1000, ""),
        (Frame::close(1001, "bye"), 1001, "bye"),
        (Frame::close(1014, "\u{1f600}"), 1014, "\u{1f600}"),
        (Frame::close(4999, &long), 4999, &long),
    ];
    for role in Role::BOTH {
        for (frame, code, reason) in &table {
            let events = [OwnedEvent::close(*code, reason)];
            let bytes = [
                frame.encode(role),
                // What follows is no part of the connection, not even where it is illegal.
                Frame::new(0x89, "never answered").encode(role),
                Frame::new(0x83, "").encode(role),
            ]
            .concat();
            let echo = [OwnedEvent::close(*code, "")];
            accepts(role, Config::default(), &bytes, &events, &echo);
            let ending = run(role, Config::default(), &bytes, &[]).ending.unwrap();
            assert_eq!((ending.code, &*ending.reason), (*code, *reason));
            assert!(ending.was_clean);
            assert_eq!((ending.initiator, ending.error), (Initiator::Peer, None));
        }
    }
    // The bytes themselves.
    for (bytes, echo) in [
        ("88 82 37 fa 21 3d 34 12", "88 02 03 e8"),
        ("88 80 37 fa 21 3d", "88 00"),
    ] {
        let outcome = same_however_cut(Role::Server, Config::default(), &hex(bytes));
        assert_eq!(outcome.output, hex(echo));
    }
}

#[test]
fn a_close_frame_in_mid_message_is_legal() {
    for role in Role::BOTH {
        let bytes = encode(
            &[
                Frame::new(0x01, "unfini\u{e9}"),
                Frame::close(1000, ""),
                Frame::new(0x80, "shed"),
            ],
            role,
        );
        let close = [OwnedEvent::close(1000, "")];
        accepts(role, Config::default(), &bytes, &close, &close);
    }
}

#[test]
fn illegal_close_frames() {
    let reason = |bytes: &[u8]| Frame::new(0x88, [b"\x03\xe8", bytes].concat());
    let table = [
        (Frame::new(0x88, [3]), ProtocolError::CloseTooShort),
        (Frame::new(0x88, [0x61]), ProtocolError::CloseTooShort),
        (reason(b"\xff"), ProtocolError::InvalidCloseReason),
        (reason(b"ok\xe2\x82"), ProtocolError::InvalidCloseReason),
        (reason(&hex(KOSME)), ProtocolError::InvalidCloseReason),
        (reason(b"\xed\xa0\x80"), ProtocolError::InvalidCloseReason),
        (
            Frame::close(1005, ""),
            ProtocolError::InvalidCloseCode(CloseCode::NO_STATUS_RECEIVED),
        ),
        (
            Frame::close(999, "text"),
            ProtocolError::InvalidCloseCode(CloseCode::new(999)),
        ),
    ];
    for role in Role::BOTH {
        for (frame, error) in &table {
            let bad = frame.encode(role);
            let good = [Frame::new(0x81, "x"), Frame::new(0x89, "y")];
            refuses(role, Config::default(), &good, &bad, *error, bad.len());
        }
    }
    let one_byte = hex("88 81 37 fa 21 3d 56");
    let error = ProtocolError::CloseTooShort;
    refuses(Role::Server, Config::default(), &[], &one_byte, error, 7);
}

#[test]
fn no_illegal_close_code_is_ever_written() {
    for code in (0..=u16::MAX).map(CloseCode::new) {
        let mut server = Connection::server(Config::default());
        if code.is_sendable() {
            server.close(code, "").unwrap();
            assert_eq!(server.output()[2..], u16::from(code).to_be_bytes());
        } else if code == CloseCode::NO_STATUS_RECEIVED {
            server.close(code, "a reason without a code").unwrap();
            assert_eq!(server.output(), [0x88, 0x00]);
        } else {
            let refused = server.close(code, "");
            assert_eq!(refused, Err(SendError::InvalidCloseCode(code)));
            assert!(server.output().is_empty() && server.is_open());
        }
    }
}

/// Section 5.5.1 and section 5.5: a control frame has room for 123 bytes of reason.
#[test]
fn our_reason_is_cut_at_a_character() {
    let table = [
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("\u{20ac}".repeat(41), 123),
        ("\u{20ac}".repeat(42), 123),
        (format!("{}\u{e9}", "x".repeat(122)), 122),
        (format!("{}\u{20ac}tail", "x".repeat(121)), 121),
        (format!("{}\u{1f600}", "x".repeat(120)), 120),
        (format!("{}\u{1f600}", "x".repeat(119)), 123),
        ("\r\n\0".into(), 3),
    ];
    for (reason, kept) in table {
        for role in Role::BOTH {
            let mut peer = Peer::new(role.other(), Config::default());
            let mut connection = role.connection(Config::default());
            connection.close(CloseCode::GOING_AWAY, &reason).unwrap();
            peer.receive(connection.output());
            assert_eq!(peer.events(), [OwnedEvent::close(1001, &reason[..kept])]);
        }
    }
    let mut buffer = [0; CloseFrame::MAX_SIZE];
    let close = CloseFrame {
        code: CloseCode::ABNORMAL_CLOSURE,
        reason: "",
    };
    assert_eq!(close.write(&mut buffer), None);
}

// ---- The closing handshake (section 7.1) ----

fn ended(code: u16, was_clean: bool, initiator: Initiator) -> OwnedCloseEvent {
    OwnedCloseEvent {
        code,
        reason: String::new(),
        was_clean,
        initiator,
        error: None,
    }
}

/// Nothing can be sent, and trying leaves no trace.
fn sends_nothing(peer: &mut Peer) {
    let before = peer.connection.output().to_vec();
    let connection = &mut peer.connection;
    let refusals = [
        connection.send_text("x"),
        connection.send_binary(b"x"),
        connection.send_text_fragment("x", true),
        connection.send_binary_fragment(b"x", false),
        connection.send_ping(b"x"),
        connection.send_pong(b"x"),
        connection.close(CloseCode::NORMAL, ""),
    ];
    assert_eq!(refusals, [Err(SendError::Closed); 7]);
    assert_eq!(connection.output(), before);
    assert!(!connection.is_open());
}

#[test]
fn open_may_send_all() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, Config::default());
        assert!(peer.connection.is_open());
        peer.connection.send_text("text").unwrap();
        peer.connection.send_binary(b"binary").unwrap();
        peer.connection.send_ping(b"ping").unwrap();
        peer.connection.send_text_fragment("be", false).unwrap();
        peer.connection.send_pong(b"pong").unwrap();
        peer.connection.send_text_fragment("gin", true).unwrap();
        assert_eq!(
            heard(role, peer.connection.output()),
            [
                OwnedEvent::text("text"),
                OwnedEvent::binary(b"binary"),
                OwnedEvent::ping(b"ping"),
                OwnedEvent::pong(b"pong"),
                OwnedEvent::text("begin")
            ]
        );
        assert_eq!(peer.connection.transport_action(), TransportAction::Keep);
        assert_eq!(peer.close_event(), None);
    }
}

#[test]
fn open_then_end_of_stream() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, Config::default());
        peer.receive(&Frame::new(0x01, "unfinished").encode(role));
        peer.connection.handle_eof();
        assert_eq!(
            peer.close_event(),
            Some(ended(1006, false, Initiator::Transport))
        );
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
        sends_nothing(&mut peer);
        // Bytes after the end are a mistake of the caller's, and ignored.
        peer.receive(&Frame::new(0x80, "!").encode(role));
        assert_eq!((peer.events(), peer.error), (vec![], None));
    }
}

#[test]
fn we_closed() {
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let mut config = config(delivery);
            config.max_message_size = 5;
            let closed = || {
                let mut peer = Peer::new(role, config);
                peer.connection
                    .close(CloseCode::GOING_AWAY, "later")
                    .unwrap();
                sends_nothing(&mut peer);
                assert_eq!(
                    heard(role, peer.connection.output()),
                    [OwnedEvent::close(1001, "")]
                );
                assert_eq!(peer.close_event(), None);
                assert_eq!(peer.connection.transport_action(), TransportAction::Keep);
                peer.write_all();
                assert_eq!(peer.connection.transport_action(), TransportAction::Keep);
                // On data: still delivered; a Ping is not answered any more.
                peer.receive(&encode(
                    &[Frame::new(0x81, "still"), Frame::new(0x89, "?")],
                    role,
                ));
                assert_eq!(
                    peer.events(),
                    [OwnedEvent::text("still"), OwnedEvent::ping(b"?")]
                );
                assert_eq!(peer.connection.output(), []);
                peer
            };

            // On the peer's Close: closed, clean. Its code counts, not ours.
            let mut peer = closed();
            peer.receive(&encode(
                &[Frame::close(1000, ""), Frame::new(0x81, "x")],
                role,
            ));
            assert_eq!(peer.events(), [OwnedEvent::close(1000, "")]);
            assert_eq!(peer.connection.output(), [], "no second Close frame");
            assert_eq!(
                peer.close_event(),
                Some(ended(1000, true, Initiator::Local))
            );
            sends_nothing(&mut peer);
            // Section 7.1.1: the server closes first, the client waits for it.
            let action = peer.connection.transport_action();
            assert_eq!(
                action,
                match role {
                    Role::Server => TransportAction::Close,
                    Role::Client => TransportAction::Keep,
                }
            );
            peer.connection.handle_eof();
            assert_eq!(
                peer.close_event(),
                Some(ended(1000, true, Initiator::Local))
            );
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);

            // On end of stream: 1006.
            let mut peer = closed();
            peer.connection.handle_eof();
            assert_eq!(
                peer.close_event(),
                Some(ended(1006, false, Initiator::Local))
            );
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);

            // Limits and rules hold, but there is no second Close frame to tell.
            let bad = [
                (
                    Frame::new(0x81, "123456").encode(role),
                    ProtocolError::MessageTooLarge,
                ),
                (
                    start(role, 0x83, 0, true).to_vec(),
                    ProtocolError::ReservedOpcode(3),
                ),
                (
                    Frame::new(0x88, "x").encode(role),
                    ProtocolError::CloseTooShort,
                ),
            ];
            for (bytes, error) in bad {
                let mut peer = closed();
                peer.receive(&bytes);
                assert_eq!((peer.events(), peer.error), (vec![], Some(error)));
                assert_eq!(peer.connection.output(), []);
                let ending = peer.close_event().unwrap();
                assert_eq!((ending.code, ending.was_clean), (1006, false));
                assert_eq!(
                    (ending.initiator, ending.error),
                    (Initiator::Local, Some(error))
                );
                let action = peer.connection.transport_action();
                assert_eq!(action, TransportAction::ShutdownWrite);
            }
        }
    }
}

#[test]
fn peer_closed_and_was_answered() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, Config::default());
        peer.receive(&Frame::close(3000, "").encode(role));
        sends_nothing(&mut peer);
        assert_eq!(peer.connection.transport_action(), TransportAction::Keep);
        assert_eq!(
            heard(role, &peer.write_all()),
            [OwnedEvent::close(3000, "")]
        );
        assert_eq!(
            peer.connection.transport_action(),
            match role {
                Role::Server => TransportAction::Close,
                Role::Client => TransportAction::Keep,
            }
        );
        peer.receive(&Frame::new(0x81, "ignored").encode(role));
        assert_eq!(peer.events(), [OwnedEvent::close(3000, "")]);
        peer.connection.handle_eof();
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
        assert_eq!(peer.close_event(), Some(ended(3000, true, Initiator::Peer)));
    }
}

/// Section 5.5.1: "an endpoint MAY delay sending a Close frame until its current message is sent".
#[test]
fn peer_closed_and_the_answer_is_left_to_the_caller() {
    let mut config = Config::default();
    config.close = Reply::Manual;
    for role in Role::BOTH {
        let closed = || {
            let mut peer = Peer::new(role, config);
            peer.connection.send_text_fragment("half ", false).unwrap();
            let frames = [Frame::close(1001, ""), Frame::new(0x89, "ignored")];
            peer.receive(&encode(&frames, role));
            assert_eq!(peer.events(), [OwnedEvent::close(1001, "")]);
            assert_eq!(peer.close_event(), None);
            assert!(peer.connection.is_open());
            assert_eq!(peer.connection.transport_action(), TransportAction::Keep);
            peer
        };

        // May finish its message and close.
        let mut peer = closed();
        peer.connection.send_text_fragment("message", true).unwrap();
        peer.connection.send_binary(b"more").unwrap();
        peer.receive(&Frame::new(0x81, "ignored").encode(role));
        peer.receive(&start(role, 0x83, 0, true));
        assert_eq!((peer.events(), peer.error), (vec![], None));
        peer.connection.close(CloseCode::NORMAL, "done").unwrap();
        assert_eq!(peer.close_event(), Some(ended(1001, true, Initiator::Peer)));
        sends_nothing(&mut peer);
        assert_eq!(
            heard(role, &peer.write_all()),
            [
                OwnedEvent::text("half message"),
                OwnedEvent::binary(b"more"),
                OwnedEvent::close(1000, "")
            ]
        );
        assert_eq!(
            peer.connection.transport_action(),
            match role {
                Role::Server => TransportAction::Close,
                Role::Client => TransportAction::Keep,
            }
        );

        // On end of stream: closed, with the peer's code.
        let mut peer = closed();
        peer.connection.handle_eof();
        sends_nothing(&mut peer);
        let end = peer.close_event().unwrap();
        assert_eq!((end.code, end.initiator), (1001, Initiator::Peer));
        peer.write_all();
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
    }
}

/// Section 7.1.4: closed cleanly means that the closing handshake was completed; a Close frame that was
/// never answered completes nothing.
#[test]
fn the_stream_ends_before_the_caller_answers_the_peers_close() {
    let mut config = Config::default();
    config.close = Reply::Manual;
    for role in Role::BOTH {
        let mut peer = Peer::new(role, config);
        peer.receive(&Frame::close(1001, "").encode(role));
        peer.connection.handle_eof();
        assert_eq!(
            peer.close_event(),
            Some(ended(1001, false, Initiator::Peer))
        );
    }
}

#[test]
fn failing() {
    for role in Role::BOTH {
        let failed = || {
            let mut peer = Peer::new(role, Config::default());
            // Refused with its whole header unread, and the payload still to come.
            peer.receive(&Frame::new(0x91, "payload").encode(role)[..9]);
            assert_eq!(peer.error, Some(ProtocolError::ReservedBits));
            sends_nothing(&mut peer);
            assert_eq!(peer.connection.transport_action(), TransportAction::Keep);
            assert_eq!(
                heard(role, &peer.write_all()),
                [OwnedEvent::close(1002, "")]
            );
            // Section 7.1.1: a transport that is closed at once could destroy the Close frame on its way.
            let action = peer.connection.transport_action();
            assert_eq!(action, TransportAction::ShutdownWrite);
            peer
        };
        let not_clean = |code| {
            let error = Some(ProtocolError::ReservedBits);
            Some(OwnedCloseEvent {
                error,
                ..ended(code, false, Initiator::Local)
            })
        };

        // On data: discarded. On end of stream: closed, error kept.
        let mut peer = failed();
        let rest = Frame::new(0x91, "payload").encode(role)[9..].to_vec();
        peer.receive(&rest);
        peer.receive(&encode(
            &[Frame::new(0x89, "x"), Frame::new(0x81, "y")],
            role,
        ));
        assert_eq!((peer.events(), peer.connection.output()), (vec![], &[][..]));
        assert!(peer.buffer.unread().is_empty(), "{:?}", peer.buffer);
        assert_eq!(peer.close_event(), not_clean(1006));
        peer.connection.handle_eof();
        assert_eq!(peer.close_event(), not_clean(1006));
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
        peer.take_events();
        assert_eq!(peer.events(), []);

        // On the peer's Close: recorded.
        let mut peer = failed();
        peer.receive(&rest);
        for byte in encode(&[Frame::new(0x82, [0; 9]), Frame::close(4000, "")], role) {
            peer.receive(&[byte]);
        }
        assert_eq!(peer.events(), []);
        assert_eq!(peer.connection.output(), []);
        assert_eq!(peer.close_event(), not_clean(4000));
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
    }
}

/// A Close frame that is refused is none for the record, and no other can follow it.
#[test]
fn a_refused_close_frame_is_not_recorded() {
    for role in Role::BOTH {
        let refused = [
            Frame::new(0xc8, [3, 0xe8]).encode(role),
            Frame::new(0x08, [3, 0xe8]).encode(role),
            Frame::new(0x88, [3]).encode(role),
            Frame::close(1005, "").encode(role),
            Frame::close(1000, "").encode(role.other()),
        ];
        for bad in refused {
            let mut peer = Peer::new(role, Config::default());
            peer.receive(&bad);
            assert!(peer.error.is_some(), "{role:?} {bad:x?}");
            peer.receive(&Frame::close(4000, "").encode(role));
            let ending = peer.close_event().unwrap();
            assert_eq!(
                (ending.code, ending.was_clean),
                (1006, false),
                "{role:?} {bad:x?}"
            );
        }
    }
}

#[test]
fn two_peers_close_in_turn_or_at_once() {
    for first in Role::BOTH {
        for at_once in [false, true] {
            let mut pair = Pair::new(Config::default());
            let close = |pair: &mut Pair, role, code| {
                let connection = &mut pair.peer(role).connection;
                connection.close(CloseCode::new(code), "").unwrap();
            };
            close(&mut pair, first, 4001);
            if at_once {
                close(&mut pair, first.other(), 4002);
            }
            pair.exchange(&mut std::iter::repeat(1));
            let (code, initiator) = if at_once {
                (4002, Initiator::Local)
            } else {
                (4001, Initiator::Local)
            };
            assert_eq!(
                pair.peer(first).close_event(),
                Some(ended(code, true, initiator))
            );
            let initiator = if at_once {
                Initiator::Local
            } else {
                Initiator::Peer
            };
            let other = pair.peer(first.other());
            assert_eq!(other.close_event(), Some(ended(4001, true, initiator)));
            let action = pair.server.connection.transport_action();
            assert_eq!(action, TransportAction::Close);
            let action = pair.client.connection.transport_action();
            assert_eq!(action, TransportAction::Keep);
            pair.client.connection.handle_eof();
            let action = pair.client.connection.transport_action();
            assert_eq!(action, TransportAction::Close);
        }
    }
}

// ---- Sending (sections 5.4, 5.5 and 6.1) ----

#[test]
fn a_refused_send_leaves_everything_as_it_was() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::default());
        let long = [0; 126];
        assert_eq!(
            [connection.send_ping(&long), connection.send_pong(&long)],
            [Err(SendError::ControlFrameTooLong); 2]
        );
        connection.send_text_fragment("a", false).unwrap();
        let before = connection.output().to_vec();
        let refusals = [
            connection.send_text("x"),
            connection.send_binary(b"x"),
            connection.send_binary_fragment(b"x", true),
            connection.send_ping(&long),
            connection.close(CloseCode::ABNORMAL_CLOSURE, ""),
        ];
        assert_eq!(
            refusals,
            [
                Err(SendError::MessageOpen),
                Err(SendError::MessageOpen),
                Err(SendError::MessageOpen),
                Err(SendError::ControlFrameTooLong),
                Err(SendError::InvalidCloseCode(CloseCode::ABNORMAL_CLOSURE)),
            ]
        );
        assert_eq!(connection.output(), before);
        connection.send_text_fragment("", false).unwrap();
        connection.send_text_fragment("b", true).unwrap();
        connection.send_binary_fragment(b"c", false).unwrap();
        assert_eq!(
            connection.send_text_fragment("x", true),
            Err(SendError::MessageOpen)
        );
        connection.send_binary_fragment(b"d", true).unwrap();
        connection.send_binary(b"e").unwrap();
        assert_eq!(
            heard(role, connection.output()),
            [
                OwnedEvent::text("ab"),
                OwnedEvent::binary(b"cd"),
                OwnedEvent::binary(b"e")
            ]
        );
    }
}

#[test]
fn a_full_output_refuses_until_some_is_written() {
    for role in Role::BOTH {
        let mut config = Config::default();
        config.max_output = 10;
        let mut peer = Peer::new(role, config);
        // A message of any size goes into an output that has room.
        peer.connection.send_text("longer than ten bytes").unwrap();
        let before = peer.connection.output().to_vec();
        let refusals = [
            peer.connection.send_text("x"),
            peer.connection.send_binary_fragment(b"x", false),
            peer.connection.send_ping(b""),
        ];
        assert_eq!(refusals, [Err(SendError::Full); 3]);
        assert_eq!(peer.connection.output(), before);
        peer.connection.advance_output(before.len() - 10);
        assert_eq!(peer.connection.send_text("x"), Err(SendError::Full));
        peer.connection.advance_output(1);
        peer.connection.send_text("y").unwrap();
        peer.connection.advance_output(9);
        assert_eq!(
            heard(role, peer.connection.output()),
            [OwnedEvent::text("y")],
            "no message was begun by the refused fragment"
        );

        // Automatic replies and a Close have their own bounds.
        peer.connection.send_text("longer than ten bytes").unwrap();
        peer.receive(&Frame::new(0x89, "?").encode(role));
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(
            heard(role, peer.connection.output())[2..],
            [OwnedEvent::pong(b"?"), OwnedEvent::close(1000, "")]
        );
    }
}

#[test]
fn an_unfinished_message_does_not_keep_us_from_closing() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, Config::default());
        peer.connection.send_text_fragment("a", false).unwrap();
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(
            heard(role, peer.connection.output()),
            [OwnedEvent::close(1000, "")]
        );
    }
}

#[test]
fn swapped_output_counts_as_written() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::default());
        let mut output = b"left over".to_vec();
        connection.send_text("one").unwrap();
        connection.send_text("two").unwrap();
        let first = connection.output().len() / 2;
        connection.advance_output(first);
        connection.swap_output(&mut output);
        assert_eq!(heard(role, &output), [OwnedEvent::text("two")]);
        assert_eq!(connection.output(), []);
        connection.send_text("three").unwrap();
        assert_eq!(
            heard(role, connection.output()),
            [OwnedEvent::text("three")]
        );
    }
}

// ---- Text (section 8.1) ----

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
        // A character that is broken off by another.
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
            // In one frame, in a first fragment, behind a good message, behind a character.
            for (first, before) in [(0x81, ""), (0x01, ""), (0x81, "ascii \u{1f600}")] {
                let good = [Frame::new(0x81, "good"), Frame::new(0x89, "p")];
                let payload = [before.as_bytes(), &text].concat();
                let bad = Frame::new(first, payload).encode(role);
                let after = header + before.len() + fault + 1;
                let error = ProtocolError::InvalidUtf8;
                refuses(role, Config::default(), &good, &bad, error, after);
            }
            // Cut into two fragments anywhere, with a Ping between.
            for cut in 0..=fault {
                let good = [Frame::new(0x01, &text[..cut]), Frame::new(0x89, "p")];
                let bad = Frame::new(0x80, &text[cut..]).encode(role);
                let after = header + fault - cut + 1;
                let error = ProtocolError::InvalidUtf8;
                refuses(role, Config::default(), &good, &bad, error, after);
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
            refuses(role, Config::default(), &[], &whole, error, whole.len());
            // Whatever the length of the last frame.
            let good = [Frame::new(0x01, &begun), Frame::new(0x00, "")];
            let empty = Frame::new(0x80, "").encode(role);
            refuses(role, Config::default(), &good, &empty, error, header);
            // The next message cannot finish it.
            let ascii = Frame::new(0x80, "a").encode(role);
            refuses(role, Config::default(), &good, &ascii, error, header + 1);
        }
    }
}

#[test]
fn characters_may_be_cut_by_fragments_anywhere() {
    let text = "\0\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}";
    let bytes = text.as_bytes();
    for role in Role::BOTH {
        for first in 0..=bytes.len() {
            let frames = [
                Frame::new(0x01, &bytes[..first]),
                Frame::new(0x00, ""),
                Frame::new(0x80, &bytes[first..]),
                // Checked anew with every message: nothing is left of the one before.
                Frame::new(0x82, [0xff, 0xc3]),
                Frame::new(0x81, "\u{e9}"),
            ];
            let events = [
                OwnedEvent::text(text),
                OwnedEvent::binary(&[0xff, 0xc3]),
                OwnedEvent::text("\u{e9}"),
            ];
            let bytes = encode(&frames, role);
            accepts(role, Config::default(), &bytes, &events, &[]);
        }
        // Every byte in a fragment of its own.
        let mut frames: Vec<_> = bytes.iter().map(|b| Frame::new(0x00, [*b])).collect();
        frames[0].first = 0x01;
        frames.last_mut().unwrap().first = 0x80;
        let stream = encode(&frames, role);
        accepts(
            role,
            Config::default(),
            &stream,
            &[OwnedEvent::text(text)],
            &[],
        );
    }
}

// ---- Limits (section 10.4) ----

fn limits(frame: usize, message: usize) -> Config {
    let mut config = Config::default();
    config.max_frame_size = frame;
    config.max_message_size = message;
    config
}

/// What the documentation of [`Config`] states, each in its field.
#[test]
fn the_default_limits() {
    let Config {
        max_message_size,
        max_frame_size,
        max_output,
        max_unsent_pongs,
        max_head_size,
        max_headers,
        delivery,
        pong,
        close,
        ..
    } = Config::default();
    assert_eq!((max_message_size, max_frame_size), (16 << 20, 16 << 20));
    assert_eq!((max_output, max_unsent_pongs), (1 << 20, 2 << 10));
    assert_eq!((max_head_size, max_headers), (16 << 10, 100));
    assert_eq!(delivery, Delivery::Messages);
    assert_eq!((pong, close), (Reply::Automatic, Reply::Automatic));
    assert_eq!(Config::default(), Config::new());

    // And they are kept: the largest frame passes, one byte more is refused at its header.
    for role in Role::BOTH {
        let claimed = |claim| Frame::new(0x82, "").with_length(Length::Claimed(claim));
        let most = claimed(16 << 20).encode(role);
        assert_eq!(refused_at(role, Config::default(), &most), None);
        let bad = claimed((16 << 20) + 1).encode(role);
        let error = ProtocolError::FrameTooLarge;
        refuses(role, Config::default(), &[], &bad[..10], error, 10);
        // Split over two frames it is the message that is too large.
        let good = [Frame::new(0x02, "x")];
        let bad = Frame::new(0x80, "").with_length(Length::Claimed(16 << 20));
        let bad = bad.encode(role);
        let error = ProtocolError::MessageTooLarge;
        refuses(role, Config::default(), &good, &bad[..10], error, 10);
    }
}

#[test]
fn limits_are_exact() {
    use ProtocolError::{FrameTooLarge, MessageTooLarge};
    let big = 1 << 20;
    let part = |first, size| Frame::new(first, vec![b'x'; size]);
    // Limits of frame and message, frames that pass, the size of one more that does not.
    let table: &[(usize, usize, &[Frame], u8, usize, ProtocolError)] = &[
        (big, 0, &[part(0x81, 0)], 0x81, 1, MessageTooLarge),
        (big, 5, &[part(0x81, 5)], 0x81, 6, MessageTooLarge),
        (big, 5, &[part(0x82, 5)], 0x02, 6, MessageTooLarge),
        (5, big, &[part(0x82, 5)], 0x82, 6, FrameTooLarge),
        (5, big, &[part(0x02, 5), part(0, 5)], 0x80, 6, FrameTooLarge),
        (5, 5, &[part(0x82, 5)], 0x82, 6, FrameTooLarge),
        (big, 200, &[part(0x82, 200)], 0x82, 201, MessageTooLarge),
        // Summed over fragments, whatever control frames come between; reset with every message.
        (
            big,
            5,
            &[part(0x01, 5), part(0x80, 0)],
            0x81,
            6,
            MessageTooLarge,
        ),
        (
            big,
            5,
            &[part(0x01, 3), part(0x89, 9), part(0, 2)],
            0x80,
            1,
            MessageTooLarge,
        ),
        (big, 5, &[part(0x02, 4)], 0x00, 2, MessageTooLarge),
        (
            big,
            5,
            &[part(0x02, 5), part(0x80, 0), part(0x01, 4)],
            0x80,
            2,
            MessageTooLarge,
        ),
    ];
    for role in Role::BOTH {
        for &(frame, message, good, first, size, error) in table {
            let bad = part(first, size).encode(role);
            let after = if size > 125 { 4 } else { 2 };
            // The length alone decides, before the payload and even before the masking key.
            refuses(role, limits(frame, message), good, &bad, error, after);
        }
    }
}

#[test]
fn control_frames_know_no_limit_but_their_own() {
    for role in Role::BOTH {
        let bytes = Frame::new(0x89, [7; 125]).encode(role);
        let (event, reply) = (OwnedEvent::ping(&[7; 125]), OwnedEvent::pong(&[7; 125]));
        accepts(role, limits(0, 0), &bytes, &[event], &[reply]);
    }
}

#[test]
fn many_small_fragments_pass() {
    for role in Role::BOTH {
        for config in DELIVERIES.map(config) {
            let mut peer = Peer::new(role, config);
            for (i, byte) in (0..65536).zip((0..=250).cycle()) {
                let first = match i {
                    0 => 0x02,
                    65535 => 0x80,
                    _ => 0x00,
                };
                peer.receive(&Frame::new(first, [byte; 64]).encode(role));
            }
            let (events, open) = join_parts(&peer.events);
            assert_eq!((events.len(), open, peer.error), (1, None, None));
            let expected: Vec<u8> = (0..=250)
                .cycle()
                .take(65536)
                .flat_map(|byte| [byte; 64])
                .collect();
            assert!(events[0].data() == expected);
        }
    }
}

#[test]
fn a_million_empty_fragments_cost_nothing() {
    for role in Role::BOTH {
        for config in DELIVERIES.map(config) {
            let mut peer = Peer::new(role, config);
            peer.receive(&Frame::new(0x01, "a").encode(role));
            let batch = Frame::new(0x00, "").encode(role).repeat(1000);
            for _ in 0..1000 {
                peer.receive(&batch);
            }
            // What one read and one byte of message need.
            assert!(
                peer.buffer.capacity() <= 3 * batch.len(),
                "{:?}",
                peer.buffer
            );
            peer.receive(&Frame::new(0x80, "b").encode(role));
            let (events, _) = join_parts(&peer.events);
            assert_eq!(events, [OwnedEvent::text("ab")]);
        }
    }
}

/// The bound that the documentation of `ReadBuffer` states.
#[test]
fn the_buffer_is_bounded_by_what_was_received() {
    let message = 50_000;
    for role in Role::BOTH {
        for (delivery, held) in [(Delivery::Messages, message), (Delivery::Chunks, 0)] {
            for (read, fragment) in [(1000, 50_000), (1000, 10), (1, 999), (4096, 3000)] {
                let mut peer = Peer::new(role, config(delivery));
                let mut frames: Vec<Frame> = vec![b'x'; message]
                    .chunks(fragment)
                    .map(|piece| Frame::new(0x00, piece))
                    .collect();
                frames.last_mut().unwrap().first |= 0x80;
                frames[0].first |= 0x01;
                let bytes = encode(&frames, role);
                for piece in bytes.chunks(read).chain(bytes.chunks(read)) {
                    peer.receive(piece);
                    let unread = read + 14;
                    let bound = 2 * (held + unread) + read;
                    assert!(
                        peer.buffer.capacity() <= bound,
                        "{:?} > {bound}",
                        peer.buffer
                    );
                }
                assert!(peer.buffer.is_empty());
            }
        }
    }
}

/// Design of the events: they borrow the buffer, not the connection, so that a reply inside the loop
/// compiles.
#[test]
fn an_event_leaves_the_connection_free() {
    fn first_text<'b>(peer: &mut Connection, buffer: &'b mut sockless::ReadBuffer) -> &'b str {
        match peer.next_event(buffer) {
            Ok(Some(sockless::Event::Text { text, .. })) => text,
            other => panic!("{other:?}"),
        }
    }
    let mut peer = Peer::new(Role::Server, Config::default());
    let bytes = Frame::new(0x81, "echo").encode(Role::Server);
    peer.buffer.extend_from_slice(&bytes);
    let text = first_text(&mut peer.connection, &mut peer.buffer);
    peer.connection.send_text(text).unwrap();
    peer.connection.close(CloseCode::NORMAL, text).unwrap();
    drop(peer.connection);
    assert_eq!(text, "echo");
}

/// An [`Outcome`] has no part that this file forgets to look at.
#[test]
fn a_silent_connection_has_no_outcome() {
    for role in Role::BOTH {
        let Outcome {
            events,
            open,
            error,
            output,
            ending,
            action,
        } = run(role, Config::default(), &[], &[]);
        assert_eq!((events, open, error), (vec![], None, None));
        assert_eq!((output, ending), (vec![], None));
        assert_eq!(action, TransportAction::Keep);
    }
}
