//! The handshake in types of the crate `http`: the verdicts are those of bytes and header lists.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use http::{HeaderMap, Method, Version};
use sockless::Seed;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Origins, Request, RequestError, Response,
    ServerOptions, Uri,
};

fn request() -> http::request::Builder {
    http::Request::builder()
        .uri("/chat?room=1")
        .header("Host", "example.com")
        .header("Upgrade", "websocket")
        .header("Connection", "keep-alive")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13")
}

fn error_of(request: &http::Request<()>) -> Option<RequestError> {
    let options = ServerOptions::default();
    Request::from_http(request).negotiate(&options).err()
}

fn client_options() -> ClientOptions<'static> {
    ClientOptions::new()
        .with_subprotocols(&["chat"])
        .with_origin("https://example.com")
}

#[test]
fn a_server_answers() {
    let request = request()
        .header("sec-websocket-protocol", "chat")
        .body(())
        .unwrap();
    let request = Request::from_http(&request);
    assert_eq!(
        (request.method(), request.target()),
        ("GET", "/chat?room=1")
    );
    assert!(request.is_websocket());
    let cookies = [&b"a=b"[..], b"c=d"].map(|value| Header {
        name: "Set-Cookie",
        value,
    });
    let options = ServerOptions::new()
        .with_subprotocols(&["chat"])
        .with_headers(&cookies);
    let (response, _) = request.negotiate(&options).unwrap();
    let answer = response.to_http();
    assert_eq!(answer.status(), 101);
    let headers = answer.headers();
    assert_eq!(headers["upgrade"], "websocket");
    assert_eq!(headers["connection"], "Upgrade");
    assert_eq!(
        headers["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=b", "c=d"]);

    // A header that must not be written is the server's fault.
    let wrong = [Header {
        name: "Set-Cookie",
        value: b"a=b\r\nc: d",
    }];
    let options = options.with_headers(&wrong);
    let error = request.negotiate(&options).unwrap_err();
    assert_eq!(error, RequestError::Input(InputError::HeaderValue));
    for answer in [error.to_http(), error.to_http2(), error.to_http3()] {
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers().len(), 1, "the type of the text");
    }
}

#[test]
fn a_server_refuses() {
    let good = || request().body(()).unwrap();
    assert_eq!(error_of(&good()), None);

    let mut changed = good();
    *changed.version_mut() = Version::HTTP_10;
    assert_eq!(error_of(&changed), Some(RequestError::Http10));
    let mut changed = good();
    *changed.method_mut() = Method::POST;
    assert_eq!(error_of(&changed), Some(RequestError::Method));
    let mut changed = good();
    changed.headers_mut().remove("host");
    assert_eq!(error_of(&changed), Some(RequestError::Host));
    let mut changed = good();
    changed
        .headers_mut()
        .append("host", "example.com".parse().unwrap());
    assert_eq!(error_of(&changed), Some(RequestError::Host));
    let mut changed = good();
    changed
        .headers_mut()
        .append("sec-websocket-version", "13".parse().unwrap());
    assert_eq!(error_of(&changed), Some(RequestError::MissingVersion));
    let mut changed = good();
    changed
        .headers_mut()
        .insert("upgrade", "h2c".parse().unwrap());
    assert_eq!(error_of(&changed), Some(RequestError::NotAnUpgrade));

    let answer = RequestError::UnsupportedVersion.to_http();
    assert_eq!(answer.status(), 426);
    assert_eq!(answer.headers()["sec-websocket-version"], "13");
    assert_eq!(answer.headers()["upgrade"], "websocket");
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    let text = format!("{}\n", RequestError::UnsupportedVersion);
    assert_eq!(answer.body(), text.as_bytes());
}

/// RFC 9112 section 3.2.2: it is the one that counts, for origins too.
#[test]
fn a_host_in_the_target_wins() {
    for (origin, error) in [
        ("http://example.org", None),
        ("http://example.com", Some(RequestError::Origin)),
    ] {
        let request = request()
            .uri("http://example.org/chat")
            .header("origin", origin)
            .body(())
            .unwrap();
        assert_eq!(error_of(&request), error, "{origin}");
    }
}

