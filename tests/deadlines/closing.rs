//! The closing handshake with peers that do not play their part.

use sockless::test_util::{Frame, OwnedEvent, Role};
use sockless::{CloseCode, Connection, Reply, SendError, Timeout};

use super::heap::measure;
use super::simulation::Simulation;
use super::{START, config, seconds, strict};

fn open(role: Role) -> Simulation {
    Simulation::opened(role.connection(&config()))
}

fn close(simulation: &mut Simulation) {
    simulation
        .act(|connection| connection.close(CloseCode::NORMAL, ""))
        .unwrap();
}

fn peer_close(role: Role) -> Vec<u8> {
    Frame::close(1000, "").encode(role)
}

/// How it ended: the code, whether that was clean, and the deadline.
fn ending(simulation: &mut Simulation) -> (u16, bool, Option<Timeout>) {
    let ending = simulation.close_event().unwrap();
    (ending.code, ending.was_clean, ending.timeout)
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_given_up() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(5));
        close(&mut side);
        assert_eq!(side.silence(), Some(seconds(15)));
        assert_eq!(ending(&mut side), (1006, false, Some(Timeout::Close)));
    }
}

/// What it sends instead is still delivered, and extends the deadline within the bound.
#[test]
fn a_peer_that_talks_on_after_a_close_is_given_up() {
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

/// Control frames extend nothing: where one can come, the Close frame could have come.
#[test]
fn a_peer_that_only_pings_after_a_close_is_given_up() {
    for role in Role::BOTH {
        let mut side = open(role);
        close(&mut side);
        let ping = Frame::new(0x89, "still here").encode(role);
        assert_eq!(side.trickle(&ping), Some(seconds(10)));
        assert_eq!(ending(&mut side), (1006, false, Some(Timeout::Close)));
    }
}

#[test]
fn an_unanswered_ping_ends_nothing_after_a_close() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(35));
        close(&mut side);
        assert_eq!(side.silence(), Some(seconds(45)));
        assert_eq!(ending(&mut side), (1006, false, Some(Timeout::Close)));
    }
}

/// It has its own deadline for each of its two parts.
#[test]
fn a_server_that_does_not_end_the_stream_is_given_up() {
    let mut client = open(Role::Client);
    close(&mut client);
    client.pass(seconds(9));
    client.send(&peer_close(Role::Client));
    client.pass(seconds(9));
    assert_eq!(client.closed, None);
    assert_eq!(ending(&mut client), (1000, true, None));
    assert_eq!(client.silence(), Some(seconds(19)));
    // Both Close frames were exchanged: that is clean (section 7.1.4), whatever the transport does.
    assert_eq!(
        ending(&mut client),
        (1000, true, Some(Timeout::EndOfStream))
    );
}

/// Once nothing can be sent, events have no answers, so room does not matter. Two sides that close with full outputs
/// would otherwise wait for each other.
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
fn a_peer_in_time_is_not_given_up() {
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
fn an_application_that_does_not_answer_a_close_is_not_waited_for() {
    for role in Role::BOTH {
        let config = config().with_close_reply(Reply::Manual);
        let mut side = Simulation::opened(role.connection(&config));
        side.send(&peer_close(role));
        side.pass(seconds(9));
        assert_eq!(
            side.act(|connection| connection.send_text("not yet")),
            Ok(())
        );
        // The peer takes what is sent meanwhile, so it is there for one deadline more.
        assert_eq!(side.silence(), Some(seconds(20)));
        assert_eq!(ending(&mut side), (1000, false, Some(Timeout::Close)));
    }
}

/// The Close frame that tells it cannot be written.
#[test]
fn a_peer_that_reads_no_close_is_given_up() {
    for role in Role::BOTH {
        // Either side begins.
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
            // This side's Close frame never left, so the end is not clean, whoever began.
            assert_eq!((was_clean, timeout), (false, Some(expected)));
        }
    }
}

/// After a violation the peer is told, and may send what it likes for a while: it is dropped.
#[test]
fn a_peer_that_broke_the_protocol_is_given_up() {
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

/// What is not written when a deadline passes is given up, and the end of the stream later changes nothing.
#[test]
fn an_end_is_an_end() {
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
fn nothing_is_awaited_from_an_ended_stream() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.end_stream();
        assert!(side.closed.is_some());
        assert_eq!(side.connection().timeout_at(), None);
    }
}

#[test]
fn a_refused_transport_is_driven_as_any_other() {
    let answer = b"HTTP/1.1 404 Not Found\r\n\r\n";
    let mut side = Simulation::opened(Connection::refused(answer.to_vec(), &config()));
    assert_eq!(side.written(), answer);
    assert_eq!(side.shut_down, Some(START));
    assert!(side.connection().send_text("late").is_err());
    // Whatever comes is dropped: frames, and what is none.
    side.send(&Frame::new(0x81, "late").encode(Role::Server));
    side.send(&[0xff; 1000]);
    assert!(side.events.is_empty());
    assert_eq!(side.close_event().unwrap().error, None);
    side.end_stream();
    assert_eq!(side.closed, Some(START));
}

/// Whatever a peer sends when nothing of it is awaited any more is dropped as it comes.
#[test]
fn what_comes_after_the_end_takes_no_memory() {
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
        assert!(
            side.events
                .iter()
                .all(|event| matches!(event, OwnedEvent::Close(..)))
        );
        assert!(heap.peak < 64 << 10, "{heap:?}");
    }
}
