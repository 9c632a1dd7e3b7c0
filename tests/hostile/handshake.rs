//! The opening handshake: corners of what a peer may send in it.

use sockless::accept_key;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, Request, RequestError, Response, ResponseError,
    ServerHandshake, ServerOptions, Uri,
};
use sockless::test_util::{Frame, Role};
use sockless::{Config, Connection, Seed};

use super::{REQUEST, buffer};

/// A server that is refused cannot mend it with a second response.
#[test]
fn an_error_of_the_clients_handshake_is_final() {
    let uri = Uri::parse("ws://host").unwrap();
    let mut handshake =
        ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([1; 32])).unwrap();
    let request = String::from_utf8(handshake.request().to_vec()).unwrap();
    let key = request
        .split("Sec-WebSocket-Key: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    let good = String::from_utf8(accept_key(key.as_bytes()).to_vec()).unwrap();
    let head = |accept: &str| {
        format!(
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    };
    let mut buffer = buffer([head("wrong"), head(&good)].concat().as_bytes());
    for _ in 0..3 {
        assert_eq!(
            handshake.read_response(&mut buffer).err(),
            Some(ResponseError::Accept)
        );
    }
    // Nor does one that an HTTP library has read.
    assert_eq!(
        handshake.establish(Response::new(200, vec![])).err(),
        Some(ResponseError::Accept)
    );
}

/// A line that no head can have is refused at its end, so that it does not hold the server up.
#[test]
fn a_bad_line_is_refused_when_it_ends() {
    let many = format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(101));
    for (head, error) in [
        ("this is no http\r\n", RequestError::MalformedHead),
        ("\u{16}\u{3}\u{1}\u{2}\r\n", RequestError::MalformedHead),
        ("GET / HTTP/9.9\r\n", RequestError::UnsupportedHttpVersion),
        (
            "GET / HTTP/1.1\r\nHost : a\r\n",
            RequestError::MalformedHead,
        ),
        ("GET / HTTP/1.1\r\n: a\r\n", RequestError::MalformedHead),
        ("GET / HTTP/x.1\r\n", RequestError::MalformedHead),
        ("GET / HTTP/1.x\r\n", RequestError::MalformedHead),
        (
            "GET / HTTP/1.1\r\nno colon\r\n",
            RequestError::MalformedHead,
        ),
        ("GET / HTTP/1.1\r\nnocolon\r\n", RequestError::MalformedHead),
        (&many, RequestError::TooManyHeaders),
    ] {
        let (before, last) = head.split_at(head.len() - 1);
        let mut handshake = ServerHandshake::new(&Config::default());
        let mut buffer = buffer(before.as_bytes());
        assert_eq!(handshake.read_request(&mut buffer), Ok(None), "{head:?}");
        buffer.extend_from_slice(last.as_bytes());
        let refused = handshake.read_request(&mut buffer);
        assert_eq!(refused, Err(error), "{head:?}");
    }
}

/// A buffer that was searched for a head and then emptied otherwise starts over.
#[test]
fn an_emptied_buffer_remembers_no_search() {
    let config = Config::default();
    let mut buffer = buffer(&Frame::new(0x82, [0x11; 100]).encode(Role::Server));
    let mut handshake = ServerHandshake::new(&config);
    assert_eq!(handshake.read_request(&mut buffer), Ok(None));
    let mut connection = Connection::server(&config);
    while connection.next_event(&mut buffer).unwrap().is_some() {}
    assert!(buffer.is_empty());
    buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut next = ServerHandshake::new(&config);
    assert!(next.read_request(&mut buffer).unwrap().is_some());
    // The first handshake has searched more bytes than that. To give it another transport is a mistake of the caller, but
    // no panic.
    buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    _ = handshake.read_request(&mut buffer);
}

/// Only a path, or a URI whose host then counts, is something to connect to.
#[test]
fn targets() {
    let accept = |target: &str, origin: &str| {
        let request = REQUEST.replace("GET /", &format!("GET {target}"));
        let request = request.replace("Host: a", &format!("Host: a\r\nOrigin: {origin}"));
        let mut buffer = buffer(request.as_bytes());
        let request = ServerHandshake::new(&Config::default())
            .read_request(&mut buffer)?
            .unwrap();
        request.accept(&ServerOptions::default()).map(drop)
    };
    for target in ["/", "/a?b[c]=d", "http://a/", "https://A", "http://a?b"] {
        assert_eq!(accept(target, "http://a"), Ok(()), "{target}");
    }
    assert_eq!(accept("http://b/", "http://a"), Err(RequestError::Origin));
    assert_eq!(accept("http://b/", "http://b"), Ok(()));
    for target in [
        "*",
        "foo",
        "a:80",
        "/a#b",
        "ftp://a/",
        "http:///",
        "http://u@a/",
        "//a://b",
    ] {
        let expected = if target.starts_with("//") {
            Ok(())
        } else {
            Err(RequestError::Target)
        };
        assert_eq!(accept(target, "http://a"), expected, "{target}");
    }
}

/// RFC 9110 sections 9.3.2 and 15.3.6: where there is no body, nothing is sent that could pass for the
/// beginning of the next response.
#[test]
fn answers_without_a_body() {
    let mut buffer = buffer(REQUEST.replace("GET", "HEAD").as_bytes());
    let request = ServerHandshake::new(&Config::default())
        .read_request(&mut buffer)
        .unwrap()
        .unwrap();
    let refusal = request.accept(&ServerOptions::default()).unwrap_err();
    assert_eq!(refusal, RequestError::Method);
    assert!(refusal.response().ends_with(b"\r\n\r\n"));
    let get = Request::new("GET", "/", vec![]);
    assert!(
        get.respond(205, &[], b"body")
            .unwrap()
            .ends_with(b"Content-Length: 0\r\n\r\n")
    );
}

/// An HTTP library that writes the headers sends the same request.
#[test]
fn the_headers_of_a_clients_request() {
    let options = ClientOptions::new()
        .with_subprotocols(&["a", "b"])
        .with_origin("http://c")
        .with_headers(&[
            Header {
                name: "X-Bytes",
                value: b"\xff: x",
            },
            Header {
                name: "X-Empty",
                value: b"",
            },
        ]);
    let uri = Uri::parse("ws://host:81/path?query").unwrap();
    let handshake = ClientHandshake::new(&uri, &options, Seed::new([1; 32])).unwrap();
    let mut buffer = buffer(handshake.request());
    let request = ServerHandshake::new(&Config::default())
        .read_request(&mut buffer)
        .unwrap()
        .unwrap();
    assert_eq!(request.headers(), handshake.headers());
    assert_eq!(request.headers().len(), 9);
    assert_eq!(request.target(), "/path?query");
}
