//! DATA frames with padding, and empty DATA frames.

use crate::peer::{DATA, END_STREAM};
use crate::{finish, frames, masked, open, pattern};

/// Padding counts for the windows, but is not part of the stream (RFC 9113, section 6.1).
#[tokio::test]
async fn padding_is_left_out() {
    let (server, mut peer, [stream]) = open("padding", 65_535).await;
    for (seed, padding) in [0, 1, 7, 254, 255].into_iter().enumerate() {
        let (frame, expected) = frames(0x82, &pattern(seed, 300));
        for piece in frame.chunks(11) {
            peer.padded(stream, piece, padding).await;
        }
        peer.expect(stream, &expected).await;
    }
    finish(server, peer);
}

/// The padding of all frames exceeds every window. The server must grant these bytes anew.
#[tokio::test]
async fn padding_uses_up_no_window() {
    let (server, mut peer, [stream]) = open("padded-window", 65_535).await;
    let (frame, expected) = frames(0x82, &pattern(9, 1_000));
    // About 6 MB. Only 0.5 % of it are bytes of the stream.
    for _ in 0..22 {
        for piece in frame.chunks(1) {
            peer.padded(stream, piece, 255).await;
        }
        peer.expect(stream, &expected).await;
    }
    finish(server, peer);
}

/// Empty DATA frames before, in and after a message change nothing. h2 accepts at most 100 of them on a connection.
#[tokio::test]
async fn empty_frames_change_nothing() {
    let (server, mut peer, [stream]) = open("empty", 65_535).await;
    let (frame, expected) = frames(0x82, &pattern(4, 200));
    for padding in [None, Some(0), Some(20)] {
        for piece in frame.chunks(9) {
            match padding {
                None => peer.send(DATA, 0, stream, b"").await,
                Some(padding) => peer.padded(stream, b"", padding).await,
            }
            peer.data(stream, piece).await;
        }
        peer.send(DATA, 0, stream, b"").await;
        peer.expect(stream, &expected).await;
    }
    peer.data(stream, &masked(0x88, &[3, 0xe8])).await;
    peer.send(DATA, END_STREAM, stream, b"").await;
    peer.expect(stream, b"\x88\x02\x03\xe8").await;
    peer.end(stream).await;
    finish(server, peer);
}
