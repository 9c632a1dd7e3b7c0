//! The client: in small windows, with strange frames, and at each end of its stream.

use std::future::poll_fn;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use example_rustls::Options;
use h2::ext::Protocol;
use sockless::handshake::{ClientHandshake, Response};
use sockless::{ReadBuffer, Seed, apply_mask};
use sockless_tokio::http2::Stream;
use sockless_tokio::{ClientOptions, CloseCode, Config, Deadlines, Error, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::peer::{DATA, END_STREAM, GOAWAY, Peer, RST_STREAM};
use crate::{pattern, plain};

/// A Close frame with code 1000, as a server sends it.
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";

/// The length of the header of a client's message that has a 16-bit length.
const HEADER: usize = 8;

/// A client in memory, its server, and the stream, which has this window.
async fn open(window: u32) -> (WebSocket<Stream>, Peer<DuplexStream>, u32) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (client, (peer, stream)) = tokio::join!(connect(near), Peer::server(far, window));
    (client, peer, stream)
}

async fn connect(transport: DuplexStream) -> WebSocket<Stream> {
    let (requests, connection) = h2::client::handshake(transport).await.unwrap();
    tokio::spawn(connection);
    let uri = "wss://localhost/".parse().unwrap();
    let config = Config::new().with_deadlines(Deadlines::new());
    let options = ClientOptions::new().with_config(config);
    let seed = Seed::new([7; 32]);
    let mut handshake = ClientHandshake::extended_connect(&uri, &options, seed).unwrap();
    let mut request = handshake.to_http().unwrap();
    let protocol = Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let mut requests = requests.ready().await.unwrap();
    let (response, sending) = requests.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    let (_, connection) = handshake.establish(Response::from_http(&response)).unwrap();
    let stream = Stream::new(sending, response.into_body());
    WebSocket::new(stream, connection.unwrap(), ReadBuffer::new())
}

/// The unmasked payload of a client's frame.
fn unmask(frame: &[u8], length_end: usize) -> Vec<u8> {
    let (key, payload) = frame[length_end..].split_first_chunk().unwrap();
    let mut payload = payload.to_vec();
    apply_mask(&mut payload, *key, 0);
    payload
}

async fn send_and_close(mut client: WebSocket<Stream>, data: &[u8]) {
    client.send(data).await.unwrap();
    client.flush().await.unwrap();
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(client.close_event().unwrap().was_clean);
}

/// The client's Close frame, with code 1000.
async fn expect_close<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>, stream: u32) {
    let close = peer.read(stream, 8, true).await;
    assert_eq!((close[0], unmask(&close, 2)), (0x88, vec![3, 0xe8]));
}

#[tokio::test]
async fn a_window_of_a_few_bytes() {
    for (size, length) in [(1, 500_u16), (10, 3_000)] {
        let (client, mut peer, stream) = open(size).await;
        let data = pattern(1, usize::from(length));
        let serve = async {
            let received = peer.read(stream, data.len() + HEADER, true).await;
            assert_eq!(received[..2], [0x82, 0xfe]);
            assert_eq!(received[2..4], length.to_be_bytes());
            assert!(unmask(&received, 4) == data);
            expect_close(&mut peer, stream).await;
            peer.data(stream, CLOSE).await;
            peer.send(DATA, END_STREAM, stream, b"").await;
            peer.end(stream).await;
        };
        tokio::join!(send_and_close(client, &data), serve);
    }
}

#[tokio::test]
async fn a_window_that_becomes_negative_in_mid_message() {
    let (mut client, mut peer, stream) = open(20_000).await;
    let data = pattern(2, 50_000);
    let send = async {
        client.send(data.clone()).await.unwrap();
        client.flush().await.unwrap();
    };
    let serve = async {
        let mut received = peer.read(stream, 20_000, false).await;
        peer.set_window(100).await;
        assert_eq!(peer.stream(stream).window, -19_900);
        for n in [19_899, 1] {
            peer.grant(stream, n).await;
            peer.expect_nothing(stream).await;
        }
        peer.grant(stream, 1).await;
        received.extend(peer.read(stream, 1, false).await);
        peer.expect_nothing(stream).await;
        peer.grant(stream, 500).await;
        let rest = data.len() + HEADER - received.len();
        received.extend(peer.read(stream, rest, true).await);
        assert!(unmask(&received, 4) == data);
    };
    tokio::join!(send, serve);
}

/// The server pads frames, and sends empty frames. h2 accepts at most 100 empty frames on a connection.
#[tokio::test]
async fn padded_and_empty_frames() {
    for padding in [0, 1, 255] {
        let (mut client, mut peer, stream) = open(65_535).await;
        let data = pattern(3, 1_000);
        for piece in plain(0x82, &data).chunks(50) {
            peer.padded(stream, piece, padding).await;
            peer.send(DATA, 0, stream, b"").await;
            peer.padded(stream, b"", padding).await;
        }
        assert_eq!(client.recv().await.unwrap(), Some(data.into()));
    }
}

