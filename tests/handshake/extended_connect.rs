//! The opening handshake over HTTP/2 and HTTP/3 (RFC 8441, RFC 9220), in lists of header fields.

use super::{HOSTS, configs, seed};
use proptest::prelude::*;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Origins, Request, RequestError, Response,
    ResponseError, ServerOptions, Uri,
};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role};
use sockless::{CloseCode, Config, Deadlines, ReadBuffer, TransportAction};

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

/// The valid request with a new value for one field, or without the field.
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

/// Returns the result of a server for these fields.
fn result(fields: Vec<Header<'_>>, options: &ServerOptions<'_>) -> Result<(), RequestError> {
    let request = Request::extended_connect(fields);
    request.negotiate(options).map(drop)
}

fn client(options: &ClientOptions<'_>) -> ClientHandshake {
    let uri = Uri::parse("wss://example.com/chat?room=1").unwrap();
    ClientHandshake::extended_connect(&uri, options, seed()).unwrap()
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
        // RFC 9113 section 8.3.1: the values are normalized before the comparison.
        changed("host", Some("example.com:443")),
        changed("host", Some("example.com:")),
        changed("origin", Some("https://example.com")),
        changed("sec-websocket-extensions", Some("unknown; a=1")),
        // An empty list offers no subprotocol.
        changed("sec-websocket-protocol", Some("")),
        changed("sec-websocket-protocol", Some(" ,")),
        // RFC 8441 section 5: the key is not used.
        changed("sec-websocket-key", Some("anything")),
        changed("cookie", Some("a=b")),
    ] {
        let request = Request::extended_connect(fields);
        assert!(request.is_websocket());
        let options = options();
        let (response, connection) = request.negotiate(&options).expect("a good request");
        assert_eq!(response.status(), 200, "{request:?}");
        assert_eq!(response.headers(), [], "{request:?}");
        assert_eq!(connection.output(), b"", "only frames are written");
        let connection = request.accept(&options).unwrap();
        assert_eq!(connection.output(), b"", "only frames are written");
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
    let version = "sec-websocket-version";
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
        // A request line could not have such a path. So `target` never hides a part of it.
        (":path", Some("/chat#part"), Target, 400),
        (":path", Some("/#"), Target, 400),
        (":path", Some("/a b"), Target, 400),
        (":path", Some("/a\r\nb"), Target, 400),
        (":path", Some("/\0"), Target, 400),
        (":path", Some("/\x7f"), Target, 400),
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
        (version, None, MissingVersion, 400),
        (version, Some("8"), UnsupportedVersion, 400),
        (version, Some("13, 8"), UnsupportedVersion, 400),
        ("origin", Some("https://example.org"), Origin, 403),
        ("sec-websocket-protocol", Some("a b"), Subprotocols, 400),
        ("sec-websocket-extensions", Some("a; b="), Extensions, 400),
    ] {
        let request = Request::extended_connect(changed(name, value));
        let negotiated = request.negotiate(&options()).map(drop);
        let accepted = request.accept(&options()).map(drop);
        assert_eq!(
            (negotiated, accepted),
            (Err(error), Err(error)),
            "{name}: {value:?}"
        );
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
    let mut not_utf8 = changed(":path", Some("/"));
    not_utf8.last_mut().unwrap().value = b"/\xff";
    assert_eq!(result(not_utf8, &options()), Err(Target));
    assert!(UnsupportedVersion.over_http2().1[0].is("sec-websocket-version"));
}

