//! Requests that a server accepts and refuses, and its answers (RFC 6455 section 4.2).

use super::{
    ACCEPT, EDITS, HOSTS, KEY, REQUEST, head, opened, read, serve, serve_cut, split_head,
    split_message, values,
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
        // RFC 9110 section 7.6.1: `close` is about the connection after this exchange. The WebSocket takes it over.
        &["-Connection", "Connection: close, Upgrade"],
        &["-Connection", "Connection: Upgrade, close"],
        &["Connection: close"],
        // RFC 9110 sections 5.3 and 5.6.1.2: all lines of a list are one list. Empty elements are ignored.
        &["~Extensions: foo", "~Extensions:"],
        &["~Extensions:", "~Extensions: foo"],
        &["~Extensions: , ,", "~Extensions: foo", "~Extensions:"],
        &["Connection:", "Upgrade: ,"],
        &["~Protocol: b", "~Protocol:"],
        // RFC 9110 section 10.1.1: a server with a final status does not send a 100.
        &["Expect: 100-continue"],
        &["-Connection", "Connection:\t,, upgrade ,"],
        &["-Host", "HOST:example.com:8080"],
        &["Content-Length: 0"],
        &["~Extensions: foo, bar; baz=2; q=\"x\""],
        &["~Extensions: permessage-deflate; client_max_window_bits"],
        &["~Protocol: chat, superchat"],
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
        let expected = [OwnedEvent::text("early"), OwnedEvent::ping(b"")];
        assert_eq!(*events, expected, "{what}");
        // The Pong follows the answer to the request.
        let output = output.strip_suffix(b"\x8a\x00").expect("a Pong");
        let served = Ok(Some((output.to_vec(), vec![])));
        // Section 4.2.2: the answer names no extension or subprotocol that the server does not know.
        assert_eq!(opened(&served, &what), [], "{what}");
        let (_, headers, _) = split_message(output);
        let accept = values(&headers, "Sec-WebSocket-Accept");
        assert_eq!(accept, [ACCEPT.as_bytes()], "{what}");
    }
}

