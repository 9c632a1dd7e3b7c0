//! An incident of the opening handshake: values that the application passes on.

use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Request, RequestError, ServerHandshake,
    ServerOptions, Uri,
};
use sockless::test_util::{OwnedEvent, Peer, Role};
use sockless::{CloseCode, Config, Seed};

use super::{REQUEST, buffer};
use std::time::Duration;

const BREAKS: [&str; 5] = [
    "\r\nInjected: 1",
    "\nInjected: 1",
    "\rInjected: 1",
    "\r\n\r\nGET /injected HTTP/1.1\r\n\r\n",
    "\0",
];

/// CVE-2026-1527: CR LF in a value of the application began a new header line or a new request. sockless returns a
/// typed error over every version of HTTP, and writes nothing.
#[test]
fn line_breaks_from_the_application_are_refused_over_every_version_of_http() {
    let uri = Uri::parse("ws://a/").unwrap();
    for broken in BREAKS {
        let value = format!("a{broken}");
        let header = |name, value| Header { name, value };
        let (name, value_header) = (header(&value, b"x"), header("x", value.as_bytes()));
        let (names, values, tokens) = ([name], [value_header], ["a", &*value]);
        let options: [(Change<'_>, InputError); 5] = [
            (&|it| it.headers = &names, InputError::HeaderName),
            (&|it| it.headers = &values, InputError::HeaderValue),
            (&|it| it.subprotocols = &tokens, InputError::Subprotocol),
            (&|it| it.origin = Some(&value), InputError::HeaderValue),
            (&|it| it.host = Some(&value), InputError::Host),
        ];
        for (change, error) in options {
            assert_eq!(in_client(&uri, change), Err(error), "{broken:?}");
        }

        let mut buffer = buffer(REQUEST.as_bytes());
        let mut handshake = ServerHandshake::new(&Config::default());
        let request = handshake.read_request(&mut buffer).unwrap().unwrap();
        for (header, error) in [
            (name, InputError::HeaderName),
            (value_header, InputError::HeaderValue),
        ] {
            let headers = [header];
            let options = ServerOptions::new().with_headers(&headers);
            let refused = RequestError::Input(error);
            for request in [&request, &extended_connect()] {
                assert_eq!(request.negotiate(&options).map(drop), Err(refused));
                assert_eq!(request.accept(&options).map(drop), Err(refused));
            }
            assert_eq!(refused.status(), 500);
            let mut buffer = self::buffer(REQUEST.as_bytes());
            let mut handshake = ServerHandshake::new(&options.config);
            let opened = handshake.accept(&mut buffer, &options, Duration::ZERO);
            let opened = opened.unwrap();
            assert_eq!(opened.output(), refused.response());
            assert!(!opened.can_send() && !contains(opened.output(), b"Injected"));
        }

        // The reason of a Close frame is not part of a head, so any text is allowed.
        for role in Role::BOTH {
            let mut connection = role.connection(&Config::default());
            connection.close(CloseCode::NORMAL, &value).unwrap();
            assert_eq!(super::frame_headers(connection.output()).len(), 1);
            let mut peer = Peer::new(role.other(), &Config::default());
            peer.receive(connection.output());
            assert_eq!(peer.events(), [OwnedEvent::close(1000, &value)]);
        }
    }
    // sockless does not decode percent-encoded line breaks.
    let uri = Uri::parse("ws://a/%0d%0aInjected:1?%0d%0a").unwrap();
    let handshake =
        ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([1; 32])).unwrap();
    let line = b"GET /%0d%0aInjected:1?%0d%0a HTTP/1.1\r\n";
    assert!(handshake.request().starts_with(line));
}

/// An HTTP library may pass on a list of headers with line breaks. A subprotocol of the server with the same name
/// changes nothing.
#[test]
fn line_breaks_from_an_http_library_are_refused() {
    for broken in BREAKS {
        let value = format!("a{broken}");
        let subprotocols = ["a", &*value];
        for (name, error) in [
            ("sec-websocket-protocol", RequestError::Subprotocols),
            ("sec-websocket-extensions", RequestError::Extensions),
            ("sec-websocket-key", RequestError::Key),
            ("sec-websocket-version", RequestError::UnsupportedVersion),
            ("origin", RequestError::Origin),
        ] {
            let mut headers = headers("a");
            headers.retain(|header| header.name != name);
            let value = value.as_bytes();
            headers.push(Header { name, value });
            let options = ServerOptions::new().with_subprotocols(&subprotocols);
            let request = Request::new("GET", "/", headers);
            let refused = request.accept(&options).unwrap_err();
            assert_eq!(refused, error, "{name}: {broken:?}");
            assert!(!contains(&refused.response(), b"njected"));
        }
    }
}

