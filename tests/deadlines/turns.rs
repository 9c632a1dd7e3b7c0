//! A deadline that passes gives one more turn to read, and no time is unsafe.

use std::time::Duration;

use sockless::handshake::{
    ClientHandshake, ClientOptions, RequestError, ResponseError, ServerHandshake, Uri,
};
use sockless::test_util::{Frame, OwnedEvent, Role, assert_legal};
use sockless::{CloseCode, Config, Connection, ReadBuffer, Seed, Timeout, TransportAction};

use super::{START, config, seconds, strict};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Long after every deadline.
const LATE: Duration = Duration::from_secs(1_003_600);

/// Writes all output, and returns the payload of the last Ping in it.
fn write(role: Role, connection: &mut Connection) -> Option<Vec<u8>> {
    let output: Vec<u8> = connection.output_parts().flatten().copied().collect();
    connection.advance_output(output.len());
    let ping = |event| match event {
        OwnedEvent::Ping(payload) => Some(payload),
        _ => None,
    };
    assert_legal(role, &output).into_iter().rev().find_map(ping)
}

/// A connection whose Ping was written, and its payload.
fn pinged(role: Role, config: &Config) -> (Connection, Vec<u8>) {
    let mut connection = role.connection(config);
    connection.handle_timeout(START);
    connection.handle_timeout(START + seconds(20));
    let payload = write(role, &mut connection).unwrap();
    (connection, payload)
}

fn take_events(connection: &mut Connection, buffer: &mut ReadBuffer) -> usize {
    let mut events = 0;
    while let Ok(Some(_)) = connection.next_event(buffer) {
        events += 1;
    }
    events
}

/// The process stood still, and passes the time before it reads.
#[test]
fn a_pong_that_is_unread_when_its_deadline_passes_counts() {
    for role in Role::BOTH {
        for config in [config(), strict()] {
            let (mut connection, payload) = pinged(role, &config);
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(&Frame::new(0x8a, payload).encode(role));
            connection.handle_timeout(LATE);
            assert_eq!(connection.close_event(), None);
            assert_eq!(connection.timeout_at(), Some(Duration::ZERO));
            assert_eq!(take_events(&mut connection, &mut buffer), 1);
            connection.handle_timeout(LATE);
            assert_eq!(connection.close_event(), None);
            assert_eq!(connection.timeout_at(), Some(LATE + seconds(20)));
        }
    }
}

/// The backlog takes several turns to read, and the Pong is at its end.
#[test]
fn a_pong_at_the_end_of_a_long_backlog_counts() {
    for role in Role::BOTH {
        for config in [config(), strict()] {
            let (mut connection, payload) = pinged(role, &config);
            let mut buffer = ReadBuffer::new();
            for _ in 0..10 {
                connection.handle_timeout(LATE);
                assert_eq!(connection.close_event(), None);
                buffer.extend_from_slice(&Frame::new(0x82, [7; 500]).encode(role));
                assert_eq!(take_events(&mut connection, &mut buffer), 1);
            }
            buffer.extend_from_slice(&Frame::new(0x8a, &*payload).encode(role));
            assert_eq!(take_events(&mut connection, &mut buffer), 1);
            connection.handle_timeout(LATE);
            assert_eq!(connection.timeout_at(), Some(LATE + seconds(20)));
        }
    }
}

#[test]
fn a_deadline_that_passes_again_without_data_ends_the_connection() {
    for role in Role::BOTH {
        let (mut connection, _) = pinged(role, &config());
        connection.handle_timeout(LATE);
        assert_eq!(connection.close_event(), None);
        connection.handle_timeout(LATE);
        let ending = connection.close_event().unwrap();
        assert_eq!(ending.timeout, Some(Timeout::Pong));
        assert_eq!(connection.transport_action(), TransportAction::Close);
        assert_eq!(connection.timeout_at(), None);
    }
}

#[test]
fn a_close_that_is_unread_when_its_deadline_passes_counts() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.handle_timeout(START);
        connection.close(CloseCode::NORMAL, "").unwrap();
        connection.handle_timeout(START);
        write(role, &mut connection);
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&Frame::new(0x81, "last words").encode(role));
        buffer.extend_from_slice(&Frame::close(1000, "").encode(role));
        connection.handle_timeout(LATE);
        assert_eq!(connection.close_event(), None);
        assert_eq!(take_events(&mut connection, &mut buffer), 2);
        let ending = connection.close_event().unwrap();
        assert!(ending.was_clean && ending.timeout.is_none());
    }
}

