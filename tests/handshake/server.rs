//! What a server accepts, refuses and answers (RFC 6455 section 4.2).

use super::{
    ACCEPT, HOSTS, KEY, REQUEST, head, opened, serve, serve_cut, split_head, split_message, values,
};
use std::time::Duration;

use sockless::accept_key;
use sockless::handshake::{
    Header, InputError, Origins, Request, RequestError, ServerHandshake, ServerOptions,
};
use sockless::test_util::{Frame, OwnedEvent, Role, encode};
use sockless::{Config, ReadBuffer};

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

/// RFC 9110 sections 5.3 and 5.6.1.2: all lines of a list are one list, and an empty element is ignored.
#[test]
fn an_empty_line_of_a_list_is_an_empty_element() {
    const FOO: &str = "Sec-WebSocket-Extensions: foo";
    const EMPTY: &str = "Sec-WebSocket-Extensions:";
    for edits in [
        &[FOO, EMPTY][..],
        &[EMPTY, FOO],
        &["Sec-WebSocket-Extensions: , ,", FOO, EMPTY],
        &["Connection:", "Upgrade: ,"],
        &["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Protocol:"],
    ] {
        let request = head(REQUEST, edits);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        assert_eq!(opened(&served, &format!("{edits:?}")), []);
    }
}

/// RFC 6455 section 4.1, item 10, asks for one subprotocol at least; clients with none to offer send the header all
/// the same.
#[test]
fn an_empty_subprotocol_header_offers_none() {
    let mut options = ServerOptions::new().with_subprotocols(&["a", ""]);
    for edits in [
        &["Sec-WebSocket-Protocol:"][..],
        &["Sec-WebSocket-Protocol: ,"],
        &["Sec-WebSocket-Protocol: \t, ,"],
        &["Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol:"],
    ] {
        let request = head(REQUEST, edits);
        options.require_subprotocol = false;
        let served = serve_cut(request.as_bytes(), &options);
        assert_eq!(opened(&served, &format!("{edits:?}")), []);
        options.require_subprotocol = true;
        let served = serve_cut(request.as_bytes(), &options);
        assert_eq!(served, Err(RequestError::NoCommonSubprotocol), "{edits:?}");
        // Lists of an HTTP library get the same verdict, also with white space that it left there.
        let (_, mut headers) = split_head(&request);
        for header in &mut headers {
            if header.value.is_empty() {
                header.value = b" \t";
            }
        }
        let request = Request::new("GET", "/chat", headers);
        assert_eq!(request.subprotocols().count(), 0, "{edits:?}");
        let found = request.negotiate(&options).map(drop);
        assert_eq!(found, Err(RequestError::NoCommonSubprotocol), "{edits:?}");
        options.require_subprotocol = false;
        let (response, _) = request.negotiate(&options).unwrap();
        assert_eq!(response.subprotocol(), None, "{edits:?}");
    }
}

/// RFC 9110 section 7.6.1: `close` is about the connection after this exchange, which a WebSocket takes over.
#[test]
fn close_beside_upgrade_does_not_stop_the_upgrade() {
    for edits in [
        &["-Connection", "Connection: close, Upgrade"][..],
        &["-Connection", "Connection: Upgrade, close"],
        &["Connection: close"],
    ] {
        let request = head(REQUEST, edits);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        assert_eq!(opened(&served, &format!("{edits:?}")), []);
    }
}

/// RFC 9110 section 5.5: bytes over 0x7f in a value are opaque, whether they are UTF-8 or not.
#[test]
fn a_value_may_have_bytes_over_0x7f() {
    let line = [&b"X-Latin: "[..], &(0x80..=0xff).collect::<Vec<u8>>(), b"x"].concat();
    let request = head(REQUEST, &[]);
    let request = request.strip_suffix("\r\n").unwrap();
    let bytes = [request.as_bytes(), &line, b"\r\n\r\n"].concat();
    let served = serve_cut(&bytes, &ServerOptions::default());
    assert_eq!(opened(&served, "bytes over 0x7f"), []);
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(&bytes);
    let mut handshake = ServerHandshake::new(&Config::default());
    let request = handshake.read_request(&mut buffer).unwrap().unwrap();
    assert_eq!(request.single_header("x-latin"), line.get(9..));
}

