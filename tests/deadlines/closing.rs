//! The closing handshake with peers that do not complete it.

use sockless::test_util::{Frame, OwnedEvent, Role};
use sockless::{CloseCode, Connection, Reply, SendError, Timeout};

use super::heap::measure;
use super::simulation::Simulation;
use super::{START, config, open, seconds, strict};

fn close(simulation: &mut Simulation) {
    simulation
        .act(|connection| connection.close(CloseCode::NORMAL, ""))
        .unwrap();
}

fn peer_close(role: Role) -> Vec<u8> {
    Frame::close(1000, "").encode(role)
}

/// Returns the code, whether the end was clean, and the deadline that ended the connection.
fn ending(simulation: &mut Simulation) -> (u16, bool, Option<Timeout>) {
    let ending = simulation.close_event().unwrap();
    (ending.code, ending.was_clean, ending.timeout)
}

/// Each row is the time of the Close frame, whether the peer sends Pings after it, and the end. An unanswered Ping of
/// this side at 20 s does not matter after the Close frame. Control frames do not extend the deadline: the peer could
/// send its Close frame instead.
#[test]
fn a_peer_that_does_not_answer_a_close_times_out() {
    for role in Role::BOTH {
        for (start, pings, end) in [(5, false, 15), (35, false, 45), (0, true, 10)] {
            let mut side = open(role);
            side.pass(seconds(start));
            close(&mut side);
            let ping = Frame::new(0x89, "still here").encode(role);
            let closed = if pings {
                side.trickle(&ping)
            } else {
                side.silence()
            };
            assert_eq!(closed, Some(seconds(end)));
            assert_eq!(ending(&mut side), (1006, false, Some(Timeout::Close)));
        }
    }
}
/// The connection still delivers messages. They extend the deadline up to its limit.
#[test]
fn a_peer_that_sends_messages_after_a_close_times_out() {
    for role in Role::BOTH {
        for (config, end) in [(config(), 610), (strict(), 10)] {
            let mut side = Simulation::opened(role.connection(&config));
            close(&mut side);
            let message = Frame::new(0x81, "and another thing").encode(role);
            assert_eq!(side.trickle(&message), Some(seconds(end)));
            assert!(side.events.contains(&OwnedEvent::text("and another thing")));
            assert_eq!(ending(&mut side), (1006, false, Some(Timeout::Close)));
        }
    }
}

/// The Close frame and the end of the stream have separate deadlines.
#[test]
fn a_server_that_does_not_end_the_stream_times_out() {
    let mut client = open(Role::Client);
    close(&mut client);
    client.pass(seconds(9));
    client.send(&peer_close(Role::Client));
    client.pass(seconds(9));
    assert_eq!(client.closed, None);
    assert_eq!(ending(&mut client), (1000, true, None));
    assert_eq!(client.silence(), Some(seconds(19)));
    // Section 7.1.4: after both Close frames the end is clean. The transport does not matter.
    let expected = (1000, true, Some(Timeout::EndOfStream));
    assert_eq!(ending(&mut client), expected);
}

/// After its Close frame this side sends no answers, so it needs no room for them. Otherwise two sides that close with
/// full outputs would wait for each other.
#[test]
fn a_closing_side_has_room_for_events() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.send_binary(&[7; 10_000]).unwrap();
        assert!(!connection.has_room());
        assert_eq!(connection.send_text("more"), Err(SendError::Full));
        connection.close(CloseCode::NORMAL, "").unwrap();
        assert!(connection.has_room());
        assert_eq!(connection.send_text("more"), Err(SendError::Closed));
    }
}

#[test]
fn a_peer_that_closes_in_time_does_not_time_out() {
    for role in Role::BOTH {
        let mut side = open(role);
        close(&mut side);
        side.pass(seconds(9));
        side.send(&peer_close(role));
        if role == Role::Client {
            side.pass(seconds(9));
            side.end_stream();
        }
        assert!(side.closed.is_some());
        assert_eq!(ending(&mut side), (1000, true, None));
    }
}

