//! Edge cases of the opening handshake.

use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, Request, RequestError, Response, ResponseError,
    ServerHandshake, ServerOptions, Uri,
};
use sockless::test_util::{Frame, Role};
use sockless::{Config, Connection, Seed};

use super::{REQUEST, accept, buffer, client, response};

/// A second response does not change the error.
#[test]
fn an_error_of_the_clients_handshake_is_final() {
    let mut client = client(1);
    let good = response(&client, "");
    let wrong = good.replace("Accept: ", "Accept: x");
    let mut buffer = buffer([wrong, good].concat().as_bytes());
    let error = Some(ResponseError::Accept);
    for _ in 0..3 {
        assert_eq!(client.read_response(&mut buffer).err(), error);
    }
    let other = client.establish(Response::new(200, vec![]));
    assert_eq!(other.err(), error);
}

/// The server does not wait for the end of a head that has a bad line.
#[test]
fn a_bad_line_is_refused_when_it_ends() {
    let many = format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(101));
    let malformed = RequestError::MalformedHead;
    for (head, error) in [
        ("this is no http\r\n", malformed),
        ("\u{16}\u{3}\u{1}\u{2}\r\n", malformed),
        ("GET / HTTP/9.9\r\n", RequestError::UnsupportedHttpVersion),
        ("GET / HTTP/1.1\r\nHost : a\r\n", malformed),
        ("GET / HTTP/1.1\r\n: a\r\n", malformed),
        ("GET / HTTP/x.1\r\n", malformed),
        ("GET / HTTP/1.x\r\n", malformed),
        ("GET / HTTP/1.1\r\nno colon\r\n", malformed),
        ("GET / HTTP/1.1\r\nnocolon\r\n", malformed),
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

/// The connection, not the handshake, empties the buffer.
#[test]
fn an_emptied_buffer_remembers_no_search() {
    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let config = Config::default();
    let mut buffer = buffer(&Frame::new(0x82, [0x11; 100]).encode(Role::Server));
    let mut handshake = ServerHandshake::new(&config);
    assert_eq!(handshake.read_request(&mut buffer), Ok(None));
    let mut connection = Connection::server(&config);
    while connection.next_event(&mut buffer).unwrap().is_some() {}
    assert!(buffer.is_empty());
    buffer.extend_from_slice(HEAD);
    let mut next = ServerHandshake::new(&config);
    assert!(next.read_request(&mut buffer).unwrap().is_some());
    // The first handshake has searched more bytes than the buffer has now. A handshake belongs to one transport, but a
    // second one must not cause a panic.
    buffer.extend_from_slice(HEAD);
    _ = handshake.read_request(&mut buffer);
}

/// RFC 9112, section 3.2.2: the host of an absolute target replaces the header `Host`.
#[test]
fn an_origin_is_compared_with_the_host_of_an_absolute_target() {
    for (path, origin, expected) in [
        ("/", "http://a", Ok(())),
        ("/a?b[c]=d", "http://a", Ok(())),
        ("//a://b", "http://a", Ok(())),
        ("http://a/", "http://a", Ok(())),
        ("https://A", "http://a", Ok(())),
        ("http://a?b", "http://a", Ok(())),
        ("http://b/", "http://b", Ok(())),
        ("http://b/", "http://a", Err(RequestError::Origin)),
    ] {
        let head = REQUEST
            .replace("GET /", &format!("GET {path}"))
            .replace("Host: a", &format!("Host: a\r\nOrigin: {origin}"));
        let found = accept(head.as_bytes(), &ServerOptions::default());
        assert_eq!(found, expected, "{path} from {origin}");
    }
}

/// RFC 9110, section 15.3.6: a body here would look like the beginning of the next response.
#[test]
fn a_205_has_no_body() {
    let get = Request::new("GET", "/", vec![]);
    let reset = get.respond(205, &[], b"body").unwrap();
    assert!(reset.ends_with(b"Content-Length: 0\r\n\r\n"));
}

/// An HTTP library may write these headers instead of the bytes of the request.
#[test]
fn the_headers_of_a_clients_request_are_those_of_its_bytes() {
    let header = |name, value| Header { name, value };
    let headers = [header("X-Bytes", b"\xff: x"), header("X-Empty", b"")];
    let options = ClientOptions::new()
        .with_subprotocols(&["a", "b"])
        .with_origin("http://c")
        .with_headers(&headers);
    let uri = Uri::parse("ws://host:81/path?query").unwrap();
    let handshake = ClientHandshake::new(&uri, &options, Seed::new([1; 32])).unwrap();
    let mut buffer = buffer(handshake.request());
    let mut server = ServerHandshake::new(&Config::default());
    let request = server.read_request(&mut buffer).unwrap().unwrap();
    assert_eq!(request.headers(), handshake.headers());
    assert_eq!(request.headers().len(), 9);
    assert_eq!(request.target(), "/path?query");
}
