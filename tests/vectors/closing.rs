//! The closing handshake (section 7.1).

use super::{DELIVERIES, config, ended, start, writes};
use sockless::test_util::{Frame, OwnedEvent, Pair, Peer, Role, encode};
use sockless::{
    CloseCode, Config, Connection, Initiator, ProtocolError, ReadBuffer, Reply, SendError,
    TransportAction,
};

use TransportAction::{Close, ShutdownWrite, Wait, Write};

/// The transport action after both Close frames. The server closes first (section 7.1.1).
fn after_both_closes(role: Role) -> TransportAction {
    match role {
        Role::Server => Close,
        Role::Client => Wait,
    }
}

#[track_caller]
fn action_is(peer: &Peer, action: TransportAction) {
    assert_eq!(peer.connection.transport_action(), action);
}

#[track_caller]
fn ended_with(peer: &Peer, code: u16, was_clean: bool, initiator: Initiator) {
    assert_eq!(peer.close_event(), Some(ended(code, was_clean, initiator)));
}

#[track_caller]
fn receives(peer: &mut Peer, frames: &[Frame], events: &[OwnedEvent]) {
    peer.receive(&encode(frames, peer.connection.role()));
    assert_eq!(peer.events(), events);
}

/// Asserts that no method sends, and that the failed calls change no output.
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
    assert!(!connection.can_send());
}

#[test]
fn an_open_connection_may_send_everything() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        assert!(peer.connection.can_send());
        peer.connection.send_text("text").unwrap();
        peer.connection.send_binary(b"binary").unwrap();
        peer.connection.send_ping(b"ping").unwrap();
        peer.connection.send_text_fragment("be", false).unwrap();
        peer.connection.send_pong(b"pong").unwrap();
        peer.connection.send_text_fragment("gin", true).unwrap();
        action_is(&peer, Write);
        assert_eq!(peer.close_event(), None);
        let expected = [
            OwnedEvent::text("text"),
            OwnedEvent::binary(b"binary"),
            OwnedEvent::ping(b"ping"),
            OwnedEvent::pong(b"pong"),
            OwnedEvent::text("begin"),
        ];
        writes(&mut peer, &expected);
    }
}

#[test]
fn the_stream_of_an_open_connection_ends() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::new(0x01, "unfinished").encode(role));
        peer.connection.handle_eof();
        ended_with(&peer, 1006, false, Initiator::Transport);
        action_is(&peer, Close);
        sends_nothing(&mut peer);
        // The caller must not pass bytes after the end. They are ignored.
        peer.take_events();
        peer.receive(&Frame::new(0x80, "!").encode(role));
        assert_eq!((peer.events(), peer.error), (vec![], None));
    }
}

#[test]
fn this_side_closes_first() {
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let config = config(delivery).with_max_message_size(5);
            let closed = || {
                let mut peer = Peer::new(role, &config);
                peer.connection
                    .close(CloseCode::GOING_AWAY, "later")
                    .unwrap();
                sends_nothing(&mut peer);
                assert_eq!(peer.close_event(), None);
                action_is(&peer, Write);
                writes(&mut peer, &[OwnedEvent::close(1001, "")]);
                action_is(&peer, Wait);
                // The connection still delivers data. It does not answer a Ping any more.
                let frames = [Frame::new(0x81, "still"), Frame::new(0x89, "?")];
                let events = [OwnedEvent::text("still"), OwnedEvent::ping(b"?")];
                receives(&mut peer, &frames, &events);
                assert_eq!(peer.connection.output(), []);
                peer
            };

            // The peer's Close frame ends the connection cleanly, with the peer's code.
            let mut peer = closed();
            let frames = [Frame::close(1000, ""), Frame::new(0x81, "x")];
            receives(&mut peer, &frames, &[OwnedEvent::close(1000, "")]);
            assert_eq!(peer.connection.output(), [], "no second Close frame");
            ended_with(&peer, 1000, true, Initiator::Local);
            sends_nothing(&mut peer);
            action_is(&peer, after_both_closes(role));
            peer.connection.handle_eof();
            ended_with(&peer, 1000, true, Initiator::Local);
            action_is(&peer, Close);

            // If the stream ends first, the code is 1006.
            let mut peer = closed();
            peer.connection.handle_eof();
            ended_with(&peer, 1006, false, Initiator::Local);
            action_is(&peer, Close);

            // Limits and rules still apply, but a violation does not cause a second Close frame.
            let bad = [
                (0x81, "123456", ProtocolError::MessageTooLarge),
                (0x83, "", ProtocolError::ReservedOpcode(3)),
                (0x88, "x", ProtocolError::CloseTooShort),
            ];
            for (first, payload, error) in bad {
                let mut peer = closed();
                receives(&mut peer, &[Frame::new(first, payload)], &[]);
                assert_eq!(peer.error, Some(error));
                assert_eq!(peer.connection.output(), []);
                let mut ending = ended(1006, false, Initiator::Local);
                ending.error = Some(error);
                assert_eq!(peer.close_event(), Some(ending));
                action_is(&peer, ShutdownWrite);
            }
        }
    }
}

