//! Received bytes are delivered after every end of the transport: a failed write, a reset, or the end of the stream.

use sockless::test_util::{Frame, OwnedCloseEvent, OwnedEvent, Peer, Role};
use sockless::{
    CloseCode, Config, Connection, Initiator, ReadBuffer, Reply, SendError, Timeout,
    TransportAction,
};

use super::{START, config, seconds};

/// The last frames of a peer: a text, a Ping, and a Close frame with a reason.
fn last_words(role: Role) -> Vec<u8> {
    [
        Frame::new(0x81, "last words").encode(role),
        Frame::new(0x89, "ping").encode(role),
        Frame::close(1008, "policy").encode(role),
    ]
    .concat()
}

fn expected() -> [OwnedEvent; 3] {
    [
        OwnedEvent::text("last words"),
        OwnedEvent::Ping(b"ping".to_vec()),
        OwnedEvent::Close(1008, "policy".into()),
    ]
}

fn has_the_peers_reason(ending: &OwnedCloseEvent) {
    assert_eq!((ending.code, &*ending.reason), (1008, "policy"));
    assert!(!ending.was_clean && ending.initiator == Initiator::Peer);
}

/// The peer has closed, so the next write fails. The operating system still delivers the peer's last bytes.
#[test]
fn the_peers_last_frames_arrive_after_a_failed_write() {
    for role in Role::BOTH {
        // The first part is read before the write fails, and the rest after it.
        let words = last_words(role);
        for cut in 0..=words.len() {
            let mut peer = Peer::new(role, &config());
            peer.connection.send_text("never read").unwrap();
            peer.buffer.extend_from_slice(&words[..cut]);
            peer.connection.handle_write_error();
            assert!(peer.connection.wants_read());
            assert_eq!(peer.connection.transport_action(), TransportAction::Wait);
            peer.take_events();
            peer.receive(&words[cut..]);
            assert_eq!(peer.events(), expected());
            has_the_peers_reason(&peer.close_event().unwrap());
            assert!(peer.connection.output().is_empty());
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);
            assert!(!peer.connection.wants_read());
        }
    }
}

#[test]
fn bytes_in_the_buffer_are_delivered_after_the_end_of_the_stream_and_after_a_reset() {
    for role in Role::BOTH {
        for end in [Connection::handle_eof, Connection::handle_reset] {
            let mut peer = Peer::new(role, &config());
            peer.buffer.extend_from_slice(&last_words(role));
            end(&mut peer.connection);
            assert!(!peer.connection.wants_read());
            peer.take_events();
            assert_eq!(peer.events(), expected());
            has_the_peers_reason(&peer.close_event().unwrap());
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);
            assert!(peer.buffer.is_empty());
        }
    }
}

#[test]
fn an_unfinished_message_at_the_end_is_dropped() {
    for role in Role::BOTH {
        let bytes = [
            Frame::new(0x81, "whole").encode(role),
            Frame::new(0x01, "half").encode(role),
        ]
        .concat();
        for cut in bytes.len() - 5..=bytes.len() {
            let mut peer = Peer::new(role, &config());
            peer.buffer.extend_from_slice(&bytes[..cut]);
            peer.connection.handle_eof();
            peer.take_events();
            assert_eq!(peer.events(), [OwnedEvent::text("whole")]);
            assert!(peer.buffer.is_empty());
            assert_eq!(peer.close_event().unwrap().code, 1006);
        }
    }
}

/// This side has queued its Close frame. With the peer's Close frame, the end is clean in any order of events, unless
/// this side's Close frame was lost with the output.
#[test]
fn a_written_close_frame_makes_a_clean_end() {
    for role in Role::BOTH {
        for (written, clean) in [(true, true), (false, false)] {
            let ends: [fn(&mut Connection); 3] = [
                Connection::handle_write_error,
                Connection::handle_eof,
                Connection::handle_reset,
            ];
            for (i, end) in ends.into_iter().enumerate() {
                let mut peer = Peer::new(role, &config());
                peer.connection.close(CloseCode::NORMAL, "").unwrap();
                if written {
                    peer.write_all();
                }
                peer.buffer
                    .extend_from_slice(&Frame::close(1000, "").encode(role));
                end(&mut peer.connection);
                peer.take_events();
                let ending = peer.close_event().unwrap();
                // After the end of the stream, the Close frame may still be written.
                assert_eq!((ending.code, ending.was_clean), (1000, clean || i == 1));
                assert_eq!(ending.initiator, Initiator::Local);
            }
        }
    }
}

/// The answer to the peer's Close frame was lost with the output.
#[test]
fn a_lost_answer_makes_the_end_unclean() {
    for role in Role::BOTH {
        for end in [Connection::handle_write_error, Connection::handle_reset] {
            let mut peer = Peer::new(role, &config());
            peer.receive(&Frame::close(1008, "policy").encode(role));
            assert!(peer.close_event().unwrap().was_clean, "so far");
            end(&mut peer.connection);
            has_the_peers_reason(&peer.close_event().unwrap());
        }
    }
}

/// Section 5.5.1: the connection ignores all bytes after the peer's Close frame.
#[test]
fn bytes_after_a_close_frame_are_dropped_after_a_failed_write() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_write_error();
        let bytes = [last_words(role), Frame::new(0x81, "more").encode(role)].concat();
        peer.receive(&bytes);
        assert_eq!(peer.events(), expected());
        assert!(peer.buffer.is_empty());
    }
}

