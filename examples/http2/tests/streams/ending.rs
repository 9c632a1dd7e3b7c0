//! Ends in the middle of a message: the connection by GOAWAY, a stream by `RST_STREAM` or `END_STREAM`.

use crate::peer::{DATA, END_STREAM, GOAWAY, RST_STREAM};
use crate::{finish, frames, masked, open, pattern};

// Codes of RFC 9113, section 7.
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;

/// The client opens no more streams. The open streams continue (RFC 9113, section 6.8).
#[tokio::test]
async fn a_goaway_of_the_client_in_mid_message() {
    let (server, mut peer, streams) = open::<2>("goaway", 1_000).await;
    let (frame, expected) = frames(0x82, &pattern(5, 20_000));
    // On stream 0 the server is in mid-message, on stream 1 the client.
    peer.data(streams[0], &frame).await;
    let start = peer.read(streams[0], 1_000, false).await;
    assert!(start == expected[..1_000]);
    peer.data(streams[1], &frame[..5_000]).await;
    peer.send(GOAWAY, 0, 0, &[0; 8]).await;
    peer.ping().await;

    peer.grant(streams[0], 1_000).await;
    peer.expect(streams[0], &expected[1_000..]).await;
    peer.data(streams[1], &frame[5_000..]).await;
    peer.expect(streams[1], &expected).await;
    for stream in streams {
        peer.data(stream, &masked(0x81, b"after")).await;
        peer.expect(stream, b"\x81\x05after").await;
        peer.close(stream).await;
    }
    finish(server, peer);
}

/// The server ends while both sides are in mid-message. It writes its output, and each stream has its closing
/// handshake.
#[tokio::test]
async fn a_goaway_of_the_server_in_mid_message() {
    let (mut server, mut peer, streams) = open::<2>("goaway-server", 1_000).await;
    let (frame, expected) = frames(0x82, &pattern(6, 20_000));
    peer.data(streams[0], &frame).await;
    let start = peer.read(streams[0], 1_000, false).await;
    assert!(start == expected[..1_000]);
    peer.data(streams[1], &frame[..5_000]).await;
    peer.ping().await;
    server.program.signal("TERM");
    while peer.goaways.is_empty() {
        peer.turn().await;
    }

    peer.grant(streams[0], 1_000).await;
    peer.expect(streams[0], &expected[1_000..]).await;
    peer.data(streams[1], &frame[5_000..]).await;
    for stream in streams {
        // The close code is 1001: going away.
        peer.expect(stream, &[0x88, 2, 3, 0xe9]).await;
        peer.data(stream, &masked(0x88, &[3, 0xe9])).await;
        peer.end(stream).await;
        peer.send(DATA, END_STREAM, stream, b"").await;
    }
    for (last, code) in &peer.goaways {
        assert!(*last >= streams[1] && *code == NO_ERROR, "{last}, {code}");
    }
    server.program.wait();
}

/// The client resets streams while either side is in mid-message. The other streams continue.
#[tokio::test]
async fn a_reset_in_mid_message() {
    let (server, mut peer, [stays]) = open("reset", 1_000).await;
    let (frame, expected) = frames(0x82, &pattern(7, 20_000));
    for _ in 0..5 {
        let [sending, waiting] = [peer.open().await, peer.open().await];
        peer.data(stays, &frame[..7_000]).await;
        peer.data(sending, &frame[..5_000]).await;
        peer.data(waiting, &frame).await;
        peer.read(waiting, 1_000, false).await;
        for stream in [sending, waiting] {
            let code = CANCEL.to_be_bytes();
            peer.send(RST_STREAM, 0, stream, &code).await;
        }
        peer.data(stays, &frame[7_000..]).await;
        peer.expect(stays, &expected).await;
        for stream in [sending, waiting] {
            assert_eq!(peer.stream(stream).data, b"");
        }
    }
    assert_eq!(peer.goaways, []);
    finish(server, peer);
}

/// `END_STREAM` in mid-message ends the transport without a closing handshake. The server echoes the complete messages.
#[tokio::test]
async fn an_end_of_the_stream_in_mid_message() {
    let (server, mut peer, [stays, ends]) = open("end-stream", 1_000).await;
    let (frame, expected) = frames(0x82, &pattern(8, 20_000));
    peer.data(ends, &frame).await;
    peer.data(ends, &frame[..5_000]).await;
    peer.send(DATA, END_STREAM, ends, b"").await;
    peer.expect(ends, &expected).await;
    peer.end(ends).await;
    peer.data(stays, &frame).await;
    peer.expect(stays, &expected).await;
    assert_eq!(peer.goaways, []);
    finish(server, peer);
}
