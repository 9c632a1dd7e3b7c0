//! Both opening handshakes in the types of the `http` crate. Results and answers are the same as for bytes and lists.

use super::{EDITS, REQUEST, configs, head, seed, split_head};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use proptest::prelude::*;
use sockless::accept_key;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Request, RequestError, Response,
    ResponseError, ServerOptions, Uri,
};
use sockless::test_util::{OwnedEvent, Pair, Peer};
use sockless::{Connection, ReadBuffer};
use std::iter;

/// The request as an HTTP library reads it, or `None` if the types cannot hold it.
fn typed(head: &str) -> Option<http::Request<()>> {
    let (start, headers) = split_head(head);
    let words: Vec<_> = start.split(' ').collect();
    let mut request = http::Request::builder().method(words[0]).uri(words[1]);
    for header in headers {
        request = request.header(header.name, header.value);
    }
    request.body(()).ok()
}

/// The headers sorted by name, with names in lower case.
fn sorted(headers: &[Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let owned = |header: &Header<'_>| (header.name.to_lowercase(), header.value.to_vec());
    let mut headers: Vec<_> = headers.iter().map(owned).collect();
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    headers
}

fn options() -> ServerOptions<'static> {
    ServerOptions::new().with_subprotocols(&["a", "b"])
}

/// Compares the result for the types with the result for the list of headers. The result for bytes is the same as for
/// the list.
fn same_result_as_list(head: &str) {
    let request = typed(head).unwrap_or_else(|| panic!("no types for {head}"));
    let (start, headers) = split_head(head);
    let words: Vec<_> = start.split(' ').collect();
    let list = Request::new(words[0], words[1], headers);
    let options = options();
    let from_types = Request::from_http(&request);
    if list.target().starts_with('/') {
        assert_eq!(from_types.target(), list.target(), "{head}");
        assert_eq!(from_types.host(), list.host(), "{head}");
    } else {
        assert!(!from_types.target().starts_with('/'), "{head}");
    }
    let from_types = from_types.negotiate(&options);
    match (from_types, list.negotiate(&options)) {
        (Ok((response, connection)), Ok((expected, _))) => {
            assert_eq!(response, expected, "{head}");
            let response = response.to_http();
            assert_eq!(response.status(), 101, "{head}");
            assert_eq!(response.version(), Version::HTTP_11, "{head}");
            let written = Header::from_map(response.headers());
            assert_eq!(sorted(&written), sorted(&expected.headers()), "{head}");
            assert_eq!(connection.output(), b"", "{head}");
        }
        (Err(types), Err(list)) => assert_eq!(types, list, "{head}"),
        (types, list) => panic!("{head}: {types:?} but {list:?}"),
    }
    let (parts, ()) = request.clone().into_parts();
    assert_eq!(
        Request::from_http(&request),
        Request::from_http_parts(&parts)
    );
}

#[test]
fn each_change_of_a_request_gets_the_same_result_as_in_a_list() {
    for edits in EDITS.iter().copied().flatten() {
        same_result_as_list(&head(REQUEST, edits));
    }
    // An absolute target replaces the Host header.
    let request = head(REQUEST, &["=GET http://example.com/ HTTP/1.1", "-Host"]);
    let request = typed(&request).unwrap();
    let request = Request::from_http(&request);
    assert_eq!(request.single_header("Host"), Some(&b"example.com"[..]));
    assert_eq!(request.host(), Some("example.com"));
    assert!(request.negotiate(&options()).is_ok());
}

proptest! {
    #[test]
    fn all_changes_of_a_request_get_the_same_result_as_in_a_list(
        chosen in EDITS.iter().map(|group| 0..group.len() * 2).collect::<Vec<_>>(),
    ) {
        // Half of the numbers are beyond the group. Then the group changes nothing.
        let chosen = iter::zip(EDITS, chosen).filter_map(|(group, i)| group.get(i));
        same_result_as_list(&head(REQUEST, &chosen.copied().collect::<Vec<_>>().concat()));
    }
}

