//! Options of the application. No option can break the lines of a head.

use super::{REQUEST, head, opened, read, seed, serve, split_head, split_message};
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Origins, Request, RequestError,
    ServerOptions, Uri,
};
use sockless::{Config, ReadBuffer};

/// Bytes that would break the lines of a head, or be invisible in them.
const BREAKS: [&str; 8] = [
    "\r\nX: y", "\r", "\n", "\0", "\x0b", "\x0c", "\x7f", "\r\n\r\n",
];

#[test]
fn no_option_breaks_the_head() {
    let uri = Uri::parse("ws://example.com").unwrap();
    let attempt = |options: &ClientOptions<'_>| {
        ClientHandshake::new(&uri, options, seed())
            .map(|h| h.request().to_vec())
            .unwrap_err()
    };
    let request = Request::new("GET", "/", vec![]);
    let mut buffer = ReadBuffer::new();
    let upgrade = read(&mut buffer, head(REQUEST, &[]));

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

            let subprotocols = [&*wrong];
            let options = ClientOptions::new().with_subprotocols(&subprotocols);
            assert_eq!(attempt(&options), InputError::Subprotocol, "{wrong:?}");
            let options = ClientOptions::new().with_host(&wrong);
            assert_eq!(attempt(&options), InputError::Host, "{wrong:?}");
            let options = ClientOptions::new().with_origin(&wrong);
            assert_eq!(attempt(&options), InputError::HeaderValue, "{wrong:?}");

            for (name, value, error) in [
                (&*wrong, &b"x"[..], InputError::HeaderName),
                ("X", wrong.as_bytes(), InputError::HeaderValue),
            ] {
                let headers = [Header { name, value }];
                let options = ClientOptions::new().with_headers(&headers);
                assert_eq!(attempt(&options), error, "{wrong:?}");
                assert_eq!(request.respond(200, &headers, b""), Err(error));
                // The answer tells the client only that the server is at fault.
                let options = ServerOptions::new().with_headers(&headers);
                let refused = RequestError::Input(error);
                assert_eq!(upgrade.negotiate(&options).map(drop), Err(refused));
                assert_eq!(upgrade.accept(&options).map(drop), Err(refused));
                assert_eq!(refused.status(), 500);
                let connection = refused.refuse(&options.config);
                assert_eq!(connection.output(), refused.response());
                assert_eq!(split_message(connection.output()).0, 500);
            }

            // A server writes a subprotocol only if the client has offered the same token.
            let subprotocols = [&*wrong, "b"];
            let options = ServerOptions::new().with_subprotocols(&subprotocols);
            let offers = head(REQUEST, &["~Protocol: a, b"]);
            let served = serve(offers.as_bytes(), &[], &options);
            let values: Vec<_> = opened(&served, "a, b").iter().map(|it| it.value).collect();
            assert_eq!(values, [b"b"]);
        }
    }
}

/// The host replaces the host of the URI, without changes. It must be valid (RFC 9110 section 7.2).
#[test]
fn the_application_can_set_the_host() {
    let uri = Uri::parse("wss://127.0.0.1:8443/chat").unwrap();
    let mut options = ClientOptions::default();
    for host in ["example.com", "Example.com:1", "[::1]:80", "a%20b", "a:"] {
        options.host = Some(host);
        let handshake = ClientHandshake::new(&uri, &options, seed()).unwrap();
        let start = format!("GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: ");
        assert!(handshake.request().starts_with(start.as_bytes()), "{host}");
        let hosts = handshake.headers().into_iter().filter(|it| it.is("host"));
        assert_eq!(hosts.count(), 1, "{host}");

        let client = ClientHandshake::extended_connect(&uri, &options, seed());
        let client = client.unwrap();
        let fields = client.headers();
        let named = |name| fields.iter().find(|it| it.is(name)).map(|it| it.value);
        assert_eq!(named(":authority"), Some(host.as_bytes()));
        assert_eq!(named("host"), None);
        // A server of this crate accepts this host.
        let request = Request::extended_connect(fields);
        assert!(request.negotiate(&ServerOptions::default()).is_ok());
    }
    for host in [
        "", " ", ":80", "a b", "a:b", "a:65536", "::1", "[::1", "[a]", "user@a", "http://a", "a/b",
        "a?b", "a#b", "a, b", "\u{e9}",
    ] {
        options.host = Some(host);
        let http1 = ClientHandshake::new(&uri, &options, seed());
        assert_eq!(http1.map(drop), Err(InputError::Host), "{host:?}");
        let http2 = ClientHandshake::extended_connect(&uri, &options, seed());
        assert_eq!(http2.map(drop), Err(InputError::Host), "{host:?}");
    }
}

