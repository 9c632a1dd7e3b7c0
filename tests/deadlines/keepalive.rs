//! Pings on an open connection, and peers that do not answer them.

use std::time::Duration;

use proptest::prelude::*;
use sockless::test_util::{Frame, OwnedEvent, Role, assert_legal};
use sockless::{Config, Connection, Deadlines, Timeout};

use super::heap::{NOTHING, measure};
use super::simulation::Simulation;
use super::{START, config, seconds, strict};

fn open(role: Role) -> Simulation {
    Simulation::opened(role.connection(&config()))
}

/// The payloads of the Pings among what was written.
fn pings(role: Role, written: &[u8]) -> Vec<Vec<u8>> {
    let events = assert_legal(role, written).into_iter();
    let pings = events.filter_map(|event| match event {
        OwnedEvent::Ping(payload) => Some(payload),
        _ => None,
    });
    pings.collect()
}

fn pong(role: Role, payload: &[u8]) -> Vec<u8> {
    Frame::new(0x8a, payload).encode(role)
}

fn no_pong(simulation: &mut Simulation) {
    let ending = simulation.close_event().unwrap();
    assert_eq!((ending.code, ending.was_clean), (1006, false));
    assert_eq!(ending.timeout, Some(Timeout::Pong));
}

#[test]
fn a_silent_peer_is_pinged_and_given_up() {
    for role in Role::BOTH {
        let mut side = open(role);
        assert_eq!(side.silence(), Some(seconds(40)));
        assert_eq!(pings(role, &side.written()).len(), 1);
        no_pong(&mut side);
        assert!(side.connection().send_text("late").is_err());
        assert_eq!(side.connection().timeout_at(), None);
    }
}

#[test]
fn a_peer_that_answers_is_kept() {
    for role in Role::BOTH {
        let mut side = open(role);
        for i in 1..=100 {
            side.pass(seconds(20));
            let asked = pings(role, &side.written());
            assert_eq!(asked.len(), 1, "after {i} times 20 s");
            side.pass(Duration::from_millis(i));
            side.send(&pong(role, &asked[0]));
            let measured = side.connection().round_trip_time();
            assert_eq!(measured, Some(Duration::from_millis(i)));
            // And before it is asked for.
            side.send(&pong(role, b"unasked"));
        }
        assert_eq!(side.closed, None);
        assert_eq!(side.events.len(), 200, "Pongs are events, too");
    }
}

/// A Pong that answers something else is no sign of life in time.
#[test]
fn only_the_right_pong_counts() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(20));
        let asked = pings(role, &side.written()).remove(0);
        let mut wrong = asked.clone();
        wrong[3] ^= 1;
        for payload in [&wrong[..], b"", &asked[..3], &[&asked[..], b"x"].concat()] {
            side.send(&pong(role, payload));
        }
        assert_eq!(side.connection().round_trip_time(), None);
        assert_eq!(side.silence(), Some(seconds(40)));
        no_pong(&mut side);
    }
}

/// Section 5.5.3: the peer may answer only the newest of several Pings, here the application's.
#[test]
fn the_pong_to_a_later_ping_counts() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(20));
        side.act(|connection| connection.send_ping(b"mine"))
            .unwrap();
        side.send(&pong(role, b"mine"));
        // It says that the peer is there, and not how long it took.
        assert_eq!(side.connection().round_trip_time(), None);
        assert_eq!(pings(role, &side.written()).len(), 2);
        side.pass(seconds(20));
        assert_eq!(side.closed, None);
        assert_eq!(
            pings(role, &side.written()).len(),
            1,
            "and the next Ping goes out"
        );
        // An earlier Ping of the application has no part in it.
        side.send(&pong(role, b"mine"));
        assert_eq!(side.silence(), Some(seconds(60)));
    }
}

/// Of several later Pings the first that was written can be answered. One that still waits in the output does not hide
/// that.
#[test]
fn the_pong_to_the_first_of_several_later_pings_counts() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(20));
        side.act(|connection| connection.send_ping(b"mine"))
            .unwrap();
        side.peer_reads = false;
        side.act(|connection| connection.send_binary(&[0; 4000]))
            .unwrap();
        side.act(|connection| connection.send_ping(b"another"))
            .unwrap();
        side.send(&pong(role, b"mine"));
        side.peer_reads = true;
        side.pass(seconds(20));
        assert_eq!(side.closed, None);
    }
}

