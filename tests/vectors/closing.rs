//! The closing handshake (section 7.1).

use super::{DELIVERIES, config, heard, start};
use sockless::test_util::{Frame, OwnedCloseEvent, OwnedEvent, Pair, Peer, Role, encode};
use sockless::{
    CloseCode, Config, Connection, Initiator, ProtocolError, ReadBuffer, Reply, SendError,
    TransportAction,
};

const WAIT: TransportAction = TransportAction::Wait;
const SHUT_DOWN: TransportAction = TransportAction::ShutdownWrite;

fn ended(code: u16, was_clean: bool, initiator: Initiator) -> OwnedCloseEvent {
    OwnedCloseEvent {
        code,
        reason: String::new(),
        was_clean,
        initiator,
        error: None,
        timeout: None,
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
    assert!(!connection.can_send());
}

#[test]
fn open_may_send_all() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        assert!(peer.connection.can_send());
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
        assert_eq!(peer.connection.transport_action(), TransportAction::Write);
        assert_eq!(peer.close_event(), None);
    }
}

#[test]
fn open_then_end_of_stream() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::new(0x01, "unfinished").encode(role));
        peer.connection.handle_eof();
        assert_eq!(
            peer.close_event(),
            Some(ended(1006, false, Initiator::Transport))
        );
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
        sends_nothing(&mut peer);
        // Nothing else came before the end. Bytes after it are a mistake of the caller's, and ignored.
        peer.take_events();
        peer.receive(&Frame::new(0x80, "!").encode(role));
        assert_eq!((peer.events(), peer.error), (vec![], None));
    }
}

#[test]
fn we_closed() {
    for role in Role::BOTH {
        for delivery in DELIVERIES {
            let config = config(delivery).with_max_message_size(5);
            let closed = || {
                let mut peer = Peer::new(role, &config);
                peer.connection
                    .close(CloseCode::GOING_AWAY, "later")
                    .unwrap();
                sends_nothing(&mut peer);
                assert_eq!(
                    heard(role, peer.connection.output()),
                    [OwnedEvent::close(1001, "")]
                );
                assert_eq!(peer.close_event(), None);
                assert_eq!(peer.connection.transport_action(), TransportAction::Write);
                peer.write_all();
                assert_eq!(peer.connection.transport_action(), WAIT);
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
                    Role::Client => WAIT,
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
                assert_eq!(action, SHUT_DOWN);
            }
        }
    }
}

#[test]
fn peer_closed_and_was_answered() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::close(3000, "").encode(role));
        sends_nothing(&mut peer);
        assert_eq!(peer.connection.transport_action(), TransportAction::Write);
        assert_eq!(
            heard(role, &peer.write_all()),
            [OwnedEvent::close(3000, "")]
        );
        assert_eq!(
            peer.connection.transport_action(),
            match role {
                Role::Server => TransportAction::Close,
                Role::Client => WAIT,
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
    let config = Config::new().with_close_reply(Reply::Manual);
    for role in Role::BOTH {
        let closed = || {
            let mut peer = Peer::new(role, &config);
            peer.connection.send_text_fragment("half ", false).unwrap();
            let frames = [Frame::close(1001, ""), Frame::new(0x89, "ignored")];
            peer.receive(&encode(&frames, role));
            assert_eq!(peer.events(), [OwnedEvent::close(1001, "")]);
            assert_eq!(peer.close_event(), None);
            assert!(peer.connection.can_send());
            assert_eq!(peer.connection.transport_action(), TransportAction::Write);
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
                Role::Client => WAIT,
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
    let config = Config::new().with_close_reply(Reply::Manual);
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config);
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
            let mut peer = Peer::new(role, &Config::default());
            // Refused with its whole header unread, and the payload still to come.
            peer.receive(&Frame::new(0x91, "payload").encode(role)[..9]);
            assert_eq!(peer.error, Some(ProtocolError::ReservedBits));
            sends_nothing(&mut peer);
            assert_eq!(peer.connection.transport_action(), TransportAction::Write);
            assert_eq!(
                heard(role, &peer.write_all()),
                [OwnedEvent::close(1002, "")]
            );
            // Section 7.1.1: a transport that is closed at once could destroy the Close frame on its way.
            let action = peer.connection.transport_action();
            assert_eq!(action, SHUT_DOWN);
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
fn two_peers_close_in_turn_or_at_once() {
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
            assert_eq!(action, WAIT);
            pair.client.connection.handle_eof();
            let action = pair.client.connection.transport_action();
            assert_eq!(action, TransportAction::Close);
        }
    }
}

/// What had come of a message is nobody's any more once the connection has failed: the buffer is free.
#[test]
fn a_failed_connection_lets_go_of_its_buffer() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::new(0x02, [7; 100]).encode(role));
        assert!(!peer.buffer.is_empty());
        peer.receive(&Frame::new(0x82, "inside").encode(role));
        assert_eq!(peer.error, Some(ProtocolError::ExpectedContinuation));
        // What still comes is dropped as it comes.
        peer.take_events();
        assert!(peer.buffer.is_empty(), "{:?}", peer.buffer);
    }
}

