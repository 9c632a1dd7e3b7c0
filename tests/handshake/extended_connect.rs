//! The opening handshake over HTTP/2 and HTTP/3 (RFC 8441, RFC 9220), as lists of header fields.

use super::HOSTS;
use proptest::prelude::*;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Origins, Request, RequestError, Response,
    ResponseError, ServerOptions, Uri,
};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role};
use sockless::{CloseCode, Config, Deadlines, ReadBuffer, Seed, TransportAction};

const GOOD: &[(&str, &str)] = &[
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":path", "/chat?room=1"),
    (":authority", "example.com"),
    ("sec-websocket-version", "13"),
];

fn list<'a>(fields: &[(&'a str, &'a str)]) -> Vec<Header<'a>> {
    let header = |(name, value): &(&'a str, &'a str)| Header {
        name,
        value: value.as_bytes(),
    };
    fields.iter().map(header).collect()
}

/// The good request with one field in place of another, added if it was not there; without a value it is left out.
fn changed<'a>(name: &'a str, value: Option<&'a str>) -> Vec<Header<'a>> {
    let mut fields: Vec<_> = GOOD
        .iter()
        .copied()
        .filter(|(other, _)| *other != name)
        .collect();
    fields.extend(value.map(|value| (name, value)));
    list(&fields)
}

fn options() -> ServerOptions<'static> {
    ServerOptions::new().with_subprotocols(&["chat", "superchat"])
}

fn client(options: &ClientOptions<'_>) -> ClientHandshake {
    let uri = Uri::parse("wss://example.com/chat?room=1").unwrap();
    ClientHandshake::extended_connect(&uri, options, Seed::new([7; 32])).unwrap()
}

#[test]
fn the_server_accepts() {
    for fields in [
        list(GOOD),
        changed(":scheme", Some("http")),
        changed(":authority", Some("[::1]:8443")),
        changed(":path", Some("/")),
        changed("host", Some("example.com")),
        changed("host", Some("EXAMPLE.com")),
        // RFC 9113 section 8.3.1: they are normalized to be compared.
        changed("host", Some("example.com:443")),
        changed("host", Some("example.com:")),
        changed("origin", Some("https://example.com")),
        changed("sec-websocket-extensions", Some("unknown; a=1")),
        // None is offered.
        changed("sec-websocket-protocol", Some("")),
        changed("sec-websocket-protocol", Some(" ,")),
        // Not used, whoever adds it (RFC 8441 section 5).
        changed("sec-websocket-key", Some("anything")),
        changed("cookie", Some("a=b")),
    ] {
        let request = Request::extended_connect(fields);
        assert!(request.is_websocket());
        let options = options();
        let (response, connection) = request.negotiate(&options).expect("a good request");
        assert_eq!(response.status(), 200, "{request:?}");
        assert_eq!(response.headers(), [], "{request:?}");
        assert_eq!(connection.output(), b"", "nothing is written but frames");
        let connection = request.accept(&options).unwrap();
        assert_eq!(connection.output(), b"", "nothing is written but frames");
    }
    let request = Request::extended_connect(list(GOOD));
    assert_eq!(
        (request.method(), request.target()),
        ("CONNECT", "/chat?room=1")
    );
    for (name, value) in GOOD {
        assert_eq!(request.single_header(name), Some(value.as_bytes()));
    }
}