/// Pings of the application, which are waited for, do not keep the answers to the peer's Pings from being counted off.
#[test]
fn pings_of_this_side_do_not_stop_the_answers() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        let mut buffer = sockless::ReadBuffer::new();
        connection.handle_timeout(START);
        let ping = Frame::new(0x89, "answer me").encode(role);
        let mut written = Vec::new();
        for _ in 0..1000 {
            buffer.extend_from_slice(&ping);
            while connection.next_event(&mut buffer).unwrap().is_some() {}
            connection.send_binary(&[0; 1000]).unwrap();
            connection.send_ping(b"mine").unwrap();
            // The last Ping always waits.
            let n = connection.output_len() - 500;
            written.extend_from_slice(&connection.output()[..n]);
            connection.advance_output(n);
        }
        written.extend_from_slice(connection.output());
        let events = assert_legal(role, &written);
        let pongs = events
            .iter()
            .filter(|event| matches!(event, OwnedEvent::Pong(_)));
        assert_eq!(pongs.count(), 1000);
    }
}

/// The loop was held up for longer than the deadline, and the answer has come meanwhile.
#[test]
fn what_was_answered_is_in_time() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        let mut buffer = sockless::ReadBuffer::new();
        connection.handle_timeout(START);
        connection.handle_timeout(START + seconds(20));
        let asked = pings(role, connection.output()).remove(0);
        buffer.extend_from_slice(&pong(role, &asked));
        let output = connection.output_len();
        connection.advance_output(output);
        while connection.next_event(&mut buffer).unwrap().is_some() {}
        connection.handle_timeout(START + seconds(3600));
        assert_eq!(connection.close_event(), None);
        assert_eq!(connection.round_trip_time(), Some(seconds(3580)));
        assert_eq!(connection.timeout_at(), Some(START + seconds(3620)));
    }
}

/// A frame that never ends, a byte every second: no Pong can come between. The bound is the documented one.
#[test]
fn a_peer_that_is_slow_in_the_middle_of_a_frame_is_given_up() {
    for role in Role::BOTH {
        let message = Frame::new(0x82, vec![1; 60 << 10]).encode(role);
        for (config, end) in [(config(), 640), (strict(), 40)] {
            let (closed, heap) = measure(|| {
                let mut side = Simulation::opened(role.connection(&config));
                side.send(&message[..20]);
                let closed = side.trickle(&message[20..21]);
                no_pong(&mut side);
                closed
            });
            assert_eq!(closed, Some(seconds(end)));
            assert!(heap.peak < 8 << 10, "{heap:?}: memory follows what came");
        }
    }
}

/// It sends and never reads: the answers fill the output, the loop stops to read, and no Pong is seen.
#[test]
fn a_peer_that_never_reads_is_given_up() {
    for role in Role::BOTH {
        let message = Frame::new(0x81, "x".repeat(2000)).encode(role);
        let (closed, heap) = measure(|| {
            let mut side = open(role).echo();
            side.peer_reads = false;
            // As much as a transport holds: the rest waits at the peer.
            for _ in 0..20 {
                side.send(&message);
            }
            let full = side.connection().output_len();
            assert!((8 << 10..(8 << 10) + 2100).contains(&full), "{full}");
            let closed = side.silence();
            no_pong(&mut side);
            closed
        });
        assert_eq!(closed, Some(seconds(40)));
        assert!(heap.peak < 256 << 10, "{heap:?}");
    }
}

/// Even into a full output: or nobody would find out that the peer is gone.
#[test]
fn a_ping_finds_room_in_a_full_output() {
    let mut server = Connection::server(&config());
    server.send_binary(&[0; 9 << 10]).unwrap();
    assert!(!server.has_room());
    let before = server.output_len();
    server.handle_timeout(START);
    server.handle_timeout(START + seconds(20));
    assert_eq!(server.output_len(), before + 6);
    // One, however long it takes.
    server.handle_timeout(START + seconds(39));
    assert_eq!(server.output_len(), before + 6);
}

#[test]
fn without_deadlines_the_time_changes_nothing() {
    for role in Role::BOTH {
        let mut connection = role.connection(&Config::default());
        for n in [0, 1, 1 << 20, 1 << 40] {
            connection.handle_timeout(seconds(n));
            assert_eq!(connection.timeout_at(), None);
            assert_eq!(connection.output_len(), 0);
        }
        assert_eq!(connection.round_trip_time(), None);
        assert_eq!(connection.close_event(), None);
    }
}