/// RFC 9110 section 10.1.1: a server that answers with a final status omits the 100. So there is one answer, which is
/// the 101 or the refusal.
#[test]
fn an_expectation_gets_the_final_answer() {
    let request = head(REQUEST, &["Expect: 100-continue"]);
    let served = serve_cut(request.as_bytes(), &ServerOptions::default());
    assert_eq!(opened(&served, "Expect"), []);
    for (edit, error) in [
        ("Content-Length: 5", RequestError::Body),
        ("Transfer-Encoding: chunked", RequestError::Body),
        ("Origin: http://evil.example", RequestError::Origin),
    ] {
        let request = head(REQUEST, &["Expect: 100-continue", edit]);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        assert_eq!(served, Err(error), "{edit}");
        assert_eq!(split_message(&error.response()).0, error.status());
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
    let http = RequestError::UnsupportedHttpVersion;
    let malformed = RequestError::MalformedHead;
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
        // Only "0" is sure to mean the same to a proxy, although RFC 9110 section 8.6 allows more digits.
        (&["Content-Length: 00"], Body, 400),
        (&["Content-Length: +0"], Body, 400),
        (&["Content-Length: 0, 0"], Body, 400),
        (&["Content-Length:"], Body, 400),
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
        (
            &["Sec-WebSocket-Extensions:", "Sec-WebSocket-Extensions: ,"],
            Extensions,
            400,
        ),
        (
            &["Sec-WebSocket-Extensions: a;", "Sec-WebSocket-Extensions:"],
            Extensions,
            400,
        ),
        (&["Sec-WebSocket-Extensions: a; b=\"c"], Extensions, 400),
        (&["Sec-WebSocket-Extensions: a b"], Extensions, 400),
        (&["Sec-WebSocket-Protocol: a b"], Subprotocols, 400),
        (&["Sec-WebSocket-Protocol: a, b c,"], Subprotocols, 400),
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
    let options = ServerOptions::new().with_subprotocols(&["a", "b"]);
    for edits in table {
        let request = head(REQUEST, edits);
        let (start, headers) = split_head(&request);
        let (method, rest) = start.split_once(' ').unwrap();
        let target = rest.split_once(' ').unwrap().0;
        let from_list = Request::new(method, target, headers);
        let from_bytes = serve(request.as_bytes(), &[], &options);
        match (from_list.negotiate(&options), from_bytes) {
            (Ok((response, connection)), Ok(Some((output, _)))) => {
                let (status, headers, _) = split_message(&output);
                assert_eq!(response.status(), status, "{edits:?}");
                assert_eq!(response.headers(), headers, "{edits:?}");
                // The library writes the answer, so a second one in the output would be taken for frames.
                assert_eq!(connection.output(), [], "{edits:?}");
                let connection = from_list.accept(&options).unwrap();
                assert_eq!(connection.output(), [], "{edits:?}");
                // Who has read the bytes gets the same answer twice: to look at, and to be written.
                let mut buffer = ReadBuffer::new();
                buffer.extend_from_slice(request.as_bytes());
                let mut handshake = ServerHandshake::new(&options.config);
                let read = handshake.read_request(&mut buffer).unwrap().unwrap();
                let (same, connection) = read.negotiate(&options).unwrap();
                assert_eq!(same, response, "{edits:?}");
                assert_eq!(connection.output(), output, "{edits:?}");
            }
            (Err(list), Err(bytes)) => assert_eq!(list, bytes, "{edits:?}"),
            (list, bytes) => panic!("{edits:?}: {list:?} but {bytes:?}"),
        }
    }
}

/// RFC 9112 section 3.2.2: who compares paths must not be fooled by the absolute form, and its host is the one that
/// counts.
#[test]
fn an_absolute_target_is_its_path_and_its_host() {
    let table = [
        ("/admin", "/admin", "example.com"),
        ("/", "/", "example.com"),
        ("//b/admin", "//b/admin", "example.com"),
        ("/?x=1", "/?x=1", "example.com"),
        ("/http://b/c", "/http://b/c", "example.com"),
        ("http://a/admin", "/admin", "a"),
        ("HTTPS://A:1/admin?x=1", "/admin?x=1", "A:1"),
        ("http://a", "/", "a"),
        ("http://a?x=1", "/?x=1", "a"),
        ("http://a?", "/?", "a"),
        ("http://a//", "//", "a"),
        ("http://a/b://c", "/b://c", "a"),
        ("http://[::1]:80/?", "/?", "[::1]:80"),
    ];
    for (target, path, host) in table {
        let start = format!("=GET {target} HTTP/1.1");
        let bytes = head(REQUEST, &[&start]);
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(bytes.as_bytes());
        let mut handshake = ServerHandshake::new(&Config::default());
        let request = handshake.read_request(&mut buffer).unwrap().unwrap();
        let (_, headers) = split_head(&bytes);
        let list = Request::new("GET", target, headers.clone());
        // They differ in who writes the answer, and in nothing else.
        assert_eq!(request.method(), list.method(), "{target}");
        assert_eq!(request.headers(), list.headers(), "{target}");
        assert_eq!((request.target(), list.target()), (path, path));
        assert_eq!((request.host(), list.host()), (Some(host), Some(host)));
        let named = request.single_header("Host");
        assert_eq!(named, Some(host.as_bytes()), "{target}");
        assert_eq!(request.headers().len(), REQUEST.len() - 1, "{target}");
        assert!(request.accept(&ServerOptions::default()).is_ok());

        // A list may come without the header, or with several.
        let none = headers.iter().copied().filter(|it| !it.is("Host"));
        let none = Request::new("GET", target, none.collect());
        let twice = Request::new("GET", target, [&headers[..], &headers[..1]].concat());
        let found = (!target.starts_with('/')).then_some(host);
        assert_eq!((none.host(), twice.host()), (found, found), "{target}");
    }
    // Of another form they stay as they are, and are refused.
    for target in [
        "*",
        "admin",
        "a:80",
        "ws://a/admin",
        "ftp://a/admin",
        "http:/a",
        "http:///admin",
        "http://user@a/admin",
        "http://a:99999/admin",
        "http://a/admin#b",
        "/admin#b",
        "",
    ] {
        let lines = head(REQUEST, &[]);
        let (_, headers) = split_head(&lines);
        let request = Request::new("GET", target, headers);
        assert_eq!(request.target(), target);
        assert_eq!(request.host(), Some("example.com"), "{target}");
        let refused = request.accept(&ServerOptions::default()).unwrap_err();
        assert_eq!(refused, RequestError::Target, "{target}");
    }
    // RFC 9112 section 3.2: a request without a valid Host is refused, whatever its target.
    for edits in [&["-Host"][..], &["-Host", "Host:"], &["Host: b"]] {
        let edits = [&["=GET http://a/ HTTP/1.1"], edits].concat();
        let request = head(REQUEST, &edits);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        assert_eq!(served, Err(RequestError::Host), "{edits:?}");
    }
    // HTTP/1.0 asks for none.
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"GET http://a/b HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    for (path, host) in [("/b", Some("a")), ("/", None)] {
        let mut handshake = ServerHandshake::new(&Config::default());
        let request = handshake.read_request(&mut buffer).unwrap().unwrap();
        assert_eq!((request.target(), request.host()), (path, host));
    }
    for (host, valid) in [("a b", None), ("", None), ("[::1]", Some("[::1]"))] {
        let name = "host";
        let value = host.as_bytes();
        let request = Request::new("GET", "/", vec![Header { name, value }]);
        assert_eq!(request.host(), valid);
    }
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
        let options = ServerOptions::new().with_origins(origins);
        let request = head(REQUEST, &[&format!("Origin: {origin}")]);
        let served = serve(request.as_bytes(), &[], &options);
        assert_eq!(served.is_ok(), allowed, "{origins:?} {origin}");
        if !allowed {
            assert_eq!(served, Err(RequestError::Origin));
        }
    }
    // Programs that are no browsers send none; two are refused under every policy.
    for origins in [Origins::Any, Origins::Only(&only), Origins::SameHost] {
        let options = ServerOptions::new().with_origins(origins);
        assert!(serve(head(REQUEST, &[]).as_bytes(), &[], &options).is_ok());
        let two = head(REQUEST, &["Origin: https://a.example", "Origin: null"]);
        let served = serve(two.as_bytes(), &[], &options);
        assert_eq!(served, Err(RequestError::DuplicateOrigin));
    }
}

