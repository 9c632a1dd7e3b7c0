//! The delivery of messages (sections 5.4 and 6.2).

use super::{accepts, config};
use sockless::test_util::{Frame, Outcome, OwnedEvent, Peer, Role, encode, run};
use sockless::{CloseCode, CloseFrame, Config, Connection, Delivery, Event, TransportAction};

/// Sections 5.4 and 5.5: "control frames MAY be injected in the middle of a fragmented message".
#[test]
fn control_frames_may_come_between_fragments() {
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
        accepts(role, &Config::default(), &bytes, &events, &replies);
    }
}

/// Each frame of a message has its own masking key.
#[test]
fn fragments_may_have_different_keys() {
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
    accepts(Role::Server, &Config::default(), &bytes, &events, &[]);
}

#[test]
fn chunks_are_delivered_at_once_and_messages_when_complete() {
    let (begin, end) = (Frame::new(0x01, "a\u{e9}"), Frame::new(0x80, "b"));
    let bytes = encode(&[begin, end, Frame::new(0x82, "")], Role::Client);
    let mut chunks = Peer::new(Role::Client, &config(Delivery::Chunks));
    let mut whole = Peer::new(Role::Client, &config(Delivery::Messages));
    let part = |text: &str| vec![OwnedEvent::TextPart(text.into())];
    let text = |text| vec![OwnedEvent::text(text)];
    let empty = || vec![OwnedEvent::binary(b"")];
    // The stream is a header (2), "a", c3, a9, a header (2), "b", and a header (2).
    let table = [
        (2, vec![], vec![]),
        (3, part("a"), vec![]),
        (4, vec![], vec![]),
        (5, part("\u{e9}"), vec![]),
        (7, vec![], vec![]),
        (8, text("b"), text("a\u{e9}b")),
        (10, empty(), empty()),
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

/// Events borrow the buffer, not the connection. So a reply inside the loop compiles.
#[test]
fn an_event_leaves_the_connection_free() {
    fn first_text<'b>(peer: &mut Connection, buffer: &'b mut sockless::ReadBuffer) -> &'b str {
        match peer.next_event(buffer) {
            Ok(Some(Event::Text { text, .. })) => text,
            other => panic!("{other:?}"),
        }
    }
    let mut peer = Peer::new(Role::Server, &Config::default());
    let bytes = Frame::new(0x81, "echo").encode(Role::Server);
    peer.buffer.extend_from_slice(&bytes);
    let text = first_text(&mut peer.connection, &mut peer.buffer);
    peer.connection.send_text(text).unwrap();
    peer.connection.close(CloseCode::NORMAL, text).unwrap();
    drop(peer.connection);
    assert_eq!(text, "echo");
}

/// An owned event can go to a queue or to another thread.
#[test]
fn an_owned_event_is_the_same_event() {
    let close = CloseFrame {
        code: CloseCode::GOING_AWAY,
        reason: "bye",
    };
    let (text, data) = ("text", &b"data"[..]);
    for (event, owned) in [
        (Event::Text { text, fin: true }, OwnedEvent::text(text)),
        (
            Event::Text { text, fin: false },
            OwnedEvent::TextPart(text.into()),
        ),
        (Event::Binary { data, fin: true }, OwnedEvent::binary(data)),
        (
            Event::Binary { data, fin: false },
            OwnedEvent::BinaryPart(data.into()),
        ),
        (Event::Ping(data), OwnedEvent::ping(data)),
        (Event::Pong(data), OwnedEvent::pong(data)),
        (Event::Close(close), OwnedEvent::close(1001, "bye")),
    ] {
        assert_eq!(event.into_owned(), owned);
        assert_eq!(OwnedEvent::from(event), owned);
    }
}

/// This pattern names every field of [`Outcome`], so a new field does not compile here.
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
        } = run(role, &Config::default(), &[], &[]);
        assert_eq!((events, open, error), (vec![], None, None));
        assert_eq!((output, ending), (vec![], None));
        assert_eq!(action, TransportAction::Wait);
    }
}