#[test]
fn after_a_failed_write_nothing_is_sent() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        peer.connection.handle_write_error();
        assert!(!peer.connection.can_send());
        assert_eq!(peer.connection.send_text("more"), Err(SendError::Closed));
        let closed = peer.connection.close(CloseCode::NORMAL, "");
        assert_eq!(closed, Err(SendError::Closed));
        peer.receive(&Frame::new(0x89, "ping").encode(role));
        // A violation does not cause a Close frame.
        peer.receive(&Frame::new(0x83, "").encode(role));
        assert!(peer.error.is_some() && peer.connection.output().is_empty());
        assert_eq!(peer.close_event().unwrap().error, peer.error);
    }
}

/// A peer that neither sends nor ends the stream times out as at any end of the stream. Messages extend the deadline.
#[test]
fn after_a_failed_write_there_is_a_deadline() {
    for role in Role::BOTH {
        for talks in [false, true] {
            let mut peer = Peer::new(role, &config());
            peer.connection.handle_timeout(START);
            peer.connection.handle_write_error();
            assert_eq!(peer.connection.timeout_at(), Some(seconds(0)));
            peer.connection.handle_timeout(START);
            let mut now = START;
            if talks {
                for _ in 0..10 {
                    now += seconds(9);
                    peer.receive(&Frame::new(0x81, "more").encode(role));
                    peer.connection.handle_timeout(now);
                }
                assert_eq!(peer.events().len(), 10);
            }
            assert_eq!(peer.connection.timeout_at(), Some(now + seconds(10)));
            for _ in 0..2 {
                peer.connection.handle_timeout(now + seconds(10));
            }
            let ending = peer.close_event().unwrap();
            assert_eq!(ending.timeout, Some(Timeout::EndOfStream));
            assert_eq!(peer.connection.transport_action(), TransportAction::Close);
        }
    }
}

/// A peer may end its side and still read. So the loop writes the queued output until the deadline.
#[test]
fn output_is_still_written_after_the_end_of_the_stream() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        peer.connection.send_text("for you").unwrap();
        let queued = peer.connection.output_len();
        peer.connection.handle_eof();
        assert_eq!(peer.connection.transport_action(), TransportAction::Write);
        assert_eq!(peer.connection.send_text("more"), Err(SendError::Closed));
        assert_eq!(peer.connection.output_len(), queued);
        let ending = peer.close_event().unwrap();
        assert_eq!((ending.code, ending.was_clean), (1006, false));
        // A peer that does not read times out.
        peer.connection.handle_timeout(START);
        assert_eq!(peer.connection.timeout_at(), Some(START + seconds(10)));
        for _ in 0..2 {
            peer.connection.handle_timeout(START + seconds(10));
        }
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
        let mut peer = Peer::new(role, &config());
        peer.connection.send_text("for you").unwrap();
        peer.connection.handle_eof();
        peer.write_all();
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
    }
}

#[test]
fn wants_read_is_true_while_bytes_can_arrive() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        assert!(peer.connection.wants_read(), "open");
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        assert!(peer.connection.wants_read(), "closing");
        peer.receive(&Frame::close(1000, "").encode(role));
        assert!(peer.connection.wants_read(), "closed, with output");
        peer.write_all();
        // A client waits for the end of the stream.
        assert_eq!(peer.connection.wants_read(), role == Role::Client, "closed");
        peer.connection.handle_eof();
        assert!(!peer.connection.wants_read(), "at the end");

        let mut peer = Peer::new(role, &Config::default());
        peer.connection.send_text("output").unwrap();
        peer.connection.handle_eof();
        assert!(!peer.connection.wants_read(), "at the end, with output");

        let config = Config::new().with_close_reply(Reply::Manual);
        let mut peer = Peer::new(role, &config);
        peer.receive(&Frame::close(1000, "").encode(role));
        assert!(peer.connection.wants_read(), "the peer has closed");

        let mut peer = Peer::new(role, &Config::default());
        peer.receive(&Frame::new(0x83, "").encode(role));
        peer.write_all();
        assert!(peer.connection.wants_read(), "failed");
        peer.connection.handle_reset();
        assert!(!peer.connection.wants_read(), "broken");
    }
    let mut refused = Connection::refused(b"HTTP/1.1 404\r\n\r\n".to_vec(), &Config::default());
    assert!(refused.wants_read());
    refused.handle_write_error();
    assert!(!refused.wants_read());
    assert_eq!(refused.transport_action(), TransportAction::Close);
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    assert!(refused.next_event(&mut buffer).unwrap().is_none());
    assert!(buffer.is_empty());
}

/// This side could not write a Close frame for the violation, so the peer is the initiator.
#[test]
fn the_peers_close_frame_after_a_failed_write_and_a_violation_counts() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_write_error();
        peer.receive(&Frame::new(0xc1, "").encode(role));
        peer.receive(&Frame::close(1001, "bye").encode(role));
        let ending = peer.close_event().unwrap();
        assert_eq!((ending.code, ending.initiator), (1001, Initiator::Peer));
        assert_eq!(ending.error, peer.error);
    }
}