#[test]
fn values_need_not_be_ascii() {
    let value = http::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let request = request().header("x-name", value).body(()).unwrap();
    let request = Request::from_http(&request);
    assert_eq!(request.single_header("X-Name"), Some(&b"caf\xe9"[..]));
    assert!(request.negotiate(&ServerOptions::default()).is_ok());
    let map = Header::to_map(request.headers());
    assert_eq!(map["x-name"].as_bytes(), b"caf\xe9");
    assert_eq!(Header::from_map(&map).len(), request.headers().len());
}

/// What no map can hold is left out, and nothing panics.
#[test]
fn a_map_of_anything() {
    let headers = [
        Header {
            name: "good",
            value: b"1",
        },
        Header {
            name: "",
            value: b"1",
        },
        Header {
            name: "two words",
            value: b"1",
        },
        Header {
            name: ":path",
            value: b"1",
        },
        Header {
            name: "a",
            value: b"1\r\nb: 2",
        },
        Header {
            name: "Good",
            value: b"2",
        },
    ];
    let map: HeaderMap = Header::to_map(&headers);
    let all: Vec<_> = map
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    assert_eq!(all, [("good", &b"1"[..]), ("good", b"2")]);
}

#[test]
fn a_client_and_a_server_agree() {
    let uri = Uri::parse("ws://example.com:8080/chat?room=1").unwrap();
    let options = client_options().with_origin("http://example.com:8080");
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
    let request = client.to_http().unwrap();
    assert_eq!(
        (request.method(), request.uri()),
        (&Method::GET, &"/chat?room=1".parse().unwrap())
    );
    assert_eq!(request.headers()["host"], "example.com:8080");
    let known = ServerOptions::new().with_subprotocols(&["chat"]);
    let (response, _) = Request::from_http(&request).negotiate(&known).unwrap();
    let answer = response.to_http();
    let opened = client.establish(Response::from_http(&answer));
    let (response, connection) = opened.unwrap();
    assert_eq!(response.subprotocol(), Some("chat"));
    assert!(connection.is_some());
    let refused = RequestError::Origin.to_http();
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
    let opened = client.establish(Response::from_http(&refused));
    let (response, connection) = opened.unwrap();
    assert_eq!(response.status(), 403);
    assert!(connection.is_none());
}

#[test]
fn a_client_and_a_server_agree_over_http2() {
    let uri = Uri::parse("wss://example.com/chat?room=1").unwrap();
    let seed = Seed::new([7; 32]);
    let mut client = ClientHandshake::extended_connect(&uri, &client_options(), seed).unwrap();
    let request = client.to_http().unwrap();
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri(), "https://example.com/chat?room=1");
    assert!(request.headers().get("host").is_none());

    let known = ServerOptions::new()
        .with_subprotocols(&["chat"])
        .with_origins(Origins::Only(&["https://example.com"]));
    let asked = Request::from_http_connect(&request, "websocket");
    assert!(asked.is_websocket());
    assert_eq!(asked.target(), "/chat?room=1");
    let (response, _) = asked.negotiate(&known).unwrap();
    let answer = response.to_http();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers().len(),
        1,
        "the subprotocol, and nothing of HTTP/1.1"
    );
    let (_, connection) = client.establish(Response::from_http(&answer)).unwrap();
    assert!(connection.is_some());

    // Another protocol over the same method, and a missing part.
    let other = Request::from_http_connect(&request, "webtransport");
    let error = other.negotiate(&known).unwrap_err();
    assert_eq!(error.to_http2().status(), 501);
    let mut changed = client.to_http().unwrap();
    *changed.uri_mut() = "example.com:443".parse().unwrap();
    let changed = Request::from_http_connect(&changed, "websocket");
    assert_eq!(changed.negotiate(&known).err(), Some(RequestError::Target));
}

#[test]
fn refusals_over_http2_have_nothing_of_a_connection() {
    for error in [
        RequestError::NotAnUpgrade,
        RequestError::UnsupportedVersion,
        RequestError::Method,
        RequestError::Origin,
    ] {
        for answer in [error.to_http2(), error.to_http3()] {
            assert!(answer.headers().get("upgrade").is_none());
            assert!(answer.headers().get("connection").is_none());
            // It may be the answer to a HEAD (RFC 9110 section 9.3.2).
            let body = match error {
                RequestError::Method => String::new(),
                _ => format!("{error}\n"),
            };
            assert_eq!(answer.body(), body.as_bytes());
        }
    }
}