#[test]
fn a_request_that_is_unread_when_its_deadline_passes_counts() {
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(reader.handle_timeout(START), Ok(()));
    assert_eq!(reader.handle_timeout(LATE), Ok(()));
    assert_eq!(reader.timeout_at(), Some(Duration::ZERO));
    // Read in small pieces, with a look at the clock after each.
    for piece in REQUEST.chunks(10) {
        buffer.extend_from_slice(piece);
        let request = reader.read_request(&mut buffer).unwrap();
        assert_eq!(request.is_some(), piece.ends_with(b"\r\n\r\n"));
        assert_eq!(reader.handle_timeout(LATE), Ok(()));
    }
    assert_eq!(reader.timeout_at(), None);
}

#[test]
fn a_response_that_is_unread_when_its_deadline_passes_counts() {
    let options = ClientOptions::new().with_config(config());
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
    let mut buffer = ReadBuffer::new();
    assert_eq!(client.handle_timeout(START), Ok(()));
    assert_eq!(client.handle_timeout(LATE), Ok(()));
    assert_eq!(client.timeout_at(), Some(Duration::ZERO));
    buffer.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let opening = client.read_response(&mut buffer).unwrap();
    assert!(matches!(opening, Some((_, None))));
    assert_eq!(client.handle_timeout(LATE), Ok(()));
}

/// Whoever sends the head byte by byte is given up all the same, one period later at most.
#[test]
fn a_head_in_single_bytes_ends_with_the_deadline() {
    for (now, pause) in [(seconds(0), seconds(1)), (seconds(9), Duration::ZERO)] {
        let mut reader = ServerHandshake::new(&config());
        let mut buffer = ReadBuffer::new();
        assert_eq!(reader.handle_timeout(START), Ok(()));
        let mut now = START + now;
        let error = loop {
            buffer.extend_from_slice(b"G");
            assert_eq!(
                reader.read_request(&mut buffer).map(|it| it.is_some()),
                Ok(false)
            );
            now += pause.max(Duration::from_millis(100));
            assert!(now <= START + seconds(20), "too long");
            if let Err(error) = reader.handle_timeout(now) {
                break error;
            }
        };
        assert_eq!(error, RequestError::Timeout);
    }
}

#[test]
fn an_earlier_time_counts_as_the_latest_so_far() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.handle_timeout(seconds(1000));
        connection.close(CloseCode::NORMAL, "").unwrap();
        connection.handle_timeout(seconds(5));
        assert_eq!(connection.timeout_at(), Some(seconds(1010)));
        connection.handle_timeout(seconds(20));
        assert_eq!(connection.close_event(), None);
        assert_eq!(connection.timeout_at(), Some(seconds(1010)));

        // The round trip does not end before it began, nor does the next interval begin in the past.
        let (mut connection, payload) = pinged(role, &config());
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&Frame::new(0x8a, payload).encode(role));
        take_events(&mut connection, &mut buffer);
        connection.handle_timeout(seconds(7));
        assert_eq!(connection.round_trip_time(), Some(seconds(0)));
        assert_eq!(connection.timeout_at(), Some(START + seconds(40)));
    }
    let mut reader = ServerHandshake::new(&config());
    assert_eq!(reader.handle_timeout(seconds(1000)), Ok(()));
    assert_eq!(reader.handle_timeout(seconds(1010)), Ok(()));
    assert_eq!(
        reader.handle_timeout(seconds(5)),
        Err(RequestError::Timeout)
    );
    let options = ClientOptions::new().with_config(config());
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
    assert_eq!(client.handle_timeout(seconds(1010)), Ok(()));
    assert_eq!(client.handle_timeout(seconds(0)), Ok(()));
    assert_eq!(client.timeout_at(), Some(seconds(1020)));
    assert_eq!(client.handle_timeout(seconds(1020)), Ok(()));
    assert_eq!(
        client.handle_timeout(seconds(0)),
        Err(ResponseError::Timeout)
    );
}

