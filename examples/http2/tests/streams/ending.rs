//! Ends in the middle of a message: of the connection by GOAWAY, of a stream by `RST_STREAM` or `END_STREAM`.

use crate::peer::{DATA, END_STREAM, GOAWAY, RST_STREAM};
use crate::program::Server;
use crate::{masked, pattern, plain};

// Codes of RFC 9113 section 7.
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;

/// The client says that it opens no more streams. Those that are open go on to their end (RFC 9113 section 6.8).
#[tokio::test]
async fn a_goaway_of_the_client_in_mid_message() {
    let server = Server::start("goaway");
    let mut peer = server.http2(1_000).await;
    let streams = [peer.open().await, peer.open().await];
    let message = pattern(5, 20_000);
    let (frame, expected) = (masked(0x82, &message), plain(0x82, &message));
    // On one stream the server waits in mid-message, on the other the client.
    peer.data(streams[0], &frame).await;
    let start = peer.read(streams[0], 1_000, false).await;
    assert!(start == expected[..1_000]);
    peer.data(streams[1], &frame[..5_000]).await;
    peer.send(GOAWAY, 0, 0, &[0; 8]).await;
    peer.ping().await;

    peer.grant(streams[0], 1_000).await;
    let rest = peer.read(streams[0], expected.len() - 1_000, true).await;
    assert!(rest == expected[1_000..]);
    peer.data(streams[1], &frame[5_000..]).await;
    assert!(peer.read(streams[1], expected.len(), true).await == expected);
    for stream in streams {
        peer.data(stream, &masked(0x81, b"after")).await;
        assert_eq!(peer.read(stream, 7, true).await, b"\x81\x05after");
        peer.data(stream, &masked(0x88, &[3, 0xe8])).await;
        assert_eq!(peer.read(stream, 4, true).await, [0x88, 2, 3, 0xe8]);
        peer.end(stream).await;
    }
    drop(peer);
    server.finish();
}

/// The server ends while it and the client are in mid-message: what was said is sent, and each stream has its closing
/// handshake.
#[tokio::test]
async fn a_goaway_of_the_server_in_mid_message() {
    let server = Server::start("goaway-server");
    let mut peer = server.http2(1_000).await;
    let streams = [peer.open().await, peer.open().await];
    let message = pattern(6, 20_000);
    let (frame, expected) = (masked(0x82, &message), plain(0x82, &message));
    peer.data(streams[0], &frame).await;
    let start = peer.read(streams[0], 1_000, false).await;
    assert!(start == expected[..1_000]);
    peer.data(streams[1], &frame[..5_000]).await;
    peer.ping().await;
    server.terminate();
    while peer.goaways.is_empty() {
        peer.turn().await;
    }
    let (last, code) = peer.goaways[0];
    assert!(last >= streams[1] && code == NO_ERROR, "{last}, {code}");

    peer.grant(streams[0], 1_000).await;
    let rest = peer.read(streams[0], expected.len() - 1_000, true).await;
    assert!(rest == expected[1_000..]);
    peer.data(streams[1], &frame[5_000..]).await;
    for stream in streams {
        // 1001: the server goes away.
        assert_eq!(peer.read(stream, 4, true).await, [0x88, 2, 3, 0xe9]);
        peer.data(stream, &masked(0x88, &[3, 0xe9])).await;
        peer.end(stream).await;
        peer.send(DATA, END_STREAM, stream, b"").await;
    }
    for (last, code) in &peer.goaways {
        assert!(*last >= streams[1] && *code == NO_ERROR);
    }
    server.wait();
}

/// A stream that the client resets is over, whoever was in mid-message. The server goes on with the others.
#[tokio::test]
async fn a_reset_in_mid_message() {
    let server = Server::start("reset");
    let mut peer = server.http2(1_000).await;
    let message = pattern(7, 20_000);
    let (frame, expected) = (masked(0x82, &message), plain(0x82, &message));
    let stays = peer.open().await;
    for _ in 0..5 {
        let [sending, waiting] = [peer.open().await, peer.open().await];
        peer.data(stays, &frame[..7_000]).await;
        // The client is in mid-message, the server is, and both have to do with the third.
        peer.data(sending, &frame[..5_000]).await;
        peer.data(waiting, &frame).await;
        peer.read(waiting, 1_000, false).await;
        for stream in [sending, waiting] {
            peer.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
                .await;
        }
        peer.data(stays, &frame[7_000..]).await;
        assert!(peer.read(stays, expected.len(), true).await == expected);
        for stream in [sending, waiting] {
            assert_eq!(peer.stream(stream).data, b"");
        }
    }
    assert_eq!(peer.goaways, []);
    drop(peer);
    server.finish();
}

/// `END_STREAM` in mid-message is an end of the transport without a closing handshake. What came whole before is sent back.
#[tokio::test]
async fn an_end_of_the_stream_in_mid_message() {
    let server = Server::start("end-stream");
    let mut peer = server.http2(1_000).await;
    let (stays, ends) = (peer.open().await, peer.open().await);
    let message = pattern(8, 20_000);
    let (frame, expected) = (masked(0x82, &message), plain(0x82, &message));
    peer.data(ends, &frame).await;
    peer.data(ends, &frame[..5_000]).await;
    peer.send(DATA, END_STREAM, ends, b"").await;
    let received = peer.read(ends, expected.len(), true).await;
    assert!(received == expected);
    peer.end(ends).await;
    peer.data(stays, &frame).await;
    assert!(peer.read(stays, expected.len(), true).await == expected);
    assert_eq!(peer.goaways, []);
    drop(peer);
    server.finish();
}
