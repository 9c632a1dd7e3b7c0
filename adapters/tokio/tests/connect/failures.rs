//! Servers that refuse, lie, leave or never answer.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use sockless::handshake::{ClientOptions, Header, InputError, ResponseError};
use sockless_tokio::{Config, ConnectError, Connector, Deadlines, Step};
use tokio::time::timeout;

use crate::support::{
    Certificate, direct, drain, error, impatient, read_head, refusing, scripted, serve, write,
};

#[tokio::test]
async fn wrong_uris_and_options() {
    for uri in [
        "",
        "example.com",
        "http://example.com",
        "ws://",
        "ws://user:secret@",
        "ws://user:secret@exa mple.com/",
        "ws://user:secret@example.com:99999/",
        "ws://example.com/#secret",
        "ws://secret@user@example.com/",
    ] {
        let error = error(&direct(), uri).await;
        assert!(
            matches!(error, ConnectError::Input(InputError::Uri)),
            "{uri} {error:?}"
        );
        assert!(!error.is_temporary(), "{uri}");
    }
    let headers = [Header {
        name: "X",
        value: b"secret\n",
    }];
    // The options are checked before the connection: this address accepts none.
    let (_socket, address) = refusing();
    let connector = direct().with_options(ClientOptions::new().with_headers(&headers));
    let error = error(&connector, &format!("ws://{address}")).await;
    assert!(
        matches!(error, ConnectError::Input(InputError::HeaderValue)),
        "{error:?}"
    );
}

#[tokio::test]
async fn names_without_an_address() {
    // A label has at most 63 bytes, so no server is asked.
    let host = format!("{}.test", "x".repeat(64));
    let error = error(&direct(), &format!("ws://user:secret@{host}/secret")).await;
    assert!(
        matches!(&error, ConnectError::Dns { host: name, .. } if *name == host),
        "{error:?}"
    );
    assert!(error.to_string().contains(&host), "{error}");
}

#[tokio::test]
async fn addresses_that_refuse() {
    let (_socket, address) = refusing();
    let error = error(&direct(), &format!("ws://user:secret@{address}/secret")).await;
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.source().unwrap().source().is_some());
    assert!(error.is_temporary());
    let ConnectError::Tcp(error) = error else {
        panic!("{error:?}");
    };
    let attempts: Vec<_> = error
        .attempts()
        .map(|(address, error)| (address, error.kind()))
        .collect();
    assert_eq!(attempts, [(address, ErrorKind::ConnectionRefused)]);
}

#[tokio::test]
async fn responses_that_refuse() {
    let long = "x".repeat(5000);
    let close = format!("HTTP/1.1 500 Oops\r\nContent-Length: 5000\r\n\r\n{long}");
    let table = [
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 6\r\n\r\nsecret",
            401,
            "secret",
        ),
        ("HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\n\r\n", 407, ""),
        (
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            404,
            "abc",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /secret\r\nContent-Length: 0\r\n\r\n",
            302,
            "",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            200,
            "hello",
        ),
        // The body never ends.
        ("HTTP/1.1 503 Unavailable\r\n\r\nstart", 503, "start"),
        (
            "HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\nstart",
            503,
            "start",
        ),
        (&close, 500, &long[..4096]),
    ];
    for (text, status, body) in table {
        let (address, _) = scripted(text).await;
        let error = error(&direct(), &format!("ws://user:secret@{address}/secret")).await;
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(error.is_temporary(), status >= 500, "{status}");
        let ConnectError::Refused(response) = error else {
            panic!("{text}: {error:?}");
        };
        assert_eq!(response.status, status);
        assert_eq!(response.body, body);
        assert_eq!(response.subprotocol(), None);
        if status == 401 {
            assert_eq!(response.headers["www-authenticate"], "Basic");
        }
    }
}

#[tokio::test]
async fn responses_that_are_wrong() {
    let endless = format!(
        "HTTP/1.1 101 Switching Protocols\r\nX: {}",
        "x".repeat(20_000)
    );
    let table = [
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", ResponseError::MalformedHead),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            ResponseError::NotAnUpgrade,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: secret\r\n\r\n",
            ResponseError::Accept,
        ),
        (&endless, ResponseError::HeadTooLarge),
    ];
    for (text, expected) in table {
        let (address, _) = scripted(text).await;
        let error = error(&direct(), &format!("ws://user:secret@{address}/secret")).await;
        assert!(
            matches!(error, ConnectError::Handshake(error) if error == expected),
            "{text}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_leaves() {
    for response in ["", "HTTP/1.1 101 Swi"] {
        let address = serve(async |mut stream| {
            read_head(&mut stream).await;
            write(&mut stream, response.as_bytes()).await;
        });
        let error = error(
            &direct(),
            &format!("ws://user:secret@{}/secret", address.await),
        )
        .await;
        assert!(matches!(error, ConnectError::Eof), "{error:?}");
    }
}

/// Each step has a deadline, and all steps together have one.
#[tokio::test]
async fn servers_that_never_answer() {
    let certificate = Certificate::new();
    let silent = serve(drain).await;
    // Bytes flow, and the head never ends.
    let endless = serve(async |mut stream| {
        read_head(&mut stream).await;
        write(&mut stream, b"HTTP/1.1 101 Switching Protocols\r\nX: ").await;
        loop {
            write(&mut stream, b"x").await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let table = [
        (format!("ws://user:secret@{silent}/secret"), Step::Handshake),
        (
            format!("ws://user:secret@{}/secret", endless.await),
            Step::Handshake,
        ),
        (format!("wss://user:secret@{silent}/secret"), Step::Tls),
    ];
    for (uri, expected) in table {
        // Only one of the two deadlines is short.
        let step = impatient().with_timeout(Duration::MAX);
        let endless = Deadlines::new().with_handshake(Duration::MAX);
        let options = ClientOptions::new().with_config(Config::new().with_deadlines(endless));
        let total = direct()
            .with_options(options)
            .with_timeout(Duration::from_secs(1));
        let attempt = async |connector: Connector<'_>| {
            let connector = connector.with_tls(certificate.trusted());
            let error = timeout(Duration::from_secs(60), error(&connector, &uri)).await;
            let error = error.expect("the deadline passes");
            assert!(
                matches!(error, ConnectError::Timeout(it) if it == expected),
                "{uri} {error:?}"
            );
        };
        tokio::join!(attempt(step), attempt(total));
    }
    let uri = format!("ws://user:secret@{silent}/secret");
    let error = error(&direct().with_timeout(Duration::ZERO), &uri).await;
    assert!(
        matches!(error, ConnectError::Timeout(Step::Dns)),
        "{error:?}"
    );
}