/// RFC 9110 sections 7.4 and 15.5.20. HTTP/1.1 does not tell the scheme.
#[test]
fn the_hosts_that_a_server_answers_for() {
    for &(hosts, host, [.., answered]) in HOSTS {
        let options = ServerOptions::new().with_hosts(hosts);
        let edits = [
            vec!["-Host".to_owned(), format!("Host: {host}")],
            // It is the host in the target that counts.
            vec![format!("=GET http://{host}/chat HTTP/1.1")],
        ];
        for edits in edits {
            let edits: Vec<_> = edits.iter().map(String::as_str).collect();
            let request = head(REQUEST, &edits);
            let served = serve(request.as_bytes(), &[], &options).map(drop);
            let verdict = answered.then_some(()).ok_or(RequestError::Misdirected);
            assert_eq!(served, verdict, "{hosts:?} {edits:?}");
        }
    }
    let answer = RequestError::Misdirected.response();
    assert!(answer.starts_with(b"HTTP/1.1 421 Misdirected Request\r\n"));
}

/// A page whose name points to the address of another server has the same host as that (DNS rebinding).
#[test]
fn named_hosts_protect_from_dns_rebinding() {
    let edits = ["-Host", "Host: evil.example", "Origin: http://evil.example"];
    let request = head(REQUEST, &edits);
    let mut options = ServerOptions::default();
    assert!(serve(request.as_bytes(), &[], &options).is_ok());
    options.hosts = &["localhost", "127.0.0.1", "[::1]"];
    let served = serve_cut(request.as_bytes(), &options);
    assert_eq!(served, Err(RequestError::Misdirected));
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
        let mut options = ServerOptions::new().with_subprotocols(known);
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
    let mut handshake = ServerHandshake::new(&Config::default());
    let request = handshake.read_request(&mut buffer).unwrap().unwrap();
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b"]);
    let options = ServerOptions::new().with_subprotocols(&["b"]);
    let (response, _) = request.negotiate(&options).unwrap();
    assert_eq!(response.subprotocol(), Some("b"));
}