#[test]
fn the_server_refuses() {
    use RequestError::{
        Body, ConnectionHeader, Extensions, Host, Method, MissingVersion, NotAnUpgrade, Origin,
        Subprotocols, Target, UnsupportedVersion,
    };
    for (name, value, error, status) in [
        (":method", Some("GET"), Method, 405),
        (":method", None, Method, 405),
        (":protocol", Some("webtransport"), NotAnUpgrade, 501),
        (":protocol", Some("WebSocket"), NotAnUpgrade, 501),
        (":protocol", None, NotAnUpgrade, 501),
        (":scheme", None, Target, 400),
        (":scheme", Some("wss"), Target, 400),
        (":path", None, Target, 400),
        (":path", Some(""), Target, 400),
        (":path", Some("chat"), Target, 400),
        (":path", Some("/chat#part"), Target, 400),
        (":authority", None, Host, 400),
        (":authority", Some(""), Host, 400),
        (":authority", Some("user@example.com"), Host, 400),
        ("host", Some("example.org"), Host, 400),
        ("host", Some("example.com:80"), Host, 400),
        ("host", Some(""), Host, 400),
        ("host", Some("user@example.com"), Host, 400),
        ("connection", Some("upgrade"), ConnectionHeader, 400),
        ("Connection", Some("close"), ConnectionHeader, 400),
        ("upgrade", Some("websocket"), ConnectionHeader, 400),
        ("keep-alive", Some("1"), ConnectionHeader, 400),
        ("proxy-connection", Some("close"), ConnectionHeader, 400),
        ("transfer-encoding", Some("chunked"), Body, 400),
        ("content-length", Some("1"), Body, 400),
        ("sec-websocket-version", None, MissingVersion, 400),
        ("sec-websocket-version", Some("8"), UnsupportedVersion, 400),
        (
            "sec-websocket-version",
            Some("13, 8"),
            UnsupportedVersion,
            400,
        ),
        ("origin", Some("https://example.org"), Origin, 403),
        ("sec-websocket-protocol", Some("a b"), Subprotocols, 400),
        ("sec-websocket-extensions", Some("a; b="), Extensions, 400),
    ] {
        let request = Request::extended_connect(changed(name, value));
        let found = request.negotiate(&options()).map(drop);
        assert_eq!(found, Err(error), "{name}: {value:?}");
        let is_one = !matches!(error, Method | NotAnUpgrade);
        assert_eq!(request.is_websocket(), is_one, "{name}: {value:?}");
        let (found, headers) = error.over_http2();
        assert_eq!(found, status, "{name}: {value:?}");
        // RFC 9113 sections 8.2.1 and 8.2.2.
        for header in headers {
            assert_eq!(header.name, header.name.to_ascii_lowercase());
            assert!(!header.is("upgrade") && !header.is("connection"));
        }
    }
    assert!(UnsupportedVersion.over_http2().1[0].is("sec-websocket-version"));
}

/// RFC 9113 section 8.3.1 and RFC 9114 section 4.3.1: a request may have Host in place of `:authority`. With both they
/// must say the same.
#[test]
fn a_host_in_place_of_an_authority() {
    let request = |authority: Option<&'static str>, host: Option<&'static str>| {
        let mut fields = changed(":authority", authority);
        fields.extend(list(
            &host
                .map(|host| ("host", host))
                .into_iter()
                .collect::<Vec<_>>(),
        ));
        fields.extend(list(&[("origin", "https://a.example")]));
        Request::extended_connect(fields)
    };
    for (authority, host, found) in [
        (Some("a.example"), None, Some("a.example")),
        (None, Some("a.example"), Some("a.example")),
        (None, Some("A.example:443"), Some("A.example:443")),
        (Some("a.example"), Some("A.example:443"), Some("a.example")),
        (Some("a.example"), Some("b.example"), None),
        (Some("a.example"), Some("a.example:80"), None),
        (Some("a.example"), Some(""), None),
        (Some(""), Some("a.example"), None),
        (None, Some(""), None),
        (None, Some("user@a.example"), None),
        (None, None, None),
    ] {
        let request = request(authority, host);
        assert_eq!(request.host(), found, "{authority:?} {host:?}");
        let verdict = found.map(drop).ok_or(RequestError::Host);
        let negotiated = request.negotiate(&options()).map(drop);
        assert_eq!(negotiated, verdict, "{authority:?} {host:?}");
    }
    // The Origin is compared with it.
    let refused = request(None, Some("b.example")).negotiate(&options());
    assert_eq!(refused.map(drop), Err(RequestError::Origin));
    // Two are no host, with or without an authority.
    for name in [":authority", "host"] {
        let fields = [
            changed(":authority", None),
            list(&[(name, "a"), (name, "a")]),
        ]
        .concat();
        let request = Request::extended_connect(fields);
        assert_eq!(request.host(), None);
        let found = request.negotiate(&options()).map(drop);
        assert_eq!(found, Err(RequestError::Host));
    }
}

