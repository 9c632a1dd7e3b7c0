//! Proxies.

use std::env;
use std::process::Command;

use sockless::handshake::ServerOptions;
use sockless_tokio::{ConnectError, Connector, Proxy, ProxyError};
use tokio::task::spawn_blocking;

use crate::support::{
    Certificate, check, direct, drain, echo_server, error, impatient, read_head, refusing,
    scripted, serve, tls_echo_server, write,
};
use crate::support_proxy::{http_proxy, https_proxy, socks_proxy};

fn through(proxy: &str) -> Connector<'static> {
    direct().with_proxy(Proxy::new(proxy).unwrap())
}

#[tokio::test]
async fn over_http() {
    let certificate = Certificate::new();
    let (plain, log) = echo_server(ServerOptions::new()).await;
    let (secure, _) = tls_echo_server(&certificate).await;
    for (server, uri, target) in [
        (plain, "ws://server.test/", "server.test:80"),
        (secure, "wss://server.test/", "server.test:443"),
        (plain, "ws://server.test:81/", "server.test:81"),
        (plain, "ws://[2001:db8::1]/", "[2001:db8::1]:80"),
    ] {
        let (plain_proxy, plain_log) = http_proxy(server).await;
        let (tls_proxy, tls_log) = https_proxy(server, &certificate).await;
        for (proxy, address, log) in [
            (
                format!("http://user:%73ecret@{plain_proxy}"),
                plain_proxy,
                &plain_log,
            ),
            (
                format!("user:secret@{plain_proxy}"),
                plain_proxy,
                &plain_log,
            ),
            (
                format!("https://user:secret@localhost:{}", tls_proxy.port()),
                tls_proxy,
                &tls_log,
            ),
        ] {
            let connector = through(&proxy).with_tls(certificate.trusted());
            let websocket = check(&connector, uri).await;
            assert_eq!(websocket.get_ref().peer_addr(), address);
            assert_eq!(websocket.get_ref().is_tls(), uri.starts_with("wss"));
            let request = log.only().to_ascii_lowercase();
            assert!(
                request.starts_with(&format!("connect {target} http/1.1\r\n")),
                "{request}"
            );
            assert!(
                request.contains(&format!("host: {target}\r\n")),
                "{request}"
            );
            let authorization = "proxy-authorization: basic dxnlcjpzzwnyzxq=\r\n";
            assert!(request.contains(authorization), "{request}");
        }
    }
    for request in log.take() {
        assert!(!request.contains("Proxy-Authorization"), "{request}");
    }

    // The user of the server is not for the proxy.
    let (proxy, proxy_log) = http_proxy(plain).await;
    check(
        &through(&format!("http://{proxy}")),
        "ws://user:secret@server.test",
    )
    .await;
    let request = proxy_log.only().to_ascii_lowercase();
    assert!(!request.contains("authorization"), "{request}");
    assert!(log.only().contains("Authorization: Basic"));
}

#[tokio::test]
async fn over_socks() {
    let certificate = Certificate::new();
    let (plain, _) = echo_server(ServerOptions::new()).await;
    let (secure, _) = tls_echo_server(&certificate).await;
    for (server, scheme, uri, target) in [
        (plain, "socks5h", "ws://server.test/", "server.test 80"),
        (secure, "socks5h", "wss://server.test/", "server.test 443"),
        (plain, "socks5h", "ws://[2001:db8::1]:81/", "2001:db8::1 81"),
        (plain, "socks5", "ws://[2001:db8::1]:81/", "2001:db8::1 81"),
        (plain, "socks5", "ws://127.0.0.1/", "127.0.0.1 80"),
    ] {
        for (user, userinfo) in [(None, ""), (Some(("us:er", "secret")), "us%3Aer:secret@")] {
            let (address, log) = socks_proxy(server, user, 0).await;
            let connector = through(&format!("{scheme}://{userinfo}{address}"));
            let connector = connector.with_tls(certificate.trusted());
            let websocket = check(&connector, uri).await;
            assert_eq!(websocket.get_ref().peer_addr(), address);
            assert_eq!(log.only(), target);
        }
    }
    // This side looks up the name.
    let (address, log) = socks_proxy(plain, None, 0).await;
    check(&through(&format!("socks5://{address}")), "ws://localhost/").await;
    assert!(["127.0.0.1 80", "::1 80"].contains(&&*log.only()));
}

