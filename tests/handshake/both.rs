//! A client and a server of this crate connect to each other.

use super::client;
use sockless::handshake::{ClientOptions, ServerHandshake, ServerOptions};
use sockless::test_util::{OwnedEvent, Pair, Peer};
use sockless::{Connection, ReadBuffer, Role};
use std::iter;

/// Runs the opening handshake in memory, in pieces of `size` bytes. The server sends its first messages at once.
fn shake_hands(size: usize) -> Pair {
    let options = ClientOptions::new().with_subprotocols(&["chat"]);
    let mut handshake = client(&options);
    let known = ServerOptions::new().with_subprotocols(&["other", "chat"]);

    let mut opening = ServerHandshake::new(&known.config);
    let mut server_buffer = ReadBuffer::new();
    let mut server: Option<Connection> = None;
    for piece in handshake.request().chunks(size) {
        server_buffer.extend_from_slice(piece);
        if let Some(request) = opening.read_request(&mut server_buffer).unwrap() {
            server = Some(request.accept(&known).unwrap());
        }
    }
    let mut server = server.expect("the whole request");
    server.send_text("welcome").unwrap();
    server.send_ping(b"there?").unwrap();

    let mut client_buffer = ReadBuffer::new();
    let client = loop {
        let n = size.min(server.output().len());
        client_buffer.extend_from_slice(&server.output()[..n]);
        server.advance_output(n);
        if let Some((response, connection)) = handshake.read_response(&mut client_buffer).unwrap() {
            let subprotocol = response.single_header("sec-websocket-protocol");
            assert_eq!(subprotocol, Some(&b"chat"[..]));
            assert_eq!(response.subprotocol(), Some("chat"));
            break connection.expect("accepted");
        }
    };
    let mut pair = Pair {
        client: Peer::with(client, client_buffer),
        server: Peer::with(server, server_buffer),
    };
    pair.client.take_events();
    for role in Role::BOTH {
        assert_eq!(pair.peer(role).connection.role(), role);
    }
    pair
}

#[test]
fn a_client_and_a_server_shake_hands() {
    for size in [1, 2, 3, 7, 64, 1000] {
        let mut pair = shake_hands(size);
        pair.client.connection.send_text("thanks").unwrap();
        pair.exchange(&mut iter::repeat(size));
        assert_eq!(
            pair.client.events(),
            [OwnedEvent::text("welcome"), OwnedEvent::ping(b"there?")]
        );
        let mut events = pair.server.events();
        // The order of the text and the Pong depends on what the client read together with the 101.
        events.sort_by_key(|event| !matches!(event, OwnedEvent::Text(_)));
        assert_eq!(
            events,
            [OwnedEvent::text("thanks"), OwnedEvent::pong(b"there?")]
        );
        assert_eq!((pair.client.error, pair.server.error), (None, None));
        assert!(pair.client.buffer.is_empty() && pair.server.buffer.is_empty());
    }
}