/// RFC 6455 section 4.1, item 10, requires at least one subprotocol. Some clients without subprotocols send an empty
/// header.
#[test]
fn an_empty_subprotocol_header_offers_none() {
    let mut options = ServerOptions::new().with_subprotocols(&["a", ""]);
    for edits in [
        &["~Protocol:"][..],
        &["~Protocol: ,"],
        &["~Protocol: \t, ,"],
        &["~Protocol:", "~Protocol:"],
    ] {
        let request = head(REQUEST, edits);
        options.require_subprotocol = false;
        let served = serve_cut(request.as_bytes(), &options);
        assert_eq!(opened(&served, &format!("{edits:?}")), []);
        options.require_subprotocol = true;
        let served = serve_cut(request.as_bytes(), &options);
        assert_eq!(served, Err(RequestError::NoCommonSubprotocol), "{edits:?}");
        // A list of an HTTP library gets the same result, even if the library leaves white space in the value.
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

/// RFC 9110 section 5.5: bytes over 0x7f in a value are opaque. They need not be UTF-8.
#[test]
fn a_value_may_have_bytes_over_0x7f() {
    let line = [&b"X-Latin: "[..], &(0x80..=0xff).collect::<Vec<u8>>(), b"x"].concat();
    let request = head(REQUEST, &[]);
    let request = request.strip_suffix("\r\n").unwrap();
    let bytes = [request.as_bytes(), &line, b"\r\n\r\n"].concat();
    let served = serve_cut(&bytes, &ServerOptions::default());
    assert_eq!(opened(&served, "bytes over 0x7f"), []);
    let mut buffer = ReadBuffer::new();
    let request = read(&mut buffer, &bytes);
    assert_eq!(request.single_header("x-latin"), line.get(9..));
}

#[test]
fn the_answer_has_the_accept_value() {
    assert_eq!(&accept_key(KEY.as_bytes()), ACCEPT.as_bytes());
    // The sample of section 4.1 sets bits that are not part of the 16 bytes.
    for (key, accept) in [
        (KEY, ACCEPT),
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
    ] {
        let line = format!("~Key: {key}");
        let request = head(REQUEST, &["-~Key", &line]);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        opened(&served, key);
        let (output, _) = served.unwrap().unwrap();
        let (_, headers, _) = split_message(&output);
        let value = values(&headers, "Sec-WebSocket-Accept");
        assert_eq!(value, [accept.as_bytes()]);
    }
}

/// RFC 9110 section 10.1.1: a server with a final status does not send a 100. So Expect does not change a refusal.
#[test]
fn the_server_refuses() {
    use RequestError::{
        Body, DuplicateOrigin, Extensions, Host, Http10, Key, Method, MissingVersion, NotAnUpgrade,
        Origin, Subprotocols, UnsupportedVersion,
    };
    const EXPECT: &str = "Expect: 100-continue";
    let http = RequestError::UnsupportedHttpVersion;
    let malformed = RequestError::MalformedHead;
    let table: &[(&[&str], RequestError)] = &[
        (&["-Upgrade"], NotAnUpgrade),
        (&["-Connection"], NotAnUpgrade),
        (&["-Upgrade", "Upgrade: h2c"], NotAnUpgrade),
        (&["-Upgrade", "Upgrade: websocket2"], NotAnUpgrade),
        (&["-Connection", "Connection: close"], NotAnUpgrade),
        (&["-Connection", "Connection: Upgrades"], NotAnUpgrade),
        (&["=POST /chat HTTP/1.1"], Method),
        (&["=HEAD /chat HTTP/1.1"], Method),
        // RFC 9110 section 9.1: the method is case-sensitive.
        (&["=get /chat HTTP/1.1"], Method),
        (&["=GET /chat HTTP/1.0"], Http10),
        (&["=GET /chat HTTP/1.0", "-Host"], Http10),
        (&["=GET /chat HTTP/1.2"], http),
        (&["=GET /chat HTTP/2.0"], http),
        (&["-Host"], Host),
        (&["Host: example.com"], Host),
        (&["-Host", "Host:"], Host),
        (&["-Host", "Host: exam ple.com"], Host),
        (&["-Host", "Host: example.com/chat"], Host),
        (&["-Host", "Host: user@example.com"], Host),
        (&["-Host", "Host: example.com:99999"], Host),
        (&["=GET /a b HTTP/1.1"], malformed),
        (&["=garbage in here"], malformed),
        (&["=GET /chat FTP/1.1"], malformed),
        (&["host: other.example"], Host),
        (&["-~Version"], MissingVersion),
        (&["~Version: 13"], MissingVersion),
        (&["~Version: 8"], MissingVersion),
        (&["-~Version", "~Version: 12"], UnsupportedVersion),
        (&["-~Version", "~Version: 13, 8"], UnsupportedVersion),
        (&["-~Version", "~Version: 0xd"], UnsupportedVersion),
        (&["-~Version", "~Version: 13.0"], UnsupportedVersion),
        (&["-~Version", "~Version: +13"], UnsupportedVersion),
        (&["-~Version", "~Version: 013"], UnsupportedVersion),
        (&["-~Key"], Key),
        (&["~Key: dGhlIHNhbXBsZSBub25jZQ=="], Key),
        (&["-~Key", "~Key:"], Key),
        (&["-~Key", "~Key: GhlIHNhbXBsZSBub25jZQ=="], Key),
        (&["-~Key", "~Key: AdGhlIHNhbXBsZSBub25jZQ=="], Key),
        (&["-~Key", "~Key: dGhlIHNhbXBsZSBub25jZQ="], Key),
        (&["-~Key", "~Key: dGhlIHNhbXBsZSBub25jZQ==="], Key),
        (&["-~Key", "~Key: dGhlIHNhbXBsZSBub25jZQAA"], Key),
        (&["-~Key", "~Key: dGhlIHNhbXBsZSBub2-jZQ=="], Key),
        (&["-~Key", "~Key: dGhl HNhbXBsZSBub25jZQ=="], Key),
        (&["Content-Length: 1"], Body),
        (&["Content-Length: -1"], Body),
        // A proxy may read other digits differently, although RFC 9110 section 8.6 allows them.
        (&["Content-Length: 00"], Body),
        (&["Content-Length: +0"], Body),
        (&["Content-Length: 0, 0"], Body),
        (&["Content-Length:"], Body),
        (&["Content-Length: 0", "Content-Length: 9"], Body),
        (&["Transfer-Encoding: chunked"], Body),
        (&["Transfer-Encoding: identity"], Body),
        (&[EXPECT, "Content-Length: 5"], Body),
        (&[EXPECT, "Transfer-Encoding: chunked"], Body),
        (&[EXPECT, "Origin: http://evil.example"], Origin),
        (&["Origin: http://evil.example"], Origin),
        (&["Origin: null"], Origin),
        (&["Origin: http://example.com:8080"], Origin),
        (&["Origin: http://example.com"; 2], DuplicateOrigin),
        (&["~Extensions: ;"], Extensions),
        (&["~Extensions:"], Extensions),
        (&["~Extensions:", "~Extensions: ,"], Extensions),
        (&["~Extensions: a;", "~Extensions:"], Extensions),
        (&["~Extensions: a; b=\"c"], Extensions),
        (&["~Extensions: a b"], Extensions),
        (&["~Protocol: a b"], Subprotocols),
        (&["~Protocol: a, b c,"], Subprotocols),
        (&["~Protocol: a, b", "~Protocol: a"], Subprotocols),
        (&["X: folded", " line"], malformed),
        (&["X: folded", "\tline"], malformed),
        (&["X : space before the colon"], malformed),
        (&["X\t: tab before the colon"], malformed),
        (&["X: n\0l"], malformed),
        (&["X\0: y"], malformed),
        (&["X: bare\rcr"], malformed),
        (&["X: bare\nLF: y"], malformed),
        (&["X: \x01"], malformed),
        (&["X: \x7f"], malformed),
        (&[": empty name"], malformed),
        (&["no colon"], malformed),
        (&["(X): y"], malformed),
        (&["=GET  /chat HTTP/1.1"], malformed),
        (&["=GET /chat"], malformed),
        (&["=G@T /chat HTTP/1.1"], malformed),
        (&["= GET /chat HTTP/1.1"], malformed),
    ];
    for &(edits, error) in table {
        let request = head(REQUEST, edits);
        let what = format!("{edits:?}");
        // The server never reads the bytes after a refused request, neither as frames nor as another request.
        let frame = Frame::new(0x81, "smuggled").encode(Role::Server);
        let bytes = [request.as_bytes(), &frame].concat();
        let served = serve_cut(&bytes, &ServerOptions::default());
        assert_eq!(served, Err(error), "{what}");
        let response = error.response();
        let (written, headers, body) = split_message(&response);
        assert_eq!(written, error.status(), "{what}");
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
        // RFC 9110 section 7.8: a sender of Upgrade names it in Connection.
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
fn header_lists_get_the_same_result_as_bytes() {
    let options = ServerOptions::new().with_subprotocols(&["a", "b"]);
    for edits in EDITS.iter().copied().flatten() {
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
                // The library writes the answer. The client would read a second answer in the output as frames.
                assert_eq!(connection.output(), [], "{edits:?}");
                let connection = from_list.accept(&options).unwrap();
                assert_eq!(connection.output(), [], "{edits:?}");
                // For bytes, the answer is returned and is also in the output.
                let mut buffer = ReadBuffer::new();
                let from_bytes = read(&mut buffer, &request);
                let (same, connection) = from_bytes.negotiate(&options).unwrap();
                assert_eq!(same, response, "{edits:?}");
                assert_eq!(connection.output(), output, "{edits:?}");
            }
            (Err(list), Err(bytes)) => assert_eq!(list, bytes, "{edits:?}"),
            (list, bytes) => panic!("{edits:?}: {list:?} but {bytes:?}"),
        }
    }
}

/// RFC 9112 section 3.2.2: the host in an absolute target counts. `target` returns only its path, so comparing paths is
/// safe.
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
        let request = read(&mut buffer, &bytes);
        let (_, headers) = split_head(&bytes);
        let list = Request::new("GET", target, headers.clone());
        // They differ only in who writes the answer.
        assert_eq!(request.method(), list.method(), "{target}");
        assert_eq!(request.headers(), list.headers(), "{target}");
        assert_eq!((request.target(), list.target()), (path, path));
        assert_eq!((request.host(), list.host()), (Some(host), Some(host)));
        let named = request.single_header("Host");
        assert_eq!(named, Some(host.as_bytes()), "{target}");
        assert_eq!(request.headers().len(), REQUEST.len() - 1, "{target}");
        assert!(request.accept(&ServerOptions::default()).is_ok());

        // A list may have no Host header, or several.
        let none = headers.iter().copied().filter(|it| !it.is("Host"));
        let none = Request::new("GET", target, none.collect());
        let twice = Request::new("GET", target, [&headers[..], &headers[..1]].concat());
        let found = (!target.starts_with('/')).then_some(host);
        assert_eq!((none.host(), twice.host()), (found, found), "{target}");
    }
    // A target in another form is unchanged, and the server refuses it.
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
    // RFC 9112 section 3.2: the server refuses every request without a valid Host.
    for edits in [&["-Host"][..], &["-Host", "Host:"], &["Host: b"]] {
        let edits = [&["=GET http://a/ HTTP/1.1"], edits].concat();
        let request = head(REQUEST, &edits);
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        assert_eq!(served, Err(RequestError::Host), "{edits:?}");
    }
    // HTTP/1.0 does not require a Host.
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"GET http://a/b HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    for (path, host) in [("/b", Some("a")), ("/", None)] {
        let request = read(&mut buffer, "");
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
fn a_server_checks_the_origin() {
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
    // Programs other than browsers send no Origin. Every policy refuses two.
    for origins in [Origins::Any, Origins::Only(&only), Origins::SameHost] {
        let options = ServerOptions::new().with_origins(origins);
        assert!(serve(head(REQUEST, &[]).as_bytes(), &[], &options).is_ok());
        let two = head(REQUEST, &["Origin: https://a.example", "Origin: null"]);
        let served = serve(two.as_bytes(), &[], &options);
        assert_eq!(served, Err(RequestError::DuplicateOrigin));
    }
}

/// RFC 9110 sections 7.4 and 15.5.20. A request over HTTP/1.1 does not name the scheme.
#[test]
fn the_hosts_that_a_server_answers_for() {
    for &(hosts, host, [.., answered]) in HOSTS {
        let options = ServerOptions::new().with_hosts(hosts);
        let edits = [
            vec!["-Host".to_owned(), format!("Host: {host}")],
            // The host in the target counts.
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

/// In DNS rebinding, the name of an attacker's page points to the address of this server. So Host and Origin agree.
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
fn a_server_chooses_a_subprotocol() {
    let offers = |offer: &str| head(REQUEST, &[&format!("~Protocol: {offer}")]);
    let table: &[(&str, &[&str], Option<&str>)] = &[
        ("a, b", &["b"], Some("b")),
        ("a, b", &["b", "a"], Some("a")),
        ("a,b", &["c", "b"], Some("b")),
        ("a", &["b"], None),
        ("a", &[], None),
        // The comparison is case-sensitive.
        ("Chat", &["chat"], None),
        ("chat2", &["chat"], None),
    ];
    for &(offer, known, chosen) in table {
        let mut options = ServerOptions::new().with_subprotocols(known);
        let served = serve_cut(offers(offer).as_bytes(), &options);
        let headers = opened(&served, offer);
        let found: Vec<_> = headers.iter().map(|it| (it.name, it.value)).collect();
        let expected = chosen.map(|value| ("Sec-WebSocket-Protocol", value.as_bytes()));
        assert_eq!(found, Vec::from_iter(expected), "{offer} {known:?}");

        options.require_subprotocol = true;
        let served = serve_cut(offers(offer).as_bytes(), &options);
        match chosen {
            Some(_) => assert!(served.is_ok()),
            None => assert_eq!(served, Err(RequestError::NoCommonSubprotocol)),
        }
    }
    // Two lines are one list.
    let two = head(REQUEST, &["~Protocol: a", "~Protocol: b"]);
    let mut buffer = ReadBuffer::new();
    let request = read(&mut buffer, &two);
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b"]);
    let options = ServerOptions::new().with_subprotocols(&["b"]);
    let (response, _) = request.negotiate(&options).unwrap();
    assert_eq!(response.subprotocol(), Some("b"));
}

#[test]
fn a_request_for_something_else_gets_a_plain_answer() {
    let mut buffer = ReadBuffer::new();
    let bytes = b"HEAD /page?x HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n";
    let request = read(&mut buffer, bytes);
    assert_eq!((request.method(), request.target()), ("HEAD", "/page?x"));
    assert!(!request.is_websocket());
    assert_eq!(request.single_header("HOST"), Some(&b"a"[..]));
    // `single_header` returns `None` for two headers.
    assert_eq!(request.single_header("x"), None);
    assert_eq!(request.single_header("y"), None);
    assert_eq!(request.headers().len(), 3);

    // The application writes its own page with the status 426.
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
    // The request, the status, the written body and the Content-Length.
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

/// RFC 9110 section 9.3.2: the answer to a HEAD has no body, even if the request has another error.
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
