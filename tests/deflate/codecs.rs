//! Codecs that connections share: nobody notices but the allocator.

use sockless::{
    CloseCode, Codecs, Config, Connection, Deflate, Delivery, Event, ProtocolError, ReadBuffer,
};

use super::support::hex;
use super::{agreed, ask, everything, pair, sent, with};
use sockless::test_util::{Frame, OwnedEvent, Role, encode};

fn alone() -> Deflate {
    Deflate::new()
        .with_min_size(0)
        .with_context_takeover(false)
        .with_peer_context_takeover(false)
}

fn connection(role: Role) -> Connection {
    match role {
        Role::Server => agreed(role, &with(alone())),
        Role::Client => ask(
            &["permessage-deflate; server_no_context_takeover"],
            &with(alone()),
        )
        .0
        .unwrap(),
    }
}

/// All events of one turn, with the codecs lent for it.
fn turn(
    connection: &mut Connection,
    buffer: &mut ReadBuffer,
    bytes: &[u8],
    codecs: &mut Codecs,
) -> Result<Vec<OwnedEvent>, ProtocolError> {
    buffer.extend_from_slice(bytes);
    connection.lend_codecs(codecs);
    let mut events = Vec::new();
    let result = loop {
        match connection.next_event(buffer) {
            Ok(Some(event)) => events.push(event.into()),
            Ok(None) => break Ok(events),
            Err(error) => break Err(error),
        }
    };
    connection.reclaim_codecs(codecs);
    result
}

fn held(codecs: &Codecs) -> (bool, bool) {
    let text = format!("{codecs:?}");
    (
        text.contains("inflater: true"),
        text.contains("deflater: true"),
    )
}

#[test]
fn go_from_connection_to_connection() {
    let mut codecs = Codecs::new();
    assert_eq!(held(&codecs), (false, false));
    let hello = Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00"));
    for round in 0..3 {
        for role in Role::BOTH {
            let mut peer = connection(role);
            let mut buffer = ReadBuffer::new();
            for _ in 0..2 {
                let events = turn(&mut peer, &mut buffer, &hello.encode(role), &mut codecs);
                assert_eq!(events, Ok(vec![OwnedEvent::text("Hello")]));
                assert!(held(&codecs).0, "{round}");
                peer.lend_codecs(&mut codecs);
                assert!(!held(&codecs).0);
                peer.send_text("Hello").unwrap();
                peer.reclaim_codecs(&mut codecs);
                assert_eq!(held(&codecs), (true, true));
            }
            // Neither message refers to the other.
            let frame = (0xc1, hello.payload.clone());
            assert_eq!(sent(peer.output()), [frame.clone(), frame]);
        }
    }
}

/// Inside a message the codec stays with its connection.
#[test]
fn stay_for_the_message() {
    let mut codecs = Codecs::new();
    let halves = [
        Frame::new(0x41, hex("f2 48 cd")),
        Frame::new(0x80, hex("c9 c9 07 00")),
    ];
    for role in Role::BOTH {
        let mut peers: Vec<_> = (0..3)
            .map(|_| (connection(role), ReadBuffer::new()))
            .collect();
        for (half, expected) in halves.iter().zip([vec![], vec![OwnedEvent::text("Hello")]]) {
            for (peer, buffer) in &mut peers {
                let events = turn(peer, buffer, &half.encode(role), &mut codecs);
                assert_eq!(events.as_ref(), Ok(&expected));
            }
        }
        assert!(held(&codecs).0);
        // The same when sending, with the turns of the others between.
        for (text, fin) in [("Hel", false), ("", false), ("lo", true)] {
            for (peer, _) in &mut peers {
                peer.lend_codecs(&mut codecs);
                peer.send_text_fragment(text, fin).unwrap();
                peer.reclaim_codecs(&mut codecs);
            }
        }
        let all: Vec<_> = peers.iter().map(|(peer, _)| sent(peer.output())).collect();
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
        let payload: Vec<u8> = all[0].iter().flat_map(|(_, p)| p.clone()).collect();
        assert_eq!(super::reference::inflate(&payload, b"").data, b"Hello");
    }
}

