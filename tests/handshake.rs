//! The opening handshake (RFC 6455 section 4, RFC 9110, RFC 9112): tables of requests and responses, each read
//! whole, cut at every byte and byte by byte.

#![cfg(feature = "alloc")]
// A test that cannot go on has failed; a table has as many rows as the rule has cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::too_many_lines)]

use std::iter;

use sockless::handshake::{
    ClientHandshake, ClientOptions, HeadError, Header, InputError, Opening, Origins, Request,
    RequestError, Response, ResponseError, ServerOptions, Uri, accept_key,
};
use sockless::test_util::{Frame, OwnedEvent, Pair, Peer, Role, encode, every_cut};
use sockless::{Config, Connection, ReadBuffer, Seed};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const REQUEST: &[&str] = &[
    "GET /chat HTTP/1.1",
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// A head of these lines with edits: `-Name` takes a header away, `=` replaces the start line, anything
/// else is a line to add.
fn head(lines: &[&str], edits: &[&str]) -> String {
    let mut lines = lines.to_vec();
    for edit in edits {
        if let Some(name) = edit.strip_prefix('-') {
            let before = lines.len();
            lines.retain(|line| !line.starts_with(&format!("{name}:")));
            assert!(lines.len() < before, "no header {name}");
        } else if let Some(start) = edit.strip_prefix('=') {
            lines[0] = start;
        } else {
            lines.push(edit);
        }
    }
    lines.join("\r\n") + "\r\n\r\n"
}

/// Start line and header lines as another HTTP library would see them.
fn split_head(head: &str) -> (&str, Vec<Header<'_>>) {
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap();
    let headers = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| Header {
            name,
            value: value.trim().as_bytes(),
        })
        .collect();
    (start, headers)
}

fn values<'h>(headers: &[Header<'h>], name: &str) -> Vec<&'h [u8]> {
    headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
        .collect()
}

/// Status, headers and body of a whole message.
fn split_message(bytes: &[u8]) -> (u16, Vec<Header<'_>>, &str) {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (start, headers) = split_head(head);
    let status = start.strip_prefix("HTTP/1.1 ").unwrap();
    (status[..3].parse().unwrap(), headers, body)
}

/// The pieces of `bytes` between the cuts.
fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let from = iter::once(0).chain(cuts.iter().copied());
    let to = cuts.iter().copied().chain([bytes.len()]);
    from.zip(to).map(|(from, to)| &bytes[from..to])
}

// ---- The server ----

/// What a server made of a stream: nothing yet, or an answer and the events behind the request.
type Served = Result<Option<(Vec<u8>, Vec<OwnedEvent>)>, RequestError>;

fn serve(bytes: &[u8], cuts: &[usize], options: &ServerOptions<'_>) -> Served {
    let mut buffer = ReadBuffer::new();
    let mut pieces = pieces(bytes, cuts);
    let connection = loop {
        let Some(piece) = pieces.next() else {
            return Ok(None);
        };
        buffer.extend_from_slice(piece);
        match Request::read(&mut buffer, &options.config) {
            Ok(None) => {}
            Ok(Some(request)) => break request.accept(options)?,
            Err(error) => {
                let again = Request::read(&mut buffer, &options.config).map(|r| r.is_some());
                assert_eq!(again, Err(error), "an error repeats itself");
                return Err(error);
            }
        }
    };
    let mut peer = Peer::with(connection, buffer);
    peer.take_events();
    pieces.for_each(|piece| peer.receive(piece));
    assert_eq!(peer.error, None);
    Ok(Some((peer.connection.output().to_vec(), peer.events)))
}

/// The same however the stream is cut.
fn serve_cut(bytes: &[u8], options: &ServerOptions<'_>) -> Served {
    let whole = serve(bytes, &[], options);
    for cuts in every_cut(bytes.len()) {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(
            serve(bytes, &cuts, options),
            whole,
            "{text:?} cut at {cuts:?}"
        );
    }
    whole
}

/// After how many bytes, given one at a time, the request is refused.
fn refused_at(bytes: &[u8], config: &Config) -> Option<(usize, RequestError)> {
    let mut buffer = ReadBuffer::new();
    (1..=bytes.len()).find_map(|n| {
        buffer.extend_from_slice(&bytes[n - 1..n]);
        Request::read(&mut buffer, config).err().map(|e| (n, e))
    })
}

/// The headers of the 101, after the Upgrade, Connection and Accept that must be in it.
fn opened<'a>(served: &'a Served, what: &str) -> Vec<Header<'a>> {
    let Ok(Some((output, _))) = served else {
        panic!("{what}: {served:?}");
    };
    let (status, mut headers, body) = split_message(output);
    assert_eq!((status, body), (101, ""), "{what}");
    assert_eq!(values(&headers, "Upgrade"), [b"websocket"], "{what}");
    assert_eq!(values(&headers, "Connection"), [b"Upgrade"], "{what}");
    assert_eq!(values(&headers, "Sec-WebSocket-Accept").len(), 1, "{what}");
    headers.retain(|h| !["Upgrade", "Connection", "Sec-WebSocket-Accept"].contains(&h.name));
    headers
}

#[test]
fn the_server_accepts() {
    let table: &[&[&str]] = &[
        &[],
        &["-Upgrade", "Upgrade: WebSocket"],
        &["-Upgrade", "Upgrade: h2c, websocket"],
        &["-Upgrade", "Upgrade: h2c", "upgrade: websocket"],
        &["-Connection", "Connection: keep-alive, Upgrade"],
        &["-Connection", "connection: UPGRADE"],
        &[
            "-Connection",
            "Connection: keep-alive",
            "Connection: upgrade",
        ],
        &["-Connection", "Connection:\t,, upgrade ,"],
        &["-Host", "HOST:example.com:8080"],
        &["Content-Length: 0"],
        &["Sec-WebSocket-Extensions: foo, bar; baz=2; q=\"x\""],
        &["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"],
        &["Sec-WebSocket-Protocol: chat, superchat"],
        &["Origin: http://example.com"],
        &["X-Latin: caf\u{e9}", "X-Empty:"],
        &["=GET /chat?room=1 HTTP/1.1"],
        &["=GET http://example.com/chat HTTP/1.1"],
    ];
    for edits in table {
        let request = head(REQUEST, edits);
        // Frames in the same read as the request are delivered.
        let frames = [Frame::new(0x81, "early"), Frame::new(0x89, "")];
        let bytes = [request.as_bytes(), &encode(&frames, Role::Server)].concat();
        let served = serve_cut(&bytes, &ServerOptions::default());
        let what = format!("{edits:?}");
        let Ok(Some((output, events))) = &served else {
            panic!("{what}: {served:?}");
        };
        assert_eq!(
            *events,
            [OwnedEvent::text("early"), OwnedEvent::ping(b"")],
            "{what}"
        );
        // The Pong stands behind the answer to the request.
        let output = output.strip_suffix(b"\x8a\x00").expect("a Pong");
        let served = Ok(Some((output.to_vec(), vec![])));
        // Section 4.2.2: neither an extension nor a subprotocol that this server does not know.
        assert_eq!(opened(&served, &what), [], "{what}");
        let (_, headers, _) = split_message(output);
        let accept = values(&headers, "Sec-WebSocket-Accept");
        assert_eq!(accept, [ACCEPT.as_bytes()], "{what}");
    }
}

