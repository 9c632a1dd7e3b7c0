//! DATA frames with padding, and without a byte.

use crate::peer::{DATA, END_STREAM};
use crate::program::Server;
use crate::{masked, pattern, plain};

/// Padding is no part of the stream, but of the windows (RFC 9113 section 6.1).
#[tokio::test]
async fn padding_is_left_out() {
    let server = Server::start("padding");
    let mut peer = server.http2(65_535).await;
    let stream = peer.open().await;
    for (seed, padding) in [0, 1, 7, 254, 255].into_iter().enumerate() {
        let message = pattern(seed, 300);
        for piece in masked(0x82, &message).chunks(11) {
            peer.padded(stream, piece, padding).await;
        }
        let expected = plain(0x82, &message);
        assert!(peer.read(stream, expected.len(), true).await == expected);
    }
    drop(peer);
    server.finish();
}

/// The padding of all frames is more than any window, so a server that does not give its bytes back stops reading.
#[tokio::test]
async fn padding_uses_up_no_window() {
    let server = Server::start("padded-window");
    let mut peer = server.http2(65_535).await;
    let stream = peer.open().await;
    let message = pattern(9, 1_000);
    let (frame, expected) = (masked(0x82, &message), plain(0x82, &message));
    // About 6 MB. Only 0.5 % of them are bytes of the stream.
    for _ in 0..22 {
        for piece in frame.chunks(1) {
            peer.padded(stream, piece, 255).await;
        }
        assert!(peer.read(stream, expected.len(), true).await == expected);
    }
    drop(peer);
    server.finish();
}

/// Empty DATA frames, with and without padding, before, in and after a message, say nothing. h2 takes no more than 100 of
/// them on a connection.
#[tokio::test]
async fn empty_frames_are_nothing() {
    let server = Server::start("empty");
    let mut peer = server.http2(65_535).await;
    let stream = peer.open().await;
    let message = pattern(4, 200);
    for padding in [None, Some(0), Some(20)] {
        for piece in masked(0x82, &message).chunks(9) {
            match padding {
                None => peer.send(DATA, 0, stream, b"").await,
                Some(padding) => peer.padded(stream, b"", padding).await,
            }
            peer.data(stream, piece).await;
        }
        peer.send(DATA, 0, stream, b"").await;
        let expected = plain(0x82, &message);
        assert!(peer.read(stream, expected.len(), true).await == expected);
    }
    peer.data(stream, &masked(0x88, &[3, 0xe8])).await;
    peer.send(DATA, END_STREAM, stream, b"").await;
    assert_eq!(peer.read(stream, 4, true).await, [0x88, 2, 3, 0xe8]);
    peer.end(stream).await;
    drop(peer);
    server.finish();
}