#[test]
fn only_http11_is_upgraded() {
    for version in [
        Version::HTTP_09,
        Version::HTTP_10,
        Version::HTTP_11,
        Version::HTTP_2,
        Version::HTTP_3,
    ] {
        let upgrades = version == Version::HTTP_11;
        let handshake = client("ws://example.com/", &ClientOptions::default());
        let mut request = handshake.to_http().unwrap();
        *request.version_mut() = version;
        let request = Request::from_http(&request);
        let found = request.negotiate(&options()).map(drop);
        let verdict = upgrades.then_some(()).ok_or(RequestError::Http10);
        assert_eq!(found, verdict, "{version:?}");

        let response = |status| {
            let builder = http::Response::builder().version(version).status(status);
            let builder = builder.header("upgrade", "websocket");
            let accept = accept_key(handshake.headers()[3].value);
            builder
                .header("connection", "Upgrade")
                .header("sec-websocket-accept", &accept[..])
        };
        let switching = response(101).body(()).unwrap();
        let mut handshake = client("ws://example.com/", &ClientOptions::default());
        let found = handshake.establish(Response::from_http(&switching));
        let verdict = upgrades.then_some(()).ok_or(ResponseError::NotAnUpgrade);
        assert_eq!(found.map(drop), verdict, "{version:?}");
        // A response with any other status may have any version.
        for status in [200, 204, 302, 404, 500] {
            let response = response(status).body(()).unwrap();
            assert_eq!(Response::from_http(&response).status(), status);
        }
    }
}

/// RFC 9112 section 3.2.2: the host in the target replaces the Host header.
#[test]
fn the_host_in_the_target_replaces_the_host_header() {
    let edits = [
        "=GET http://example.com/ HTTP/1.1",
        "-Host",
        "Host: evil.example",
        "Host: another.example",
    ];
    for (origin, verdict) in [
        ("http://example.com", Ok(())),
        ("http://evil.example", Err(RequestError::Origin)),
    ] {
        let request = head(REQUEST, &edits);
        let mut request = typed(&request).unwrap();
        let origin = HeaderValue::from_static(origin);
        request.headers_mut().insert("origin", origin.clone());
        let request = Request::from_http(&request);
        assert_eq!(request.single_header("host"), Some(&b"example.com"[..]));
        assert_eq!(request.target(), "/");
        let found = request.negotiate(&options()).map(drop);
        assert_eq!(found, verdict, "{origin:?}");
    }
}

#[test]
fn values_keep_their_bytes_and_their_order() {
    let mut map = HeaderMap::new();
    for value in [&b"a=1"[..], b"b=caf\xe9", b""] {
        map.append("cookie", HeaderValue::from_bytes(value).unwrap());
    }
    let cookies = [cookie(b"a=1"), cookie(b"b=caf\xe9"), cookie(b"")];
    assert_eq!(Header::from_map(&map), cookies);

    let mut request = typed(&head(REQUEST, &[])).unwrap();
    request.headers_mut().extend(map);
    let request = Request::from_http(&request);
    let found = request.headers().iter().filter(|it| it.is("Cookie"));
    assert!(found.eq(&cookies));

    let options = ServerOptions::new().with_headers(&cookies);
    let (response, _) = request.negotiate(&options).unwrap();
    let written = response.to_http();
    let values = written.headers().get_all("cookie").iter();
    assert!(values.eq(&[&b"a=1"[..], b"b=caf\xe9", b""]));
    let list = Response::from_http(&written);
    assert_eq!(sorted(&list.headers()), sorted(&response.headers()));
}

/// Each header is valid, but the types cannot hold so many or so long headers. A client returns an error, because its
/// request would change. A server leaves out the headers that do not fit.
#[test]
fn too_many_or_too_long_headers_do_not_fit_into_the_types() {
    let long = "n".repeat(70_000);
    let numbered: Vec<_> = (0..40_000).map(|i| format!("n{i}")).collect();
    let many = numbered.iter().map(|name| Header { name, value: b"v" });
    let many: Vec<_> = many.collect();
    let named = [Header {
        name: &long,
        value: b"v",
    }];
    for headers in [&named[..], &many] {
        let request = typed(&head(REQUEST, &[])).unwrap();
        let request = Request::from_http(&request);
        let options = ServerOptions::new().with_headers(headers);
        let (http1, _) = request.negotiate(&options).unwrap();
        let connect = http2_request(http::Request::connect("https://example.com/"));
        let connect = Request::from_http_connect(&connect, "websocket");
        let (http2, _) = connect.negotiate(&options).unwrap();
        let written = http1.to_http();
        assert_eq!(written.status(), 101);
        assert!((3..40_000).contains(&written.headers().len()));
        assert!(written.headers().contains_key("sec-websocket-accept"));
        let written = http2.to_http();
        assert_eq!(written.status(), 200);
        assert!(written.headers().len() < headers.len());

        let options = ClientOptions::new().with_headers(headers);
        assert!(client("ws://a/", &options).to_http().is_err());
        assert!(http2_client("ws://a/", &options).to_http().is_err());
    }
    let uri = format!("ws://a/{long}");
    let options = ClientOptions::default();
    assert!(client(&uri, &options).to_http().is_err());
    assert!(http2_client(&uri, &options).to_http().is_err());
    // RFC 3986 section 3.2.2 allows percent-encoding in a host.
    let uri = "wss://ex%61mple.com/chat";
    assert!(http2_client(uri, &options).to_http().is_err());
    let request = client(uri, &options).to_http().unwrap();
    assert_eq!(request.headers()["host"], "ex%61mple.com");
}