/// One wild value of a clock neither ends keepalive for ever nor panics, in any state.
#[test]
fn the_largest_time_is_safe_in_any_state() {
    type Prepare = fn(Role, &mut Connection);
    let states: [Prepare; 5] = [
        |_, _| {},
        |_, connection| connection.handle_timeout(START),
        |_, connection| {
            connection.handle_timeout(START);
            connection.handle_timeout(START + seconds(20));
        },
        |_, connection| connection.close(CloseCode::NORMAL, "").unwrap(),
        |role, connection| {
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(&Frame::new(0x83, "reserved").encode(role));
            connection.next_event(&mut buffer).unwrap_err();
        },
    ];
    for role in Role::BOTH {
        for prepare in states {
            let mut connection = role.connection(&config());
            prepare(role, &mut connection);
            connection.handle_timeout(Duration::MAX);
            // A silent peer is given up soon, whatever the clock says from then on.
            for _ in 0..10 {
                write(role, &mut connection);
                connection.handle_timeout(START);
            }
            assert_eq!(connection.transport_action(), TransportAction::Close);
            assert!(connection.close_event().unwrap().timeout.is_some());
        }
        // One that answers is kept.
        let mut connection = role.connection(&config());
        let mut buffer = ReadBuffer::new();
        connection.handle_timeout(Duration::MAX);
        let mut pongs = 0;
        for _ in 0..10 {
            if let Some(payload) = write(role, &mut connection) {
                buffer.extend_from_slice(&Frame::new(0x8a, payload).encode(role));
                take_events(&mut connection, &mut buffer);
                pongs += 1;
            }
            connection.handle_timeout(START);
        }
        assert!(connection.can_send() && pongs > 2, "{pongs}");
    }
}

/// More than one read of control frames lies before the Pong, and the loop passes the time after each.
#[test]
fn a_pong_behind_many_control_frames_counts() {
    for role in Role::BOTH {
        for config in [config(), strict()] {
            let (mut connection, payload) = pinged(role, &config);
            let mut buffer = ReadBuffer::new();
            let mut stream = Frame::new(0x89, "x").encode(role).repeat(1000);
            stream.extend(Frame::new(0x8a, payload).encode(role));
            for piece in stream.chunks(100) {
                buffer.extend_from_slice(piece);
                take_events(&mut connection, &mut buffer);
                connection.handle_timeout(LATE);
                assert_eq!(connection.close_event(), None);
                write(role, &mut connection);
            }
            assert_eq!(connection.timeout_at(), Some(LATE + seconds(20)));
        }
    }
}

/// Reads that end inside a frame: of the Pong, and of the header of a long message before it.
#[test]
fn a_part_of_a_frame_keeps_the_turn_going() {
    for role in Role::BOTH {
        for config in [config(), strict()] {
            let (mut connection, payload) = pinged(role, &config);
            let mut buffer = ReadBuffer::new();
            connection.handle_timeout(LATE);
            let mut stream = Frame::new(0x82, vec![7; 300]).encode(role);
            stream.extend(Frame::new(0x8a, payload).encode(role));
            for byte in stream {
                buffer.extend_from_slice(&[byte]);
                take_events(&mut connection, &mut buffer);
                connection.handle_timeout(LATE);
                assert_eq!(connection.close_event(), None);
            }
            assert_eq!(connection.timeout_at(), Some(LATE + seconds(20)));
            // But the same bytes looked at again are no news.
            let (mut connection, _) = pinged(role, &config);
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(&Frame::new(0x8a, "x").encode(role)[..2]);
            for _ in 0..3 {
                take_events(&mut connection, &mut buffer);
                connection.handle_timeout(LATE);
            }
            assert!(connection.close_event().is_some());
        }
    }
}

/// Of the heads before the awaited one each counts, also if they are of the same length.
#[test]
fn what_is_skipped_before_a_head_keeps_the_turn_going() {
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

    let options = ClientOptions::new().with_config(config());
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
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

/// After a failure the peer's Close frame may be at the end of a long backlog. It decides the code.
#[test]
fn a_close_behind_a_backlog_after_a_failure_is_found() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        let mut buffer = ReadBuffer::new();
        connection.handle_timeout(START);
        let stream = [
            Frame::new(0xc1, "wrong").encode(role),
            Frame::new(0x82, vec![7; 1000]).encode(role),
            Frame::close(1001, "").encode(role),
        ]
        .concat();
        for piece in stream.chunks(100) {
            buffer.extend_from_slice(piece);
            take_events(&mut connection, &mut buffer);
            connection.handle_timeout(LATE);
            write(role, &mut connection);
        }
        let ending = connection.close_event().unwrap();
        assert_eq!((u16::from(ending.code), ending.timeout), (1001, None));
    }
}
