//! Two servers in memory that do the same, and a client for HTTP/2.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use sockless::test_util::{Frame, Role};
use sockless_tokio::axum::WebSocketUpgrade;
use sockless_tokio::hyper::{Upgraded, is_upgrade_request, upgrade};
use sockless_tokio::{ServerOptions, WebSocket};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, DuplexStream, duplex};
use tokio::task::yield_now;

const PAGE: &str = "connect with a WebSocket\n";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    Hyper,
    Axum,
}

pub(crate) const SERVERS: [Server; 2] = [Server::Hyper, Server::Axum];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Http1,
    Http2,
}

impl Server {
    /// Starts the server for one client. At `/` is a WebSocket with a page, and at `/strict` only a WebSocket.
    pub(crate) fn start(self, version: Version) -> DuplexStream {
        match self {
            Self::Hyper => serve(version, service_fn(hyper)),
            Self::Axum => serve_router(
                version,
                Router::new()
                    .route("/", any(axum_with_page))
                    .route("/strict", any(axum)),
            ),
        }
    }
}

pub(crate) fn serve_router(version: Version, router: Router) -> DuplexStream {
    serve(version, TowerToHyperService::new(router))
}

fn serve<S>(version: Version, service: S) -> DuplexStream
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>,
    S: Send + 'static,
{
    let (ours, theirs) = duplex(100_000);
    let transport = TokioIo::new(ours);
    tokio::spawn(async move {
        // An error means that the client has left.
        _ = match version {
            Version::Http1 => {
                let mut builder = http1::Builder::new();
                builder.half_close(true);
                let connection = builder.serve_connection(transport, service);
                connection.with_upgrades().await
            }
            Version::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.enable_connect_protocol();
                builder.serve_connection(transport, service).await
            }
        };
    });
    theirs
}

async fn hyper(mut request: Request<Incoming>) -> Result<Response, Infallible> {
    if request.uri().path() == "/" && !is_upgrade_request(&request) {
        return Ok(PAGE.into_response());
    }
    let options = ServerOptions::new().with_subprotocols(&["v1", "v2"]);
    let (response, websocket) = match upgrade(&mut request, &options) {
        Ok(upgraded) => upgraded,
        Err(error) => return Ok(error.to_http().map(Body::from)),
    };
    tokio::spawn(async move { echo(websocket.await.unwrap()).await });
    Ok(response.map(|()| Body::empty()))
}

async fn axum_with_page(upgrade: Option<WebSocketUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => axum(upgrade).await,
        None => PAGE.into_response(),
    }
}

async fn axum(upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["v1", "v2"]).on_upgrade(echo)
}

/// Sends every message back until the connection ends.
pub(crate) async fn echo(mut websocket: WebSocket<Upgraded>) {
    while let Ok(Some(message)) = websocket.recv().await {
        _ = websocket.feed(message).await;
    }
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    Frame::new(first, payload).encode(Role::Server)
}

/// Reads the head of a response over HTTP/1.1, with all names in lower case.
pub(crate) async fn head(transport: &mut DuplexStream) -> String {
    // A buffer of one byte reads no byte after the head.
    let mut reader = BufReader::with_capacity(1, transport);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head.to_ascii_lowercase()
}

pub(crate) async fn read(transport: &mut DuplexStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    transport.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// A client of HTTP/2.
pub(crate) struct Client(SendRequest<Bytes>);

impl Client {
    pub(crate) async fn new(transport: DuplexStream) -> Self {
        let (requests, connection) = handshake(transport).await.unwrap();
        tokio::spawn(async {
            // An error means that the server has left.
            _ = connection.await;
        });
        while !requests.is_extended_connect_protocol_enabled() {
            yield_now().await;
        }
        Self(requests)
    }

    /// Sends a request with these bytes, before its response can arrive. Returns the response and the stream.
    pub(crate) async fn ask(
        &mut self,
        request: http::request::Builder,
        bytes: &[u8],
    ) -> (http::response::Parts, Stream) {
        let request = request.body(()).unwrap();
        let ends = request.method() != "CONNECT";
        let (response, mut sending) = self.0.send_request(request, ends).unwrap();
        if !ends {
            let bytes = Bytes::copy_from_slice(bytes);
            sending.send_data(bytes, false).unwrap();
        }
        let (parts, receiving) = response.await.unwrap().into_parts();
        (parts, Stream { sending, receiving })
    }
}

/// A request for a WebSocket over HTTP/2 at this path.
pub(crate) fn connect(path: &str, protocol: &'static str) -> http::request::Builder {
    Request::connect(format!("https://a{path}"))
        .version(http::Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static(protocol))
}

pub(crate) struct Stream {
    sending: SendStream<Bytes>,
    receiving: RecvStream,
}

impl Stream {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.sending.send_data(bytes, false).unwrap();
    }

    /// Reads `n` bytes, or fewer if the server ends the stream before.
    pub(crate) async fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < n {
            let Some(data) = self.receiving.data().await else {
                break;
            };
            let data = data.unwrap();
            let mut window = self.receiving.flow_control().clone();
            window.release_capacity(data.len()).unwrap();
            bytes.extend_from_slice(&data);
        }
        bytes
    }
}
