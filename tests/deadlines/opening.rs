//! The opening handshake, seen by a server.

use sockless::handshake::{RequestError, ServerHandshake};
use sockless::{Config, ReadBuffer};

use super::simulation::Simulation;
use super::{START, config, seconds};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Refused when the deadline has passed, and closed when the peer does not end the stream either.
fn is_refused(server: &mut Simulation) {
    assert!(server.written().starts_with(b"HTTP/1.1 408 "));
    assert_eq!(server.shut_down, Some(START + seconds(10)));
    assert_eq!(server.closed(), Some(seconds(20)));
    let ending = server.close_event().unwrap();
    assert_eq!((ending.code, ending.was_clean), (1006, false));
}

#[test]
fn a_silent_client_is_refused() {
    let mut server = Simulation::server(config());
    assert_eq!(server.silence(), Some(seconds(20)));
    is_refused(&mut server);
}

/// Every byte of a request in time, but the request never whole.
#[test]
fn a_slow_client_is_refused() {
    let mut server = Simulation::server(config());
    server.send(b"GET / HTTP/1.1\r\nA: ");
    assert_eq!(server.trickle(b"a"), Some(seconds(20)));
    is_refused(&mut server);
}

#[test]
fn a_client_that_ends_the_stream_is_closed_at_once() {
    let mut server = Simulation::server(config());
    server.pass(seconds(12));
    assert_eq!(
        (server.closed(), server.shut_down),
        (None, Some(START + seconds(10)))
    );
    server.end_stream();
    assert_eq!(server.closed(), Some(seconds(12)));
}

#[test]
fn a_request_in_the_last_moment_is_in_time() {
    let mut server = Simulation::server(config());
    server.pass(std::time::Duration::from_nanos(9_999_999_999));
    server.send(REQUEST);
    assert!(server.written().starts_with(b"HTTP/1.1 101 "));
    assert_eq!(server.closed, None);
}

/// It came before the deadline was told, whenever the loop got round to it.
#[test]
fn a_request_is_read_before_the_time_is_told() {
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(reader.handle_timeout(START), Ok(()));
    buffer.extend_from_slice(REQUEST);
    assert!(
        reader
            .read_request(&mut buffer)
            .is_ok_and(|request| request.is_some())
    );
    // Then it is over, however long the application takes to answer.
    assert_eq!(reader.timeout_at(), None);
    assert_eq!(reader.handle_timeout(START + seconds(3600)), Ok(()));
}

#[test]
fn an_error_is_final() {
    let mut reader = ServerHandshake::new(&config());
    assert_eq!(reader.timeout_at(), Some(seconds(0)));
    assert_eq!(reader.handle_timeout(START), Ok(()));
    assert_eq!(reader.timeout_at(), Some(START + seconds(10)));
    let late = Err(RequestError::Timeout);
    assert_eq!(reader.handle_timeout(START + seconds(10)), Ok(()));
    assert_eq!(reader.timeout_at(), Some(seconds(0)), "one more turn");
    assert_eq!(reader.handle_timeout(START + seconds(10)), late);
    assert_eq!(reader.timeout_at(), None);
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(REQUEST);
    assert_eq!(reader.read_request(&mut buffer).map(drop), late.map(drop));
    assert_eq!(reader.handle_timeout(START), late);

    // Another error is final, too, and no deadline comes after it.
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\0");
    let error = reader.read_request(&mut buffer).unwrap_err();
    assert_eq!(reader.timeout_at(), None);
    assert_eq!(reader.handle_timeout(START + seconds(3600)), Err(error));
}

#[test]
fn without_deadlines_none_comes() {
    let mut reader = ServerHandshake::new(&Config::default());
    assert_eq!(reader.timeout_at(), None);
    assert_eq!(reader.handle_timeout(START), Ok(()));
    assert_eq!(reader.handle_timeout(START + seconds(1 << 40)), Ok(()));
    assert_eq!(reader.timeout_at(), None);
}

/// The answer is never read, so the peer cannot be told.
#[test]
fn a_refused_client_that_reads_nothing_is_closed() {
    let mut server = Simulation::server(config());
    server.peer_reads = false;
    server.send(&[b"GET / HTTP/1.1\r\n", &vec![b'x'; 20_000][..]].concat());
    assert_eq!(server.silence(), Some(seconds(10)));
}
