//! The first call after a deadline gives one more turn to read. Any time is safe.

use std::time::Duration;

use sockless::handshake::{
    ClientHandshake, ClientOptions, RequestError, ResponseError, ServerHandshake, ServerOptions,
    Uri,
};
use sockless::test_util::{Frame, OPENING_REQUEST, OwnedEvent, Peer, Role, assert_legal};
use sockless::{CloseCode, Config, ReadBuffer, Seed, Timeout, TransportAction};

use super::{START, config, seconds, strict};

/// A time long after every deadline.
const LATE: Duration = Duration::from_secs(1_003_600);

/// Writes all output, and returns the payload of its last Ping.
fn write(peer: &mut Peer) -> Option<Vec<u8>> {
    let role = peer.connection.role();
    let ping = |event| match event {
        OwnedEvent::Ping(payload) => Some(payload),
        _ => None,
    };
    let events = assert_legal(role, &peer.write_all());
    events.into_iter().rev().find_map(ping)
}

/// Returns a connection that has written a Ping, and the answer to the Ping.
fn pinged(role: Role, config: &Config) -> (Peer, Vec<u8>) {
    let mut peer = Peer::new(role, config);
    peer.connection.handle_timeout(START);
    peer.connection.handle_timeout(START + seconds(20));
    let payload = write(&mut peer).unwrap();
    (peer, Frame::new(0x8a, payload).encode(role))
}

/// Passes the late time. The connection stays open.
#[track_caller]
fn is_late_and_open(peer: &mut Peer) {
    peer.connection.handle_timeout(LATE);
    assert_eq!(peer.close_event(), None);
}

fn client() -> ClientHandshake {
    let options = ClientOptions::new().with_config(config());
    let uri = Uri::parse("ws://localhost/").unwrap();
    ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap()
}

/// The process was stopped. Then it passes the time after each read. Each row is a frame and its number before the
/// Pong, the size of a read, and whether the loop passes the time before the first read, too.
#[test]
fn an_unread_pong_counts_after_its_deadline() {
    let table = [
        (Frame::new(0x82, ""), 0, usize::MAX, true),
        (Frame::new(0x82, [7; 500]), 10, 500, true),
        (Frame::new(0x89, "x"), 1000, 100, false),
        // Reads end inside a frame, even inside its header.
        (Frame::new(0x82, [7; 300]), 1, 1, true),
    ];
    for role in Role::BOTH {
        for config in [config(), strict()] {
            for (before, count, read, late_first) in &table {
                let (mut peer, pong) = pinged(role, &config);
                if *late_first {
                    is_late_and_open(&mut peer);
                    assert_eq!(peer.connection.timeout_at(), Some(Duration::ZERO));
                }
                let before = before.encode(role).repeat(*count);
                for piece in [before, pong].concat().chunks(*read) {
                    peer.receive(piece);
                    is_late_and_open(&mut peer);
                    write(&mut peer);
                }
                assert_eq!(peer.events().len(), count + 1);
                assert_eq!(peer.connection.timeout_at(), Some(LATE + seconds(20)));
            }
        }
    }
}

/// Reading the same bytes again is no progress.
#[test]
fn an_unfinished_frame_counts_once() {
    for role in Role::BOTH {
        for config in [config(), strict()] {
            let (mut peer, pong) = pinged(role, &config);
            peer.receive(&pong[..2]);
            for _ in 0..3 {
                peer.take_events();
                peer.connection.handle_timeout(LATE);
            }
            assert!(peer.close_event().is_some());
        }
    }
}

#[test]
fn the_second_late_call_without_data_ends_the_connection() {
    for role in Role::BOTH {
        let (mut peer, _) = pinged(role, &config());
        is_late_and_open(&mut peer);
        peer.connection.handle_timeout(LATE);
        assert_eq!(peer.close_event().unwrap().timeout, Some(Timeout::Pong));
        let action = peer.connection.transport_action();
        assert_eq!(action, TransportAction::Close);
        assert_eq!(peer.connection.timeout_at(), None);
    }
}