const fn cookie(value: &[u8]) -> Header<'_> {
    let name = "cookie";
    Header { name, value }
}

const URIS: [&str; 5] = [
    "ws://example.com",
    "wss://example.com/chat?room=1",
    "ws://example.com?room=%C3%A9",
    "ws://[::1]:8080/a/b",
    "wss://example.com:443//",
];

fn client(uri: &str, options: &ClientOptions<'_>) -> ClientHandshake {
    ClientHandshake::new(&Uri::parse(uri).unwrap(), options, seed()).unwrap()
}

fn http2_client(uri: &str, options: &ClientOptions<'_>) -> ClientHandshake {
    let uri = Uri::parse(uri).unwrap();
    ClientHandshake::extended_connect(&uri, options, seed()).unwrap()
}

fn client_options() -> ClientOptions<'static> {
    ClientOptions::new()
        .with_subprotocols(&["b", "a"])
        .with_origin("https://example.com")
        .with_headers(const { &[cookie(b"caf\xe9"), cookie(b"2")] })
}

#[test]
fn the_request_of_a_client() {
    for uri in URIS {
        let handshake = client(uri, &client_options());
        let request = handshake.to_http().unwrap();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.version(), Version::HTTP_11);
        let start = format!("GET {} HTTP/1.1\r\n", request.uri());
        assert!(handshake.request().starts_with(start.as_bytes()), "{uri}");
        let written = Header::from_map(request.headers());
        assert_eq!(sorted(&written), sorted(&handshake.headers()), "{uri}");

        let handshake = http2_client(uri, &client_options());
        let request = handshake.to_http().unwrap();
        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.version(), Version::HTTP_2);
        // A server reads the same fields.
        let again = Request::from_http_connect(&request, "websocket");
        let fields = handshake.headers();
        assert_eq!(sorted(again.headers()), sorted(&fields), "{uri}");
        let (parts, ()) = request.clone().into_parts();
        let from_parts = Request::from_http_connect_parts(&parts, "websocket");
        assert_eq!(from_parts, again);
    }
}

#[test]
fn a_client_can_set_the_host() {
    let options = client_options().with_host("example.org:8080");
    let request = client("wss://127.0.0.1/chat", &options).to_http().unwrap();
    assert_eq!(request.uri(), "/chat");
    assert_eq!(request.headers()["host"], "example.org:8080");
    let request = http2_client("wss://127.0.0.1/chat", &options).to_http();
    let request = request.unwrap();
    assert_eq!(request.uri(), "https://example.org:8080/chat");
    assert!(request.headers().get("host").is_none());
}

#[test]
fn a_client_checks_a_response() {
    let answer = || {
        let request = client("ws://example.com/", &client_options());
        let request = request.to_http().unwrap();
        let request = Request::from_http(&request);
        let (response, _) = request.negotiate(&options()).unwrap();
        assert_eq!(response.subprotocol(), Some("b"));
        response.to_http()
    };
    let judge = |response: &http::Response<()>| {
        let mut client = client("ws://example.com/", &client_options());
        let (response, connection) = client.establish(Response::from_http(response))?;
        Ok((connection.is_some(), response.status()))
    };
    assert_eq!(judge(&answer()), Ok((true, 101)));

    // RFC 9110 section 15: a status over 599 is invalid, and a client treats it as a server error.
    for status in [403, 600, 999] {
        let mut other = answer();
        *other.status_mut() = StatusCode::from_u16(status).unwrap();
        assert_eq!(judge(&other), Ok((false, status)));
    }
    // An empty value chooses no subprotocol.
    let mut none = answer();
    let empty = HeaderValue::from_static("");
    none.headers_mut().insert("sec-websocket-protocol", empty);
    assert_eq!(judge(&none), Ok((true, 101)));
    assert_eq!(Response::from_http(&none).subprotocol(), None);

    for (name, value, error) in [
        ("upgrade", "h2c", ResponseError::NotAnUpgrade),
        ("connection", "close", ResponseError::NotAnUpgrade),
        ("sec-websocket-accept", "wrong", ResponseError::Accept),
        ("sec-websocket-protocol", "c", ResponseError::Subprotocol),
        (
            "sec-websocket-extensions",
            "x",
            ResponseError::ExtensionNotOffered,
        ),
        (
            "sec-websocket-extensions",
            "",
            ResponseError::MalformedExtensions,
        ),
    ] {
        let mut response = answer();
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(judge(&response), Err(error), "{name}");
    }
    for (name, error) in [
        ("sec-websocket-accept", ResponseError::Accept),
        ("sec-websocket-protocol", ResponseError::Subprotocol),
    ] {
        let mut response = answer();
        let value = response.headers()[name].clone();
        response.headers_mut().append(name, value);
        assert_eq!(judge(&response), Err(error), "two of {name}");
    }
}