#[test]
fn the_accept_value() {
    assert_eq!(&accept_key(KEY.as_bytes()), ACCEPT.as_bytes());
    // The sample of section 4.1 has set bits that carry nothing.
    for (key, accept) in [
        (KEY, ACCEPT),
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
    ] {
        let line = format!("Sec-WebSocket-Key: {key}");
        let request = head(REQUEST, &["-Sec-WebSocket-Key", &line]);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        opened(&served, key);
        let (output, _) = served.unwrap().unwrap();
        let (_, headers, _) = split_message(&output);
        let value = values(&headers, "Sec-WebSocket-Accept");
        assert_eq!(value, [accept.as_bytes()]);
    }
}

#[test]
fn the_server_refuses() {
    use RequestError::{
        Body, DuplicateOrigin, Extensions, Host, Http10, Key, Method, MissingVersion, NotAnUpgrade,
        Origin, Subprotocols, UnsupportedVersion,
    };
    const V: &str = "-Sec-WebSocket-Version";
    const K: &str = "-Sec-WebSocket-Key";
    let http = RequestError::Head(HeadError::UnsupportedVersion);
    let malformed = RequestError::Head(HeadError::Malformed);
    let table: &[(&[&str], RequestError, u16)] = &[
        (&["-Upgrade"], NotAnUpgrade, 426),
        (&["-Connection"], NotAnUpgrade, 426),
        (&["-Upgrade", "Upgrade: h2c"], NotAnUpgrade, 426),
        (&["-Upgrade", "Upgrade: websocket2"], NotAnUpgrade, 426),
        (&["-Connection", "Connection: close"], NotAnUpgrade, 426),
        (&["-Connection", "Connection: Upgrades"], NotAnUpgrade, 426),
        (&["=POST /chat HTTP/1.1"], Method, 405),
        (&["=HEAD /chat HTTP/1.1"], Method, 405),
        // RFC 9110 section 9.1: the method is case-sensitive.
        (&["=get /chat HTTP/1.1"], Method, 405),
        (&["=GET /chat HTTP/1.0"], Http10, 505),
        (&["=GET /chat HTTP/1.0", "-Host"], Http10, 505),
        (&["=GET /chat HTTP/1.2"], http, 505),
        (&["=GET /chat HTTP/2.0"], http, 505),
        (&["-Host"], Host, 400),
        (&["Host: example.com"], Host, 400),
        (&["-Host", "Host:"], Host, 400),
        (&["-Host", "Host: exam ple.com"], Host, 400),
        (&["-Host", "Host: example.com/chat"], Host, 400),
        (&["-Host", "Host: user@example.com"], Host, 400),
        (&["-Host", "Host: example.com:99999"], Host, 400),
        (&["=GET /a b HTTP/1.1"], malformed, 400),
        (&["=garbage in here"], malformed, 400),
        (&["=GET /chat FTP/1.1"], malformed, 400),
        (&["host: other.example"], Host, 400),
        (&[V], MissingVersion, 400),
        (&["Sec-WebSocket-Version: 13"], MissingVersion, 400),
        (&["Sec-WebSocket-Version: 8"], MissingVersion, 400),
        (&[V, "Sec-WebSocket-Version: 12"], UnsupportedVersion, 426),
        (
            &[V, "Sec-WebSocket-Version: 13, 8"],
            UnsupportedVersion,
            426,
        ),
        (&[V, "Sec-WebSocket-Version: 0xd"], UnsupportedVersion, 426),
        (&[V, "Sec-WebSocket-Version: 13.0"], UnsupportedVersion, 426),
        (&[V, "Sec-WebSocket-Version: +13"], UnsupportedVersion, 426),
        (&[V, "Sec-WebSocket-Version: 013"], UnsupportedVersion, 426),
        (&[K], Key, 400),
        (&["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], Key, 400),
        (&[K, "Sec-WebSocket-Key:"], Key, 400),
        (&[K, "Sec-WebSocket-Key: GhlIHNhbXBsZSBub25jZQ=="], Key, 400),
        (
            &[K, "Sec-WebSocket-Key: AdGhlIHNhbXBsZSBub25jZQ=="],
            Key,
            400,
        ),
        (&[K, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="], Key, 400),
        (
            &[K, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==="],
            Key,
            400,
        ),
        (
            &[K, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"],
            Key,
            400,
        ),
        (
            &[K, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2-jZQ=="],
            Key,
            400,
        ),
        (
            &[K, "Sec-WebSocket-Key: dGhl HNhbXBsZSBub25jZQ=="],
            Key,
            400,
        ),
        (&["Content-Length: 1"], Body, 400),
        (&["Content-Length: -1"], Body, 400),
        (&["Content-Length: 0", "Content-Length: 9"], Body, 400),
        (&["Transfer-Encoding: chunked"], Body, 400),
        (&["Transfer-Encoding: identity"], Body, 400),
        (&["Origin: http://evil.example"], Origin, 403),
        (&["Origin: null"], Origin, 403),
        (&["Origin: http://example.com:8080"], Origin, 403),
        (
            &["Origin: http://example.com", "Origin: http://example.com"],
            DuplicateOrigin,
            400,
        ),
        (&["Sec-WebSocket-Extensions: ;"], Extensions, 400),
        (&["Sec-WebSocket-Extensions:"], Extensions, 400),
        (&["Sec-WebSocket-Extensions: a; b=\"c"], Extensions, 400),
        (&["Sec-WebSocket-Extensions: a b"], Extensions, 400),
        (&["Sec-WebSocket-Protocol: a b"], Subprotocols, 400),
        (&["Sec-WebSocket-Protocol:"], Subprotocols, 400),
        (
            &["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: a"],
            Subprotocols,
            400,
        ),
        (&["X: folded", " line"], malformed, 400),
        (&["X: folded", "\tline"], malformed, 400),
        (&["X : space before the colon"], malformed, 400),
        (&["X\t: tab before the colon"], malformed, 400),
        (&["X: n\0l"], malformed, 400),
        (&["X\0: y"], malformed, 400),
        (&["X: bare\rcr"], malformed, 400),
        (&["X: bare\nLF: y"], malformed, 400),
        (&["X: \x01"], malformed, 400),
        (&["X: \x7f"], malformed, 400),
        (&[": empty name"], malformed, 400),
        (&["no colon"], malformed, 400),
        (&["(X): y"], malformed, 400),
        (&["=GET  /chat HTTP/1.1"], malformed, 400),
        (&["=GET /chat"], malformed, 400),
        (&["=G@T /chat HTTP/1.1"], malformed, 400),
        (&["= GET /chat HTTP/1.1"], malformed, 400),
    ];
    for &(edits, error, status) in table {
        let request = head(REQUEST, edits);
        let what = format!("{edits:?}");
        // What follows a refused request is never read as frames, nor as another request.
        let frame = Frame::new(0x81, "smuggled").encode(Role::Server);
        let bytes = [request.as_bytes(), &frame].concat();
        let served = serve_cut(&bytes, &ServerOptions::default());
        assert_eq!(served, Err(error), "{what}");
        assert_eq!(error.status(), status, "{what}");
        let response = error.response();
        let (written, headers, body) = split_message(&response);
        assert_eq!(written, status, "{what}");
        let length = body.len().to_string();
        assert_eq!(values(&headers, "Content-Length"), [length.as_bytes()]);
        let connection = values(&headers, "Connection").concat();
        assert!(connection.ends_with(b"close"), "{what}");
        let must: &[(&str, &[u8])] = match error {
            NotAnUpgrade => &[("Upgrade", b"websocket")],
            Method => &[("Allow", b"GET")],
            UnsupportedVersion => &[("Sec-WebSocket-Version", b"13")],
            _ => &[],
        };
        for (name, value) in must {
            assert_eq!(values(&headers, name), [*value], "{what}");
        }
        // RFC 9110 section 7.8: who sends Upgrade names it in Connection.
        assert_eq!(
            values(&headers, "Upgrade").is_empty(),
            !connection.starts_with(b"Upgrade"),
            "{what}"
        );
        for name in error.headers() {
            assert_eq!(values(&headers, name.name), [name.value], "{what}");
        }
    }
}

#[test]
fn header_lists_get_the_same_verdict_as_bytes() {
    let table: &[&[&str]] = &[
        &[],
        &["-Upgrade"],
        &["-Upgrade", "Upgrade: h2c, WebSocket"],
        &["-Connection", "Connection: a", "Connection: upgrade"],
        &["-Connection"],
        &["-Host"],
        &["Host: two"],
        &["-Sec-WebSocket-Key"],
        &["-Sec-WebSocket-Version", "Sec-WebSocket-Version: 12"],
        &["Sec-WebSocket-Version: 13"],
        &["=POST /chat HTTP/1.1"],
        &["Content-Length: 3"],
        &["Transfer-Encoding: chunked"],
        &["Origin: http://evil.example"],
        &["Origin: https://example.com"],
        &["Sec-WebSocket-Protocol: b, a"],
        &["Sec-WebSocket-Protocol: c"],
        &["Sec-WebSocket-Protocol: a, a"],
        &["Sec-WebSocket-Extensions: ,"],
    ];
    let mut options = ServerOptions::default();
    options.subprotocols = &["a", "b"];
    for edits in table {
        let request = head(REQUEST, edits);
        let (start, headers) = split_head(&request);
        let (method, rest) = start.split_once(' ').unwrap();
        let target = rest.split_once(' ').unwrap().0;
        let from_list = Request::new(method, target, headers);
        let from_bytes = serve(request.as_bytes(), &[], &options);
        match (from_list.negotiate(&options), from_bytes) {
            (Ok(handshake), Ok(Some((output, _)))) => {
                let (_, headers, _) = split_message(&output);
                assert_eq!(handshake.headers(), headers, "{edits:?}");
                assert_eq!(handshake.connection().output(), [], "{edits:?}");
                assert_eq!(handshake.accept().output(), output, "{edits:?}");
            }
            (Err(list), Err(bytes)) => assert_eq!(list, bytes, "{edits:?}"),
            (list, bytes) => panic!("{edits:?}: {list:?} but {bytes:?}"),
        }
    }
}

#[test]
fn a_bad_head_is_refused_at_the_byte() {
    let table = [
        ("GET / HTTP/1.1\n", 15),
        ("\n", 1),
        ("GET / HTTP/1.1\r\nA: b\n", 21),
        // A CR is bare once something else than LF follows.
        ("GET / HTTP/1.1\r\nA: b\rc", 22),
        ("GET / HTTP/1.1\r\r", 16),
        ("GET / HTTP/1.1\r\nA: b\r\n\rX", 24),
        ("GET / HTTP/1.1\r\nA: \0", 20),
        ("GET\0", 4),
        ("GET / HTTP/1.1\r\nA: b\r\n ", 23),
        ("GET / HTTP/1.1\r\nA: b\r\n\t", 23),
        ("GET / HTTP/1.1\r\n ", 17),
        (" ", 1),
    ];
    for (request, at) in table {
        let bytes = [request.as_bytes(), b"never looked at\r\n\r\n"].concat();
        let refused = refused_at(&bytes, &Config::default());
        let error = RequestError::Head(HeadError::Malformed);
        assert_eq!(refused, Some((at, error)), "{request:?}");
        serve_cut(&bytes, &ServerOptions::default()).unwrap_err();
    }
    // A TLS client that mistook the port.
    let hello = [0x16, 0x03, 0x01, 0x00];
    assert_eq!(refused_at(&hello, &Config::default()).unwrap().0, 4);
}

#[test]
fn the_head_is_limited() {
    let request = head(REQUEST, &[]);
    let size = request.len();
    let mut options = ServerOptions::default();
    options.config.max_head_size = size;
    // Just fits, whatever follows.
    let bytes = [request.as_bytes(), &[0x81; 100]].concat();
    assert_eq!(refused_at(&bytes[..size], &options.config), None);
    assert!(matches!(
        serve(request.as_bytes(), &[], &options),
        Ok(Some(_))
    ));

    // Refused when the limit is reached without an end in sight.
    let too_large = RequestError::Head(HeadError::TooLarge);
    let start_line = RequestError::Head(HeadError::StartLineTooLong);
    let long_target = head(REQUEST, &[&format!("=GET /{} HTTP/1.1", "x".repeat(500))]);
    let long_header = head(REQUEST, &[&format!("Cookie: {}", "x".repeat(500))]);
    for (request, limit, error, status) in [
        (&request, size - 1, too_large, 431),
        (&long_header, 200, too_large, 431),
        (&long_target, 200, start_line, 414),
    ] {
        options.config.max_head_size = limit;
        let refused = refused_at(request.as_bytes(), &options.config);
        assert_eq!(refused, Some((limit, error)));
        assert_eq!(serve_cut(request.as_bytes(), &options), Err(error));
        assert_eq!(error.status(), status);
        assert_eq!(split_message(&error.response()).0, status);
    }

    // The number of headers, exactly.
    let mut options = ServerOptions::default();
    for (count, passes) in [(94, true), (95, true), (96, false), (500, false)] {
        let more: Vec<String> = (0..count).map(|i| format!("X-{i}: y")).collect();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let request = head(REQUEST, &more);
        let served = serve_cut(request.as_bytes(), &options);
        let error = RequestError::Head(HeadError::TooManyHeaders);
        assert_eq!(served.is_ok(), passes, "{count}");
        if !passes {
            assert_eq!(served, Err(error));
            assert_eq!(error.status(), 431);
        }
    }
    options.config.max_headers = 5;
    assert!(serve(request.as_bytes(), &[], &options).is_ok());
    options.config.max_headers = 4;
    assert!(serve(request.as_bytes(), &[], &options).is_err());
}

/// Were it searched anew with every read, a million reads would take half a million million steps.
#[test]
fn a_head_is_found_in_linear_time() {
    let mut config = Config::default();
    config.max_head_size = 1 << 20;
    let cookie = format!("Cookie: {}", "x".repeat(1_000_000));
    let request = head(REQUEST, &[&cookie]);
    let mut buffer = ReadBuffer::new();
    let (last, bytes) = request.as_bytes().split_last().unwrap();
    for byte in bytes {
        buffer.extend_from_slice(&[*byte]);
        assert_eq!(Request::read(&mut buffer, &config), Ok(None));
    }
    buffer.extend_from_slice(&[*last]);
    let request = Request::read(&mut buffer, &config).unwrap().unwrap();
    assert_eq!(request.header("cookie").unwrap().len(), 1_000_000);
}

#[test]
fn origins() {
    let only = ["https://a.example", "http://b.example:8080"];
    let table = [
        (Origins::Any, "https://evil.example", true),
        (Origins::Any, "null", true),
        (Origins::Only(&only), "https://a.example", true),
        (Origins::Only(&only), "HTTPS://A.example", true),
        (Origins::Only(&only), "http://b.example:8080", true),
        (Origins::Only(&only), "http://a.example", false),
        (Origins::Only(&only), "https://a.example:443", false),
        (
            Origins::Only(&only),
            "https://a.example.evil.example",
            false,
        ),
        (Origins::Only(&only), "null", false),
        (Origins::Only(&[]), "https://a.example", false),
        (Origins::SameHost, "https://example.com", true),
        (Origins::SameHost, "http://EXAMPLE.com:80", true),
        (Origins::SameHost, "https://example.com.evil.example", false),
        (Origins::SameHost, "https://evil-example.com", false),
        (Origins::SameHost, "null", false),
    ];
    for (origins, origin, allowed) in table {
        let mut options = ServerOptions::default();
        options.origins = origins;
        let request = head(REQUEST, &[&format!("Origin: {origin}")]);
        let served = serve(request.as_bytes(), &[], &options);
        assert_eq!(served.is_ok(), allowed, "{origins:?} {origin}");
        if !allowed {
            assert_eq!(served, Err(RequestError::Origin));
        }
    }
    // Programs that are no browsers send none; two are refused under every policy.
    for origins in [Origins::Any, Origins::Only(&only), Origins::SameHost] {
        let mut options = ServerOptions::default();
        options.origins = origins;
        assert!(serve(head(REQUEST, &[]).as_bytes(), &[], &options).is_ok());
        let two = head(REQUEST, &["Origin: https://a.example", "Origin: null"]);
        let served = serve(two.as_bytes(), &[], &options);
        assert_eq!(served, Err(RequestError::DuplicateOrigin));
    }
}

#[test]
fn subprotocols() {
    let offers = |offer: &str| head(REQUEST, &[&format!("Sec-WebSocket-Protocol: {offer}")]);
    let table: &[(&str, &[&str], Option<&str>)] = &[
        ("a, b", &["b"], Some("b")),
        ("a, b", &["b", "a"], Some("a")),
        ("a,b", &["c", "b"], Some("b")),
        ("a", &["b"], None),
        ("a", &[], None),
        // They are compared with regard to case.
        ("Chat", &["chat"], None),
        ("chat2", &["chat"], None),
    ];
    for &(offer, known, chosen) in table {
        let mut options = ServerOptions::default();
        options.subprotocols = known;
        let served = serve_cut(offers(offer).as_bytes(), &options);
        let headers = opened(&served, offer);
        let expected: Vec<Header<'_>> = chosen
            .map(|name| Header {
                name: "Sec-WebSocket-Protocol",
                value: name.as_bytes(),
            })
            .into_iter()
            .collect();
        assert_eq!(headers, expected, "{offer} {known:?}");

        options.require_subprotocol = true;
        let served = serve_cut(offers(offer).as_bytes(), &options);
        match chosen {
            Some(_) => assert!(served.is_ok()),
            None => assert_eq!(served, Err(RequestError::NoCommonSubprotocol)),
        }
    }
    // On two lines, which are one list.
    let two = head(
        REQUEST,
        &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"],
    );
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(two.as_bytes());
    let request = Request::read(&mut buffer, &Config::default()).unwrap();
    let request = request.unwrap();
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b"]);
    let mut options = ServerOptions::default();
    options.subprotocols = &["b"];
    let handshake = request.negotiate(&options).unwrap();
    assert_eq!(handshake.subprotocol(), Some("b"));
}

#[test]
fn a_request_for_something_else_gets_a_plain_answer() {
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"HEAD /page?x HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n");
    let request = Request::read(&mut buffer, &Config::default());
    let request = request.unwrap().unwrap();
    assert_eq!((request.method(), request.target()), ("HEAD", "/page?x"));
    assert!(!request.is_upgrade());
    assert_eq!(request.header("HOST"), Some(&b"a"[..]));
    assert_eq!((request.header("x"), request.header("y")), (None, None));
    assert_eq!(request.headers().len(), 3);

    // A page of the application's own in place of the plain 426.
    let get = Request::new("GET", "/", vec![]);
    let page = get
        .respond(426, RequestError::NotAnUpgrade.headers(), b"page")
        .unwrap();
    let (status, headers, text) = split_message(&page);
    assert_eq!((status, text), (426, "page"));
    assert_eq!(values(&headers, "Upgrade"), [b"websocket"]);
    assert_eq!(values(&headers, "Connection"), [b"Upgrade, close"]);
    let framing = Header {
        name: "Content-Length",
        value: b"0",
    };
    assert_eq!(
        get.respond(200, &[framing], b""),
        Err(InputError::ReservedHeader)
    );

    let location = Header {
        name: "Location",
        value: b"/there",
    };
    // Method, status, body written, Content-Length.
    let table: [(&Request<'_>, u16, &str, Option<&[u8]>); 6] = [
        (&get, 200, "page", Some(b"4")),
        (&get, 302, "page", Some(b"4")),
        (&get, 599, "page", Some(b"4")),
        (&get, 204, "", None),
        (&get, 304, "", None),
        (&request, 404, "", Some(b"4")),
    ];
    for (request, status, body, length) in table {
        let answer = request.respond(status, &[location], b"page").unwrap();
        let (written, headers, text) = split_message(&answer);
        assert_eq!((written, text), (status, body));
        assert_eq!(values(&headers, "Location"), [b"/there"]);
        assert_eq!(values(&headers, "Connection"), [b"close"]);
        let lengths: Vec<&[u8]> = length.into_iter().collect();
        assert_eq!(values(&headers, "Content-Length"), lengths);
    }
    for status in [0, 100, 101, 199, 600, u16::MAX] {
        assert_eq!(get.respond(status, &[], b""), Err(InputError::Status));
    }
}

/// RFC 9112 section 2.2: a server should skip an empty line before the request.
#[test]
fn an_empty_line_before_the_request_is_skipped() {
    for lines in ["\r\n", "\r\n\r\n"] {
        let request = format!("{lines}{}", head(REQUEST, &[]));
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        opened(&served, "empty line");
    }
    // They count for nothing.
    let mut options = ServerOptions::default();
    let request = head(REQUEST, &[]);
    options.config.max_headers = REQUEST.len() - 1;
    options.config.max_head_size = request.len();
    let request = format!("\r\n{request}");
    opened(
        &serve_cut(request.as_bytes(), &options),
        "empty line, at the limits",
    );
    // Half of one is none.
    let config = Config::default();
    let malformed = RequestError::Head(HeadError::Malformed);
    assert_eq!(
        refused_at(b"\rGET / HTTP/1.1\r\n\r\n", &config),
        Some((2, malformed))
    );
}

// ---- The client ----

const RESPONSE: &[&str] = &[
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: %",
];

fn client(options: &ClientOptions<'_>) -> ClientHandshake {
    let uri = Uri::parse("ws://example.com/chat").unwrap();
    ClientHandshake::new(&uri, options, Seed::new([7; 32])).unwrap()
}

/// A response to this client, `%` being the right accept value.
fn response(client: &ClientHandshake, edits: &[&str]) -> String {
    let request = std::str::from_utf8(client.request()).unwrap();
    let (_, headers) = split_head(request);
    let accept = accept_key(values(&headers, "Sec-WebSocket-Key")[0]);
    head(RESPONSE, edits).replace('%', std::str::from_utf8(&accept).unwrap())
}

/// What a client made of a stream.
#[derive(Debug, PartialEq, Eq)]
enum Opened {
    Waits,
    /// Headers, then the events behind the response.
    Established(Vec<(String, Vec<u8>)>, Vec<OwnedEvent>),
    /// Status, headers, then the bytes behind the head.
    Refused(u16, Vec<(String, Vec<u8>)>, Vec<u8>),
    Failed(ResponseError),
}

fn owned(headers: &[Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let owned = |header: &Header<'_>| (header.name.to_owned(), header.value.to_vec());
    headers.iter().map(owned).collect()
}

fn open(bytes: &[u8], cuts: &[usize], options: &ClientOptions<'_>) -> Opened {
    let mut handshake = client(options);
    let mut buffer = ReadBuffer::new();
    let mut pieces = pieces(bytes, cuts);
    let (connection, headers) = loop {
        let Some(piece) = pieces.next() else {
            return Opened::Waits;
        };
        buffer.extend_from_slice(piece);
        match handshake.read_response(&mut buffer) {
            Ok(None) => {}
            Ok(Some(Opening::Established {
                connection,
                response,
                ..
            })) => break (connection, owned(response.headers())),
            Ok(Some(Opening::Refused(response))) => {
                let (status, headers) = (response.status(), owned(response.headers()));
                let body = response.body().to_vec();
                assert_eq!(buffer.unread(), body);
                // The rest of the body is the application's to read.
                pieces.for_each(|piece| buffer.extend_from_slice(piece));
                return Opened::Refused(status, headers, buffer.unread().to_vec());
            }
            Err(error) => return Opened::Failed(error),
        }
    };
    let mut peer = Peer::with(connection, buffer);
    peer.take_events();
    pieces.for_each(|piece| peer.receive(piece));
    assert_eq!((peer.error, peer.connection.output()), (None, &[][..]));
    Opened::Established(headers, peer.events)
}

fn open_cut(bytes: &[u8], options: &ClientOptions<'_>) -> Opened {
    let whole = open(bytes, &[], options);
    for cuts in every_cut(bytes.len()) {
        let text = String::from_utf8_lossy(bytes);
        let opened = open(bytes, &cuts, options);
        assert_eq!(opened, whole, "{text:?} cut at {cuts:?}");
    }
    whole
}

#[test]
fn the_request_of_a_client() {
    let table = [
        ("ws://example.com", "GET / HTTP/1.1", "example.com"),
        ("ws://example.com:80/", "GET / HTTP/1.1", "example.com"),
        ("wss://example.com:443/a", "GET /a HTTP/1.1", "example.com"),
        (
            "ws://example.com:443/a",
            "GET /a HTTP/1.1",
            "example.com:443",
        ),
        (
            "wss://example.com:80?q",
            "GET /?q HTTP/1.1",
            "example.com:80",
        ),
        (
            "ws://[2001:db8::1]:9/a?b=c",
            "GET /a?b=c HTTP/1.1",
            "[2001:db8::1]:9",
        ),
        ("wss://[::1]/?", "GET /? HTTP/1.1", "[::1]"),
    ];
    let mut options = ClientOptions::default();
    options.subprotocols = &["a", "b"];
    options.origin = Some("https://example.com");
    let cookie = Header {
        name: "Cookie",
        value: b"c=1",
    };
    for (uri, start, host) in table {
        for (options, extra) in [(ClientOptions::default(), false), (options, true)] {
            let mut options = options;
            let cookies = [cookie];
            if extra {
                options.headers = &cookies;
            }
            let uri = Uri::parse(uri).unwrap();
            let handshake = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
            let request = std::str::from_utf8(handshake.request()).unwrap();
            let (line, headers) = split_head(request);
            assert_eq!(line, start);
            let key = values(&headers, "Sec-WebSocket-Key")[0];
            assert_eq!((key.len(), &key[22..]), (24, &b"=="[..]));
            let mut expected: Vec<(&str, &[u8])> = vec![
                ("Host", host.as_bytes()),
                ("Upgrade", b"websocket"),
                ("Connection", b"Upgrade"),
                ("Sec-WebSocket-Key", key),
                ("Sec-WebSocket-Version", b"13"),
            ];
            if extra {
                expected.push(("Origin", b"https://example.com"));
                expected.push(("Sec-WebSocket-Protocol", b"a, b"));
                expected.push(("Cookie", b"c=1"));
            }
            let headers: Vec<_> = headers.iter().map(|h| (h.name, h.value)).collect();
            assert_eq!(headers, expected);
        }
    }
}

/// Section 4.1, item 7: "the nonce MUST be selected randomly for each connection".
#[test]
fn the_key_follows_the_seed() {
    let uri = Uri::parse("ws://example.com").unwrap();
    let request = |seed| {
        let options = ClientOptions::default();
        let handshake = ClientHandshake::new(&uri, &options, Seed::new([seed; 32])).unwrap();
        handshake.request().to_vec()
    };
    assert_eq!(request(1), request(1));
    assert_ne!(request(1), request(2));
}

#[test]
fn the_client_accepts() {
    let table: &[&[&str]] = &[
        &[],
        &["=HTTP/1.1 101 "],
        &["=HTTP/1.1 101 Web Socket Protocol Handshake"],
        &["-Upgrade", "upgrade: WebSocket"],
        &["-Connection", "Connection: keep-alive, upgrade"],
        &[
            "-Connection",
            "Connection: keep-alive",
            "CONNECTION: Upgrade",
        ],
        &["Sec-WebSocket-Protocol: b"],
        &["Set-Cookie: a=1", "Set-Cookie: b=2"],
    ];
    let mut options = ClientOptions::default();
    options.subprotocols = &["a", "b"];
    for edits in table {
        // Frames in the same read as the 101 are delivered.
        let frames = [Frame::new(0x81, "early"), Frame::new(0x8a, "bird")];
        let head = response(&client(&options), edits);
        let bytes = [head.as_bytes(), &encode(&frames, Role::Client)].concat();
        let events = vec![OwnedEvent::text("early"), OwnedEvent::pong(b"bird")];
        let headers = owned(&split_head(&head).1);
        let opened = open_cut(&bytes, &options);
        assert_eq!(opened, Opened::Established(headers, events), "{edits:?}");
    }
}

#[test]
fn the_client_refuses() {
    use ResponseError::{Accept, Extensions, NotAnUpgrade, Subprotocol};
    const A: &str = "-Sec-WebSocket-Accept";
    let malformed = ResponseError::Head(HeadError::Malformed);
    let http = ResponseError::Head(HeadError::UnsupportedVersion);
    let table: &[(&[&str], ResponseError)] = &[
        (&["-Upgrade"], NotAnUpgrade),
        (&["-Upgrade", "Upgrade: h2c"], NotAnUpgrade),
        (&["-Connection"], NotAnUpgrade),
        (&["-Connection", "Connection: close"], NotAnUpgrade),
        (&[A], Accept),
        (&[A, "Sec-WebSocket-Accept:"], Accept),
        (
            &[A, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
            Accept,
        ),
        (&[A, "Sec-WebSocket-Accept: %%"], Accept),
        (&["Sec-WebSocket-Accept: %"], Accept),
        (
            &["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
            Accept,
        ),
        (
            &["Sec-WebSocket-Extensions: permessage-deflate"],
            Extensions,
        ),
        (&["Sec-WebSocket-Extensions: foo; bar=1"], Extensions),
        (&["Sec-WebSocket-Extensions: ;"], Extensions),
        (&["Sec-WebSocket-Protocol: c"], Subprotocol),
        (&["Sec-WebSocket-Protocol: A"], Subprotocol),
        (&["Sec-WebSocket-Protocol:"], Subprotocol),
        (&["Sec-WebSocket-Protocol: a, b"], Subprotocol),
        (
            &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"],
            Subprotocol,
        ),
        (
            &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"],
            Subprotocol,
        ),
        (&["=HTTP/1.0 101 Switching Protocols"], http),
        (&["=HTTP/2.0 101 Switching Protocols"], http),
        (&["=HTTP/1.1 600 What"], malformed),
        (&["=HTTP/1.1 099 What"], malformed),
        (&["=HTTP/1.1 1010 What"], malformed),
        (&["=HTTP/1.1 x01 What"], malformed),
        (&["X: folded", " line"], malformed),
        (&["X : y"], malformed),
        (&["X: bare\nLF: y"], malformed),
        (&["X: bare\rcr"], malformed),
        (&["X: n\0l"], malformed),
        (&[": empty name"], malformed),
    ];
    let mut options = ClientOptions::default();
    options.subprotocols = &["a", "b"];
    for &(edits, error) in table {
        let head = response(&client(&options), edits);
        let frame = Frame::new(0x81, "never delivered").encode(Role::Client);
        let bytes = [head.as_bytes(), &frame].concat();
        let opened = open_cut(&bytes, &options);
        assert_eq!(opened, Opened::Failed(error), "{edits:?}");
    }
    // None was offered.
    let options = ClientOptions::default();
    let head = response(&client(&options), &["Sec-WebSocket-Protocol: a"]);
    let opened = open_cut(head.as_bytes(), &options);
    assert_eq!(opened, Opened::Failed(Subprotocol));
}

#[test]
fn the_head_of_a_response_is_limited() {
    let mut options = ClientOptions::default();
    let head = response(&client(&options), &["X: y"]);
    for (size, count, error) in [
        (head.len(), 4, None),
        (head.len() - 1, 4, Some(HeadError::TooLarge)),
        (20, 4, Some(HeadError::StartLineTooLong)),
        (head.len(), 3, Some(HeadError::TooManyHeaders)),
    ] {
        options.config.max_head_size = size;
        options.config.max_headers = count;
        match (open_cut(head.as_bytes(), &options), error) {
            (Opened::Established(..), None) => {}
            (opened, Some(error)) => {
                assert_eq!(opened, Opened::Failed(ResponseError::Head(error)));
            }
            (opened, None) => panic!("{opened:?}"),
        }
    }
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n\
                   HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
    let options = ClientOptions::default();
    let head = response(&client(&options), &[]);
    let frame = Frame::new(0x81, "x").encode(Role::Client);
    let bytes = [interim.as_bytes(), head.as_bytes(), &frame].concat();
    match open_cut(&bytes, &options) {
        Opened::Established(headers, events) => {
            assert_eq!(headers, owned(&split_head(&head).1));
            assert_eq!(events, [OwnedEvent::text("x")]);
        }
        opened => panic!("{opened:?}"),
    }
    assert_eq!(open_cut(interim.as_bytes(), &options), Opened::Waits);
    // They have to be well-formed all the same.
    let bad = "HTTP/1.1 100 Continue\r\nX : y\r\n\r\n";
    let malformed = ResponseError::Head(HeadError::Malformed);
    assert_eq!(
        open_cut(bad.as_bytes(), &options),
        Opened::Failed(malformed)
    );
    // The limit is for each head, not for all of them.
    let mut options = ClientOptions::default();
    options.config.max_head_size = head.len();
    let many = [interim.repeat(50).as_bytes(), head.as_bytes()].concat();
    assert!(matches!(
        open(&many, &[], &options),
        Opened::Established(..)
    ));
}

/// RFC 9112 section 2.2 lets no server send an empty line first; a client that skips it must not take an
/// interim response behind it for the final one.
#[test]
fn an_empty_line_does_not_turn_an_interim_response_into_a_final_one() {
    let bytes = b"\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let opened = open_cut(bytes, &ClientOptions::default());
    assert!(
        matches!(opened, Opened::Waits | Opened::Failed(_)),
        "{opened:?}"
    );
}

#[test]
fn every_other_status_is_an_outcome() {
    let table = [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 204 No Content", 204),
        ("HTTP/1.1 301 Moved Permanently", 301),
        ("HTTP/1.1 401 Unauthorized", 401),
        ("HTTP/1.1 404 ", 404),
        ("HTTP/1.1 503", 503),
        ("HTTP/1.0 400 Bad Request", 400),
        ("HTTP/1.1 599 Custom", 599),
    ];
    for (start, status) in table {
        let head = format!("{start}\r\nLocation: wss://b.example/\r\nX: \r\n\r\n");
        let bytes = [head.as_bytes(), b"the body\r\n\r\nso far"].concat();
        let headers = vec![
            ("Location".to_owned(), b"wss://b.example/".to_vec()),
            ("X".to_owned(), b"".to_vec()),
        ];
        assert_eq!(
            open_cut(&bytes, &ClientOptions::default()),
            Opened::Refused(status, headers, b"the body\r\n\r\nso far".to_vec()),
            "{start}"
        );
    }
}

#[test]
fn response_lists_get_the_same_verdict_as_bytes() {
    let mut options = ClientOptions::default();
    options.subprotocols = &["a"];
    let table: &[&[&str]] = &[
        &[],
        &["-Upgrade"],
        &["-Connection"],
        &["-Sec-WebSocket-Accept"],
        &["Sec-WebSocket-Accept: %"],
        &["Sec-WebSocket-Protocol: a"],
        &["Sec-WebSocket-Protocol: b"],
        &["Sec-WebSocket-Extensions: x"],
        &["=HTTP/1.1 404 Not Found"],
    ];
    for edits in table {
        let mut handshake = client(&options);
        let head = response(&handshake, edits);
        let (start, headers) = split_head(&head);
        let status = start[9..12].parse().unwrap();
        let list = Response::new(status, headers.clone());
        let list = match handshake.establish(list) {
            Ok(Opening::Established { response, .. }) => {
                Opened::Established(owned(response.headers()), vec![])
            }
            Ok(Opening::Refused(response)) => {
                Opened::Refused(response.status(), owned(response.headers()), vec![])
            }
            Err(error) => Opened::Failed(error),
        };
        assert_eq!(list, open(head.as_bytes(), &[], &options), "{edits:?}");
    }
}

// ---- What the application passes ----

/// What would break the lines of a head apart, or be invisible in them.
const BREAKS: [&str; 8] = [
    "\r\nX: y", "\r", "\n", "\0", "\x0b", "\x0c", "\x7f", "\r\n\r\n",
];

#[test]
fn nothing_the_application_passes_breaks_the_head() {
    let uri = Uri::parse("ws://example.com").unwrap();
    let attempt = |options: &ClientOptions<'_>| {
        ClientHandshake::new(&uri, options, Seed::new([7; 32]))
            .map(|h| h.request().to_vec())
            .unwrap_err()
    };
    let request = Request::new("GET", "/", vec![]);
    let head = head(REQUEST, &[]);
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(head.as_bytes());
    let upgrade = Request::read(&mut buffer, &Config::default()).unwrap();
    let upgrade = upgrade.unwrap();

    for broken in BREAKS {
        for wrong in [
            format!("a{broken}b"),
            format!("{broken}b"),
            format!("a{broken}"),
        ] {
            // Host, path and query.
            for uri in [
                format!("ws://{wrong}/"),
                format!("ws://a{wrong}.example/"),
                format!("ws://a:80{wrong}/"),
                format!("ws://a/{wrong}"),
                format!("ws://a/?{wrong}"),
                format!("ws://a?{wrong}"),
                format!("{wrong}://a/"),
                format!("ws://[::1{wrong}]/"),
            ] {
                assert_eq!(Uri::parse(&uri), Err(InputError::Uri), "{uri:?}");
            }

            let mut options = ClientOptions::default();
            let subprotocols = [&*wrong];
            options.subprotocols = &subprotocols;
            assert_eq!(attempt(&options), InputError::Subprotocol, "{wrong:?}");
            let mut options = ClientOptions::default();
            options.origin = Some(&wrong);
            assert_eq!(attempt(&options), InputError::HeaderValue, "{wrong:?}");

            let bad_name = Header {
                name: &wrong,
                value: b"x",
            };
            let bad_value = Header {
                name: "X",
                value: wrong.as_bytes(),
            };
            for (header, error) in [
                (bad_name, InputError::HeaderName),
                (bad_value, InputError::HeaderValue),
            ] {
                let mut options = ClientOptions::default();
                let headers = [header];
                options.headers = &headers;
                assert_eq!(attempt(&options), error, "{wrong:?}");
                assert_eq!(request.respond(200, &headers, b""), Err(error));
                let mut handshake = upgrade.negotiate(&ServerOptions::default()).unwrap();
                let before = handshake.headers().len();
                assert_eq!(handshake.add_header(header), Err(error));
                assert_eq!(handshake.headers().len(), before);
            }

            // A server writes a subprotocol only if a client has offered that very token.
            let mut options = ServerOptions::default();
            let subprotocols = [&*wrong, "b"];
            options.subprotocols = &subprotocols;
            let offers = self::head(REQUEST, &["Sec-WebSocket-Protocol: a, b"]);
            let served = serve(offers.as_bytes(), &[], &options);
            assert_eq!(opened(&served, "a, b").len(), 1);
            assert_eq!(opened(&served, "a, b")[0].value, b"b");
        }
    }
}

#[test]
fn headers_and_subprotocols_that_belong_to_the_handshake() {
    let uri = Uri::parse("ws://example.com").unwrap();
    let attempt = |name, value, subprotocols| {
        let mut options = ClientOptions::default();
        options.subprotocols = subprotocols;
        let headers = [Header { name, value }];
        options.headers = &headers;
        ClientHandshake::new(&uri, &options, Seed::new([7; 32])).map(drop)
    };
    assert_eq!(attempt("X-Name", b"caf\xc3\xa9, \t x", &["a", "A"]), Ok(()));
    for name in [
        "Host",
        "connection",
        "UPGRADE",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Key",
        "sec-websocket-extensions",
    ] {
        assert_eq!(attempt(name, b"x", &[]), Err(InputError::ReservedHeader));
    }
    for name in ["", "a b", "a:", "(a)", "\u{e9}"] {
        assert_eq!(attempt(name, b"x", &[]), Err(InputError::HeaderName));
    }
    for value in [&b" x"[..], b"x ", b"\tx"] {
        assert_eq!(attempt("X", value, &[]), Err(InputError::HeaderValue));
    }
    let wrong: [&[&str]; 5] = [&[""], &["a b"], &["a,b"], &["a", "a"], &["\u{e9}"]];
    for subprotocols in wrong {
        let refused = attempt("X", b"x", subprotocols);
        assert_eq!(refused, Err(InputError::Subprotocol), "{subprotocols:?}");
    }
}

#[test]
fn uris() {
    let table = [
        ("ws://example.com", false, "example.com", 80, "/", None),
        ("wss://example.com", true, "example.com", 443, "/", None),
        (
            "WSS://example.com:1/a/b",
            true,
            "example.com",
            1,
            "/a/b",
            None,
        ),
        (
            "ws://[::1]:65535/?q=%20",
            false,
            "::1",
            65535,
            "/",
            Some("q=%20"),
        ),
        (
            "ws://127.0.0.1?q?r",
            false,
            "127.0.0.1",
            80,
            "/",
            Some("q?r"),
        ),
    ];
    for (text, secure, host, port, path, query) in table {
        let uri = Uri::parse(text).unwrap();
        assert_eq!(
            (uri.is_secure(), uri.host(), uri.port()),
            (secure, host, port)
        );
        assert_eq!((uri.path(), uri.query()), (path, query));
    }
    for text in [
        "http://example.com",
        "example.com",
        "//example.com",
        "ws:///path",
        "ws://user@example.com/",
        "ws://user:password@example.com/",
        "ws://user:1@example.com/",
        "ws://example.com/#fragment",
        "ws://example.com/path#",
        "ws://example.com:0x50/",
        "ws://example.com:65536/",
        "ws://example.com:-1/",
        "ws://[::1/",
        "ws://::1/",
        "ws://a b/",
        "ws://a/b c",
        "ws://a/%",
        "ws://a/\u{e9}",
        "ws://\u{e9}/",
        "ws://a\\b/",
        "ws://a/\"",
    ] {
        assert_eq!(Uri::parse(text), Err(InputError::Uri), "{text}");
    }
}

// ---- Both ----

/// A client and a server that shake hands over memory, in pieces of `size`; what each says at once comes
/// through.
fn shake_hands(size: usize) -> Pair {
    let mut options = ClientOptions::default();
    options.subprotocols = &["chat"];
    let mut handshake = client(&options);
    let mut known = ServerOptions::default();
    known.subprotocols = &["other", "chat"];

    let mut server_buffer = ReadBuffer::new();
    let mut server: Option<Connection> = None;
    for piece in handshake.request().chunks(size) {
        server_buffer.extend_from_slice(piece);
        if let Some(request) = Request::read(&mut server_buffer, &known.config).unwrap() {
            server = Some(request.accept(&known).unwrap());
        }
    }
    let mut server = server.expect("the whole request");
    server.send_text("welcome").unwrap();
    server.send_ping(b"there?").unwrap();

    let mut client_buffer = ReadBuffer::new();
    let client = loop {
        let n = size.min(server.output().len());
        client_buffer.extend_from_slice(&server.output()[..n]);
        server.advance_output(n);
        match handshake.read_response(&mut client_buffer).unwrap() {
            None => {}
            Some(Opening::Established {
                connection,
                response,
                ..
            }) => {
                let subprotocol = response.header("sec-websocket-protocol");
                assert_eq!(subprotocol, Some(&b"chat"[..]));
                break connection;
            }
            Some(Opening::Refused(response)) => panic!("{response:?}"),
        }
    };
    let mut pair = Pair {
        client: Peer::with(client, client_buffer),
        server: Peer::with(server, server_buffer),
    };
    pair.client.take_events();
    pair
}

#[test]
fn a_client_and_a_server_shake_hands() {
    for size in [1, 2, 3, 7, 64, 1000] {
        let mut pair = shake_hands(size);
        pair.client.connection.send_text("thanks").unwrap();
        pair.exchange(&mut iter::repeat(size));
        assert_eq!(
            pair.client.events(),
            [OwnedEvent::text("welcome"), OwnedEvent::ping(b"there?")]
        );
        let mut events = pair.server.events();
        // Whether the Pong comes before or behind depends on what was read with the 101.
        events.sort_by_key(|event| !matches!(event, OwnedEvent::Text(_)));
        assert_eq!(
            events,
            [OwnedEvent::text("thanks"), OwnedEvent::pong(b"there?")]
        );
        assert_eq!((pair.client.error, pair.server.error), (None, None));
        assert!(pair.client.buffer.is_empty() && pair.server.buffer.is_empty());
    }
}