#[test]
fn an_unread_close_frame_counts_after_its_deadline() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        peer.connection.handle_timeout(START);
        write(&mut peer);
        is_late_and_open(&mut peer);
        peer.receive(&Frame::new(0x81, "last words").encode(role));
        peer.receive(&Frame::close(1000, "").encode(role));
        assert_eq!(peer.events().len(), 2);
        let ending = peer.close_event().unwrap();
        assert!(ending.was_clean && ending.timeout.is_none());
    }
}

#[test]
fn an_unread_request_counts_after_its_deadline() {
    // The loop reads small pieces, and passes the time after each.
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(reader.handle_timeout(START), Ok(()));
    assert_eq!(reader.handle_timeout(LATE), Ok(()));
    assert_eq!(reader.timeout_at(), Some(Duration::ZERO));
    let mut rest = OPENING_REQUEST.len();
    for piece in OPENING_REQUEST.chunks(10) {
        buffer.extend_from_slice(piece);
        rest -= piece.len();
        let request = reader.read_request(&mut buffer).unwrap();
        assert_eq!(request.is_some(), rest == 0);
        assert_eq!(reader.handle_timeout(LATE), Ok(()));
    }
    assert_eq!(reader.timeout_at(), None);

    // `accept` reads the buffer before it looks at the time.
    let options = ServerOptions::new().with_config(config());
    let mut handshake = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    for now in [START, LATE] {
        let connection = handshake.accept(&mut buffer, &options, now);
        assert!(connection.is_none(), "{now:?}");
    }
    buffer.extend_from_slice(OPENING_REQUEST);
    let connection = handshake.accept(&mut buffer, &options, LATE);
    assert!(connection.is_some_and(|connection| connection.can_send()));
}

#[test]
fn an_unread_response_counts_after_its_deadline() {
    let mut client = client();
    let mut buffer = ReadBuffer::new();
    assert_eq!(client.handle_timeout(START), Ok(()));
    assert_eq!(client.handle_timeout(LATE), Ok(()));
    assert_eq!(client.timeout_at(), Some(Duration::ZERO));
    buffer.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let opening = client.read_response(&mut buffer).unwrap();
    assert!(matches!(opening, Some((_, None))));
    assert_eq!(client.handle_timeout(LATE), Ok(()));
}

/// A peer that sends the head in single bytes still times out, at most one deadline later.
#[test]
fn a_head_in_single_bytes_times_out() {
    for (now, pause) in [(0, 1000), (9, 100)] {
        let mut reader = ServerHandshake::new(&config());
        let mut buffer = ReadBuffer::new();
        assert_eq!(reader.handle_timeout(START), Ok(()));
        let mut now = START + seconds(now);
        let error = loop {
            buffer.extend_from_slice(b"G");
            assert!(reader.read_request(&mut buffer).unwrap().is_none());
            now += Duration::from_millis(pause);
            assert!(now <= START + seconds(20), "too long");
            if let Err(error) = reader.handle_timeout(now) {
                break error;
            }
        };
        assert_eq!(error, RequestError::Timeout);
    }
}

#[test]
fn earlier_times_are_ignored() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.handle_timeout(seconds(1000));
        connection.close(CloseCode::NORMAL, "").unwrap();
        for time in [5, 20] {
            connection.handle_timeout(seconds(time));
            assert_eq!(connection.close_event(), None);
            assert_eq!(connection.timeout_at(), Some(seconds(1010)));
        }

        // The round trip is not negative, and the next interval does not begin in the past.
        let (mut peer, pong) = pinged(role, &config());
        peer.receive(&pong);
        peer.connection.handle_timeout(seconds(7));
        assert_eq!(peer.connection.round_trip_time(), Some(seconds(0)));
        assert_eq!(peer.connection.timeout_at(), Some(START + seconds(40)));
    }
    let mut reader = ServerHandshake::new(&config());
    assert_eq!(reader.handle_timeout(seconds(1000)), Ok(()));
    assert_eq!(reader.handle_timeout(seconds(1010)), Ok(()));
    let late = Err(RequestError::Timeout);
    assert_eq!(reader.handle_timeout(seconds(5)), late);
    let mut client = client();
    assert_eq!(client.handle_timeout(seconds(1010)), Ok(()));
    assert_eq!(client.handle_timeout(seconds(0)), Ok(()));
    assert_eq!(client.timeout_at(), Some(seconds(1020)));
    assert_eq!(client.handle_timeout(seconds(1020)), Ok(()));
    let late = Err(ResponseError::Timeout);
    assert_eq!(client.handle_timeout(seconds(0)), late);
}