/// RFC 9113 section 8.3.1 and RFC 9114 section 4.3.1: a request may have Host instead of `:authority`. If it has both,
/// they must be equal.
#[test]
fn host_can_replace_the_authority() {
    let request = |authority: Option<&'static str>, host: Option<&'static str>| {
        let mut fields = changed(":authority", authority);
        fields.extend(host.and_then(|host| list(&[("host", host)]).pop()));
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
    // The server compares the Origin with this host.
    let refused = request(None, Some("b.example")).negotiate(&options());
    assert_eq!(refused.map(drop), Err(RequestError::Origin));
    // Two fields of the same name are no valid host.
    for name in [":authority", "host"] {
        let mut fields = changed(":authority", None);
        fields.extend(list(&[(name, "a"), (name, "a")]));
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
                let found = result(fields, &options);
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

#[test]
fn fields_that_must_not_be_repeated() {
    for (name, value, error) in [
        (":method", "CONNECT", RequestError::Method),
        (":protocol", "websocket", RequestError::NotAnUpgrade),
        (":scheme", "https", RequestError::Target),
        (":path", "/", RequestError::Target),
        (":authority", "example.com", RequestError::Host),
        ("sec-websocket-version", "13", RequestError::MissingVersion),
        ("host", "example.com", RequestError::Host),
        (
            "origin",
            "https://example.com",
            RequestError::DuplicateOrigin,
        ),
    ] {
        let fields = [changed(name, Some(value)), list(&[(name, value)])].concat();
        let request = Request::extended_connect(fields);
        let found = request.negotiate(&options()).map(drop);
        assert_eq!(found, Err(error), "{name}");
        // A repeated field counts as missing.
        assert_eq!(request.single_header(name), None);
        assert_eq!(request.target().is_empty(), name == ":path", "{name}");
        assert_eq!(request.method().is_empty(), name == ":method", "{name}");
    }
}
#[test]
fn the_answer_has_the_subprotocol_and_the_headers() {
    let fields = changed("sec-websocket-protocol", Some("other, superchat, chat"));
    let request = Request::extended_connect(fields);
    let offers: Vec<_> = request.subprotocols().collect();
    assert_eq!(offers, ["other", "superchat", "chat"]);
    let headers = list(&[("set-cookie", "a=b")]);
    let options = options().with_headers(&headers);
    let (response, _) = request.negotiate(&options).unwrap();
    assert_eq!(response.subprotocol(), Some("superchat"));
    let chosen = ("sec-websocket-protocol", "superchat");
    assert_eq!(response.headers(), list(&[chosen, ("set-cookie", "a=b")]));
    for (name, error) in [
        ("Set-Cookie", InputError::HeaderName),
        ("two words", InputError::HeaderName),
        ("sec-websocket-accept", InputError::ReservedHeader),
        ("upgrade", InputError::ReservedHeader),
    ] {
        let headers = list(&[("set-cookie", "a=b"), (name, "x")]);
        let options = options.clone().with_headers(&headers);
        let refused = RequestError::Input(error);
        let negotiated = request.negotiate(&options).map(drop);
        assert_eq!(negotiated, Err(refused), "{name}");
        assert_eq!(request.accept(&options).map(drop), Err(refused), "{name}");
        assert_eq!(refused.over_http2(), (500, &[][..]), "{name}");
    }
    let (again, _) = request.negotiate(&options).unwrap();
    assert_eq!(again, response, "a failed call changes nothing");
}

#[test]
fn a_server_checks_the_origin() {
    let options = options().with_origins(Origins::Only(&["https://example.org"]));
    for (origin, expected) in [
        ("https://example.org", Ok(())),
        ("https://example.com", Err(RequestError::Origin)),
    ] {
        assert_eq!(result(changed("origin", Some(origin)), &options), expected);
    }
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
    let options = ClientOptions::default();
    let client = ClientHandshake::extended_connect(&uri, &options, seed()).unwrap();
    let authority = (":authority", "[::1]:8080");
    let expected = list(&[(":scheme", "http"), (":path", "/"), authority]);
    assert_eq!(&client.headers()[2..5], expected);
}

#[test]
fn no_option_breaks_the_request() {
    let uri = Uri::parse("wss://example.com/").unwrap();
    for (name, value, error) in [
        ("Cookie", "a", InputError::HeaderName),
        (":path", "/", InputError::HeaderName),
        ("a b", "a", InputError::HeaderName),
        ("cookie", "a\r\nb", InputError::HeaderValue),
        ("host", "example.org", InputError::ReservedHeader),
        ("connection", "close", InputError::ReservedHeader),
        // RFC 9113 section 8.2.2: these would make the message malformed. They are valid over HTTP/1.1.
        ("keep-alive", "x", InputError::ReservedHeader),
        ("proxy-connection", "x", InputError::ReservedHeader),
        ("te", "x", InputError::ReservedHeader),
    ] {
        let headers = list(&[(name, value)]);
        let options = ClientOptions::new().with_headers(&headers);
        let found = ClientHandshake::extended_connect(&uri, &options, seed()).map(drop);
        assert_eq!(found, Err(error), "{name}");
        if value == "x" {
            assert!(
                ClientHandshake::new(&uri, &options, seed()).is_ok(),
                "{name}"
            );
        }
    }
}

#[test]
fn the_client_refuses() {
    let options = ClientOptions::new().with_subprotocols(&["chat"]);
    let (protocol, extensions) = ("sec-websocket-protocol", "sec-websocket-extensions");
    let not_offered = ResponseError::ExtensionNotOffered;
    for (fields, error) in [
        (&[(protocol, "other")][..], ResponseError::Subprotocol),
        (&[(protocol, "chat"); 2], ResponseError::Subprotocol),
        (&[(extensions, "permessage-deflate")], not_offered),
        (&[(extensions, "")], ResponseError::MalformedExtensions),
    ] {
        let mut client = client(&options);
        let found = client.establish(Response::new(200, list(fields))).map(drop);
        assert_eq!(found, Err(error), "{fields:?}");
        // The error is final.
        let again = client.establish(Response::new(200, Vec::new())).map(drop);
        assert_eq!(again, Err(error), "{fields:?}");
        assert_eq!(client.timeout_at(), None);
    }
}

#[test]
fn every_other_status_is_an_outcome() {
    // RFC 9110 section 15: a status over 599 is invalid. A client treats it as a server error.
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
fn the_deadline_ends_with_the_response() {
    let options = ClientOptions::new().with_config(Config::new().with_deadlines(Deadlines::new()));
    let seconds = std::time::Duration::from_secs;
    for status in [None, Some(200), Some(403)] {
        let mut client = client(&options);
        assert_eq!(client.timeout_at(), Some(seconds(0)));
        assert_eq!(client.handle_timeout(seconds(5)), Ok(()));
        assert_eq!(client.timeout_at(), Some(seconds(15)));
        if let Some(status) = status {
            let response = client.establish(Response::new(status, Vec::new()));
            assert!(response.is_ok(), "{status}: {response:?}");
            assert_eq!(client.timeout_at(), None, "{status}");
            assert_eq!(client.handle_timeout(seconds(3600)), Ok(()), "{status}");
            continue;
        }
        assert_eq!(client.handle_timeout(seconds(15)), Ok(()));
        assert_eq!(client.timeout_at(), Some(seconds(0)), "one more turn");
        let late = Err(ResponseError::Timeout);
        assert_eq!(client.handle_timeout(seconds(15)), late);
        let response = Response::new(200, Vec::new());
        assert_eq!(client.establish(response).map(drop), late);
    }
}
/// The client masks its frames, as over HTTP/1.1 (RFC 8441 section 5). Both sides may agree on compression.
fn talk(config: &Config) {
    let options = ClientOptions::new()
        .with_config(config.clone())
        .with_subprotocols(&["superchat"]);
    let mut client = client(&options);
    let server_options = self::options().with_config(config.clone());
    let fields = client.headers();
    let request = Request::extended_connect(fields);
    let (answer, server) = request.negotiate(&server_options).unwrap();
    // The HTTP libraries of both sides transfer the status and the headers.
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
    configs().iter().for_each(talk);
}
proptest! {
    /// A server understands the request of a client. The result is the same as over HTTP/1.1.
    #[test]
    fn both_opening_handshakes_agree(
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

/// Over a stream, a client ends its side after both Close frames. It does not wait for the server to end first. Streams
/// have no `TIME_WAIT` (RFC 6455 section 7.1.1), and some servers wait for the client's end.
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

#[test]
fn a_head_of_http_1_is_no_answer() {
    let mut client = client(&ClientOptions::new());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n<html>");
    for _ in 0..2 {
        let error = client.read_response(&mut buffer).map(drop);
        assert_eq!(error, Err(ResponseError::NotAnUpgrade));
    }
}
