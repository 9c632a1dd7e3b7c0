//! The extractor for axum.

use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts as _;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use sockless::handshake::RequestError;
use sockless_tokio::axum::{UpgradeError, WebSocketUpgrade};
use sockless_tokio::server::Shutdown;
use sockless_tokio::{CloseCode, Origins, ServerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;

use crate::http1::{REQUEST, request_with};
use crate::support::{Client, Version, connect, echo, frame, head, read, serve_router};

/// Serves this handler at `/` over HTTP/1.1.
fn serve<F>(handler: impl Fn(WebSocketUpgrade) -> F + Clone + Send + Sync + 'static) -> DuplexStream
where
    F: Future<Output = Response> + Send + 'static,
{
    serve_router(Version::Http1, Router::new().route("/", any(handler)))
}

#[tokio::test(start_paused = true)]
async fn subprotocols() {
    let mut client = serve(async |upgrade| {
        assert_eq!(upgrade.requested_protocols(), ["v3", "v2", "v1"]);
        assert_eq!(upgrade.selected_protocol(), None);
        let options = ServerOptions::new().with_subprotocols(&["v1"]);
        let upgrade = upgrade.options(options);
        assert_eq!(upgrade.selected_protocol().as_deref(), Some("v1"));
        let upgrade = upgrade.protocols(vec![String::from("v1"), String::from("v2")]);
        assert_eq!(upgrade.selected_protocol().as_deref(), Some("v2"));
        upgrade.on_upgrade(echo)
    });
    let request = request_with("Sec-WebSocket-Protocol: v3, v2\r\nSec-WebSocket-Protocol: v1");
    client.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut client).await;
    assert!(
        head.contains("\r\nsec-websocket-protocol: v2\r\n"),
        "{head}"
    );
}

#[cfg(feature = "deflate")]
#[tokio::test(start_paused = true)]
async fn compression() {
    let mut client = serve(async |upgrade| {
        let config = sockless::Config::new().with_deflate(sockless::Deflate::new());
        let options = ServerOptions::new().with_config(config);
        upgrade.options(options).on_upgrade(echo)
    });
    let request = request_with("Sec-WebSocket-Extensions: permessage-deflate");
    client.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut client).await;
    assert!(head.contains("\r\nsec-websocket-extensions: permessage-deflate"));
}

/// The options are known only in the handler. It returns the refusal, and the callback is dropped.
#[tokio::test(start_paused = true)]
async fn the_options_refuse() {
    for (options, status) in [
        (ServerOptions::new(), "403"),
        (ServerOptions::new().with_origins(Origins::Any), "101"),
        (
            ServerOptions::new()
                .with_origins(Origins::Any)
                .with_hosts(&["b"]),
            "421",
        ),
    ] {
        let (dropped, mut drops) = mpsc::channel::<()>(1);
        let mut client = serve(move |upgrade| {
            let (options, dropped) = (options.clone(), dropped.clone());
            async move {
                upgrade.options(options).on_upgrade(async move |websocket| {
                    dropped.send(()).await.unwrap();
                    echo(websocket).await;
                })
            }
        });
        let request = request_with("Origin: https://b");
        client.write_all(request.as_bytes()).await.unwrap();
        let head = head(&mut client).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        let accepted = status == "101";
        drop(client);
        assert_eq!(drops.recv().await.is_some(), accepted);
    }
}

/// The end of the server waits for the connections, over HTTP/1.1 and HTTP/2.
#[tokio::test(start_paused = true)]
async fn a_graceful_end() {
    let going_away = b"\x88\x02\x03\xe9";
    let limit = Duration::from_secs(3600);
    for version in [Version::Http1, Version::Http2] {
        let shutdown = Shutdown::new();
        let ending = shutdown.clone();
        let handler = move |upgrade: WebSocketUpgrade| {
            let ending = ending.clone();
            async move {
                upgrade
                    .shutdown(&ending.clone())
                    .on_upgrade(async move |mut websocket| {
                        ending.begun().await;
                        _ = websocket.close(CloseCode::GOING_AWAY, "").await;
                    })
            }
        };
        let router = Router::new().route("/", any(handler));
        let transport = serve_router(version, router);
        let client = async |mut transport: DuplexStream| match version {
            Version::Http1 => {
                transport.write_all(REQUEST.as_bytes()).await.unwrap();
                head(&mut transport).await;
                assert_eq!(shutdown.tasks(), 1);
                shutdown.begin();
                assert_eq!(read(&mut transport, 4).await, going_away);
                assert_eq!(shutdown.tasks(), 1);
                transport
                    .write_all(&frame(0x88, b"\x03\xe9"))
                    .await
                    .unwrap();
                assert_eq!(transport.read(&mut [0]).await.unwrap(), 0);
            }
            Version::Http2 => {
                let mut client = Client::new(transport).await;
                let (_, mut stream) = client.ask(connect("/", "websocket"), b"").await;
                assert_eq!(shutdown.tasks(), 1);
                shutdown.begin();
                assert_eq!(stream.read(4).await, going_away);
                assert_eq!(shutdown.tasks(), 1);
                stream.send(&frame(0x88, b"\x03\xe9"));
                assert_eq!(stream.read(1).await, b"");
            }
        };
        client(transport).await;
        assert_eq!(shutdown.finish(limit).await, 0);
    }
}

/// The client leaves before the response.
#[tokio::test(start_paused = true)]
async fn an_upgrade_that_fails() {
    let (failed, mut failures) = mpsc::channel(1);
    let mut client = serve(move |upgrade| {
        let failed = failed.clone();
        async move {
            upgrade
                .on_failed_upgrade(move |error| failed.try_send(error).unwrap())
                .on_upgrade(async |_| panic!("the client has left"))
        }
    });
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    drop(client);
    failures.recv().await.unwrap();
}

/// Without hyper's extension, the server is wrong. A wrong request is still the client's fault.
#[tokio::test]
async fn rejections() {
    let request = |version| {
        http::Request::get("/")
            .header("host", "a")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", version)
            .header("cookie", "secret")
    };
    for (version, error, status) in [
        ("13", UpgradeError::NotUpgradable, 500),
        (
            "8",
            UpgradeError::Http1(RequestError::UnsupportedVersion),
            426,
        ),
    ] {
        let (mut parts, ()) = request(version).body(()).unwrap().into_parts();
        let rejected = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        assert_eq!(rejected.unwrap_err(), error);
        assert_eq!(error.status(), StatusCode::from_u16(status).unwrap());
        assert_eq!(error.to_http().status(), error.status());
    }
}
