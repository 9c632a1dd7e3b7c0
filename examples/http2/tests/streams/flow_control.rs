//! The server in small windows, and in windows that shrink.

use crate::{finish, frames, open, pattern};

/// The echoes of all forms of the payload length are complete and in order.
#[tokio::test]
async fn a_window_of_a_few_bytes() {
    for (size, lengths) in [(1, [0, 1, 125, 126, 500]), (10, [0, 1, 125, 126, 3000])] {
        let (server, mut peer, [stream]) = open(&format!("window-{size}"), size).await;
        let mut all = Vec::new();
        for (seed, length) in lengths.into_iter().enumerate() {
            for (first, payload) in [(0x81, vec![b'x'; length]), (0x82, pattern(seed, length))] {
                let (frame, expected) = frames(first, &payload);
                peer.data(stream, &frame).await;
                all.extend(expected);
            }
        }
        peer.expect(stream, &all).await;
        peer.close(stream).await;
        finish(server, peer);
    }
}

/// An empty window holds back all bytes. Each byte that it grows by lets one byte pass.
#[tokio::test]
async fn an_empty_window() {
    let (server, mut peer, [stream]) = open("window-0", 0).await;
    let (frame, expected) = frames(0x81, b"Hello");
    peer.data(stream, &frame).await;
    peer.expect_nothing(stream).await;
    for byte in expected {
        peer.grant(stream, 1).await;
        assert_eq!(peer.read(stream, 1, false).await, [byte]);
    }
    finish(server, peer);
}

/// The server has used 20,000 bytes of its window when it becomes 100. The rest is -19,900 (RFC 9113, section 6.9.2).
#[tokio::test]
async fn a_window_that_becomes_negative_in_mid_message() {
    let (server, mut peer, [stream]) = open("negative", 20_000).await;
    let (frame, expected) = frames(0x82, &pattern(1, 50_000));
    peer.data(stream, &frame).await;
    let mut received = peer.read(stream, 20_000, false).await;
    peer.set_window(100).await;
    assert_eq!(peer.stream(stream).window, -19_900);
    // Up to a window of 0, which does not let a byte pass.
    for n in [9_900, 9_999, 1] {
        peer.grant(stream, n).await;
        peer.expect_nothing(stream).await;
    }
    for n in [1, 2, 3000] {
        peer.grant(stream, n).await;
        received.extend(peer.read(stream, n as usize, false).await);
        peer.expect_nothing(stream).await;
    }
    peer.grant(stream, 100).await;
    assert!(received == expected[..received.len()]);
    peer.expect(stream, &expected[received.len()..]).await;
    // A new stream starts with the new window.
    let other = peer.open().await;
    peer.data(other, &frame).await;
    peer.expect(other, &expected).await;
    finish(server, peer);
}

/// The window shrinks before an echo, during an echo, and while the client is in mid-message.
#[tokio::test]
async fn a_window_that_shrinks_and_grows_in_mid_message() {
    let (server, mut peer, [stream]) = open("shrinks", 15_000).await;
    let (frame, expected) = frames(0x82, &pattern(1, 4_996));
    peer.data(stream, &frame).await;
    assert!(peer.read(stream, 5_000, false).await == expected);
    let (frame, expected) = frames(0x82, &pattern(2, 30_000));
    peer.data(stream, &frame[..10_000]).await;
    // The server has used 5,000 bytes, which leaves 1,000.
    peer.set_window(6_000).await;
    peer.data(stream, &frame[10_000..]).await;
    let mut received = peer.read(stream, 1_000, false).await;
    peer.expect_nothing(stream).await;
    // The window grows, shrinks before the server has used it, and grows again. Each time the difference counts.
    peer.set_window(7_000).await;
    received.extend(peer.read(stream, 1_000, false).await);
    peer.set_window(0).await;
    assert_eq!(peer.stream(stream).window, -7_000);
    peer.set_window(8_000).await;
    received.extend(peer.read(stream, 1_000, false).await);
    peer.expect_nothing(stream).await;
    peer.grant(stream, 10).await;
    assert!(received == expected[..received.len()]);
    peer.expect(stream, &expected[received.len()..]).await;
    finish(server, peer);
}

/// A stream with a closed window does not block another stream.
#[tokio::test]
async fn a_stream_that_waits_does_not_block_the_others() {
    let (server, mut peer, [waiting, other]) = open("waits", 100).await;
    let (frame, expected) = frames(0x82, &pattern(3, 3_000));
    peer.data(waiting, &frame.repeat(5)).await;
    for _ in 0..5 {
        peer.data(other, &frame).await;
        peer.expect(other, &expected).await;
    }
    assert_eq!(peer.stream(waiting).data.len(), 100);
    peer.grant(waiting, 100).await;
    peer.expect(waiting, &expected.repeat(5)).await;
    finish(server, peer);
}