/// The error, which names the proxy.
async fn proxy_error(connector: &Connector<'_>, uri: &str, proxy: &str) -> ProxyError {
    let error = error(connector, uri).await;
    assert!(error.to_string().contains(proxy), "{error}");
    match error {
        ConnectError::Proxy { source, .. } => *source,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn that_fail() {
    const URI: &str = "ws://user:secret@server.test/secret";
    let certificate = Certificate::new();
    let (_socket, refuses) = refusing();
    let silent = serve(drain).await;
    let endless = scripted(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20)));
    let slow = scripted("HTTP/1.1 200 OK\r\nX: ");
    let early = scripted("HTTP/1.1 200 OK\r\n\r\nearly");
    let ssh = scripted("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    let denies =
        scripted("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 6\r\n\r\nsecret");
    let fails = scripted("HTTP/1.1 502 Bad Gateway\r\n\r\nno end");
    let redirects = scripted("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    let leaves = serve(async |mut stream| {
        read_head(&mut stream).await;
    });
    let ssh_server = serve(async |mut stream| write(&mut stream, b"SSH-2.0-OpenSSH_9.9\r\n").await);
    let (socks, _) = socks_proxy(refuses, Some(("user", "other")), 0).await;
    let (unreachable, _) = socks_proxy(refuses, None, 4).await;
    let (plain, _) = echo_server(ServerOptions::new()).await;
    let long = "x".repeat(300);

    // A proxy and the start of the error.
    let table = [
        (format!("http://user:secret@{refuses}"), "Connect(Tcp("),
        (
            format!("http://user:secret@{}.test", "x".repeat(64)),
            "Connect(Dns {",
        ),
        (
            format!("http://user:secret@{silent}"),
            "Connect(Timeout(Proxy))",
        ),
        (
            format!("https://user:secret@{silent}"),
            "Connect(Timeout(Tls))",
        ),
        (format!("https://user:secret@{plain}"), "Connect(Tls("),
        (
            format!("socks5h://user:secret@{silent}"),
            "Connect(Timeout(Proxy))",
        ),
        (
            format!("http://user:secret@{}", slow.await.0),
            "Connect(Timeout(Proxy))",
        ),
        (
            format!("http://user:secret@{}", endless.await.0),
            "Protocol(",
        ),
        (format!("http://user:secret@{}", early.await.0), "Protocol("),
        (format!("http://user:secret@{}", ssh.await.0), "Protocol("),
        (format!("http://user:secret@{}", leaves.await), "Protocol("),
        (
            format!("http://user:secret@{}", denies.await.0),
            "Refused(Response { status: 407, headers: 2, body: 6 B }",
        ),
        (
            format!("http://user:secret@{}", fails.await.0),
            "Refused(Response { status: 502, headers: 0, body: 6 B }",
        ),
        (
            format!("http://user:secret@{}", redirects.await.0),
            "Refused(Response { status: 302, headers: 2, body: 0 B }",
        ),
        (format!("socks5h://user:secret@{socks}"), "Authentication"),
        (format!("socks5h://user:{long}@{socks}"), "Authentication"),
        (format!("socks5h://{socks}"), "Authentication"),
        (
            format!("socks5h://{unreachable}"),
            "Unreachable(HostUnreachable)",
        ),
        (
            format!("socks5h://user:secret@{}", ssh_server.await),
            "Protocol(",
        ),
    ];
    for (proxy, expected) in table {
        // Redirects of a proxy are never followed.
        let connector = impatient()
            .with_proxy(Proxy::new(&proxy).unwrap())
            .with_tls(certificate.trusted())
            .with_max_redirects(1);
        let host = proxy.rsplit(['@', '/']).next().unwrap();
        let error = format!("{:?}", proxy_error(&connector, URI, host).await);
        assert!(error.starts_with(expected), "{proxy}: {error}");
    }

    // The name of the server is looked up here, before the proxy is asked.
    let uri = format!("ws://{}.test", "x".repeat(64));
    let error = proxy_error(&through(&format!("socks5://{unreachable}")), &uri, "").await;
    assert!(
        matches!(error, ProxyError::Target(ConnectError::Dns { .. })),
        "{error:?}"
    );
}

#[test]
fn urls_that_are_not_of_a_proxy() {
    for url in [
        "",
        "ftp://proxy.test",
        "socks4://proxy.test",
        "http://",
        "http://a b",
        "//",
        "http://user:secret@",
    ] {
        let error = Proxy::new(url).unwrap_err();
        assert!(matches!(error, ProxyError::InvalidUrl), "{url}");
    }
    let proxy = Proxy::new("http://user:secret@proxy.test").unwrap();
    assert!(!format!("{proxy:?}").contains("secret"));
}