fn http2_request(builder: http::request::Builder) -> http::Request<()> {
    builder
        .version(Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

#[test]
fn an_extended_connect() {
    use RequestError::{ConnectionHeader, Host, Method, NotAnUpgrade, Origin, Target};
    let connect = || http::Request::connect("https://example.com/chat?room=1");
    let websocket = "websocket";
    let with = |name, value| connect().header(name, value);
    let host = |uri, host| connect().uri(uri).header("host", host);
    for (builder, protocol, error) in [
        (connect(), "", NotAnUpgrade),
        (connect(), "connect-udp", NotAnUpgrade),
        (connect(), "webtransport", NotAnUpgrade),
        (connect().method("GET"), websocket, Method),
        (connect().uri("example.com:443"), websocket, Target),
        (connect().uri("/chat"), websocket, Host),
        (host("*", "a"), websocket, Target),
        (host("/chat", "user@a"), websocket, Host),
        (connect().uri("ftp://example.com/"), websocket, Target),
        (connect().uri("https://a@example.com/"), websocket, Host),
        (with("host", "other.example"), websocket, Host),
        (with("upgrade", "h2c"), "", NotAnUpgrade),
        (with("upgrade", "websocket"), websocket, ConnectionHeader),
        (with("origin", "https://evil.example"), websocket, Origin),
    ] {
        let request = http2_request(builder);
        let request = Request::from_http_connect(&request, protocol);
        let found = request.negotiate(&options()).map(drop);
        assert_eq!(found, Err(error), "{request:?}");
    }

    let request = http2_request(
        connect()
            .header("host", "example.com")
            .header("origin", "https://example.com")
            .header("sec-websocket-protocol", "c")
            .header("sec-websocket-protocol", "b"),
    );
    let request = Request::from_http_connect(&request, websocket);
    assert!(request.is_websocket());
    assert_eq!(request.target(), "/chat?room=1");
    let cookies = [cookie(b"1"), cookie(b"caf\xe9")];
    let options = options().with_headers(&cookies);
    let (response, _) = request.negotiate(&options).unwrap();
    let typed = response.to_http();
    assert_eq!(typed.status(), 200);
    let written = Header::from_map(typed.headers());
    assert_eq!(sorted(&written), sorted(&response.headers()));
    assert_eq!(written.len(), 3, "a subprotocol and two cookies");
}

/// A client may send Host instead of `:authority` (RFC 9113 section 8.3.1). A URI of the types without an authority has
/// no scheme, so hyper drops the `:scheme`.
#[test]
fn host_can_replace_the_authority() {
    let request = |host: &str| {
        let builder = http::Request::connect("/chat?room=1").header("host", host);
        http2_request(builder.header("origin", format!("https://{host}")))
    };
    let with_host = request("example.com");
    let found = Request::from_http_connect(&with_host, "websocket");
    assert!(found.is_websocket());
    assert_eq!(found.host(), Some("example.com"));
    assert_eq!(found.target(), "/chat?room=1");
    assert_eq!(found.negotiate(&options()).map(drop), Ok(()));
    let (parts, ()) = with_host.clone().into_parts();
    let from_parts = Request::from_http_connect_parts(&parts, "websocket");
    assert_eq!(from_parts, found);
    // A list with all fields must name the scheme.
    let list = Request::extended_connect(found.headers().to_vec());
    let refused = list.negotiate(&options()).map(drop);
    assert_eq!(refused, Err(RequestError::Target));

    for &(hosts, host, [.., answered]) in super::HOSTS {
        let options = options().with_hosts(hosts);
        let request = request(host);
        let request = Request::from_http_connect(&request, "websocket");
        let found = request.negotiate(&options).map(drop);
        let verdict = answered.then_some(()).ok_or(RequestError::Misdirected);
        assert_eq!(found, verdict, "{hosts:?} {host}");
    }
    assert_eq!(RequestError::Misdirected.to_http().status(), 421);
    assert_eq!(RequestError::Misdirected.to_http2().status(), 421);
}

/// Each side receives the message of the other side.
fn talk(client: Connection, server: Connection) {
    let mut pair = Pair {
        client: Peer::with(client, ReadBuffer::new()),
        server: Peer::with(server, ReadBuffer::new()),
    };
    let text = "again and ".repeat(20);
    pair.client.connection.send_text(&text).unwrap();
    pair.server.connection.send_text("welcome").unwrap();
    pair.exchange(&mut iter::repeat(7));
    assert_eq!(pair.client.events(), [OwnedEvent::text("welcome")]);
    assert_eq!(pair.server.events(), [OwnedEvent::text(&text)]);
    assert_eq!((pair.client.error, pair.server.error), (None, None));
}

#[test]
fn a_client_and_a_server_connect() {
    for (uri, config) in iter::zip(URIS.into_iter().cycle(), configs()) {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let asks = client_options().with_config(config.clone());
            let agrees = options().with_config(config.clone());
            let is_upgrade = version == Version::HTTP_11;
            let make = if is_upgrade { client } else { http2_client };
            let mut client = make(uri, &asks);
            let request = client.to_http().unwrap();
            let request = if is_upgrade {
                Request::from_http(&request)
            } else {
                Request::from_http_connect(&request, "websocket")
            };
            let (answer, server) = request.negotiate(&agrees).unwrap();
            let mut response = answer.to_http();
            *response.version_mut() = version;
            let opened = client.establish(Response::from_http(&response));
            let (response, connection) = opened.unwrap();
            assert_eq!(response.subprotocol(), Some("b"));
            talk(connection.expect("accepted"), server);
        }
    }
}
#[test]
fn a_uri_can_come_from_the_types() {
    for uri in URIS {
        let typed: http::Uri = uri.parse().unwrap();
        let found = Uri::try_from(&typed).unwrap();
        let expected = Uri::parse(uri).unwrap();
        let parts = |uri: &Uri| {
            let query = uri.query().map(str::to_owned);
            let (host, path) = (uri.host().to_owned(), uri.path().to_owned());
            (uri.is_secure(), host, uri.port(), path, query)
        };
        assert_eq!(parts(&found), parts(&expected));
        let request = |uri| ClientHandshake::new(uri, &client_options(), seed());
        let (found, expected) = (request(&found).unwrap(), request(&expected).unwrap());
        assert_eq!(found.request(), expected.request());
    }
    for uri in [
        "http://example.com/",
        "/chat",
        "example.com",
        "*",
        "ws://user@example.com/",
    ] {
        let typed: http::Uri = uri.parse().unwrap();
        assert_eq!(Uri::try_from(&typed), Err(InputError::Uri), "{uri}");
    }
}

/// HTTP/2 requires names in lower case (RFC 9113 section 8.2.1).
#[test]
fn names_are_in_lower_case() {
    let request = client("ws://a/", &client_options()).to_http().unwrap();
    let lower = |name: &HeaderName| !name.as_str().contains(char::is_uppercase);
    assert!(request.headers().keys().all(lower));
}

/// `to_map` leaves out what a map cannot hold. It does not panic.
#[test]
fn a_map_holds_valid_headers_only() {
    let headers = [
        ("good", &b"1"[..]),
        ("", b"1"),
        ("two words", b"1"),
        (":path", b"1"),
        ("a", b"1\r\nb: 2"),
        ("Good", b"2"),
        ("x-name", b"caf\xe9"),
    ];
    let map = Header::to_map(&headers.map(|(name, value)| Header { name, value }));
    let all = map
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let expected = [("good", &b"1"[..]), ("good", b"2"), ("x-name", b"caf\xe9")];
    assert_eq!(all.collect::<Vec<_>>(), expected);
    assert_eq!(Header::from_map(&map).len(), expected.len());
}