/// A connection that fails, wherever in a message, does not harm those that get its codec.
#[test]
fn survive_a_failure() {
    let hello = Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00"));
    for wrong in [
        // Cut off; of a wrong type; too far back; going on behind the end; no UTF-8.
        "f2 48 cd c9",
        "f2 48 cd c9 c9 07",
        "06",
        "f2 00 11 00 00",
        "00 0a 00 f5 ff 48",
        "f2 48 cd c9 c9 07 00 00",
        "00 01 00 fe ff ff 00",
    ] {
        for role in Role::BOTH {
            let mut codecs = Codecs::new();
            // So that there is one to lend.
            let good = turn(
                &mut connection(role),
                &mut ReadBuffer::new(),
                &hello.encode(role),
                &mut codecs,
            );
            assert!(good.is_ok() && held(&codecs).0);
            let mut peer = connection(role);
            let mut buffer = ReadBuffer::new();
            let bytes = Frame::new(0xc1, hex(wrong)).encode(role);
            for bytes in [&bytes[..], b""] {
                let failed = turn(&mut peer, &mut buffer, bytes, &mut codecs);
                assert!(failed.is_err(), "{wrong}");
            }
            let again = turn(
                &mut connection(role),
                &mut ReadBuffer::new(),
                &hello.encode(role),
                &mut codecs,
            );
            assert_eq!(again, Ok(vec![OwnedEvent::text("Hello")]), "after {wrong}");
        }
    }
}

/// With context takeover there is nothing to share, and in one direction only that of the other.
#[test]
fn takeover_keeps_its_codecs() {
    let mut codecs = Codecs::new();
    for role in Role::BOTH {
        let mut peer = agreed(role, &everything());
        let mut buffer = ReadBuffer::new();
        let frames = [
            Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00")),
            Frame::new(0xc1, hex("f2 00 11 00 00")),
        ];
        for frame in &frames {
            let events = turn(&mut peer, &mut buffer, &frame.encode(role), &mut codecs);
            assert_eq!(events, Ok(vec![OwnedEvent::text("Hello")]));
            peer.lend_codecs(&mut codecs);
            peer.send_text("Hello").unwrap();
            peer.reclaim_codecs(&mut codecs);
            assert_eq!(held(&codecs), (false, false));
        }
        let mine: Vec<_> = frames
            .iter()
            .map(|f| (f.first, f.payload.clone()))
            .collect();
        assert_eq!(sent(peer.output()), mine);
    }
}

/// Connections of every kind share one set, and each uses what fits what it agreed on.
#[test]
fn fit_what_was_agreed() {
    let mut codecs = Codecs::new();
    let text = "a text to compress, and to compress again, ".repeat(20);
    let mut kinds = Vec::new();
    for bits in [9, 15, 12] {
        for (level, memory_level) in [(1, 1), (9, 9), (6, 8)] {
            let deflate = alone()
                .with_max_window_bits(bits)
                .with_peer_max_window_bits(24 - bits)
                .with_level(level)
                .with_memory_level(memory_level);
            kinds.push(deflate);
        }
    }
    for (i, server) in kinds.iter().cycle().take(20).enumerate() {
        let client = &kinds[i * 5 % kinds.len()];
        let mut pair = pair(&with(server.clone()), &with(client.clone()));
        let mut expected = pair_alone(server, client, &text);
        for role in Role::BOTH {
            let peer = pair.peer(role);
            peer.connection.lend_codecs(&mut codecs);
            peer.connection.send_text(&text).unwrap();
            peer.connection.reclaim_codecs(&mut codecs);
            let output = peer.write_all();
            assert_eq!(sent(&output), expected.remove(0));
            let other = pair.peer(role.other());
            let events = turn(
                &mut other.connection,
                &mut other.buffer,
                &output,
                &mut codecs,
            );
            assert_eq!(events, Ok(vec![OwnedEvent::text(&text)]));
        }
    }
}

/// What both sides of such a pair send without lent codecs, the client first.
fn pair_alone(server: &Deflate, client: &Deflate, text: &str) -> Vec<Vec<(u8, Vec<u8>)>> {
    let mut pair = pair(&with(server.clone()), &with(client.clone()));
    Role::BOTH
        .iter()
        .map(|role| {
            let peer = pair.peer(*role);
            peer.connection.send_text(text).unwrap();
            sent(&peer.write_all())
        })
        .collect()
}