/// RFC 9110 sections 7.4 and 15.5.20, with the default port of the scheme.
#[test]
fn the_hosts_that_a_server_answers_for() {
    for &(hosts, host, [http, https, _]) in HOSTS {
        let options = options().with_hosts(hosts);
        for (scheme, answered) in [("http", http), ("https", https)] {
            let verdict = answered.then_some(()).ok_or(RequestError::Misdirected);
            for name in [":authority", "host"] {
                let mut fields = changed(":authority", None);
                fields.retain(|field| field.name != ":scheme");
                fields.extend(list(&[(":scheme", scheme), (name, host)]));
                let found = Request::extended_connect(fields)
                    .negotiate(&options)
                    .map(drop);
                assert_eq!(found, verdict, "{hosts:?} {scheme} {name} {host}");
            }
        }
    }
    let (status, headers) = RequestError::Misdirected.over_http2();
    assert_eq!((status, headers), (421, &[][..]));
}

/// RFC 9113 section 7 and RFC 9114 section 8.1.
#[test]
fn the_error_codes_of_a_reset() {
    assert_eq!(TransportAction::CANCEL, 0x08);
    assert_eq!(TransportAction::H3_REQUEST_CANCELLED, 0x010c);
}

/// A field that must not be repeated.
#[test]
fn two_of_a_kind() {
    for (name, value, error) in [
        (":method", "CONNECT", RequestError::Method),
        (":protocol", "websocket", RequestError::NotAnUpgrade),
        (":scheme", "https", RequestError::Target),
        (":path", "/", RequestError::Target),
        (":authority", "example.com", RequestError::Host),
        ("sec-websocket-version", "13", RequestError::MissingVersion),
    ] {
        let mut fields = list(GOOD);
        fields.push(Header {
            name,
            value: value.as_bytes(),
        });
        let request = Request::extended_connect(fields);
        let found = request.negotiate(&options()).map(drop);
        assert_eq!(found, Err(error), "{name}");
        // What is not said once is not said.
        assert_eq!(request.single_header(name), None);
        assert_eq!(request.target().is_empty(), name == ":path", "{name}");
        assert_eq!(request.method().is_empty(), name == ":method", "{name}");
    }
    for (name, value, error) in [
        ("host", "example.com", RequestError::Host),
        (
            "origin",
            "https://example.com",
            RequestError::DuplicateOrigin,
        ),
    ] {
        let header = Header {
            name,
            value: value.as_bytes(),
        };
        let fields = [&list(GOOD)[..], &[header, header]].concat();
        let found = Request::extended_connect(fields)
            .negotiate(&options())
            .map(drop);
        assert_eq!(found, Err(error), "{name}");
    }
}

/// The same core as for HTTP/1.1.
#[test]
fn subprotocols_and_headers() {
    let fields = changed("sec-websocket-protocol", Some("other, superchat, chat"));
    let request = Request::extended_connect(fields);
    let offers: Vec<_> = request.subprotocols().collect();
    assert_eq!(offers, ["other", "superchat", "chat"]);
    let cookie = Header {
        name: "set-cookie",
        value: b"a=b",
    };
    let headers = [cookie];
    let options = options().with_headers(&headers);
    let (response, _) = request.negotiate(&options).unwrap();
    assert_eq!(response.subprotocol(), Some("superchat"));
    let chosen = Header {
        name: "sec-websocket-protocol",
        value: b"superchat",
    };
    assert_eq!(response.headers(), [chosen, cookie]);
    for (name, error) in [
        ("Set-Cookie", InputError::HeaderName),
        ("two words", InputError::HeaderName),
        ("sec-websocket-accept", InputError::ReservedHeader),
        ("upgrade", InputError::ReservedHeader),
    ] {
        let headers = [cookie, Header { name, value: b"x" }];
        let options = options.clone().with_headers(&headers);
        let refused = RequestError::Input(error);
        assert_eq!(
            request.negotiate(&options).map(drop),
            Err(refused),
            "{name}"
        );
        assert_eq!(request.accept(&options).map(drop), Err(refused), "{name}");
        assert_eq!(refused.over_http2(), (500, &[][..]), "{name}");
    }
    let (again, _) = request.negotiate(&options).unwrap();
    assert_eq!(again, response, "it is as it was");
}