#[test]
fn the_application_cannot_set_headers_of_the_handshake() {
    let uri = Uri::parse("ws://example.com").unwrap();
    let lines = head(REQUEST, &[]);
    let (_, fields) = split_head(&lines);
    let request = Request::new("GET", "/chat", fields);
    let attempt = |name, value, subprotocols| {
        let headers = [Header { name, value }];
        let options = ClientOptions::new()
            .with_subprotocols(subprotocols)
            .with_headers(&headers);
        let asked = ClientHandshake::new(&uri, &options, seed()).map(drop);
        // The same headers are valid in an answer.
        let answered = request.negotiate(&ServerOptions::new().with_headers(&headers));
        if asked != Err(InputError::Subprotocol) {
            assert_eq!(answered.map(drop), asked.map_err(RequestError::Input));
        }
        asked
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

/// The methods also work in constants.
#[test]
fn each_method_sets_its_own_option_only() {
    const CONFIG: Config = Config::new().with_max_headers(7);
    const SERVER: ServerOptions<'static> = ServerOptions::new()
        .with_config(CONFIG)
        .with_subprotocols(&["a"])
        .with_require_subprotocol(true)
        .with_origins(Origins::Only(&["https://b"]))
        .with_hosts(&["c"])
        .with_headers(&[Header {
            name: "d",
            value: b"e",
        }]);
    const CLIENT: ClientOptions<'static> = ClientOptions::new()
        .with_config(CONFIG)
        .with_subprotocols(&["a"])
        .with_host("b")
        .with_origin("https://c")
        .with_headers(SERVER.headers);
    let server = SERVER;
    assert_eq!(server.config, CONFIG);
    assert_eq!(
        (server.subprotocols, server.hosts),
        (&["a"][..], &["c"][..])
    );
    assert!(server.require_subprotocol);
    assert!(matches!(server.origins, Origins::Only(&["https://b"])));
    assert!(server.headers[0].is("D"));
    assert_eq!(CLIENT.config, CONFIG);
    assert_eq!(CLIENT.subprotocols, ["a"]);
    assert_eq!((CLIENT.host, CLIENT.origin), (Some("b"), Some("https://c")));
    assert_eq!(CLIENT.headers, SERVER.headers);
    // The defaults are as documented.
    let (server, client) = (ServerOptions::new(), ClientOptions::new());
    assert_eq!(
        (server.config, client.config),
        (Config::new(), Config::new())
    );
    assert!(matches!(server.origins, Origins::SameHost) && !server.require_subprotocol);
    assert!(server.subprotocols.is_empty() && client.subprotocols.is_empty());
    assert!(server.headers.is_empty() && client.headers.is_empty());
    assert!(server.hosts.is_empty());
    assert_eq!((client.host, client.origin), (None, None));
}

/// RFC 9110 section 15: the reason in a status line is the registered one, or empty.
#[test]
fn a_status_line_has_the_registered_reason() {
    let registered = [
        (200, "OK"),
        (204, "No Content"),
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (304, "Not Modified"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (408, "Request Timeout"),
        (410, "Gone"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (421, "Misdirected Request"),
        (426, "Upgrade Required"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (505, "HTTP Version Not Supported"),
    ];
    let request = Request::new("GET", "/", vec![]);
    for status in 200..600 {
        let answer = request.respond(status, &[], b"").unwrap();
        let line = answer.split(|byte| *byte == b'\r').next().unwrap();
        let reason = registered.iter().find(|(known, _)| *known == status);
        let reason = reason.map_or("", |(_, reason)| reason);
        assert_eq!(line, format!("HTTP/1.1 {status} {reason}").as_bytes());
    }
    let mut buffer = ReadBuffer::new();
    let request = read(&mut buffer, head(REQUEST, &[]));
    let connection = request.accept(&ServerOptions::default()).unwrap();
    let line = b"HTTP/1.1 101 Switching Protocols\r\n";
    assert!(connection.output().starts_with(line));
}
