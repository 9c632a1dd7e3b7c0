//! Pings on an open connection, and peers that do not answer.

use std::time::Duration;

use proptest::prelude::*;
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, assert_legal};
use sockless::{CloseCode, Config, Connection, Deadlines, Reply, Timeout};

use super::heap::{NOTHING, measure};
use super::simulation::Simulation;
use super::{START, config, open, seconds, strict};

/// Returns the payloads of the Pings in the output.
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

fn timed_out(simulation: &mut Simulation) {
    let ending = simulation.close_event().unwrap();
    assert_eq!((ending.code, ending.was_clean), (1006, false));
    assert_eq!(ending.timeout, Some(Timeout::Pong));
}

#[test]
fn a_silent_peer_gets_a_ping_and_times_out() {
    for role in Role::BOTH {
        let mut side = open(role);
        assert_eq!(side.silence(), Some(seconds(40)));
        assert_eq!(pings(role, &side.written()).len(), 1);
        timed_out(&mut side);
        assert!(side.connection().send_text("late").is_err());
        assert_eq!(side.connection().timeout_at(), None);
    }
}

#[test]
fn a_peer_that_answers_stays_connected() {
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
            // This Pong answers no Ping.
            side.send(&pong(role, b"unasked"));
        }
        assert_eq!(side.closed, None);
        assert_eq!(side.events.len(), 200, "Pongs are events, too");
    }
}

#[test]
fn only_the_pong_with_the_payload_of_the_ping_counts() {
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
        timed_out(&mut side);
    }
}

/// Section 5.5.3: the peer may answer only the newest Ping. Here it is a Ping of the application.
#[test]
fn the_pong_to_a_later_ping_counts() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(20));
        side.act(|it| it.send_ping(b"mine")).unwrap();
        side.send(&pong(role, b"mine"));
        // The Pong shows that the peer is alive, but not the round trip time.
        assert_eq!(side.connection().round_trip_time(), None);
        assert_eq!(pings(role, &side.written()).len(), 2);
        side.pass(seconds(20));
        assert_eq!(side.closed, None);
        let next = pings(role, &side.written());
        assert_eq!(next.len(), 1, "the next Ping is sent");
        // A Pong to an earlier Ping does not answer this one.
        side.send(&pong(role, b"mine"));
        assert_eq!(side.silence(), Some(seconds(60)));
    }
}

/// The peer answers the first written Ping of several later ones. Another Ping is still in the output.
#[test]
fn the_pong_to_the_first_of_several_later_pings_counts() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.pass(seconds(20));
        side.act(|it| it.send_ping(b"mine")).unwrap();
        side.peer_reads = false;
        side.act(|connection| connection.send_binary(&[0; 4000]))
            .unwrap();
        side.act(|it| it.send_ping(b"another")).unwrap();
        side.send(&pong(role, b"mine"));
        side.peer_reads = true;
        side.pass(seconds(20));
        assert_eq!(side.closed, None);
    }
}

/// The connection remembers the application's Pings. It must still answer every Ping of the peer.
#[test]
fn pings_of_this_side_do_not_stop_the_answers() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        let ping = Frame::new(0x89, "answer me").encode(role);
        let mut written = Vec::new();
        for _ in 0..1000 {
            peer.receive(&ping);
            peer.connection.send_binary(&[0; 1000]).unwrap();
            peer.connection.send_ping(b"mine").unwrap();
            // The last Ping always stays in the output.
            let n = peer.connection.output_len() - 500;
            written.extend_from_slice(&peer.connection.output()[..n]);
            peer.connection.advance_output(n);
        }
        written.extend_from_slice(peer.connection.output());
        let mut events = assert_legal(role, &written);
        events.retain(|event| matches!(event, OwnedEvent::Pong(_)));
        assert_eq!(events.len(), 1000);
    }
}
/// The loop stops for longer than the deadline. The Pong arrives meanwhile.
#[test]
fn a_pong_that_is_read_late_is_in_time() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        peer.connection.handle_timeout(START + seconds(20));
        let asked = pings(role, &peer.write_all()).remove(0);
        peer.receive(&pong(role, &asked));
        peer.connection.handle_timeout(START + seconds(3600));
        assert_eq!(peer.close_event(), None);
        let round_trip_time = peer.connection.round_trip_time();
        assert_eq!(round_trip_time, Some(seconds(3580)));
        let next = START + seconds(3620);
        assert_eq!(peer.connection.timeout_at(), Some(next));
    }
}
/// The peer sends one byte of a long frame each second, so no Pong can arrive. The documentation states the limit.
#[test]
fn a_peer_that_is_slow_inside_a_frame_times_out() {
    for role in Role::BOTH {
        let message = Frame::new(0x82, vec![1; 60 << 10]).encode(role);
        for (config, end) in [(config(), 640), (strict(), 40)] {
            let (closed, heap) = measure(|| {
                let mut side = Simulation::opened(role.connection(&config));
                side.send(&message[..20]);
                let closed = side.trickle(&message[20..21]);
                timed_out(&mut side);
                closed
            });
            assert_eq!(closed, Some(seconds(end)));
            assert!(
                heap.peak < 8 << 10,
                "{heap:?}: memory follows the received bytes"
            );
        }
    }
}