/// A change of one option of a client.
type Change<'a> = &'a dyn Fn(&mut ClientOptions<'a>);

/// Whether a client accepts an option. The answer is the same over every version of HTTP.
fn in_client(uri: &Uri, change: Change<'_>) -> Result<(), InputError> {
    let mut options = ClientOptions::default();
    change(&mut options);
    let seed = || Seed::new([1; 32]);
    let asked = ClientHandshake::new(uri, &options, seed()).map(drop);
    let http2 = ClientHandshake::extended_connect(uri, &options, seed()).map(drop);
    assert_eq!(http2, asked);
    asked
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A client could read such bytes as a header or as a page.
#[test]
fn no_byte_of_a_refused_request_comes_back() {
    let marker = "MARKER";
    let heads = [
        REQUEST.replace("GET", marker),
        REQUEST.replace("GET /", &format!("GET {marker}")),
        REQUEST.replace("HTTP/1.1", marker),
        REQUEST.replace("Host: a", &format!("Host: a {marker}")),
        REQUEST.replace("Upgrade: websocket", &format!("Upgrade: {marker}")),
        REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", marker),
        REQUEST.replace("Version: 13", &format!("Version: {marker}")),
        super::request(&format!("Origin: http://{marker}\r\n")),
        super::request(&format!("Sec-WebSocket-Protocol: {marker} {marker}\r\n")),
        super::request(&format!("Sec-WebSocket-Extensions: {marker} {marker}\r\n")),
        super::request(&format!("Transfer-Encoding: {marker}\r\n")),
        super::request(&format!("{marker}\r\n")),
    ];
    for head in heads {
        assert!(head.contains(marker));
        let refused = super::accept(head.as_bytes(), &ServerOptions::default()).unwrap_err();
        let response = refused.response();
        assert!(!contains(&response, marker.as_bytes()), "{refused}");
    }
}

/// An entry that names no host matches no request, not even one with the same text. Other entries still match.
#[test]
fn odd_hosts_of_a_server_match_nothing_and_never_panic() {
    const ODD: [&str; 22] = [
        "", " ", " a", "a ", ":", ":80", "a:x", "a:-1", "a:65536", "a:80:80", "[", "[]", "[]:80",
        "[a]", "[::1", "[::1]x", "::1", "a/", "%", "%zz", "a\0", "*/*",
    ];
    let odd = [
        "a:99999999999999999999",
        "[::1]:65536",
        "https://a",
        "user@a",
        "\u{e9}",
        "a\r\nInjected: 1",
    ];
    let long = "[".repeat(100_000);
    for odd in ODD.into_iter().chain(odd).chain([&*long]) {
        for (hosts, answers) in [(&[odd][..], false), (&[odd, "a"], true)] {
            let options = ServerOptions::new().with_hosts(hosts);
            for host in ["a", "A:80", odd] {
                let request = Request::new("GET", "/", headers(host));
                let verdict = request.negotiate(&options).map(drop);
                let expected = if host == odd {
                    // Refused before the server compares it with its hosts.
                    Err(RequestError::Host)
                } else if answers {
                    Ok(())
                } else {
                    Err(RequestError::Misdirected)
                };
                assert_eq!(verdict, expected, "{host:?} of {hosts:?}");
            }
        }
    }
}

/// A request from an HTTP library, over HTTP/2.
fn extended_connect() -> Request<'static> {
    let header = |(name, value)| Header { name, value };
    let fields: [(&str, &[u8]); 6] = [
        (":method", b"CONNECT"),
        (":protocol", b"websocket"),
        (":scheme", b"https"),
        (":authority", b"a"),
        (":path", b"/"),
        ("sec-websocket-version", b"13"),
    ];
    Request::extended_connect(fields.map(header).to_vec())
}

/// The headers of a request from an HTTP library, over HTTP/1.1.
fn headers(host: &str) -> Vec<Header<'_>> {
    let header = |name, value| Header { name, value };
    vec![
        header("host", host.as_bytes()),
        header("upgrade", b"websocket"),
        header("connection", b"upgrade"),
        header("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        header("sec-websocket-version", b"13"),
    ]
}