#[test]
fn origins() {
    let options = options().with_origins(Origins::Only(&["https://example.org"]));
    let fields = changed("origin", Some("https://example.org"));
    assert!(
        Request::extended_connect(fields)
            .negotiate(&options)
            .is_ok()
    );
    let fields = changed("origin", Some("https://example.com"));
    let found = Request::extended_connect(fields)
        .negotiate(&options)
        .map(drop);
    assert_eq!(found, Err(RequestError::Origin));
}

#[test]
fn the_request_of_a_client() {
    let options = ClientOptions::new()
        .with_origin("https://example.com")
        .with_subprotocols(&["chat", "superchat"])
        .with_headers(&[Header {
            name: "cookie",
            value: b"a=b",
        }]);
    let client = client(&options);
    let mut expected = list(GOOD);
    expected.extend(list(&[
        ("origin", "https://example.com"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("cookie", "a=b"),
    ]));
    assert_eq!(client.headers(), expected);
    let uri = Uri::parse("ws://[::1]:8080").unwrap();
    let client =
        ClientHandshake::extended_connect(&uri, &ClientOptions::default(), Seed::new([7; 32]))
            .unwrap();
    let found = client.headers();
    assert_eq!(
        &found[2..5],
        list(&[
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "[::1]:8080")
        ])
    );
}

#[test]
fn nothing_the_application_passes_breaks_the_request() {
    let uri = Uri::parse("wss://example.com/").unwrap();
    for (name, value, error) in [
        ("Cookie", "a", InputError::HeaderName),
        (":path", "/", InputError::HeaderName),
        ("a b", "a", InputError::HeaderName),
        ("cookie", "a\r\nb", InputError::HeaderValue),
        ("host", "example.org", InputError::ReservedHeader),
        ("connection", "close", InputError::ReservedHeader),
    ] {
        let headers = list(&[(name, value)]);
        let options = ClientOptions::new().with_headers(&headers);
        let found = ClientHandshake::extended_connect(&uri, &options, Seed::new([7; 32])).map(drop);
        assert_eq!(found, Err(error), "{name}");
    }
}

#[test]
fn the_client_refuses() {
    let options = ClientOptions::new().with_subprotocols(&["chat"]);
    for (fields, error) in [
        (
            &[("sec-websocket-protocol", "other")][..],
            ResponseError::Subprotocol,
        ),
        (
            &[
                ("sec-websocket-protocol", "chat"),
                ("sec-websocket-protocol", "chat"),
            ],
            ResponseError::Subprotocol,
        ),
        (
            &[("sec-websocket-extensions", "permessage-deflate")],
            ResponseError::ExtensionNotOffered,
        ),
        (
            &[("sec-websocket-extensions", "")],
            ResponseError::MalformedExtensions,
        ),
    ] {
        let mut client = client(&options);
        let found = client.establish(Response::new(200, list(fields))).map(drop);
        assert_eq!(found, Err(error), "{fields:?}");
        // It is final, whatever comes then.
        let again = client.establish(Response::new(200, Vec::new())).map(drop);
        assert_eq!(again, Err(error), "{fields:?}");
        assert_eq!(client.timeout_at(), None);
    }
}

#[test]
fn every_other_status_is_an_outcome() {
    // RFC 9110 section 15: those over 599 are invalid, and a client treats them as server errors.
    for status in [101, 199, 300, 400, 403, 404, 405, 501, 599, 600, 999] {
        let mut client = client(&ClientOptions::default());
        let response = Response::new(status, list(&[("a", "b")]));
        let (response, connection) = client.establish(response).unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.single_header("a"), Some(&b"b"[..]));
        assert!(connection.is_none(), "{status}");
    }
    for status in [200, 204, 299] {
        let mut client = client(&ClientOptions::default());
        let opened = client.establish(Response::new(status, Vec::new()));
        assert!(matches!(opened, Ok((_, Some(_)))), "{status}");
    }
    // An empty value chooses no subprotocol.
    let mut client = client(&ClientOptions::default());
    let fields = list(&[("sec-websocket-protocol", "")]);
    let (response, connection) = client.establish(Response::new(200, fields)).unwrap();
    assert_eq!(response.subprotocol(), None);
    assert!(connection.is_some());
}

