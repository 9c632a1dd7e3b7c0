//! Redirects.

use std::net::SocketAddr;

use sockless::handshake::{ClientOptions, Header, ServerOptions};
use sockless_tokio::{ConnectError, Connector, RedirectError};

use crate::support::{
    self, Certificate, Log, check, direct, echo_server, error, read_head, scripted, serve,
    serve_tls, write,
};

/// The headers that the redirected client sends.
const HEADERS: &[Header<'_>] = &[
    Header {
        name: "Cookie",
        value: b"secret",
    },
    Header {
        name: "X-Kept",
        value: b"kept",
    },
];

fn connector() -> Connector<'static> {
    let options = ClientOptions::new()
        .with_headers(HEADERS)
        .with_host("first.test");
    direct().with_options(options).with_max_redirects(2)
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// A server that redirects to the location in the query, and refuses other queries.
async fn redirecting() -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let address = serve(move |mut stream| {
        let log = log.clone();
        async move {
            let head = read_head(&mut stream).await;
            let path = head.split(' ').nth(1).unwrap();
            let response = match path.split_once("?to=") {
                Some((_, location)) => redirect(307, location),
                None => String::from("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            };
            write(&mut stream, response.as_bytes()).await;
            log.add(head);
        }
    });
    (address.await, recorded)
}

#[tokio::test]
async fn to_another_origin_without_credentials() {
    let (server, log) = echo_server(ServerOptions::new()).await;
    for status in [301, 302, 303, 307, 308] {
        for scheme in ["ws:", "http:", "HTTP:", ""] {
            let location = format!("{scheme}//{server}/a/../b?c#secret");
            let (first, first_log) = scripted(redirect(status, &location)).await;
            let uri = format!("ws://user:secret@{first}/");
            let websocket = check(&connector(), &uri).await;
            assert_eq!(websocket.get_ref().peer_addr(), server);
            let request = first_log.only();
            for line in [
                "Authorization: Basic",
                "Cookie: secret",
                "X-Kept: kept",
                "Host: first.test",
            ] {
                assert!(request.contains(line), "{request}");
            }
            let request = log.only();
            assert!(request.starts_with("GET /b?c\n"), "{request}");
            assert!(request.contains("X-Kept: kept"), "{request}");
            assert!(request.contains(&format!("Host: {server}")), "{request}");
            assert!(!request.contains("Authorization"), "{request}");
            assert!(!request.contains("Cookie"), "{request}");
        }
    }
}

#[tokio::test]
async fn to_the_same_origin_with_credentials() {
    let (address, log) = redirecting().await;
    // The second request is not redirected.
    for (location, target) in [
        ("/next?a", "/next?a"),
        ("next", "/a/next"),
        ("../next", "/next"),
        ("?a", "/a/b?a"),
        (&format!("ws://{address}/x"), "/x"),
    ] {
        let path = format!("/a/b?to={location}");
        let error = error(&connector(), &format!("ws://user:secret@{address}{path}")).await;
        assert!(matches!(error, ConnectError::Refused(response) if response.status == 404));
        let requests = log.take();
        assert_eq!(requests.len(), 2, "{location}");
        for (request, target) in requests.iter().zip([&*path, target]) {
            assert!(
                request.starts_with(&format!("GET {target} ")),
                "{location}: {request}"
            );
            for line in ["Authorization: Basic", "Cookie: secret", "Host: first.test"] {
                assert!(request.contains(line), "{request}");
            }
        }
    }
}

/// Another origin redirects back. The credentials stay dropped.
#[tokio::test]
async fn back_to_the_first_origin() {
    let (first, first_log) = redirecting().await;
    let (other, _) = scripted(redirect(302, &format!("ws://{first}/end"))).await;
    let uri = format!("ws://user:secret@{first}/?to=ws://{other}/");
    let error = error(&connector(), &uri).await;
    assert!(matches!(error, ConnectError::Refused(response) if response.status == 404));
    let requests = first_log.take();
    assert!(requests[0].contains("Authorization"), "{requests:?}");
    assert!(!requests[1].contains("Authorization"), "{requests:?}");
    assert!(!requests[1].contains("Cookie"), "{requests:?}");
}

/// Another origin redirects within itself. It does not get the credentials then either.
#[tokio::test]
async fn twice_at_another_origin() {
    let (first, _) = redirecting().await;
    let (other, log) = redirecting().await;
    let uri = format!("ws://user:secret@{first}/?to=ws://{other}/?to=/end");
    let error = error(&connector(), &uri).await;
    assert!(matches!(error, ConnectError::Refused(response) if response.status == 404));
    let requests = log.take();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(!request.contains("Authorization"), "{request}");
        assert!(!request.contains("Cookie"), "{request}");
        assert!(request.contains(&format!("Host: {other}")), "{request}");
    }
}

#[tokio::test]
async fn that_are_not_followed() {
    let (address, log) = redirecting().await;
    let table = [
        // The redirects never end.
        (format!("/{}", "?to=".repeat(9)), RedirectError::TooMany, 3),
        (
            String::from("/?to=ftp://example.com/secret"),
            RedirectError::Location,
            1,
        ),
        (
            String::from("/?to=ws:///secret"),
            RedirectError::Location,
            1,
        ),
        (
            format!("/?to=ws://a:secret@{address}/"),
            RedirectError::Credentials,
            1,
        ),
    ];
    for (path, expected, requests) in table {
        let error = error(&connector(), &format!("ws://{address}{path}")).await;
        assert!(
            matches!(error, ConnectError::Redirect(error) if error == expected),
            "{path}: {error:?}"
        );
        assert_eq!(log.take().len(), requests, "{path}");
    }

    let (address, _) = scripted(redirect(302, "ws://exa mple.com/secret")).await;
    let error = error(&connector(), &format!("ws://{address}")).await;
    assert!(
        matches!(error, ConnectError::Redirect(RedirectError::Location)),
        "{error:?}"
    );

    // By default, and without exactly one Location, a redirect is a refusal.
    let two = "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    for (connector, response) in [
        (direct(), redirect(302, "/a")),
        (connector(), redirect(300, "/a")),
        (connector(), redirect(302, "/a").replace("Location", "X")),
        (connector(), two.into()),
    ] {
        let (address, log) = scripted(response).await;
        let error = support::error(&connector, &format!("ws://{address}")).await;
        assert!(matches!(error, ConnectError::Refused(_)), "{error:?}");
        log.only();
    }
}

#[tokio::test]
async fn from_tls() {
    let certificate = Certificate::new();
    let connector = connector().with_tls(certificate.trusted());
    let redirecting = async |location: String| {
        let response = redirect(302, &location);
        let task = move |mut stream| {
            let response = response.clone();
            async move {
                read_head(&mut stream).await;
                write(&mut stream, response.as_bytes()).await;
            }
        };
        let address = serve_tls(certificate.acceptor(&[]), task).await;
        format!("wss://user:secret@localhost:{}/", address.port())
    };
    let (server, log) = echo_server(ServerOptions::new()).await;
    for scheme in ["ws", "http"] {
        let uri = redirecting(format!("{scheme}://{server}/")).await;
        let error = error(&connector, &uri).await;
        assert!(
            matches!(error, ConnectError::Redirect(RedirectError::Insecure)),
            "{error:?}"
        );
    }
    assert!(log.take().is_empty());
    let (server, log) = support::tls_echo_server(&certificate).await;
    let uri = redirecting(format!("https://localhost:{}/", server.port())).await;
    let websocket = check(&connector, &uri).await;
    assert!(websocket.get_ref().is_tls());
    assert!(!log.only().contains("Authorization"));
}
