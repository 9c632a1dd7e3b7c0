//! The client's stream against a server of the same kinds, in memory.

use example_http2::Stream;
use example_tokio::{Message, WebSocket};
use h2::ext::Protocol;
use sockless::handshake::{ClientHandshake, ClientOptions, Response};
use sockless::{CloseCode, ReadBuffer, Seed};
use tokio::io::DuplexStream;

use crate::peer::{DATA, END_STREAM, GOAWAY, Peer, RST_STREAM};
use crate::{pattern, plain};

/// A client whose server gives each stream this window.
async fn open(window: u32) -> (WebSocket<Stream>, Peer<DuplexStream>, u32) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (client, (peer, stream)) = tokio::join!(connect(near), Peer::server(far, window));
    (client, peer, stream)
}

async fn connect(transport: DuplexStream) -> WebSocket<Stream> {
    let (requests, connection) = h2::client::handshake(transport).await.unwrap();
    tokio::spawn(async move { _ = connection.await });
    let uri = "wss://localhost/".parse().unwrap();
    let (options, seed) = (ClientOptions::new(), Seed::new([7; 32]));
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
    let connection = connection.expect("established");
    let stream = Stream::new(sending, response.into_body());
    WebSocket::new(stream, connection, ReadBuffer::new())
}

/// What a client's frame says, unmasked.
fn unmask(frame: &[u8], header: usize) -> Vec<u8> {
    let (key, payload) = frame[header..].split_at(4);
    let bytes = payload.iter().zip(key.iter().cycle());
    bytes.map(|(byte, key)| byte ^ key).collect()
}

/// All that the client says goes through a window of this size.
async fn sends_in_a_window_of(size: u32, length: u16) {
    let (mut client, mut peer, stream) = open(size).await;
    let data = pattern(1, usize::from(length));
    let both = async {
        client.send(&Message::Binary(data.clone())).await.unwrap();
        client.flush().await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        client.close_event().unwrap().was_clean
    };
    let frame = data.len() + 8;
    let serve = async {
        let received = peer.read(stream, frame, true).await;
        assert_eq!(received[..2], [0x82, 0xfe]);
        assert_eq!(received[2..4], length.to_be_bytes());
        assert!(unmask(&received, 4) == data);
        let close = peer.read(stream, 8, true).await;
        assert_eq!(unmask(&close, 2), [3, 0xe8]);
        peer.data(stream, &plain(0x88, &[3, 0xe8])).await;
        peer.send(DATA, END_STREAM, stream, b"").await;
        peer.end(stream).await;
    };
    let (was_clean, ()) = tokio::join!(both, serve);
    assert!(was_clean);
}

#[tokio::test]
async fn a_window_of_one_byte() {
    sends_in_a_window_of(1, 500).await;
}

#[tokio::test]
async fn a_window_of_ten_bytes() {
    sends_in_a_window_of(10, 3_000).await;
}

#[tokio::test]
async fn a_window_that_becomes_negative_in_mid_message() {
    let (mut client, mut peer, stream) = open(20_000).await;
    let data = pattern(2, 50_000);
    let send = async {
        client.send(&Message::Binary(data.clone())).await.unwrap();
        client.flush().await.unwrap();
    };
    let serve = async {
        let mut received = peer.read(stream, 20_000, false).await;
        peer.set_window(100).await;
        assert_eq!(peer.stream(stream).window, -19_900);
        for n in [19_899, 1] {
            peer.grant(stream, n).await;
            peer.ping().await;
            assert_eq!(peer.stream(stream).data, b"");
        }
        peer.grant(stream, 1).await;
        received.extend(peer.read(stream, 1, false).await);
        peer.ping().await;
        assert_eq!(peer.stream(stream).data, b"");
        peer.grant(stream, 500).await;
        received.extend(peer.read(stream, data.len() + 8 - 20_001, true).await);
        assert!(unmask(&received, 4) == data);
    };
    tokio::join!(send, serve);
}

/// What the server pads and what it sends without a byte. h2 takes no more than 100 empty frames on a connection.
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
        assert_eq!(client.recv().await, Some(Message::Binary(data)));
    }
}

/// The stream is one that the server goes on with.
#[tokio::test]
async fn a_goaway_in_mid_message() {
    let (mut client, mut peer, stream) = open(1_000).await;
    let data = pattern(4, 20_000);
    let frame = plain(0x82, &data);
    let serve = async {
        // The client waits in mid-message, and so does the server.
        let start = peer.read(stream, 1_000, false).await;
        peer.data(stream, &frame[..5_000]).await;
        let last = [stream.to_be_bytes(), [0; 4]].concat();
        peer.send(GOAWAY, 0, 0, &last).await;
        peer.ping().await;
        peer.data(stream, &frame[5_000..]).await;
        peer.grant(stream, 1_000).await;
        let rest = peer.read(stream, data.len() + 8 - 1_000, true).await;
        assert!(unmask(&[start, rest].concat(), 4) == data);
        let close = peer.read(stream, 8, true).await;
        assert_eq!(unmask(&close, 2), [3, 0xe8]);
        peer.data(stream, &plain(0x88, &[3, 0xe8])).await;
        peer.send(DATA, END_STREAM, stream, b"").await;
        peer.end(stream).await;
    };
    let talk = async {
        client.send(&Message::Binary(data.clone())).await.unwrap();
        assert_eq!(client.recv().await, Some(Message::Binary(data.clone())));
        client.flush().await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
        client.close_event().unwrap().was_clean
    };
    let ((), was_clean) = tokio::join!(serve, talk);
    assert!(was_clean);
}

/// A reset is 1006, and what came whole before it is delivered. So is a GOAWAY that leaves the stream out.
#[tokio::test]
async fn a_reset_in_mid_message() {
    for by_goaway in [false, true] {
        let (mut client, mut peer, stream) = open(65_535).await;
        let hello = plain(0x81, b"Hello");
        peer.data(stream, &[&hello[..], &hello[..3]].concat()).await;
        assert_eq!(client.recv().await, Some(Message::Text("Hello".into())));
        if by_goaway {
            peer.send(GOAWAY, 0, 0, &[0; 8]).await;
        } else {
            peer.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await;
        }
        assert_eq!(client.recv().await, None);
        let ending = client.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::ABNORMAL_CLOSURE, "{by_goaway}");
        assert!(!ending.was_clean);
    }
}
