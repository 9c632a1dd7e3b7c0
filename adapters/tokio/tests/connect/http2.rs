//! A WebSocket in a stream of HTTP/2.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use sockless::handshake::{ClientOptions, Header, Request, ServerOptions};
use sockless::{CloseCode, Config, ReadBuffer};
use sockless_tokio::http2::Stream;
use sockless_tokio::{ConnectError, Connector, HttpVersion, HttpVersions, Message, WebSocket};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::server::TlsStream;

use crate::support::{
    Certificate, Log, check, check_echo, describe, direct, drain, echo, echo_on, error, impatient,
    read_head, serve_tls, write,
};

type Answer = fn(http::Request<RecvStream>, SendResponse<Bytes>, &Log);

/// Accepts and echoes.
fn accept(request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>, log: &Log) {
    let (parts, recv) = request.into_parts();
    let protocol = parts.extensions.get::<h2::ext::Protocol>().unwrap();
    let request = Request::from_http_connect_parts(&parts, protocol.as_str());
    log.add(describe(&request));
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sockless::Deflate::new());
    let options = ServerOptions::new()
        .with_config(config)
        .with_subprotocols(&["a"]);
    let (response, connection) = request.negotiate(&options).unwrap();
    let send = respond.send_response(response.to_http(), false).unwrap();
    let websocket = WebSocket::new(Stream::new(send, recv), connection, ReadBuffer::new());
    tokio::spawn(echo_on(websocket));
}

/// A server with TLS that speaks HTTP/2, and HTTP/1.1 if the client does not offer HTTP/2. The receiver gets a line at
/// the start and at the end of each connection.
async fn serve(
    certificate: &Certificate,
    extended_connect: bool,
    answer: Answer,
) -> (String, Log, UnboundedReceiver<&'static str>) {
    let log = Log::default();
    let recorded = log.clone();
    let (events, received) = unbounded_channel();
    let acceptor = certificate.acceptor(&["h2", "http/1.1"]);
    let address = serve_tls(acceptor, move |stream| {
        let (log, events) = (log.clone(), events.clone());
        async move {
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_http2(stream, extended_connect, answer, log, events).await;
            } else {
                events.send("HTTP/1.1").unwrap();
                echo(stream, &ServerOptions::new(), &log).await;
            }
        }
    });
    let uri = format!(
        "wss://user:secret@localhost:{}/secret",
        address.await.port()
    );
    (uri, recorded, received)
}

async fn serve_http2(
    stream: TlsStream<TcpStream>,
    extended_connect: bool,
    answer: Answer,
    log: Log,
    events: UnboundedSender<&'static str>,
) {
    events.send("HTTP/2").unwrap();
    let mut builder = server::Builder::new();
    if extended_connect {
        builder.enable_connect_protocol();
    }
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        answer(request, respond, &log);
    }
    _ = events.send("end");
}

fn connector(certificate: &Certificate) -> Connector<'static> {
    direct()
        .with_tls(certificate.trusted())
        .with_http_versions(HttpVersions::PreferHttp2)
}

#[tokio::test]
async fn a_stream() {
    let certificate = Certificate::new();
    let (uri, log, mut events) = serve(&certificate, true, accept).await;
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sockless::Deflate::new());
    let options = ClientOptions::new()
        .with_config(config)
        .with_subprotocols(&["b", "a"])
        .with_headers(&[Header {
            name: "X-Upper",
            value: b"x",
        }]);
    let connector = connector(&certificate).with_options(options);
    let (mut websocket, response) = connector.connect_with_response(&uri).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.subprotocol(), Some("a"));
    assert_eq!(websocket.get_ref().http_version(), HttpVersion::Http2);
    assert!(websocket.get_ref().is_tls());
    check_echo(&mut websocket).await;
    let request = log.only();
    for line in [
        "x-upper: x",
        "authorization: Basic ",
        ":path: /secret",
        ":protocol: websocket",
    ] {
        assert!(request.contains(line), "{request}");
    }
    #[cfg(feature = "deflate")]
    assert!(response.headers.contains_key("sec-websocket-extensions"));

    // More than all windows.
    let (mut sender, mut incoming) = websocket.split();
    let large = Bytes::from(vec![7; 3 << 20]);
    let message = Message::Binary(large);
    let (sent, received) = tokio::join!(sender.send(message.clone()), incoming.recv());
    sent.unwrap();
    assert!(received.unwrap() == Some(message));
    sender.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(incoming.recv().await.unwrap(), None);

    // The connection ends with the WebSocket.
    assert_eq!(events.recv().await, Some("HTTP/2"));
    assert!(events.is_empty());
    drop((sender, incoming));
    assert_eq!(events.recv().await, Some("end"));
}