#[test]
fn the_peer_closes_first() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::close(3000, "").encode(role));
        sends_nothing(&mut peer);
        action_is(&peer, Write);
        writes(&mut peer, &[OwnedEvent::close(3000, "")]);
        action_is(&peer, after_both_closes(role));
        peer.receive(&Frame::new(0x81, "ignored").encode(role));
        assert_eq!(peer.events(), [OwnedEvent::close(3000, "")]);
        peer.connection.handle_eof();
        action_is(&peer, Close);
        ended_with(&peer, 3000, true, Initiator::Peer);
    }
}

/// Section 5.5.1: "an endpoint MAY delay sending a Close frame until its current message is sent".
#[test]
fn the_peer_closes_first_and_the_caller_answers() {
    let config = Config::new().with_close_reply(Reply::Manual);
    for role in Role::BOTH {
        let closed = || {
            let mut peer = Peer::new(role, &config);
            peer.connection.send_text_fragment("half ", false).unwrap();
            let frames = [Frame::close(1001, ""), Frame::new(0x89, "ignored")];
            receives(&mut peer, &frames, &[OwnedEvent::close(1001, "")]);
            assert_eq!(peer.close_event(), None);
            assert!(peer.connection.can_send());
            action_is(&peer, Write);
            peer
        };

        // The caller may finish its message and send more before it closes.
        let mut peer = closed();
        peer.connection.send_text_fragment("message", true).unwrap();
        peer.connection.send_binary(b"more").unwrap();
        peer.receive(&Frame::new(0x81, "ignored").encode(role));
        peer.receive(&start(role, 0x83, 0, true));
        assert_eq!((peer.events(), peer.error), (vec![], None));
        peer.connection.close(CloseCode::NORMAL, "done").unwrap();
        ended_with(&peer, 1001, true, Initiator::Peer);
        sends_nothing(&mut peer);
        writes(
            &mut peer,
            &[
                OwnedEvent::text("half message"),
                OwnedEvent::binary(b"more"),
                OwnedEvent::close(1000, ""),
            ],
        );
        action_is(&peer, after_both_closes(role));

        // If the stream ends first, the peer's code counts.
        let mut peer = closed();
        peer.connection.handle_eof();
        sends_nothing(&mut peer);
        let end = peer.close_event().unwrap();
        assert_eq!((end.code, end.initiator), (1001, Initiator::Peer));
        peer.write_all();
        action_is(&peer, Close);
    }
}

/// Section 7.1.4: the connection is closed cleanly only if the closing handshake is complete. It is not complete
/// without an answer.
#[test]
fn the_stream_ends_before_the_caller_answers_the_peers_close() {
    let config = Config::new().with_close_reply(Reply::Manual);
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config);
        peer.receive(&Frame::close(1001, "").encode(role));
        peer.connection.handle_eof();
        ended_with(&peer, 1001, false, Initiator::Peer);
    }
}

#[test]
fn a_connection_that_failed() {
    for role in Role::BOTH {
        let failed = || {
            let mut peer = Peer::new(role, &Config::default());
            // The connection fails at the header. The rest of the payload arrives later.
            peer.receive(&Frame::new(0x91, "payload").encode(role)[..9]);
            assert_eq!(peer.error, Some(ProtocolError::ReservedBits));
            sends_nothing(&mut peer);
            action_is(&peer, Write);
            writes(&mut peer, &[OwnedEvent::close(1002, "")]);
            // Section 7.1.1: closing the transport at once could destroy the Close frame.
            action_is(&peer, ShutdownWrite);
            peer
        };
        let not_clean = |code| {
            let mut ending = ended(code, false, Initiator::Local);
            ending.error = Some(ProtocolError::ReservedBits);
            Some(ending)
        };

        // The connection drops data. At the end of the stream it keeps the error.
        let mut peer = failed();
        let rest = Frame::new(0x91, "payload").encode(role)[9..].to_vec();
        peer.receive(&rest);
        receives(
            &mut peer,
            &[Frame::new(0x89, "x"), Frame::new(0x81, "y")],
            &[],
        );
        assert_eq!(peer.connection.output(), []);
        assert!(peer.buffer.unread().is_empty(), "{:?}", peer.buffer);
        assert_eq!(peer.close_event(), not_clean(1006));
        peer.connection.handle_eof();
        assert_eq!(peer.close_event(), not_clean(1006));
        action_is(&peer, Close);
        peer.take_events();
        assert_eq!(peer.events(), []);

        // The connection records the peer's Close frame.
        let mut peer = failed();
        peer.receive(&rest);
        for byte in encode(&[Frame::new(0x82, [0; 9]), Frame::close(4000, "")], role) {
            peer.receive(&[byte]);
        }
        assert_eq!(peer.events(), []);
        assert_eq!(peer.connection.output(), []);
        assert_eq!(peer.close_event(), not_clean(4000));
        action_is(&peer, Close);
    }
}

