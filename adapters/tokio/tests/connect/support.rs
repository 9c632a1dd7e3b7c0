//! Servers on loopback. They record the requests.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair};
use sockless::handshake::{ClientOptions, Request, ServerHandshake, ServerOptions};
use sockless::{Config, Deadlines, ReadBuffer};
use sockless_tokio::{ConnectError, Connector, Message, Proxy, Transport, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A byte stream of any kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

/// What servers and proxies have seen, in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// The lines since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The only line since the last call.
    pub(crate) fn only(&self) -> String {
        let lines = self.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.into_iter().next().unwrap()
    }
}

/// A connector without a proxy.
pub(crate) fn direct() -> Connector<'static> {
    Connector::new().with_proxy(Proxy::none())
}

/// A connector that does not wait long: 1 s for each step, and 1 s for bytes that arrived in time.
pub(crate) fn impatient() -> Connector<'static> {
    let deadlines = Deadlines::new().with_handshake(Duration::from_secs(1));
    let config = Config::new().with_deadlines(deadlines);
    direct().with_options(ClientOptions::new().with_config(config))
}

/// Runs a task for each connection, as long as the runtime of the test.
pub(crate) async fn serve<F>(task: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve_on(listener, task)
}

pub(crate) fn serve_on<F>(
    listener: TcpListener,
    task: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(task(stream));
        }
    });
    address
}

/// An address that refuses connections, as long as the socket lives.
pub(crate) fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Accepts a WebSocket, records the request, and echoes.
pub(crate) async fn echo(stream: impl Io, options: &ServerOptions<'_>, log: &Log) {
    let mut stream = stream;
    let mut buffer = ReadBuffer::new();
    let mut handshake = ServerHandshake::new(&options.config);
    let connection = loop {
        match handshake.read_request(&mut buffer) {
            Ok(Some(request)) => {
                log.add(describe(&request));
                break request.accept(options).unwrap();
            }
            Ok(None) => {}
            Err(_) => return write(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
        }
        match stream.read(buffer.spare_mut(1000)).await {
            Ok(n) if n > 0 => buffer.advance_filled(n),
            // The client does not like this server.
            _ => return,
        }
    };
    echo_on(WebSocket::new(stream, connection, buffer)).await;
}

/// The path and the headers, each in a line.
pub(crate) fn describe(request: &Request<'_>) -> String {
    let mut lines = vec![format!("GET {}", request.target())];
    for header in request.headers() {
        let value = String::from_utf8_lossy(header.value);
        lines.push(format!("{}: {value}", header.name));
    }
    lines.join("\n")
}

pub(crate) async fn echo_on<S: AsyncRead + AsyncWrite + Unpin>(mut websocket: WebSocket<S>) {
    while let Ok(Some(message)) = websocket.recv().await {
        _ = websocket.send(message).await;
    }
}

/// An echo server without TLS.
pub(crate) async fn echo_server(options: ServerOptions<'static>) -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let address = serve(move |stream| {
        let (options, log) = (options.clone(), log.clone());
        async move { echo(stream, &options, &log).await }
    });
    (address.await, recorded)
}

/// A server that reads a head, records it, writes `response`, and waits for the end of the stream.
pub(crate) async fn scripted(response: impl Into<Vec<u8>>) -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let response: Arc<[u8]> = response.into().into();
    let address = serve(move |mut stream| {
        let (response, log) = (Arc::clone(&response), log.clone());
        async move {
            log.add(read_head(&mut stream).await);
            write(&mut stream, &response).await;
            drain(stream).await;
        }
    });
    (address.await, recorded)
}

/// Reads up to the empty line at the end of a head.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Writes. The client may have left.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    use tokio::io::AsyncWriteExt as _;

    _ = stream.write_all(bytes).await;
    _ = stream.flush().await;
}

/// Reads until the client leaves.
pub(crate) async fn drain(mut stream: impl AsyncRead + Unpin) {
    let mut bytes = [0; 1000];
    while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
}

/// A text goes to the server and back.
pub(crate) async fn check_echo<S: AsyncRead + AsyncWrite + Unpin>(websocket: &mut WebSocket<S>) {
    websocket.send("hello").await.unwrap();
    let received = websocket.recv().await.unwrap();
    assert_eq!(received, Some(Message::from("hello")));
}

/// Connects, checks an echo, and returns the open connection.
pub(crate) async fn check(connector: &Connector<'_>, uri: &str) -> WebSocket<Transport> {
    let connected = connector.connect(uri).await;
    let mut websocket = connected.unwrap_or_else(|error| panic!("{uri}: {error:?}"));
    check_echo(&mut websocket).await;
    websocket
}

/// The error of connecting. Neither of its texts, nor that of its sources, contains a secret.
pub(crate) async fn error(connector: &Connector<'_>, uri: &str) -> ConnectError {
    let error = connector.connect(uri).await.unwrap_err();
    let mut text = format!("{error} {error:?} {error:#?} {connector:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        _ = write!(text, " {error} {error:?}");
        source = error.source();
    }
    assert!(!text.contains("secret"), "{text}");
    assert!(!text.contains("c2VjcmV0"), "{text}");
    error
}

/// A certificate for localhost, and its key.
pub(crate) struct Certificate(rcgen::Certificate, KeyPair);

impl Certificate {
    pub(crate) fn new() -> Self {
        Self::for_names(&["localhost", "127.0.0.1", "::1", "server.test"])
    }

    pub(crate) fn for_names(names: &[&str]) -> Self {
        let all: Vec<_> = names.iter().copied().map(String::from).collect();
        let mut params = CertificateParams::new(all).unwrap();
        // No other issuer has this name.
        let name = format!("the tests of sockless-tokio, {}", names[0]);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(params.self_signed(&key).unwrap(), key)
    }

    /// TLS for a server with these application protocols.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let key = PrivatePkcs8KeyDer::from(self.1.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.0.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// TLS for a client that trusts only this certificate.
    pub(crate) fn trusted(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

/// Runs a task for each TLS connection with a client that trusts the certificate.
pub(crate) async fn serve_tls<F>(
    acceptor: TlsAcceptor,
    task: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    serve(move |stream| {
        let (acceptor, task) = (acceptor.clone(), task.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                task(stream).await;
            }
        }
    })
    .await
}

/// An echo server with TLS.
pub(crate) async fn tls_echo_server(certificate: &Certificate) -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let acceptor = certificate.acceptor(&["http/1.1"]);
    let address = serve_tls(acceptor, move |stream| {
        let log = log.clone();
        async move { echo(stream, &ServerOptions::new(), &log).await }
    });
    (address.await, recorded)
}