/// Lending in the middle of things changes nothing, and neither does forgetting to reclaim.
#[test]
fn lent_at_any_time() {
    let mut codecs = Codecs::new();
    let config = with(alone()).with_delivery(Delivery::Chunks);
    let mut peer = agreed(Role::Server, &config);
    let mut buffer = ReadBuffer::new();
    let frames = [
        Frame::new(0x41, hex("f2 48 cd")),
        Frame::new(0x80, hex("c9 c9 07 00")),
        Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00")),
        Frame::new(0xc1, ""),
        Frame::new(0x81, hex("48 69")),
        Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00")),
    ];
    let mut received = String::new();
    for (i, byte) in encode(&frames, Role::Server).iter().enumerate() {
        if i % 3 == 0 {
            peer.lend_codecs(&mut codecs);
        }
        buffer.extend_from_slice(&[*byte]);
        while let Some(event) = peer.next_event(&mut buffer).unwrap() {
            let Event::Text { text, fin } = event else {
                panic!("{event:?}");
            };
            received.push_str(text);
            received.push_str(if fin { "." } else { "" });
        }
        if i % 5 == 0 {
            peer.reclaim_codecs(&mut codecs);
        }
    }
    assert_eq!(received, "Hello.Hello..Hi.Hello.");
}

/// However a connection comes to its end in the middle of a message, what was lent to it can be reclaimed, and the next
/// connection decompresses and compresses with it as with a new one.
#[test]
fn are_reclaimed_from_a_connection_that_ended_inside_a_message() {
    type End = fn(&mut Connection, &mut ReadBuffer, Role);
    let close = |connection: &mut Connection, buffer: &mut ReadBuffer, role: Role| {
        connection.close(CloseCode::NORMAL, "").unwrap();
        buffer.extend_from_slice(&Frame::close(1000, "").encode(role));
        while connection.next_event(buffer).unwrap().is_some() {}
    };
    let fail = |connection: &mut Connection, buffer: &mut ReadBuffer, role: Role| {
        buffer.extend_from_slice(&Frame::new(0x83, "").encode(role));
        connection.next_event(buffer).unwrap_err();
    };
    let end_of_stream = |connection: &mut Connection, buffer: &mut ReadBuffer, _: Role| {
        connection.handle_eof();
        assert!(connection.next_event(buffer).unwrap().is_none());
    };
    let reset = |connection: &mut Connection, buffer: &mut ReadBuffer, _: Role| {
        connection.handle_write_error();
        connection.handle_reset();
        assert!(connection.next_event(buffer).unwrap().is_none());
    };
    let ends: [End; 4] = [close, fail, end_of_stream, reset];
    let hello = Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00"));
    for role in Role::BOTH {
        for end in ends {
            let mut codecs = Codecs::new();
            // So that there is one of each to lend.
            let mut first = connection(role);
            first.lend_codecs(&mut codecs);
            first.send_text("Hello").unwrap();
            first.reclaim_codecs(&mut codecs);
            let whole = hello.encode(role);
            turn(&mut first, &mut ReadBuffer::new(), &whole, &mut codecs).unwrap();
            assert_eq!(held(&codecs), (true, true));

            let mut peer = connection(role);
            let mut buffer = ReadBuffer::new();
            peer.lend_codecs(&mut codecs);
            buffer.extend_from_slice(&Frame::new(0x41, hex("f2 48 cd")).encode(role));
            assert!(peer.next_event(&mut buffer).unwrap().is_none());
            peer.send_text_fragment("Hel", false).unwrap();
            peer.reclaim_codecs(&mut codecs);
            assert_eq!(held(&codecs), (false, false), "still needed");
            end(&mut peer, &mut buffer, role);
            peer.reclaim_codecs(&mut codecs);
            assert_eq!(held(&codecs), (true, true));

            let mut next = connection(role);
            let mut buffer = ReadBuffer::new();
            let events = turn(&mut next, &mut buffer, &whole, &mut codecs);
            assert_eq!(events, Ok(vec![OwnedEvent::text("Hello")]));
            next.lend_codecs(&mut codecs);
            next.send_text("Hello").unwrap();
            let frame = (0xc1, hello.payload.clone());
            assert_eq!(sent(next.output()), [frame]);
        }
    }
}

/// A connection without the extension has no use for codecs, and leaves them alone.
#[test]
fn are_of_no_use_without_the_extension() {
    for role in Role::BOTH {
        let mut codecs = Codecs::new();
        let hello = Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00")).encode(role);
        turn(
            &mut connection(role),
            &mut ReadBuffer::new(),
            &hello,
            &mut codecs,
        )
        .unwrap();
        let before = held(&codecs);
        let mut plain = role.connection(&Config::default());
        plain.lend_codecs(&mut codecs);
        assert_eq!(held(&codecs), before);
        plain.send_text("Hello").unwrap();
        plain.reclaim_codecs(&mut codecs);
        assert_eq!(held(&codecs), before);
        assert!(!plain.uses_deflate());
    }
}