/// And costs nothing; with them there is one block, as documented.
#[test]
fn deadlines_are_paid_for_by_those_who_have_them() {
    let (_without, heap) = measure(|| Connection::server(&Config::default()));
    assert_eq!(heap, NOTHING);
    let (_with, heap) = measure(|| Connection::server(&config()));
    assert_eq!(heap.allocations, 1);
    assert!(heap.kept <= 200, "{heap:?}");
}

#[test]
fn a_deadline_that_never_comes() {
    let deadlines = Deadlines::new()
        .with_ping_interval(Duration::MAX)
        .with_close(Duration::MAX);
    let config = config().with_deadlines(deadlines);
    let mut side = Simulation::opened(Connection::server(&config));
    assert_eq!(side.silence(), None);
    assert_eq!(side.written(), b"");
    side.act(|connection| connection.close(sockless::CloseCode::NORMAL, ""))
        .unwrap();
    assert_eq!(side.silence(), None);
}

/// What happens to a connection in any order, and how long after the last.
#[derive(Clone, Debug)]
enum Step {
    Message,
    Ping,
    Close,
    PeerMessage,
    PeerPong,
    PeerClose,
    Violation,
    EndOfStream,
    Nothing,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 2000 }))]

    /// In whatever order things happen, a loop is never told to call again at once without end, and who is
    /// silent from then on is given up within the sum of the deadlines.
    #[test]
    fn every_connection_to_a_silent_peer_ends(
        steps in prop::collection::vec(
            (
                prop_oneof![
                    Just(Step::Message), Just(Step::Ping), Just(Step::Close), Just(Step::PeerMessage),
                    Just(Step::PeerPong), Just(Step::PeerClose), Just(Step::Violation),
                    Just(Step::EndOfStream), Just(Step::Nothing),
                ],
                0_u64..30_000,
            ),
            0..12,
        ),
        client: bool,
        manual: bool,
        peer_reads: bool,
    ) {
        let role = if client { Role::Client } else { Role::Server };
        let mut config = config();
        if manual {
            config.close_reply = sockless::Reply::Manual;
        }
        let mut side = Simulation::opened(role.connection(&config));
        side.peer_reads = peer_reads;
        let mut passed = Duration::ZERO;
        let mut asked = Vec::new();
        for (step, milliseconds) in steps {
            // At the end of the stream there is nobody to send any more.
            if side.closed.is_some() {
                break;
            }
            let time = Duration::from_millis(milliseconds);
            side.pass(time);
            passed += time;
            if peer_reads {
                asked = pings(role, &side.written()).pop().unwrap_or(asked);
            }
            let peer = |frame: Frame| frame.encode(role);
            match step {
                Step::Message => _ = side.act(|connection| connection.send_text("text")),
                Step::Ping => _ = side.act(|connection| connection.send_ping(b"ping")),
                Step::Close => {
                    _ = side.act(|connection| connection.close(sockless::CloseCode::NORMAL, ""));
                }
                Step::PeerMessage => side.send(&peer(Frame::new(0x81, "text"))),
                Step::PeerPong => side.send(&pong(role, &asked)),
                Step::PeerClose => side.send(&peer(Frame::close(1000, ""))),
                Step::Violation => side.send(&[0xff; 2]),
                Step::EndOfStream => side.end_stream(),
                Step::Nothing => {}
            }
        }
        let end = side.silence();
        prop_assert!(end.is_some_and(|end| end <= passed + seconds(40)), "{end:?} of {passed:?}");
        prop_assert!(side.close_event().is_some());
    }
}

/// It reads nothing, and guesses what it is asked: what waits for it must not grow.
#[test]
fn a_pong_to_a_ping_that_was_not_written_makes_no_room_for_another() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        let mut buffer = sockless::ReadBuffer::new();
        connection.handle_timeout(START);
        let mut now = START;
        for guess in 1..=1000_u32 {
            now += seconds(20);
            connection.handle_timeout(now);
            buffer.extend_from_slice(&pong(role, &guess.to_be_bytes()));
            while connection.next_event(&mut buffer).unwrap().is_some() {}
            connection.handle_timeout(now);
            assert!(
                connection.output_len() <= 10,
                "{} bytes after {guess} Pings",
                connection.output_len()
            );
        }
    }
}