#[test]
fn a_silent_server_is_given_up() {
    let mut options = ClientOptions::default();
    options.config.deadlines = Some(Deadlines::default());
    let mut client = client(&options);
    let seconds = std::time::Duration::from_secs;
    assert_eq!(client.timeout_at(), Some(seconds(0)));
    assert_eq!(client.handle_timeout(seconds(5)), Ok(()));
    assert_eq!(client.timeout_at(), Some(seconds(15)));
    assert_eq!(client.handle_timeout(seconds(15)), Ok(()));
    assert_eq!(client.timeout_at(), Some(seconds(0)), "one more turn");
    assert_eq!(
        client.handle_timeout(seconds(15)),
        Err(ResponseError::Timeout)
    );
    let late = client.establish(Response::new(200, Vec::new())).map(drop);
    assert_eq!(late, Err(ResponseError::Timeout));
}

/// Whether it opens the connection or refuses.
#[test]
fn no_deadline_comes_after_the_response() {
    let mut options = ClientOptions::default();
    options.config.deadlines = Some(Deadlines::default());
    let seconds = std::time::Duration::from_secs;
    for status in [200, 403] {
        let mut client = client(&options);
        assert_eq!(client.handle_timeout(seconds(5)), Ok(()));
        let response = client.establish(Response::new(status, Vec::new()));
        assert!(response.is_ok(), "{status}: {response:?}");
        assert_eq!(client.timeout_at(), None, "{status}");
        assert_eq!(client.handle_timeout(seconds(3600)), Ok(()), "{status}");
    }
}

/// The client still masks (RFC 8441 section 5), and compression is agreed on as ever.
fn talk(config: &Config) {
    let options = ClientOptions::new()
        .with_config(config.clone())
        .with_subprotocols(&["superchat"]);
    let mut client = client(&options);
    let server_options = self::options().with_config(config.clone());
    let fields = client.headers();
    let request = Request::extended_connect(fields);
    let (answer, server) = request.negotiate(&server_options).unwrap();
    // As the libraries of both sides carry it.
    let response = Response::new(answer.status(), answer.headers());
    let (response, connection) = client.establish(response).unwrap();
    assert_eq!(response.subprotocol(), Some("superchat"));
    let connection = connection.expect("accepted");
    let mut client = Peer::with(connection, ReadBuffer::new());
    let mut server = Peer::with(server, ReadBuffer::new());
    let text = "and again ".repeat(50);
    client.connection.send_text(&text).unwrap();
    let sent = client.write_all();
    assert_eq!(sent[1] & 0x80, 0x80, "masked");
    #[cfg(feature = "deflate")]
    assert_eq!(sent[0] == 0xc1, config.deflate.is_some(), "compressed");
    server.receive(&sent);
    assert_eq!(server.events(), [OwnedEvent::text(&text)]);
    server.connection.send_text(&text).unwrap();
    client.receive(&server.write_all());
    assert_eq!(client.events(), [OwnedEvent::text(&text)]);
}

#[test]
fn a_client_and_a_server_talk() {
    talk(&Config::default());
    #[cfg(feature = "deflate")]
    {
        let deflate = sockless::Deflate::default();
        talk(&Config::new().with_deflate(deflate));
    }
}

proptest! {
    /// What a client asks for, its server understands, and judges as over HTTP/1.1.
    #[test]
    fn both_openings_agree_alike(
        offered in prop::collection::vec("[a-c]", 0..3),
        origin in prop::option::of("https://[a-c]\\.example"),
        path in "(/[a-z0-9]{0,3}){1,3}",
        required: bool,
    ) {
        let uri = format!("wss://a.example{path}");
        let uri = Uri::parse(&uri).unwrap();
        let offered: Vec<&str> = offered.iter().map(String::as_str).collect();
        let mut client_options = ClientOptions::default();
        client_options.subprotocols = &offered;
        client_options.origin = origin.as_deref();
        let options = ServerOptions::new().with_subprotocols(&["b", "c"]).with_require_subprotocol(required);
        let seed = || Seed::new([7; 32]);
        let http2 = ClientHandshake::extended_connect(&uri, &client_options, seed());
        let http1 = ClientHandshake::new(&uri, &client_options, seed());
        let (http2, http1) = match (http2, http1) {
            (Ok(http2), Ok(http1)) => (http2, http1),
            (http2, http1) => {
                prop_assert_eq!(http2.err(), http1.err());
                return Ok(());
            }
        };
        let request2 = Request::extended_connect(http2.headers());
        let fields = http1.headers();
        let request1 = Request::new("GET", &path, fields);
        prop_assert_eq!(request2.target(), &path[..]);
        let agreed = |request: &Request<'_>| {
            let (response, _) = request.negotiate(&options)?;
            Ok::<_, RequestError>(response.subprotocol().map(str::to_owned))
        };
        prop_assert_eq!(agreed(&request2), agreed(&request1));
    }
}