#[test]
fn an_application_that_does_not_answer_a_close_times_out() {
    for role in Role::BOTH {
        let config = config().with_close_reply(Reply::Manual);
        let mut side = Simulation::opened(role.connection(&config));
        side.send(&peer_close(role));
        side.pass(seconds(9));
        let sent = side.act(|connection| connection.send_text("not yet"));
        assert_eq!(sent, Ok(()));
        // The peer reads this message, which extends the deadline once.
        assert_eq!(side.silence(), Some(seconds(20)));
        assert_eq!(ending(&mut side), (1000, false, Some(Timeout::Close)));
    }
}

/// This side cannot write its Close frame.
#[test]
fn a_peer_that_does_not_read_the_close_frame_times_out() {
    for role in Role::BOTH {
        // Either side may close first.
        for own in [true, false] {
            let mut side = open(role);
            side.peer_reads = false;
            side.act(|connection| connection.send_binary(&[0; 4000]))
                .unwrap();
            if own {
                close(&mut side);
            } else {
                side.send(&peer_close(role));
            }
            assert_eq!(side.silence(), Some(seconds(10)));
            let (_, was_clean, timeout) = ending(&mut side);
            let expected = if own {
                Timeout::Close
            } else {
                Timeout::EndOfStream
            };
            // This side's Close frame is unwritten, so the end is not clean.
            assert_eq!((was_clean, timeout), (false, Some(expected)));
        }
    }
}

/// After a violation this side drops all bytes of the peer until the deadline.
#[test]
fn a_peer_that_violated_the_protocol_times_out() {
    for role in Role::BOTH {
        let (mut side, heap) = measure(|| {
            let mut side = open(role);
            side.send(&[0xff; 2]);
            assert_eq!(side.shut_down, Some(START));
            side.trickle(&[0x82; 1000]);
            side
        });
        assert_eq!(side.closed(), Some(seconds(10)));
        let ending = side.close_event().unwrap();
        assert!(ending.error.is_some());
        assert_eq!(ending.timeout, Some(Timeout::EndOfStream));
        assert!(heap.peak < 16 << 10, "{heap:?}");
    }
}

#[test]
fn nothing_changes_the_ending_after_a_timeout() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(3600));
        let before = side.close_event();
        assert_eq!(ending(&mut side), (1006, false, Some(Timeout::Pong)));
        side.end_stream();
        side.connection().handle_reset();
        side.connection().handle_timeout(START + seconds(7200));
        assert_eq!(side.close_event(), before);
        assert_eq!(side.connection().timeout_at(), None);
    }
}

#[test]
fn no_deadline_is_left_after_the_end_of_the_stream() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.end_stream();
        assert!(side.closed.is_some());
        assert_eq!(side.connection().timeout_at(), None);
    }
}

#[test]
fn the_loop_for_a_refused_request_is_the_same() {
    let answer = b"HTTP/1.1 404 Not Found\r\n\r\n";
    let mut side = Simulation::opened(Connection::refused(answer.to_vec(), &config()));
    assert_eq!(side.written(), answer);
    assert_eq!(side.shut_down, Some(START));
    assert!(side.connection().send_text("late").is_err());
    // The connection drops all bytes, legal or not.
    side.send(&Frame::new(0x81, "late").encode(Role::Server));
    side.send(&[0xff; 1000]);
    assert!(side.events.is_empty());
    assert_eq!(side.close_event().unwrap().error, None);
    side.end_stream();
    assert_eq!(side.closed, Some(START));
}

/// After the end the connection drops all bytes of the peer as they arrive.
#[test]
fn bytes_after_the_end_use_no_memory() {
    let refused = Connection::refused(b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(), &config());
    let mut closed = open(Role::Client);
    close(&mut closed);
    closed.send(&peer_close(Role::Client));
    for mut side in [Simulation::opened(refused), closed] {
        let ((), heap) = measure(|| {
            for _ in 0..1000 {
                side.send(&[0x82; 1000]);
                assert_eq!(side.unread(), 0);
            }
        });
        assert_eq!(side.closed, None);
        let is_close = |event: &OwnedEvent| matches!(event, OwnedEvent::Close(..));
        assert!(side.events.iter().all(is_close));
        assert!(heap.peak < 64 << 10, "{heap:?}");
    }
}