/// A WebSocket that is dropped without a Close frame ends its connection, too.
#[tokio::test]
async fn dropped() {
    let certificate = Certificate::new();
    let (uri, _, mut events) = serve(&certificate, true, accept).await;
    let websocket = check(&connector(&certificate), &uri).await;
    assert_eq!(events.recv().await, Some("HTTP/2"));
    drop(websocket);
    assert_eq!(events.recv().await, Some("end"));
}

#[tokio::test]
async fn by_choice_only() {
    let certificate = Certificate::new();
    let (uri, _, mut events) = serve(&certificate, true, accept).await;
    let connector = direct().with_tls(certificate.trusted());
    let websocket = check(&connector, &uri).await;
    assert_eq!(websocket.get_ref().http_version(), HttpVersion::Http11);
    assert_eq!(events.recv().await, Some("HTTP/1.1"));
}

/// The server speaks HTTP/2 and has no WebSocket there, or wants HTTP/1.1 for it.
#[tokio::test]
async fn http11_as_the_second_choice() {
    let certificate = Certificate::new();
    let reset: Answer = |_, mut respond, _| respond.send_reset(Reason::HTTP_1_1_REQUIRED);
    for (extended_connect, answer) in [(false, accept as Answer), (true, reset)] {
        let (uri, log, mut events) = serve(&certificate, extended_connect, answer).await;
        let websocket = check(&connector(&certificate), &uri).await;
        assert_eq!(websocket.get_ref().http_version(), HttpVersion::Http11);
        assert!(log.only().contains("Authorization: Basic"));
        let mut seen = [
            events.recv().await,
            events.recv().await,
            events.recv().await,
        ];
        seen.sort_unstable();
        assert_eq!(seen, [Some("HTTP/1.1"), Some("HTTP/2"), Some("end")]);
    }

    // The server has no HTTP/2.
    let address = serve_tls(certificate.acceptor(&["http/1.1"]), async |stream| {
        echo(stream, &ServerOptions::new(), &Log::default()).await;
    });
    let uri = format!("wss://localhost:{}", address.await.port());
    check(&connector(&certificate), &uri).await;
}

#[tokio::test]
async fn refusals() {
    let certificate = Certificate::new();
    let whole: Answer = |_, mut respond, _| {
        let response = http::Response::builder().status(401).header("x", "secret");
        let mut send = respond
            .send_response(response.body(()).unwrap(), false)
            .unwrap();
        send.send_data("secret".into(), true).unwrap();
    };
    let endless: Answer = |_, mut respond, _| {
        let response = http::Response::builder().status(503).body(()).unwrap();
        let mut send = respond.send_response(response, false).unwrap();
        send.send_data(vec![b'x'; 9000].into(), false).unwrap();
        // As long as the test.
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(send);
        });
    };
    let redirect: Answer = |request, mut respond, _| {
        if request.uri().path() == "/next" {
            return accept(request, respond, &Log::default());
        }
        let response = http::Response::builder()
            .status(307)
            .header("location", "/next");
        respond
            .send_response(response.body(()).unwrap(), true)
            .unwrap();
    };
    let table = [
        (whole, 401, String::from("secret")),
        (endless, 503, "x".repeat(4096)),
        (redirect, 307, String::new()),
    ];
    for (answer, status, body) in table {
        let (uri, _, mut events) = serve(&certificate, true, answer).await;
        let error = error(&connector(&certificate), &uri).await;
        let ConnectError::Refused(response) = error else {
            panic!("{error:?}");
        };
        assert_eq!(response.status, status);
        assert_eq!(response.body, body);
        assert_eq!(events.recv().await, Some("HTTP/2"));
        assert_eq!(events.recv().await, Some("end"));
    }
    let (uri, _, _events) = serve(&certificate, true, redirect).await;
    check(&connector(&certificate).with_max_redirects(1), &uri).await;
}