#[test]
fn a_request_for_something_else_gets_a_plain_answer() {
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"HEAD /page?x HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n");
    let mut handshake = ServerHandshake::new(&Config::default());
    let request = handshake.read_request(&mut buffer).unwrap().unwrap();
    assert_eq!((request.method(), request.target()), ("HEAD", "/page?x"));
    assert!(!request.is_websocket());
    assert_eq!(request.single_header("HOST"), Some(&b"a"[..]));
    // Two are no single one.
    assert_eq!(request.single_header("x"), None);
    assert_eq!(request.single_header("y"), None);
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

/// RFC 9110 section 9.3.2: the answer to a HEAD has no body, whatever else is wrong with the request.
#[test]
fn the_refusal_of_a_head_has_no_body() {
    for request in [
        &b"HEAD /chat HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"HEAD * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD / HTTP/1.0\r\nHost: a\r\n\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"HEAD / HTTP/1.1\r\n\r\n",
    ] {
        let config = Config::default();
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(request);
        let mut handshake = ServerHandshake::new(&config);
        let options = ServerOptions::new();
        let connection = handshake.accept(&mut buffer, &options, Duration::ZERO);
        let connection = connection.expect("an answer");
        let status = if request.ends_with(b"HTTP/1.1\r\n\r\n") {
            &b"HTTP/1.1 400 "[..] // without a Host
        } else {
            b"HTTP/1.1 405 "
        };
        assert!(connection.output().starts_with(status));
        assert!(connection.output().ends_with(b"\r\n\r\n"));
    }
}
