//! TLS that ends without `close_notify`: a FIN of TCP under it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::masked;
use crate::peer::Peer;
use crate::program::Server;

const UPGRADE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Writes this, ends TCP and not TLS, and reads what still comes.
async fn cut_after(server: &Server, sent: &[u8]) -> Vec<u8> {
    let mut tls = server.tls("http/1.1").await;
    tls.write_all(sent).await.unwrap();
    cut(&mut tls).await;
    let mut received = Vec::new();
    // However the server ends.
    _ = tls.read_to_end(&mut received).await;
    received
}

/// FIN under TLS, after all that was written.
async fn cut(tls: &mut TlsStream<TcpStream>) {
    tls.flush().await.unwrap();
    tls.get_mut().0.shutdown().await.unwrap();
}

/// Each place is tried more than once, with another client that stays.
#[tokio::test]
async fn over_http11() {
    let server = Server::start("truncation-http11");
    let mut stays = server.tls("http/1.1").await;
    stays.write_all(UPGRADE).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stays.read_u8().await.unwrap());
    }
    let message = masked(0x81, b"Hello");
    for _ in 0..3 {
        // Before the request, and within it.
        assert_eq!(cut_after(&server, b"").await, b"");
        let received = cut_after(&server, &UPGRADE[..40]).await;
        assert!(!received.starts_with(b"HTTP/1.1 101 "));
        // In mid-message, after one that is whole.
        let received = cut_after(&server, &[UPGRADE, &message, &message[..7]].concat()).await;
        assert!(received.starts_with(b"HTTP/1.1 101 "));
        assert!(received.ends_with(b"\r\n\r\n\x81\x05Hello"));
        // After the client's Close frame.
        let close = masked(0x88, &[3, 0xe8]);
        let received = cut_after(&server, &[UPGRADE, &message, &close].concat()).await;
        assert!(received.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe8"));
        // After both.
        let mut tls = server.tls("http/1.1").await;
        tls.write_all(&[UPGRADE, &close].concat()).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n\x88\x02\x03\xe8") {
            received.push(tls.read_u8().await.unwrap());
        }
        cut(&mut tls).await;
        _ = tls.read_to_end(&mut received).await;
        stays.write_all(&message).await.unwrap();
        let mut echo = [0; 7];
        stays.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"\x81\x05Hello");
    }
    drop(stays);
    server.finish();
}

/// Every stream is in another place when TCP ends: one was just opened, one is in mid-message, one has both Close frames.
#[tokio::test]
async fn over_http2() {
    let server = Server::start("truncation-http2");
    let mut stays = server.http2(65_535).await;
    let stream = stays.open().await;
    let message = masked(0x81, b"Hello");
    for _ in 0..3 {
        // Before any request, and before any byte of HTTP/2.
        let mut peer = server.http2(65_535).await;
        cut(peer.transport()).await;
        drain(peer).await;
        let mut tls = server.tls("h2").await;
        cut(&mut tls).await;
        _ = tls.read_to_end(&mut Vec::new()).await;
        let mut peer = server.http2(65_535).await;
        let [_, mid, closed] = [peer.open().await, peer.open().await, peer.open().await];
        peer.data(mid, &message).await;
        peer.data(mid, &message[..7]).await;
        peer.data(closed, &masked(0x88, &[3, 0xe8])).await;
        assert_eq!(peer.read(mid, 7, true).await, b"\x81\x05Hello");
        assert_eq!(peer.read(closed, 4, true).await, [0x88, 2, 3, 0xe8]);
        peer.end(closed).await;
        cut(peer.transport()).await;
        drain(peer).await;
        stays.data(stream, &message).await;
        assert_eq!(stays.read(stream, 7, true).await, b"\x81\x05Hello");
    }
    drop(stays);
    server.finish();
}

/// Reads until the server has ended, however.
async fn drain(mut peer: Peer<TlsStream<TcpStream>>) {
    _ = peer.transport().read_to_end(&mut Vec::new()).await;
}