/// The connection does not record a Close frame that it refuses, or any later one.
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
            let mut peer = Peer::new(role, &Config::default());
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
fn two_peers_close_one_after_the_other_or_at_once() {
    for first in Role::BOTH {
        for at_once in [false, true] {
            let mut pair = Pair::new(&Config::default());
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
                (4001, Initiator::Peer)
            };
            ended_with(pair.peer(first), code, true, Initiator::Local);
            ended_with(pair.peer(first.other()), 4001, true, initiator);
            action_is(&pair.server, Close);
            action_is(&pair.client, Wait);
            pair.client.connection.handle_eof();
            action_is(&pair.client, Close);
        }
    }
}

/// The call that returns the error also frees the message under assembly. The next call drops the unread bytes.
#[test]
fn a_failed_connection_empties_its_buffer() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        let holds = |peer: &Peer, length| {
            let shown = format!("{:?}", peer.buffer);
            assert!(shown.contains(&format!("held: {length},")), "{shown}");
        };
        peer.receive(&Frame::new(0x02, [7; 100]).encode(role));
        holds(&peer, 100);
        let bad = Frame::new(0x82, "inside").encode(role);
        peer.buffer.extend_from_slice(&bad);
        let error = peer.connection.next_event(&mut peer.buffer);
        assert_eq!(error, Err(ProtocolError::ExpectedContinuation));
        holds(&peer, 0);
        peer.take_events();
        assert!(peer.buffer.is_empty(), "{:?}", peer.buffer);
    }
}
/// After a reset, the transport is closed even if output is unwritten. The close event does not change.
#[test]
fn a_reset_ends_the_connection() {
    for role in Role::BOTH {
        let reset = |peer: &mut Peer| {
            peer.connection.handle_reset();
            action_is(peer, Close);
            assert_eq!(peer.connection.output_len(), 0);
            sends_nothing(peer);
            // A later end of the stream has no effect.
            let before = peer.close_event();
            peer.connection.handle_eof();
            action_is(peer, Close);
            assert_eq!(peer.close_event(), before);
            before
        };
        // The connection is open and has output.
        let mut peer = Peer::new(role, &Config::default());
        peer.connection.send_text("unread").unwrap();
        let ending = reset(&mut peer);
        assert_eq!(ending, Some(ended(1006, false, Initiator::Transport)));
        // The peer has sent its Close frame. This side has not written its own, so the end is not clean.
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::close(1000, "").encode(role));
        action_is(&peer, Write);
        let ending = reset(&mut peer);
        assert_eq!(ending, Some(ended(1000, false, Initiator::Peer)));
        // The connection has failed. Its Close frame is unwritten.
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&[0xff, 0xff]);
        action_is(&peer, Write);
        let ending = reset(&mut peer).unwrap();
        assert_eq!((ending.code, ending.error), (1006, peer.error));
        // After the end of the stream the peer may still read. After the reset it cannot.
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&[0xff, 0xff]);
        peer.connection.handle_eof();
        action_is(&peer, Write);
        reset(&mut peer);
    }
}

#[test]
fn shutting_down_is_requested_only_once() {
    let mut failed = Connection::server(&Config::default());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\xff\xff");
    assert!(failed.next_event(&mut buffer).is_err());
    failed.handle_shutdown();
    assert_eq!(failed.transport_action(), Write, "not yet");
    failed.advance_output(failed.output().len());
    let refused = Connection::refused(Vec::new(), &Config::default());
    for mut connection in [failed, refused] {
        assert_eq!(connection.transport_action(), ShutdownWrite);
        connection.handle_shutdown();
        for _ in 0..2 {
            assert_eq!(connection.transport_action(), Wait);
            assert!(connection.wants_read());
            connection.handle_shutdown();
        }
        connection.handle_eof();
        assert_eq!(connection.transport_action(), Close);
        assert!(!connection.wants_read());
    }
    // Without a request, `handle_shutdown` has no effect.
    let mut open = Connection::server(&Config::default());
    open.handle_shutdown();
    assert!(open.can_send() && open.wants_read());
    assert_eq!(open.transport_action(), Wait);
    open.send_text("x").unwrap();
    assert_eq!(open.transport_action(), Write);
}
