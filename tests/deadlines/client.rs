//! The opening handshake of a client.

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
fn a_slow_server_times_out() {
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
            // This is one more turn, in which nothing arrives.
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
fn without_deadlines_there_is_no_timeout() {
    let mut client = handshake(Config::default());
    assert_eq!(client.timeout_at(), None);
    assert_eq!(client.handle_timeout(START), Ok(()));
    assert_eq!(client.handle_timeout(START + seconds(1 << 40)), Ok(()));
}
#[test]
fn no_deadline_is_left_after_a_response_or_an_error() {
    let response = &b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..];
    for (bytes, is_response) in [(response, true), (b"\0\0\0\0", false)] {
        let mut client = handshake(config());
        let mut buffer = ReadBuffer::new();
        assert_eq!(client.handle_timeout(START), Ok(()));
        buffer.extend_from_slice(bytes);
        let expected = client.read_response(&mut buffer).map(|it| it.is_some());
        assert_eq!(expected.unwrap_or_default(), is_response);
        assert_eq!(client.timeout_at(), None);
        let later = client.handle_timeout(START + seconds(3600));
        assert_eq!(later, expected.map(drop));
    }
}
#[test]
fn the_request_may_be_written_in_pieces() {
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
fn advancing_by_more_than_the_request_panics() {
    let mut client = handshake(Config::default());
    client.advance_output(client.request().len() + 1);
}
