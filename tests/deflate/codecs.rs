//! Codecs that connections share.

use sockless::test_util::{Frame, OwnedEvent, Pair, Peer, Role, encode, join_parts};
use sockless::{CloseCode, Codecs, Config, Deflate, Delivery, ProtocolError, ReadBuffer};

use super::support::hex;
use super::{agreed_peer, everything, fragments, pair, sent, with, without_peer_takeover};

fn no_takeover() -> Deflate {
    Deflate::new()
        .with_min_size(0)
        .with_context_takeover(false)
        .with_peer_context_takeover(false)
}

/// A peer that needs no codec between messages.
fn peer(role: Role) -> Peer {
    let connection = without_peer_takeover(role, &with(no_takeover()));
    Peer::with(connection, ReadBuffer::new())
}

/// The compressed message "Hello".
fn hello() -> Frame {
    Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00"))
}

/// Takes all events with lent codecs.
fn receive(
    peer: &mut Peer,
    bytes: &[u8],
    codecs: &mut Codecs,
) -> Result<Vec<OwnedEvent>, ProtocolError> {
    peer.connection.lend_codecs(codecs);
    peer.receive(bytes);
    peer.connection.reclaim_codecs(codecs);
    peer.error.map_or_else(|| Ok(peer.events()), Err)
}

fn receives_hello(peer: &mut Peer, role: Role, codecs: &mut Codecs) {
    let events = receive(peer, &hello().encode(role), codecs);
    assert_eq!(events, Ok(vec![OwnedEvent::text("Hello")]));
}

/// Sends a text or a part of one with lent codecs.
fn send(peer: &mut Peer, text: &str, fin: bool, codecs: &mut Codecs) {
    peer.connection.lend_codecs(codecs);
    peer.connection.send_text_fragment(text, fin).unwrap();
    peer.connection.reclaim_codecs(codecs);
}

/// Whether there is a decompressor, and a compressor.
fn held(codecs: &Codecs) -> (bool, bool) {
    let text = format!("{codecs:?}");
    let held = ["inflater: true", "deflater: true"].map(|it| text.contains(it));
    held.into()
}

/// One of each, which a connection has used.
fn used_codecs(role: Role) -> Codecs {
    let mut codecs = Codecs::new();
    let mut peer = peer(role);
    send(&mut peer, "Hello", true, &mut codecs);
    receives_hello(&mut peer, role, &mut codecs);
    assert_eq!(held(&codecs), (true, true));
    codecs
}

#[test]
fn codecs_go_from_connection_to_connection() {
    let mut codecs = Codecs::new();
    assert_eq!(held(&codecs), (false, false));
    for _ in 0..3 {
        for role in Role::BOTH {
            let mut peer = peer(role);
            for _ in 0..2 {
                receives_hello(&mut peer, role, &mut codecs);
                assert!(held(&codecs).0);
                peer.connection.lend_codecs(&mut codecs);
                assert!(!held(&codecs).0);
                send(&mut peer, "Hello", true, &mut codecs);
                assert_eq!(held(&codecs), (true, true));
            }
            // The second message does not refer to the first.
            let frame = (0xc1, hello().payload);
            assert_eq!(sent(peer.connection.output()), [frame.clone(), frame]);
        }
    }
}

#[test]
fn a_codec_stays_with_its_connection_until_the_message_ends() {
    let mut codecs = Codecs::new();
    let halves = fragments(0xc1, &hello().payload, &[3]);
    for role in Role::BOTH {
        let mut peers = [(); 3].map(|()| peer(role));
        for (half, expected) in halves.iter().zip([vec![], vec![OwnedEvent::text("Hello")]]) {
            for peer in &mut peers {
                let events = receive(peer, &half.encode(role), &mut codecs);
                assert_eq!(events.as_ref(), Ok(&expected));
            }
        }
        assert!(held(&codecs).0);
        for (text, fin) in [("Hel", false), ("", false), ("lo", true)] {
            for peer in &mut peers {
                send(peer, text, fin, &mut codecs);
            }
        }
        let all = peers.map(|peer| sent(peer.connection.output()));
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
        let payload: Vec<u8> = all[0].iter().flat_map(|(_, p)| p.clone()).collect();
        assert_eq!(super::reference::inflate(&payload, b"").data, b"Hello");
    }
}

#[test]
fn the_codec_of_a_failed_connection_is_as_good_as_new() {
    for wrong in [
        // Too short, a wrong block type, a distance too large, bytes after the end, no UTF-8.
        "f2 48 cd c9",
        "f2 48 cd c9 c9 07",
        "06",
        "f2 00 11 00 00",
        "00 0a 00 f5 ff 48",
        "f2 48 cd c9 c9 07 00 00",
        "00 01 00 fe ff ff 00",
    ] {
        for role in Role::BOTH {
            let mut codecs = used_codecs(role);
            let mut failing = peer(role);
            let bytes = Frame::new(0xc1, hex(wrong)).encode(role);
            for bytes in [&bytes[..], b""] {
                let failed = receive(&mut failing, bytes, &mut codecs);
                assert!(failed.is_err(), "{wrong}");
            }
            receives_hello(&mut peer(role), role, &mut codecs);
        }
    }
}

