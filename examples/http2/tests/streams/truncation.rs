//! TLS that ends without `close_notify`. TCP ends with a FIN.

use crate::support::{cut, cut_http1};
use crate::{connect, finish, frames, masked, open, start};

#[tokio::test]
async fn over_http1() {
    cut_http1(start("truncation-http1")).await;
}

/// When TCP ends, one stream is newly open, one is in mid-message, and one has both Close frames.
#[tokio::test]
async fn over_http2() {
    let (server, mut stays, [stream]) = open("truncation-http2", 65_535).await;
    let (message, echo) = frames(0x81, b"Hello");
    for _ in 0..3 {
        // Before any byte of HTTP/2, and before any request.
        cut(&mut server.tls(&[b"h2"]).await).await;
        cut(&mut connect(&server, 65_535).await.transport).await;
        let mut peer = connect(&server, 65_535).await;
        let [_, mid, closed] = [peer.open().await, peer.open().await, peer.open().await];
        peer.data(mid, &message).await;
        peer.data(mid, &message[..7]).await;
        peer.data(closed, &masked(0x88, &[3, 0xe8])).await;
        peer.expect(mid, &echo).await;
        peer.expect(closed, &[0x88, 2, 3, 0xe8]).await;
        peer.end(closed).await;
        cut(&mut peer.transport).await;
        stays.data(stream, &message).await;
        stays.expect(stream, &echo).await;
    }
    finish(server, stays);
}
