//! The opening handshake of a server.

use sockless::handshake::{RequestError, ServerHandshake};
use sockless::test_util::OPENING_REQUEST;
use sockless::{Config, ReadBuffer};

use super::simulation::Simulation;
use super::{START, config, seconds};

/// The server refuses the client at the deadline. It closes one deadline later, because the peer does not end the
/// stream.
fn is_refused(server: &mut Simulation) {
    assert!(server.written().starts_with(b"HTTP/1.1 408 "));
    assert_eq!(server.shut_down, Some(START + seconds(10)));
    assert_eq!(server.closed(), Some(seconds(20)));
    let ending = server.close_event().unwrap();
    assert_eq!((ending.code, ending.was_clean), (1006, false));
}

#[test]
fn a_silent_or_slow_client_is_refused() {
    let mut server = Simulation::server(config());
    assert_eq!(server.silence(), Some(seconds(20)));
    is_refused(&mut server);

    // Every byte arrives in time, but the request never ends.
    let mut server = Simulation::server(config());
    server.send(b"GET / HTTP/1.1\r\nA: ");
    assert_eq!(server.trickle(b"a"), Some(seconds(20)));
    is_refused(&mut server);
}
#[test]
fn the_end_of_the_stream_after_a_refusal_closes_at_once() {
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
fn a_request_just_before_the_deadline_is_accepted() {
    let mut server = Simulation::server(config());
    server.pass(std::time::Duration::from_nanos(9_999_999_999));
    server.send(OPENING_REQUEST);
    assert!(server.written().starts_with(b"HTTP/1.1 101 "));
    assert_eq!(server.closed, None);
}

/// After the request there is no deadline, even if the application answers late.
#[test]
fn no_deadline_is_left_after_the_request() {
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(reader.handle_timeout(START), Ok(()));
    buffer.extend_from_slice(OPENING_REQUEST);
    assert!(reader.read_request(&mut buffer).unwrap().is_some());
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
    buffer.extend_from_slice(OPENING_REQUEST);
    assert_eq!(reader.read_request(&mut buffer).map(drop), late.map(drop));
    assert_eq!(reader.handle_timeout(START), late);

    // Another error is final, too. No deadline is left after it.
    let mut reader = ServerHandshake::new(&config());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\0");
    let error = reader.read_request(&mut buffer).unwrap_err();
    assert_eq!(reader.timeout_at(), None);
    assert_eq!(reader.handle_timeout(START + seconds(3600)), Err(error));
}

#[test]
fn without_deadlines_there_is_no_timeout() {
    let mut reader = ServerHandshake::new(&Config::default());
    for time in [START, START + seconds(1 << 40)] {
        assert_eq!(reader.timeout_at(), None);
        assert_eq!(reader.handle_timeout(time), Ok(()));
    }
    assert_eq!(reader.timeout_at(), None);
}
/// The peer never reads, so the server cannot write the refusal.
#[test]
fn a_refused_client_that_reads_nothing_is_closed() {
    let mut server = Simulation::server(config());
    server.peer_reads = false;
    server.send(&[b"GET / HTTP/1.1\r\n", &vec![b'x'; 20_000][..]].concat());
    assert_eq!(server.silence(), Some(seconds(10)));
}