/// Over a stream the client ends its side once both Close frames have passed, and does not wait for the server's end
/// first: there is no `TIME_WAIT` to avoid (RFC 6455 section 7.1.1), and some servers wait for the client's.
#[test]
fn a_client_ends_its_stream_after_both_close_frames() {
    for own in [true, false] {
        let mut client = client(&ClientOptions::default());
        let (_, connection) = client.establish(Response::new(200, Vec::new())).unwrap();
        let mut peer = Peer::with(connection.expect("accepted"), ReadBuffer::new());
        if own {
            peer.connection.close(CloseCode::NORMAL, "").unwrap();
            peer.write_all();
            let waiting = peer.connection.transport_action();
            assert_eq!(waiting, TransportAction::Wait);
        }
        peer.receive(&Frame::close(1000, "").encode(Role::Client));
        if !own {
            assert_eq!(peer.connection.transport_action(), TransportAction::Write);
            peer.write_all();
        }
        let action = peer.connection.transport_action();
        assert_eq!(action, TransportAction::ShutdownWrite);
        assert!(peer.connection.wants_read() && peer.close_event().unwrap().was_clean);
        peer.connection.handle_eof();
        assert_eq!(peer.connection.transport_action(), TransportAction::Close);
    }
}

/// A path that no request line could have is refused, so `target` never hides a part of it.
#[test]
fn no_odd_path_is_accepted() {
    for path in [
        &b"/\xff"[..],
        b"/a b",
        b"/a\r\nb",
        b"/\0",
        b"/\x7f",
        b"/#",
        b"a",
        b"",
    ] {
        let header = |name, value| Header { name, value };
        let request = Request::extended_connect(vec![
            header(":method", b"CONNECT"),
            header(":protocol", b"websocket"),
            header(":scheme", b"https"),
            header(":authority", b"a"),
            header(":path", path),
            header("sec-websocket-version", b"13"),
        ]);
        let refused = request.accept(&ServerOptions::new()).map(drop);
        assert_eq!(refused, Err(RequestError::Target), "{path:02x?}");
    }
}

/// RFC 9113 section 8.2.2: they would make the message malformed, and a server of this crate refuses the first two.
#[test]
fn no_header_about_a_connection_is_sent() {
    let uri = Uri::parse("wss://example.com/").unwrap();
    for name in ["keep-alive", "proxy-connection", "te"] {
        let headers = [Header { name, value: b"x" }];
        let options = ClientOptions::new().with_headers(&headers);
        let seed = || Seed::new([7; 32]);
        let client = ClientHandshake::extended_connect(&uri, &options, seed()).map(drop);
        assert_eq!(client, Err(InputError::ReservedHeader), "{name}");
        assert!(
            ClientHandshake::new(&uri, &options, seed()).is_ok(),
            "{name}"
        );
    }
}

/// No head of HTTP/1.1 answers it, whatever it says.
#[test]
fn it_is_not_answered_over_http_1() {
    let uri = Uri::parse("wss://example.com/").unwrap();
    let seed = Seed::new([7; 32]);
    let options = ClientOptions::new();
    let mut client = ClientHandshake::extended_connect(&uri, &options, seed).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n<html>");
    for _ in 0..2 {
        let error = client.read_response(&mut buffer).map(drop);
        assert_eq!(error, Err(ResponseError::NotAnUpgrade));
    }
}