/// One wrong time of a clock does not stop the Pings and does not panic, in any state.
#[test]
fn the_largest_time_is_safe_in_any_state() {
    type Prepare = fn(Role, &mut Peer);
    let states: [Prepare; 5] = [
        |_, _| {},
        |_, peer| peer.connection.handle_timeout(START),
        |_, peer| {
            peer.connection.handle_timeout(START);
            peer.connection.handle_timeout(START + seconds(20));
        },
        |_, peer| peer.connection.close(CloseCode::NORMAL, "").unwrap(),
        |role, peer| {
            peer.receive(&Frame::new(0x83, "reserved").encode(role));
            assert!(peer.error.is_some());
        },
    ];
    for role in Role::BOTH {
        for prepare in states {
            let mut peer = Peer::new(role, &config());
            prepare(role, &mut peer);
            peer.connection.handle_timeout(Duration::MAX);
            // A silent peer times out soon, whatever times follow.
            for _ in 0..10 {
                write(&mut peer);
                peer.connection.handle_timeout(START);
            }
            let action = peer.connection.transport_action();
            assert_eq!(action, TransportAction::Close);
            assert!(peer.close_event().unwrap().timeout.is_some());
        }
        // A peer that answers stays connected.
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(Duration::MAX);
        let mut pongs = 0;
        for _ in 0..10 {
            if let Some(payload) = write(&mut peer) {
                peer.receive(&Frame::new(0x8a, payload).encode(role));
                pongs += 1;
            }
            peer.connection.handle_timeout(START);
        }
        assert!(peer.connection.can_send() && pongs > 2, "{pongs}");
    }
}

/// Each skipped head or line counts as progress, even if all have the same length.
#[test]
fn skipped_bytes_before_a_head_count_after_the_deadline() {
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(reader.handle_timeout(START), Ok(()));
    assert_eq!(reader.handle_timeout(LATE), Ok(()));
    for piece in [&b"\r\n"[..], b"\r\n", b"GE", b"T / HTTP/1.1\r\n"] {
        buffer.extend_from_slice(piece);
        assert!(reader.read_request(&mut buffer).unwrap().is_none());
        assert_eq!(reader.handle_timeout(LATE), Ok(()), "{piece:?}");
    }
    assert_eq!(reader.handle_timeout(LATE), Err(RequestError::Timeout));

    let mut client = client();
    let mut buffer = ReadBuffer::new();
    assert_eq!(client.handle_timeout(START), Ok(()));
    assert_eq!(client.handle_timeout(LATE), Ok(()));
    for _ in 0..3 {
        buffer.extend_from_slice(b"HTTP/1.1 102 Processing\r\n\r\n");
        assert!(client.read_response(&mut buffer).unwrap().is_none());
        assert_eq!(client.handle_timeout(LATE), Ok(()));
    }
    assert_eq!(client.handle_timeout(LATE), Err(ResponseError::Timeout));
}

/// After a failure, the peer's Close frame may come after many other frames. It decides the code.
#[test]
fn a_close_frame_after_a_failure_and_many_bytes_counts() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &config());
        peer.connection.handle_timeout(START);
        let stream = [
            Frame::new(0xc1, "wrong").encode(role),
            Frame::new(0x82, vec![7; 1000]).encode(role),
            Frame::close(1001, "").encode(role),
        ]
        .concat();
        for piece in stream.chunks(100) {
            peer.receive(piece);
            peer.connection.handle_timeout(LATE);
            write(&mut peer);
        }
        let ending = peer.close_event().unwrap();
        assert_eq!((ending.code, ending.timeout), (1001, None));
    }
}

/// A loop with another clock goes on from the latest time.
#[test]
fn the_latest_time_is_remembered() {
    let mut connection = sockless::Connection::server(&config());
    assert_eq!(connection.latest_time(), Some(seconds(0)));
    for (passed, latest) in [(5, 5), (3, 5), (9, 9)] {
        connection.handle_timeout(seconds(passed));
        assert_eq!(connection.latest_time(), Some(seconds(latest)));
    }
    let without = sockless::Connection::server(&Config::default());
    assert_eq!(without.latest_time(), None);
}
