//! The opening handshake, seen by a client.

use std::time::Duration;

use sockless::handshake::{ClientHandshake, ClientOptions, ResponseError, Uri};
use sockless::{Config, ReadBuffer, Seed};

use super::{START, config, seconds};

fn handshake(config: Config) -> ClientHandshake {
    let options = ClientOptions::new().with_config(config);
    let uri = Uri::parse("ws://localhost/").unwrap();
    ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap()
}

#[test]
fn a_slow_server_is_given_up() {
    let mut client = handshake(config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(client.timeout_at(), Some(seconds(0)));
    buffer.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nA: ");
    let mut now = START;
    let error = loop {
        assert!(client.read_response(&mut buffer).unwrap().is_none());
        if let Err(error) = client.handle_timeout(now) {
            break error;
        }
        if client.timeout_at() == Some(Duration::ZERO) {
            // One more turn, in which nothing comes.
            continue;
        }
        assert_eq!(client.timeout_at(), Some(START + seconds(10)));
        now += seconds(1);
        buffer.extend_from_slice(b"a");
    };
    assert_eq!((now, error), (START + seconds(10), ResponseError::Timeout));
    assert_eq!(client.timeout_at(), None);
    assert_eq!(client.handle_timeout(START), Err(error));
    assert_eq!(client.read_response(&mut buffer).map(drop), Err(error));
}

#[test]
fn without_deadlines_none_comes() {
    let mut client = handshake(Config::default());
    assert_eq!(client.timeout_at(), None);
    assert_eq!(client.handle_timeout(START), Ok(()));
    assert_eq!(client.handle_timeout(START + seconds(1 << 40)), Ok(()));
}

#[test]
fn no_deadline_comes_after_the_response() {
    let mut client = handshake(config());
    let mut buffer = ReadBuffer::new();
    assert_eq!(client.handle_timeout(START), Ok(()));
    buffer.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert!(client.read_response(&mut buffer).unwrap().is_some());
    assert_eq!(client.timeout_at(), None);
    assert_eq!(client.handle_timeout(START + seconds(3600)), Ok(()));
}

/// After another error there is nothing to wait for.
#[test]
fn no_deadline_comes_after_an_error() {
    let mut client = handshake(config());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\0\0\0\0");
    let error = client.read_response(&mut buffer).unwrap_err();
    assert_eq!(client.timeout_at(), None);
    assert_eq!(client.handle_timeout(START + seconds(3600)), Err(error));
}

#[test]
fn the_request_is_written_in_pieces() {
    let mut client = handshake(Config::default());
    let request = client.request().to_vec();
    let mut written = Vec::new();
    while !client.output().is_empty() {
        let n = client.output().len().min(7);
        written.extend_from_slice(&client.output()[..n]);
        client.advance_output(n);
    }
    assert_eq!(written, request);
    assert_eq!(client.request(), request);
}

#[test]
#[should_panic(expected = "advanced by more than the output")]
fn more_than_the_request_cannot_be_written() {
    let mut client = handshake(Config::default());
    client.advance_output(client.request().len() + 1);
}
