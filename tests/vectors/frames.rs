//! Frames (RFC 6455 sections 5.1 to 5.5 and 5.7).

use super::support::hex;
use super::{accepts, heard, refuses, start, writes};
use sockless::test_util::{Frame, Length, OwnedEvent, Peer, Role, encode, same_however_cut};
use sockless::{Config, Connection, Delivery, ProtocolError};

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
            refuses(role, &Config::default(), &[], &bad, error, 2);
        }
    }
}

#[test]
fn two_bytes_show_wrong_masking() {
    for (role, error) in [
        (Role::Server, ProtocolError::UnmaskedFrame),
        (Role::Client, ProtocolError::MaskedFrame),
    ] {
        for first in [0x81, 0x82, 0x01, 0x02, 0x88, 0x89, 0x8a] {
            let bad = start(role, first, 5, false);
            refuses(role, &Config::default(), &[], &bad, error, 2);
        }
        let open = [Frame::new(0x01, "Hel")];
        for first in [0x80, 0x00] {
            let bad = start(role, first, 2, false);
            refuses(role, &Config::default(), &open, &bad, error, 2);
        }
    }
}

#[test]
fn two_bytes_show_a_fragment_out_of_order() {
    use ProtocolError::{ExpectedContinuation, ReservedBits, UnexpectedContinuation};
    const MESSAGES: &[u8] = &[0x81, 0x82, 0x01, 0x02];
    const CONTINUATIONS: &[u8] = &[0x80, 0x00];
    let hel = || Frame::new(0x01, "Hel");
    let lo = || Frame::new(0x80, "lo");
    let l = || Frame::new(0x00, "l");
    let ping = || Frame::new(0x89, "?");
    let binary = || Frame::new(0x82, [0]);
    let empty = || Frame::new(0x02, "");
    let table: &[(&[Frame], &[u8], ProtocolError)] = &[
        (&[], CONTINUATIONS, UnexpectedContinuation),
        (&[ping()], CONTINUATIONS, UnexpectedContinuation),
        (&[hel(), lo()], CONTINUATIONS, UnexpectedContinuation),
        (&[binary()], CONTINUATIONS, UnexpectedContinuation),
        (&[hel()], MESSAGES, ExpectedContinuation),
        (&[empty()], MESSAGES, ExpectedContinuation),
        (&[hel(), ping()], MESSAGES, ExpectedContinuation),
        (&[hel(), l(), ping()], &[0x81, 0x82], ExpectedContinuation),
        // Even with an extension, RSV1 is only on the first frame of a message (RFC 7692, section 6).
        (&[hel()], &[0xc0, 0x40, 0x90, 0x20], ReservedBits),
    ];
    for role in Role::BOTH {
        for &(good, firsts, error) in table {
            for &first in firsts {
                for length in [0, 5, 126, 127] {
                    let bad = start(role, first, length, true);
                    refuses(role, &Config::default(), good, &bad, error, 2);
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
        let outcome = same_however_cut(role, &Config::default(), &bytes);
        let events = [
            OwnedEvent::text("one"),
            OwnedEvent::ping(b"two"),
            OwnedEvent::ping(b""),
            OwnedEvent::binary(b"three"),
        ];
        assert_eq!(outcome.events, events);
        let replies = [
            OwnedEvent::text("reply"),
            OwnedEvent::pong(b"two"),
            OwnedEvent::pong(b""),
            OwnedEvent::close(1002, ""),
        ];
        assert_eq!(heard(role, &outcome.output), replies[1..]);

        // The next call finds the bad frame. So the application's reply to the good message precedes the Close frame.
        let mut peer = Peer::new(role, &Config::default());
        peer.buffer.extend_from_slice(&bytes);
        let event = peer.connection.next_event(&mut peer.buffer).unwrap();
        assert_eq!(event.map(OwnedEvent::from), Some(OwnedEvent::text("one")));
        peer.connection.send_text("reply").expect("still open");
        peer.take_events();
        writes(&mut peer, &replies);
    }
}

#[test]
fn lengths_of_every_form_are_received_and_sent() {
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
            let events = [OwnedEvent::binary(&data)];
            accepts(role, &Config::default(), &bytes, &events, &[]);

            let mut connection = role.connection(&Config::default());
            connection.send_binary(&data).expect("open");
            let output = connection.output();
            assert_eq!((output[0], output[1] & 0x7f), (0x82, form[0]));
            assert_eq!(&output[2..=form.len()], &form[1..]);
            assert_eq!(heard(role, output), events);
        }
    }
}

#[test]
fn a_complete_length_that_is_not_minimal_or_over_63_bits_is_refused() {
    // Whole messages must fit into memory, so this delivers chunks.
    let generous = Config::new()
        .with_max_frame_size(u64::MAX)
        .with_max_message_size(u64::MAX)
        .with_delivery(Delivery::Chunks);
    let not_minimal = ProtocolError::LengthNotMinimal;
    let too_large = ProtocolError::LengthTooLarge;
    let table = [
        (Length::Bits16, 0, 4, not_minimal),
        (Length::Bits16, 3, 4, not_minimal),
        (Length::Bits16, 125, 4, not_minimal),
        (Length::Bits64, 3, 10, not_minimal),
        (Length::Bits64, 126, 10, not_minimal),
        (Length::Bits64, 65535, 10, not_minimal),
        (Length::Claimed(1 << 63), 3, 10, too_large),
        (Length::Claimed(u64::MAX), 3, 10, too_large),
    ];
    for role in Role::BOTH {
        for (length, size, after, error) in table {
            for first in [0x82, 0x02] {
                let bad = Frame::new(first, vec![b'x'; size])
                    .with_length(length)
                    .encode(role);
                for config in [&Config::default(), &generous] {
                    // The masking key and the payload need not arrive.
                    refuses(role, config, &[], &bad[..after], error, after);
                }
            }
        }
    }
    // Only the limits refuse the largest legal length.
    for role in Role::BOTH {
        let bytes = Frame::new(0x82, "x")
            .with_length(Length::Claimed(u64::MAX >> 1))
            .encode(role);
        let outcome = same_however_cut(role, &generous, &bytes);
        assert_eq!((outcome.error, outcome.events), (None, vec![]));
        let error = ProtocolError::FrameTooLarge;
        refuses(role, &Config::default(), &[], &bytes[..10], error, 10);
    }
}

/// The bytes are those of section 5.7.
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
        let bytes = hex(bytes);
        accepts(Role::Client, &Config::default(), &bytes, events, replies);
    }
    for (first, event) in [
        ("81", OwnedEvent::text("Hello")),
        ("8a", OwnedEvent::pong(b"Hello")),
    ] {
        let masked = hex(&format!("{first} 85 37 fa 21 3d 7f 9f 4d 51 58"));
        accepts(Role::Server, &Config::default(), &masked, &[event], &[]);
    }
    for (header, size) in [
        ("82 7e 01 00", 256),
        ("82 7f 00 00 00 00 00 01 00 00", 65536),
    ] {
        let bytes = [hex(header), vec![9; size]].concat();
        let events = [OwnedEvent::Binary(vec![9; size])];
        accepts(Role::Client, &Config::default(), &bytes, &events, &[]);
    }

    let mut server = Connection::server(&Config::default());
    server.send_text("Hello").unwrap();
    server.send_text_fragment("Hel", false).unwrap();
    server.send_text_fragment("lo", true).unwrap();
    server.send_ping(b"Hello").unwrap();
    server.send_pong(b"Hello").unwrap();
    let expected =
        "81 05 48 65 6c 6c 6f 01 03 48 65 6c 80 02 6c 6f 89 05 48 65 6c 6c 6f 8a 05 48 65 6c 6c 6f";
    assert_eq!(server.output(), hex(expected));
}

/// Section 5.3: "the masking key needs to be unpredictable". So no key repeats here.
#[test]
fn a_client_masks_every_frame_with_a_fresh_key() {
    let mut client = Role::Client.connection(&Config::default());
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