/// The server sends GOAWAY while both sides are in mid-message. The stream continues.
#[tokio::test]
async fn a_goaway_in_mid_message() {
    let (mut client, mut peer, stream) = open(1_000).await;
    let data = pattern(4, 20_000);
    let frame = plain(0x82, &data);
    let serve = async {
        let mut received = peer.read(stream, 1_000, false).await;
        peer.data(stream, &frame[..5_000]).await;
        let last = [stream.to_be_bytes(), [0; 4]].concat();
        peer.send(GOAWAY, 0, 0, &last).await;
        peer.ping().await;
        peer.data(stream, &frame[5_000..]).await;
        peer.grant(stream, 1_000).await;
        let rest = data.len() + HEADER - received.len();
        received.extend(peer.read(stream, rest, true).await);
        assert!(unmask(&received, 4) == data);
        expect_close(&mut peer, stream).await;
        peer.data(stream, CLOSE).await;
        peer.send(DATA, END_STREAM, stream, b"").await;
        peer.end(stream).await;
    };
    let talk = async {
        client.send(data.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(data.clone().into()));
        client.flush().await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(client.close_event().unwrap().was_clean);
    };
    tokio::join!(serve, talk);
}

/// A reset is an abnormal closure (1006). The client still receives the messages before it. A GOAWAY that excludes
/// the stream has the same effect.
#[tokio::test]
async fn a_reset_in_mid_message() {
    for (kind, payload) in [(RST_STREAM, &8_u32.to_be_bytes()[..]), (GOAWAY, &[0; 8])] {
        let (mut client, mut peer, stream) = open(65_535).await;
        let hello = plain(0x81, b"Hello");
        peer.data(stream, &[&hello[..], &hello[..3]].concat()).await;
        assert_eq!(client.recv().await.unwrap(), Some("Hello".into()));
        let stream = if kind == GOAWAY { 0 } else { stream };
        peer.send(kind, 0, stream, payload).await;
        let error = client.recv().await.unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{kind}: {error:?}");
        let ending = client.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::ABNORMAL_CLOSURE, "{kind}");
        assert!(!ending.was_clean);
    }
}

/// Runs a future, which may need few polls and no time.
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

/// The server ends its side only after the client's side has ended.
#[tokio::test(start_paused = true)]
async fn the_client_ends_its_side_first() {
    let (mut client, mut peer, stream) = open(65_535).await;
    let serving = tokio::spawn(async move {
        expect_close(&mut peer, stream).await;
        peer.data(stream, CLOSE).await;
        peer.end(stream).await;
        peer.send(DATA, END_STREAM, stream, b"").await;
        peer
    });
    let closed = at_once(client.close(CloseCode::NORMAL, "")).await;
    closed.unwrap();
    assert!(client.close_event().unwrap().was_clean);
    drop(serving.await.unwrap());
}

/// After `END_STREAM` the server reads on, or resets the stream with `NO_ERROR`.
#[tokio::test(start_paused = true)]
async fn the_server_ends_its_side_first() {
    for reads in [true, false] {
        let (mut client, mut peer, stream) = open(65_535).await;
        let last = [b"\x81\x05hello", CLOSE].concat();
        peer.send(DATA, END_STREAM, stream, &last).await;
        if !reads {
            peer.send(RST_STREAM, 0, stream, &[0; 4]).await;
        }
        let hello = at_once(client.recv()).await;
        assert_eq!(hello.unwrap(), Some("hello".into()));
        assert!(at_once(client.recv()).await.unwrap().is_none());
        let ending = client.close_event().unwrap();
        // The code is the server's. If nobody reads the client's Close frame, the end is not clean.
        assert_eq!((u16::from(ending.code), ending.was_clean), (1000, reads));
        drop(client);
        if reads {
            // The client reads no more, so it takes no grant.
            let close = at_once(peer.read(stream, 8, false)).await;
            assert_eq!((close[0], unmask(&close, 2)), (0x88, vec![3, 0xe8]));
            at_once(peer.end(stream)).await;
        }
    }
}

/// The program ends after its Close frame and `END_STREAM` are written.
#[tokio::test]
async fn the_program_ends_its_stream() {
    let certificate = concat!(env!("CARGO_TARGET_TMPDIR"), "/client.pem");
    let mut arguments = lexopt::Parser::from_args(["--write-cert", certificate]);
    let options = Options::read(&mut arguments).unwrap().unwrap();
    let acceptor = options.acceptor(&[b"h2"]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_client"))
        .args([&format!("wss://{address}/"), "--ca", certificate])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (transport, _) = listener.accept().await.unwrap();
    let transport = acceptor.accept(transport).await.unwrap();
    let (mut peer, stream) = Peer::server(transport, 65_535).await;
    peer.send(DATA, END_STREAM, stream, CLOSE).await;
    expect_close(&mut peer, stream).await;
    peer.end(stream).await;
    drop(peer);
    let output = program.wait_with_output().await.unwrap();
    assert!(output.stdout.starts_with(b"closed with 1000"));
    assert!(output.status.success());
}