/// A transport that has failed is closed, whatever waits to be written, and the record stays as it was.
#[test]
fn a_reset_ends_everything() {
    for role in Role::BOTH {
        let reset = |peer: &mut Peer| {
            peer.connection.handle_reset();
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);
            assert_eq!(peer.connection.output_len(), 0);
            sends_nothing(peer);
            // The end of the stream later changes nothing.
            let before = peer.close_event();
            peer.connection.handle_eof();
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);
            assert_eq!(peer.close_event(), before);
            before
        };
        // Open, with something to say.
        let mut peer = Peer::new(role, &Config::default());
        peer.connection.send_text("unread").unwrap();
        let ending = reset(&mut peer);
        assert_eq!(ending, Some(ended(1006, false, Initiator::Transport)));
        // The peer's Close frame came, and ours was still to be written. That is no clean end.
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::close(1000, "").encode(role));
        assert_eq!(peer.connection.transport_action(), TransportAction::Write);
        let ending = reset(&mut peer);
        assert_eq!(ending, Some(ended(1000, false, Initiator::Peer)));
        // Failed, with a Close frame that says why.
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&[0xff, 0xff]);
        assert_eq!(peer.connection.transport_action(), TransportAction::Write);
        let ending = reset(&mut peer).unwrap();
        assert_eq!((ending.code, ending.error), (1006, peer.error));
        // At the end of the stream it may still have been read; then it cannot.
        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&[0xff, 0xff]);
        peer.connection.handle_eof();
        assert_eq!(peer.connection.transport_action(), TransportAction::Write);
        reset(&mut peer);
    }
}

/// After a failure, a refusal, and for a client over HTTP/2: the writing side is shut down once.
#[test]
fn what_is_shut_down_once_is_not_asked_for_again() {
    let mut failed = Connection::server(&Config::default());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\xff\xff");
    assert!(failed.next_event(&mut buffer).is_err());
    failed.handle_shutdown();
    assert_eq!(failed.transport_action(), TransportAction::Write, "not yet");
    failed.advance_output(failed.output().len());
    let refused = Connection::refused(Vec::new(), &Config::default());
    for mut connection in [failed, refused] {
        assert_eq!(connection.transport_action(), SHUT_DOWN);
        connection.handle_shutdown();
        for _ in 0..2 {
            assert_eq!(connection.transport_action(), WAIT);
            assert!(connection.wants_read());
            connection.handle_shutdown();
        }
        connection.handle_eof();
        assert_eq!(connection.transport_action(), TransportAction::Close);
        assert!(!connection.wants_read());
    }
    // Where it is not asked for it changes nothing.
    let mut open = Connection::server(&Config::default());
    open.handle_shutdown();
    assert!(open.can_send() && open.wants_read());
    assert_eq!(open.transport_action(), WAIT);
    open.send_text("x").unwrap();
    assert_eq!(open.transport_action(), TransportAction::Write);
}
