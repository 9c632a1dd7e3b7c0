//! What the server does in a small window, and in one that shrinks.

use crate::program::Server;
use crate::{masked, pattern, plain};

/// Sends messages of all forms of length in a window of this size, and finds every echo whole and in order.
async fn echoes_in_a_window_of(size: u32, name: &str, lengths: &[usize]) {
    let server = Server::start(name);
    let mut peer = server.http2(size).await;
    let stream = peer.open().await;
    let mut expected = Vec::new();
    for (seed, &length) in lengths.iter().enumerate() {
        let text = "x".repeat(length);
        let data = pattern(seed, length);
        peer.data(stream, &masked(0x81, text.as_bytes())).await;
        peer.data(stream, &masked(0x82, &data)).await;
        expected.extend(plain(0x81, text.as_bytes()));
        expected.extend(plain(0x82, &data));
    }
    let received = peer.read(stream, expected.len(), true).await;
    assert!(received == expected);
    peer.data(stream, &masked(0x88, &[3, 0xe8])).await;
    assert_eq!(peer.read(stream, 4, true).await, [0x88, 2, 3, 0xe8]);
    peer.end(stream).await;
    drop(peer);
    server.finish();
}

#[tokio::test]
async fn a_window_of_one_byte() {
    echoes_in_a_window_of(1, "window-1", &[0, 1, 125, 126, 500]).await;
}

#[tokio::test]
async fn a_window_of_ten_bytes() {
    echoes_in_a_window_of(10, "window-10", &[0, 1, 125, 126, 3000]).await;
}

/// A window without a byte holds back all that is said, and lets go exactly what it is widened by.
#[tokio::test]
async fn a_window_of_nothing() {
    let server = Server::start("window-0");
    let mut peer = server.http2(0).await;
    let stream = peer.open().await;
    peer.data(stream, &masked(0x81, b"Hello")).await;
    peer.ping().await;
    assert_eq!(peer.stream(stream).data, b"");
    for byte in *b"\x81\x05Hello" {
        peer.grant(stream, 1).await;
        assert_eq!(peer.read(stream, 1, false).await, [byte]);
    }
    drop(peer);
    server.finish();
}

/// The server has used 20,000 bytes of its window when it becomes 100: 19,900 less than nothing (RFC 9113 section 6.9.2).
#[tokio::test]
async fn a_window_that_becomes_negative_in_mid_message() {
    let server = Server::start("negative");
    let mut peer = server.http2(20_000).await;
    let stream = peer.open().await;
    let message = pattern(1, 50_000);
    let expected = plain(0x82, &message);
    peer.data(stream, &masked(0x82, &message)).await;
    let mut received = peer.read(stream, 20_000, false).await;
    peer.set_window(100).await;
    assert_eq!(peer.stream(stream).window, -19_900);
    // Up to nothing, which is not enough for a byte.
    for n in [9_900, 9_999, 1] {
        peer.grant(stream, n).await;
        peer.ping().await;
        assert_eq!(peer.stream(stream).data, b"", "after {n}");
    }
    for n in [1, 2, 3000] {
        peer.grant(stream, n).await;
        let n = usize::try_from(n).unwrap();
        received.extend(peer.read(stream, n, false).await);
        peer.ping().await;
        assert_eq!(peer.stream(stream).data, b"", "after {n}");
    }
    peer.grant(stream, 100).await;
    received.extend(
        peer.read(stream, expected.len() - received.len(), true)
            .await,
    );
    assert!(received == expected);
    // A new stream has the new window from its beginning.
    let other = peer.open().await;
    peer.data(other, &masked(0x82, &message)).await;
    assert!(peer.read(other, expected.len(), true).await == expected);
    drop(peer);
    server.finish();
}

/// The window shrinks before the first byte of an echo, after some of them, and while the client is in mid-message.
#[tokio::test]
async fn a_window_that_shrinks_and_grows_in_mid_message() {
    let server = Server::start("shrinks");
    let mut peer = server.http2(15_000).await;
    let stream = peer.open().await;
    let messages = [pattern(1, 4_996), pattern(2, 30_000)];
    let expected = messages.each_ref().map(|data| plain(0x82, data));

    peer.data(stream, &masked(0x82, &messages[0])).await;
    assert!(peer.read(stream, 5_000, false).await == expected[0]);
    let frame = masked(0x82, &messages[1]);
    peer.data(stream, &frame[..10_000]).await;
    // 5,000 were used, so that 1,000 are left.
    peer.set_window(6_000).await;
    peer.data(stream, &frame[10_000..]).await;
    let mut received = peer.read(stream, 1_000, false).await;
    peer.ping().await;
    assert_eq!(peer.stream(stream).data, b"");
    // In mid-message it grows, shrinks before that was used, and grows again. Each time the difference counts.
    peer.set_window(7_000).await;
    received.extend(peer.read(stream, 1_000, false).await);
    peer.set_window(0).await;
    assert_eq!(peer.stream(stream).window, -7_000);
    peer.set_window(8_000).await;
    received.extend(peer.read(stream, 1_000, false).await);
    peer.ping().await;
    assert_eq!(peer.stream(stream).data, b"");
    peer.grant(stream, 10).await;
    received.extend(
        peer.read(stream, expected[1].len() - received.len(), true)
            .await,
    );
    assert!(received == expected[1]);
    drop(peer);
    server.finish();
}

/// A stream whose window is closed does not hold up another.
#[tokio::test]
async fn a_stream_that_waits_does_not_hold_up_the_others() {
    let server = Server::start("waits");
    let mut peer = server.http2(100).await;
    let (waiting, other) = (peer.open().await, peer.open().await);
    let message = pattern(3, 3_000);
    let expected = plain(0x82, &message);
    for _ in 0..5 {
        peer.data(waiting, &masked(0x82, &message)).await;
    }
    for _ in 0..5 {
        peer.data(other, &masked(0x82, &message)).await;
        assert!(peer.read(other, expected.len(), true).await == expected);
    }
    assert_eq!(peer.stream(waiting).data.len(), 100);
    peer.grant(waiting, 100).await;
    let received = peer.read(waiting, 5 * expected.len(), true).await;
    assert!(received == expected.repeat(5));
    drop(peer);
    server.finish();
}