#[tokio::test]
async fn exceptions() {
    let (server, _) = echo_server(ServerOptions::new()).await;
    let (address, log) = http_proxy(server).await;
    let proxy = Proxy::new(&format!("http://{address}")).unwrap();
    for (exceptions, host, is_direct) in [
        ("", "127.0.0.1", false),
        ("localhost", "127.0.0.1", false),
        ("localhost", "localhost", true),
        ("ocalhost", "localhost", false),
        (".test, 127.0.0.0/8", "127.0.0.1", true),
        ("b.test, 127.0.0.0/8", "a.test", false),
        ("*", "localhost", true),
        ("[::1]", "::1", false),
    ] {
        let uri = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let uri = format!("ws://{uri}:{}", server.port());
        let connector = direct().with_proxy(proxy.clone().with_no_proxy(exceptions));
        check(&connector, &uri).await;
        assert_eq!(log.take().is_empty(), is_direct, "{exceptions} {host}");
    }
}

const NAMES: [&str; 9] = [
    "REQUEST_METHOD",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Which proxy is used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Used {
    None,
    One,
    Two,
    Error,
}
use Used::{Error, One, Two};

/// A URI, and the environment of the process that connects.
type Row<'a> = (&'a str, &'a [(&'a str, &'a String)], Used);

/// The environment of this process must not change. So each row runs in a process.
#[tokio::test]
async fn from_the_environment() {
    let certificate = Certificate::new();
    let (plain, _) = echo_server(ServerOptions::new()).await;
    let (secure, _) = tls_echo_server(&certificate).await;
    let (address, log) = http_proxy(plain).await;
    let (other, other_log) = http_proxy(secure).await;
    let (one, two) = (format!("http://user:secret@{address}"), format!("{other}"));
    let (ws, wss) = (
        format!("ws://{plain}"),
        format!("wss://localhost:{}", secure.port()),
    );
    let none = String::new();

    let table: [Row<'_>; 15] = [
        (&ws, &[], Used::None),
        (&ws, &[("HTTP_PROXY", &one)], One),
        (&ws, &[("http_proxy", &one), ("HTTPS_PROXY", &two)], One),
        (&ws, &[("HTTP_PROXY", &one), ("http_proxy", &two)], One),
        (
            &ws,
            &[("HTTP_PROXY", &none), ("http_proxy", &two)],
            Used::None,
        ),
        (&ws, &[("HTTPS_PROXY", &two)], Used::None),
        (&ws, &[("ALL_PROXY", &one), ("HTTPS_PROXY", &two)], One),
        (&ws, &[("all_proxy", &two), ("HTTP_PROXY", &one)], One),
        (
            &ws,
            &[
                ("HTTP_PROXY", &one),
                ("NO_PROXY", &String::from("127.0.0.1")),
            ],
            Used::None,
        ),
        (
            &ws,
            &[
                ("HTTP_PROXY", &one),
                ("no_proxy", &String::from("127.0.0.0/8")),
            ],
            Used::None,
        ),
        (
            &ws,
            &[
                ("HTTP_PROXY", &one),
                ("REQUEST_METHOD", &String::from("GET")),
            ],
            Used::None,
        ),
        (
            &ws,
            &[("HTTP_PROXY", &String::from("ftp://user:secret@host"))],
            Error,
        ),
        (&wss, &[("HTTPS_PROXY", &two), ("HTTP_PROXY", &one)], Two),
        (&wss, &[("https_proxy", &two)], Two),
        (&wss, &[("HTTP_PROXY", &one)], Used::None),
    ];
    for (uri, variables, expected) in table {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([
            "--exact",
            "proxies::one_connection",
            "--ignored",
            "--nocapture",
        ]);
        for name in NAMES {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).env("TEST_URI", uri);
        let output = spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let used = match (log.take().len(), other_log.take().len()) {
            (0, 0) if text.contains("the environment variable HTTP_PROXY") => Error,
            (0, 0) => Used::None,
            (1, 0) => One,
            (0, 1) => Two,
            counts => panic!("{counts:?}"),
        };
        assert_eq!(used, expected, "{uri} {variables:?} {text}");
        // This process does not trust the server with TLS.
        assert_eq!(
            text.contains("connected"),
            uri == ws && used != Error,
            "{text}"
        );
    }
}

/// Runs in another process, see [`from_the_environment`].
#[tokio::test]
#[ignore = "a part of another test"]
async fn one_connection() {
    let uri = env::var("TEST_URI").unwrap();
    match sockless_tokio::connect(&uri).await {
        Ok(_) => println!("connected"),
        Err(error) => println!("{error} {error:?}"),
    }
}

#[tokio::test]
async fn bytes_that_follow_immediately() {
    // The proxy ends the stream with its response.
    let address = serve(async |mut stream| {
        read_head(&mut stream).await;
        write(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
    });
    let connector = through(&format!("http://{}", address.await));
    let error = error(&connector, "ws://server.test").await;
    assert!(
        matches!(error, ConnectError::Eof | ConnectError::Transport(_)),
        "{error:?}"
    );
}
