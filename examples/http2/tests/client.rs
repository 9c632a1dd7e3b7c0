//! How a client's stream of HTTP/2 ends (RFC 8441 section 5): with `END_STREAM` and not with a reset, and at once.

use std::future::poll_fn;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use example_http2::Stream;
use example_tokio::{Message, WebSocket};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream, client, server};
use http::Response;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sockless::handshake::{self, ClientHandshake, ClientOptions};
use sockless::{CloseCode, Config, Deadlines, ReadBuffer, Seed};
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A Close frame with 1000, as a server sends it.
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";

/// The server's side of the only stream. It stays open while the task of the connection runs.
async fn serve(
    transport: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> (RecvStream, SendStream<Bytes>) {
    let mut builder = server::Builder::new();
    builder.enable_connect_protocol();
    let mut connection = builder.handshake(transport).await.expect("it is HTTP/2");
    let accepted = connection.accept().await.expect("a request comes");
    let (request, mut answer) = accepted.expect("it is well-formed");
    tokio::spawn(async move { while connection.accept().await.is_some() {} });
    let sending = answer.send_response(Response::new(()), false);
    (request.into_body(), sending.expect("the stream is open"))
}

/// A client in memory, and the server's side of its stream.
async fn pair() -> (WebSocket<Stream>, RecvStream, SendStream<Bytes>) {
    let (ours, theirs) = duplex(10_000);
    let serving = tokio::spawn(serve(theirs));
    let (mut requests, connection) = client::handshake(ours).await.expect("it is HTTP/2");
    tokio::spawn(connection);
    let uri = "wss://localhost/".parse().expect("a valid address");
    let config = Config::new().with_deadlines(Deadlines::new());
    let options = ClientOptions::new().with_config(config);
    let handshake = ClientHandshake::extended_connect(&uri, &options, Seed::new([7; 32]));
    let mut handshake = handshake.expect("it may be asked");
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let mut request = handshake.to_http().expect("it may be asked");
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    let (response, sending) = requests.send_request(request, false).expect("it is sent");
    let response = response.await.expect("it is answered");
    let established = handshake.establish(handshake::Response::from_http(&response));
    let Ok((_, Some(connection))) = established else {
        panic!("no WebSocket: {established:?}");
    };
    let stream = Stream::new(sending, response.into_body());
    let websocket = WebSocket::new(stream, connection, ReadBuffer::new());
    let (receiving, sending) = serving.await.expect("no panic");
    (websocket, receiving, sending)
}

/// Runs a future, which needs few turns and no time.
async fn at_once<T>(future: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let mut future = pin!(future);
    let mut polls = 0;
    let value = poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    });
    let value = value.await;
    assert!(polls < 20, "{polls}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    value
}

/// The client's Close frame, and after it only the end of its side.
async fn expect_close_and_end(receiving: &mut RecvStream) {
    expect_close(receiving).await;
    expect_end(receiving).await;
}

async fn expect_close(receiving: &mut RecvStream) {
    let close = receiving.data().await.expect("not the end");
    assert_eq!(close.expect("no reset")[..2], [0x88, 0x82]);
}

async fn expect_end(receiving: &mut RecvStream) {
    while let Some(data) = receiving.data().await {
        assert_eq!(data.expect("no reset"), b""[..]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_the_end_of_the_clients_side() {
    let (mut websocket, mut receiving, mut sending) = pair().await;
    let serving = tokio::spawn(async move {
        expect_close(&mut receiving).await;
        sending.send_data(Bytes::from_static(CLOSE), false).unwrap();
        expect_end(&mut receiving).await;
        sending.send_data(Bytes::new(), true).unwrap();
    });
    let closed = at_once(websocket.close(CloseCode::NORMAL, "")).await;
    assert_eq!(closed, Ok(()));
    assert!(websocket.close_event().expect("it has ended").was_clean);
    serving.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_its_side_first() {
    for waits in [true, false] {
        let (mut websocket, mut receiving, mut sending) = pair().await;
        let last = [b"\x81\x05hello", CLOSE].concat();
        sending.send_data(Bytes::from(last), true).unwrap();
        if !waits {
            // It reads no more: that is a reset with NO_ERROR, which takes nothing back.
            drop((receiving, sending));
            let hello = at_once(websocket.recv()).await;
            assert_eq!(hello, Some(Message::Text("hello".into())));
            assert_eq!(at_once(websocket.recv()).await, None);
            // The code is the server's. Our Close frame found nobody to read it, so the end is not clean.
            let ending = websocket.close_event().expect("it has ended");
            assert_eq!((u16::from(ending.code), ending.was_clean), (1000, false));
            continue;
        }
        let hello = at_once(websocket.recv()).await;
        assert_eq!(hello, Some(Message::Text("hello".into())));
        assert_eq!(at_once(websocket.recv()).await, None);
        assert!(websocket.close_event().expect("it has ended").was_clean);
        drop(websocket);
        at_once(expect_close_and_end(&mut receiving)).await;
    }
}

/// The program ends only when all of that is written.
#[tokio::test]
async fn the_program_ends_its_stream() {
    let made = rcgen::generate_simple_self_signed([String::from("127.0.0.1")]).unwrap();
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let file = std::env::temp_dir().join(format!("sockless-{}.pem", std::process::id()));
    std::fs::write(&file, made.cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();

    let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_client"))
        .args([&format!("wss://{address}/"), "--ca"])
        .arg(&file)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (transport, _) = listener.accept().await.unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let transport = acceptor.accept(transport).await.unwrap();
    let (mut receiving, mut sending) = serve(transport).await;
    sending.send_data(Bytes::from_static(CLOSE), true).unwrap();
    expect_close_and_end(&mut receiving).await;
    let output = program.wait_with_output().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(output.stdout.starts_with(b"closed with 1000"));
    assert!(output.status.success());
}