/// The peer sends without reading. The answers fill the output, so the loop stops reading and receives no Pong.
#[test]
fn a_peer_that_never_reads_times_out() {
    for role in Role::BOTH {
        let message = Frame::new(0x81, "x".repeat(2000)).encode(role);
        let (closed, heap) = measure(|| {
            let mut side = open(role).echo();
            side.peer_reads = false;
            // The transport holds this much. The rest waits at the peer.
            for _ in 0..20 {
                side.send(&message);
            }
            let full = side.connection().output_len();
            assert!((8 << 10..(8 << 10) + 2100).contains(&full), "{full}");
            let closed = side.silence();
            timed_out(&mut side);
            closed
        });
        assert_eq!(closed, Some(seconds(40)));
        assert!(heap.peak < 256 << 10, "{heap:?}");
    }
}

/// Without this Ping, the connection would never find out that the peer is gone.
#[test]
fn a_full_output_takes_a_ping() {
    let mut server = Connection::server(&config());
    server.send_binary(&[0; 9 << 10]).unwrap();
    assert!(!server.has_room());
    let before = server.output_len();
    server.handle_timeout(START);
    server.handle_timeout(START + seconds(20));
    assert_eq!(server.output_len(), before + 6);
    // There is only one Ping, however long it waits.
    server.handle_timeout(START + seconds(39));
    assert_eq!(server.output_len(), before + 6);
}

#[test]
fn without_deadlines_the_time_has_no_effect() {
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

/// As documented, deadlines take one allocation.
#[test]
fn only_a_connection_with_deadlines_allocates_for_them() {
    let (_without, heap) = measure(|| Connection::server(&Config::default()));
    assert_eq!(heap, NOTHING);
    let (_with, heap) = measure(|| Connection::server(&config()));
    assert_eq!(heap.allocations, 1);
    assert!(heap.kept <= 200, "{heap:?}");
}

#[test]
fn the_largest_deadline_never_passes() {
    let deadlines = Deadlines::new()
        .with_ping_interval(Duration::MAX)
        .with_close(Duration::MAX);
    let config = config().with_deadlines(deadlines);
    let mut side = Simulation::opened(Connection::server(&config));
    assert_eq!(side.silence(), None);
    assert_eq!(side.written(), b"");
    side.act(|it| it.close(CloseCode::NORMAL, "")).unwrap();
    assert_eq!(side.silence(), None);
}

/// One event in the life of a connection.
type Step = fn(&mut Simulation, Role, &[u8]);

/// Each step also gets the payload of the last Ping.
const STEPS: [(&str, Step); 9] = [
    ("message", |side, _, _| {
        _ = side.act(|it| it.send_text("text"));
    }),
    ("Ping", |side, _, _| {
        _ = side.act(|it| it.send_ping(b"ping"));
    }),
    ("close", |side, _, _| {
        _ = side.act(|it| it.close(CloseCode::NORMAL, ""));
    }),
    ("peer's message", |side, role, _| {
        side.send(&Frame::new(0x81, "text").encode(role));
    }),
    ("peer's Pong", |side, role, asked| {
        side.send(&pong(role, asked));
    }),
    ("peer's close", |side, role, _| {
        side.send(&Frame::close(1000, "").encode(role));
    }),
    ("violation", |side, _, _| side.send(&[0xff; 2])),
    ("end of the stream", |side, _, _| side.end_stream()),
    ("nothing", |_, _, _| {}),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 2000 }))]

    /// In any order of events, the loop does not spin. A peer that is silent afterwards times out within the sum of the
    /// deadlines.
    #[test]
    fn every_connection_to_a_silent_peer_ends(
        steps in prop::collection::vec(
            (
                prop::sample::select(&STEPS[..]),
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
            config.close_reply = Reply::Manual;
        }
        let mut side = Simulation::opened(role.connection(&config));
        side.peer_reads = peer_reads;
        let mut passed = Duration::ZERO;
        let mut asked = Vec::new();
        for ((_, step), milliseconds) in steps {
            // A closed transport receives nothing.
            if side.closed.is_some() {
                break;
            }
            let time = Duration::from_millis(milliseconds);
            side.pass(time);
            passed += time;
            if peer_reads {
                asked = pings(role, &side.written()).pop().unwrap_or(asked);
            }
            step(&mut side, role, &asked);
        }
        let end = side.silence();
        prop_assert!(end.is_some_and(|end| end <= passed + seconds(40)), "{end:?} of {passed:?}");
        prop_assert!(side.close_event().is_some());
    }
}

/// The peer reads nothing and guesses the payloads of the Pings. The output must not grow.
#[test]
fn a_pong_to_an_unwritten_ping_does_not_allow_another_ping() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        let mut now = START;
        for guess in 1..=1000_u32 {
            now += seconds(20);
            peer.connection.handle_timeout(now);
            peer.receive(&pong(role, &guess.to_be_bytes()));
            peer.connection.handle_timeout(now);
            let length = peer.connection.output_len();
            assert!(length <= 10, "{length} bytes after {guess} Pings");
        }
    }
}
