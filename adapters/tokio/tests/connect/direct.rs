//! Servers without TLS and without a proxy.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sockless::handshake::{ClientOptions, Header, ServerOptions, Uri};
use sockless_tokio::{
    ConnectError, Connector, HttpVersion, Response, Transport, WebSocket, connect, connect_over,
};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Log, check, check_echo, direct, echo, echo_server, serve_on};

#[tokio::test]
async fn a_server_by_address_and_by_name() {
    let (address, log) = echo_server(ServerOptions::new()).await;
    let websocket = check(&direct(), &format!("ws://{address}/path?query")).await;
    let transport = websocket.get_ref();
    assert_eq!(transport.peer_addr(), address);
    assert_eq!(transport.http_version(), HttpVersion::Http11);
    assert!(!transport.is_tls());
    let request = log.only();
    assert!(request.starts_with("GET /path?query\n"), "{request}");
    assert!(request.contains(&format!("Host: {address}")), "{request}");

    // The name may also have an IPv6 address, which refuses.
    let port = address.port();
    check(&direct(), &format!("WS://localhost:{port}")).await;
    assert!(log.only().contains(&format!("Host: localhost:{port}")));
}

#[tokio::test]
async fn a_server_by_ipv6_address() {
    // Not every machine has IPv6.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let log = Log::default();
    let recorded = log.clone();
    let address = serve_on(listener, move |stream| {
        let log = log.clone();
        async move { echo(stream, &ServerOptions::new(), &log).await }
    });
    let websocket = check(&direct(), &format!("ws://{address}/")).await;
    assert_eq!(websocket.get_ref().peer_addr(), address);
    assert!(recorded.only().contains(&format!("Host: {address}")));
}

#[tokio::test]
async fn headers_and_a_subprotocol() {
    let (address, log) = echo_server(ServerOptions::new().with_subprotocols(&["b"])).await;
    let options = ClientOptions::new()
        .with_subprotocols(&["a", "b"])
        .with_origin("https://example.com")
        .with_host("example.com")
        .with_headers(&[Header {
            name: "Cookie",
            value: b"a=b",
        }]);
    // The server accepts only pages of its own host.
    let connector = direct().with_options(options);
    let uri = format!("ws://{address}");
    let (mut websocket, response) = connector.connect_with_response(&uri).await.unwrap();
    assert_eq!(response.status, 101);
    assert_eq!(response.subprotocol(), Some("b"));
    assert_eq!(response.headers["upgrade"], "websocket");
    assert!(response.body.is_empty());
    check_echo(&mut websocket).await;
    let request = log.only();
    for line in [
        "Cookie: a=b",
        "Host: example.com",
        "Origin: https://example.com",
    ] {
        assert!(request.contains(line), "{request}");
    }
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn compression() {
    use sockless::{Config, Deflate};

    let config = Config::new().with_deflate(Deflate::new());
    let server = ServerOptions::new().with_config(config.clone());
    let (address, log) = echo_server(server).await;
    let options = ClientOptions::new().with_config(config);
    let connector = direct().with_options(options);
    let uri = format!("ws://{address}");
    let (mut websocket, response) = connector.connect_with_response(&uri).await.unwrap();
    check_echo(&mut websocket).await;
    let agreed = &response.headers["sec-websocket-extensions"];
    assert!(agreed.to_str().unwrap().starts_with("permessage-deflate"));
    assert!(
        log.only()
            .contains("Sec-WebSocket-Extensions: permessage-deflate")
    );
}

/// The request to a URI with a user.
#[tokio::test]
async fn users_and_passwords() {
    let (address, log) = echo_server(ServerOptions::new()).await;
    let table = [
        ("user:secret@", Some("user:secret")),
        ("user@", Some("user:")),
        (":secret@", Some(":secret")),
        ("us%65r:p%40ss:%c3%a4@", Some("user:p@ss:\u{e4}")),
        ("@", None),
        (":@", None),
        ("", None),
    ];
    for (userinfo, expected) in table {
        check(&direct(), &format!("ws://{userinfo}{address}/@")).await;
        let request = log.only();
        let expected =
            expected.map(|it| format!("Authorization: Basic {}", BASE64_STANDARD.encode(it)));
        let line = request
            .lines()
            .find(|line| line.starts_with("Authorization"));
        assert_eq!(line, expected.as_deref(), "{userinfo}");
        assert!(request.contains(&format!("Host: {address}")), "{request}");
        assert!(request.starts_with("GET /@\n"), "{request}");
    }

    let headers = [Header {
        name: "authorization",
        value: b"Bearer 1",
    }];
    let options = ClientOptions::new().with_headers(&headers);
    let connector = direct().with_options(options);
    check(&connector, &format!("ws://user:secret@{address}")).await;
    let request = log.only();
    assert!(request.contains("\nauthorization: Bearer 1"), "{request}");
    assert!(!request.contains("Basic"), "{request}");
}

#[tokio::test]
async fn a_connected_transport() {
    let (address, _) = echo_server(ServerOptions::new().with_subprotocols(&["a"])).await;
    let uri = Uri::parse(&format!("ws://{address}")).unwrap();
    let options = ClientOptions::new().with_subprotocols(&["a"]);
    let transport = TcpStream::connect(address).await.unwrap();
    let mut websocket = WebSocket::connect(transport, &uri, &options).await.unwrap();
    check_echo(&mut websocket).await;
    let transport = TcpStream::connect(address).await.unwrap();
    let connected = connect_over(transport, &uri, &options).await;
    let (mut websocket, response) = connected.unwrap();
    check_echo(&mut websocket).await;
    assert_eq!(response.subprotocol(), Some("a"));
}

/// A task can connect, and keep the results.
#[test]
fn auto_traits() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    fn check_future<T: Send>(_: T) {}

    check::<Transport>();
    check::<WebSocket<Transport>>();
    check::<Connector<'_>>();
    check::<ConnectError>();
    check::<Response>();
    check_future(direct().connect("ws://example.com"));
    check_future(connect("ws://example.com"));
}