#[tokio::test]
async fn servers_that_fail() {
    let certificate = Certificate::new();
    let reset: Answer = |_, mut respond, _| respond.send_reset(Reason::INTERNAL_ERROR);
    let silent: Answer = |_, respond, _| {
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(respond);
        });
    };
    let (resets, _, _a) = serve(&certificate, true, reset).await;
    let (waits, _, _b) = serve(&certificate, true, silent).await;
    let no_settings = serve_tls(certificate.acceptor(&["h2"]), drain).await;
    let no_settings = format!("wss://user:secret@localhost:{}", no_settings.port());
    let no_http2 = serve_tls(certificate.acceptor(&["h2"]), async |mut stream| {
        read_head(&mut stream).await;
        write(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        drain(stream).await;
    });
    let no_http2 = format!("wss://user:secret@localhost:{}", no_http2.await.port());
    let table = [
        (resets, "Http2("),
        (waits, "Timeout(Handshake)"),
        (no_settings, "Timeout(Http2)"),
        (no_http2, "Http2("),
    ];
    for (uri, expected) in table {
        let connector = impatient()
            .with_tls(certificate.trusted())
            .with_http_versions(HttpVersions::PreferHttp2);
        let error = format!("{:?}", error(&connector, &uri).await);
        assert!(error.starts_with(expected), "{uri} {error}");
    }
}

/// The server sends many short messages before the client receives. The window stops the server, not an error.
#[tokio::test]
async fn a_slow_reader() {
    const MESSAGES: usize = 100_000;
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let certificate = Certificate::new();
    let answer: Answer = |request, mut respond, _| {
        let (parts, recv) = request.into_parts();
        let request = Request::from_http_connect_parts(&parts, "websocket");
        let (response, connection) = request.negotiate(&ServerOptions::new()).unwrap();
        let send = respond.send_response(response.to_http(), false).unwrap();
        let stream = Stream::new(send, recv);
        let mut websocket = WebSocket::new(stream, connection, ReadBuffer::new());
        tokio::spawn(async move {
            for _ in 0..MESSAGES {
                // One DATA frame each.
                websocket.send("x").await.unwrap();
                SENT.fetch_add(1, Ordering::Relaxed);
            }
            echo_on(websocket).await;
        });
    };
    let (uri, _, _events) = serve(&certificate, true, answer).await;
    let mut websocket = connector(&certificate).connect(&uri).await.unwrap();
    let mut sent = usize::MAX;
    // Until the window is full, or all messages are sent.
    while sent != SENT.load(Ordering::Relaxed) {
        sent = SENT.load(Ordering::Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    for i in 0..MESSAGES {
        let received = websocket.recv().await;
        assert_eq!(received, Ok(Some(Message::from("x"))), "{i}");
    }
    check_echo(&mut websocket).await;
}

/// The server never answers, and the future is dropped.
#[tokio::test]
async fn a_dropped_future_closes_the_connection() {
    let certificate = Certificate::new();
    let (events, mut received) = unbounded_channel();
    let no_settings = serve_tls(certificate.acceptor(&["h2"]), move |mut stream| {
        let events = events.clone();
        async move {
            // The magic of the client ends with an empty line, and has one in the middle.
            read_head(&mut stream).await;
            events.send("HTTP/2").unwrap();
            drain(stream).await;
            events.send("end").unwrap();
        }
    });
    let no_settings = format!("wss://localhost:{}", no_settings.await.port());
    let no_response: Answer = |_, respond, _| {
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(respond);
        });
    };
    let (no_response, _, mut other) = serve(&certificate, true, no_response).await;
    for (uri, received) in [(no_settings, &mut received), (no_response, &mut other)] {
        let connector = connector(&certificate);
        let connecting = tokio::spawn(async move { connector.connect(&uri).await });
        assert_eq!(received.recv().await, Some("HTTP/2"));
        connecting.abort();
        assert_eq!(received.recv().await, Some("end"));
    }
}