/// With context takeover, a connection keeps its codecs and shares none.
#[test]
fn takeover_keeps_its_codecs() {
    let mut codecs = Codecs::new();
    for role in Role::BOTH {
        let mut peer = agreed_peer(role, &everything());
        let frames = [hello(), Frame::new(0xc1, hex("f2 00 11 00 00"))];
        for frame in &frames {
            let events = receive(&mut peer, &frame.encode(role), &mut codecs);
            assert_eq!(events, Ok(vec![OwnedEvent::text("Hello")]));
            send(&mut peer, "Hello", true, &mut codecs);
            assert_eq!(held(&codecs), (false, false));
        }
        let expected = frames.map(|frame| (frame.first, frame.payload));
        assert_eq!(sent(peer.connection.output()), expected);
    }
}

/// Connections with different options share codecs. Each one sends what it sends with a codec of its own.
#[test]
fn shared_codecs_fit_what_was_agreed() {
    let mut codecs = Codecs::new();
    let text = "a text to compress, and to compress again, ".repeat(20);
    let mut kinds = Vec::new();
    for bits in [9, 15, 12] {
        for (level, memory_level) in [(1, 1), (9, 9), (6, 8)] {
            let deflate = no_takeover()
                .with_max_window_bits(bits)
                .with_peer_max_window_bits(24 - bits)
                .with_level(level)
                .with_memory_level(memory_level);
            kinds.push(with(deflate));
        }
    }
    for (i, server) in kinds.iter().cycle().take(20).enumerate() {
        let client = &kinds[i * 5 % kinds.len()];
        let send = |pair: &mut Pair, role| {
            let peer = pair.peer(role);
            peer.connection.send_text(&text).unwrap();
            peer.write_all()
        };
        let (mut sharing, mut alone) = (pair(server, client), pair(server, client));
        for role in Role::BOTH {
            sharing.peer(role).connection.lend_codecs(&mut codecs);
            let output = send(&mut sharing, role);
            sharing.peer(role).connection.reclaim_codecs(&mut codecs);
            assert_eq!(sent(&output), sent(&send(&mut alone, role)));
            let events = receive(sharing.peer(role.other()), &output, &mut codecs);
            assert_eq!(events, Ok(vec![OwnedEvent::text(&text)]));
        }
    }
}

/// A caller may lend and reclaim at any byte, twice, or not at all.
#[test]
fn codecs_may_be_lent_at_any_time() {
    let mut codecs = Codecs::new();
    let config = with(no_takeover()).with_delivery(Delivery::Chunks);
    let mut peer = agreed_peer(Role::Server, &config);
    let mut frames = fragments(0xc1, &hello().payload, &[3]);
    frames.extend([
        hello(),
        Frame::new(0xc1, ""),
        Frame::new(0x81, "Hi"),
        hello(),
    ]);
    for (i, byte) in encode(&frames, Role::Server).iter().enumerate() {
        if i % 3 == 0 {
            peer.connection.lend_codecs(&mut codecs);
        }
        peer.receive(&[*byte]);
        if i % 5 == 0 {
            peer.connection.reclaim_codecs(&mut codecs);
        }
    }
    assert_eq!(peer.error, None);
    let expected = ["Hello", "Hello", "", "Hi", "Hello"].map(OwnedEvent::text);
    assert_eq!(join_parts(&peer.events), (expected.to_vec(), None));
}

/// The caller can reclaim codecs after any end of a connection. The next connection can use them.
#[test]
fn codecs_are_reclaimed_from_a_connection_that_ended_inside_a_message() {
    type End = fn(&mut Peer, Role);
    let close = |peer: &mut Peer, role: Role| {
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        peer.receive(&Frame::close(1000, "").encode(role));
        assert_eq!(peer.events.len(), 1);
    };
    let fail = |peer: &mut Peer, role: Role| {
        peer.receive(&Frame::new(0x83, "").encode(role));
        assert!(peer.error.is_some());
    };
    let end_of_stream = |peer: &mut Peer, _: Role| {
        peer.connection.handle_eof();
        peer.take_events();
        assert_eq!((&peer.events[..], peer.error), (&[][..], None));
    };
    let reset = |peer: &mut Peer, _: Role| {
        peer.connection.handle_write_error();
        peer.connection.handle_reset();
        peer.take_events();
        assert_eq!((&peer.events[..], peer.error), (&[][..], None));
    };
    let ends: [End; 4] = [close, fail, end_of_stream, reset];
    for role in Role::BOTH {
        for end in ends {
            let mut codecs = used_codecs(role);
            let mut ending = peer(role);
            ending.connection.lend_codecs(&mut codecs);
            ending.receive(&fragments(0xc1, &hello().payload, &[3])[0].encode(role));
            send(&mut ending, "Hel", false, &mut codecs);
            assert_eq!(held(&codecs), (false, false), "inside a message");
            end(&mut ending, role);
            ending.connection.reclaim_codecs(&mut codecs);
            assert_eq!(held(&codecs), (true, true));

            let mut next = peer(role);
            receives_hello(&mut next, role, &mut codecs);
            send(&mut next, "Hello", true, &mut codecs);
            let frame = (0xc1, hello().payload);
            assert_eq!(sent(next.connection.output()), [frame]);
        }
    }
}

#[test]
fn a_connection_without_the_extension_leaves_codecs_alone() {
    for role in Role::BOTH {
        let mut codecs = used_codecs(role);
        let mut plain = role.connection(&Config::default());
        plain.lend_codecs(&mut codecs);
        assert_eq!(held(&codecs), (true, true));
        plain.send_text("Hello").unwrap();
        plain.reclaim_codecs(&mut codecs);
        assert_eq!(held(&codecs), (true, true));
        assert!(!plain.uses_deflate());
    }
}
