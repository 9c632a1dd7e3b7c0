//! An opening handshake, an echo and a close between two connections, without std and with the allocator of this
//! program.

// Without std a program cannot unwind. If the profile unwinds, as in a build of the whole workspace, this is a program
// with std that compiles and refuses to run.
#![cfg_attr(panic = "abort", no_std, no_main)]

mod heap;
#[cfg(panic = "abort")]
mod runtime;

#[cfg(not(panic = "abort"))]
fn main() {
    check();
    panic!("this program has std in it: use tests/freestanding/run");
}

use sockless::handshake::{ClientHandshake, ClientOptions, ServerHandshake, ServerOptions, Uri};
use sockless::{
    CloseCode, CloseFrame, Connection, Event, Initiator, ReadBuffer, Seed, TransportAction,
};

fn check() {
    let mut pair = Pair::open();
    // The heap never reuses memory. If every message allocated, the heap would have no room for so many messages.
    for _ in 0..10_000 {
        pair.echo("h\u{e9}llo");
    }
    pair.close();
}

struct Peer {
    connection: Connection,
    buffer: ReadBuffer,
}

struct Pair {
    client: Peer,
    server: Peer,
}

impl Pair {
    /// The opening handshake. The transport delivers one byte at a time.
    fn open() -> Self {
        let uri = Uri::parse("ws://example.com/chat").unwrap();
        let options = ClientOptions::new().with_subprotocols(&["superchat", "chat"]);
        let mut handshake = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();

        let options = ServerOptions::new().with_subprotocols(&["chat"]);
        let mut accepting = ServerHandshake::new(&options.config);
        let mut buffer = ReadBuffer::new();
        let mut connection = None;
        for byte in handshake.request() {
            assert!(connection.is_none(), "accepted before the end");
            buffer.extend_from_slice(&[*byte]);
            if let Some(request) = accepting.read_request(&mut buffer).unwrap() {
                assert_eq!(request.target(), "/chat");
                connection = Some(request.accept(&options).unwrap());
            }
        }
        let mut server = Peer {
            connection: connection.expect("the request is whole"),
            buffer,
        };

        let mut buffer = ReadBuffer::new();
        let mut connection = None;
        for byte in server.connection.output() {
            assert!(connection.is_none(), "open before the end");
            buffer.extend_from_slice(&[*byte]);
            if let Some((response, opened)) = handshake.read_response(&mut buffer).unwrap() {
                assert_eq!(response.subprotocol(), Some("chat"));
                connection = Some(opened.expect("accepted"));
            }
        }
        server
            .connection
            .advance_output(server.connection.output().len());
        let client = Peer {
            connection: connection.expect("the response is whole"),
            buffer,
        };
        Self { client, server }
    }

    fn echo(&mut self, text: &str) {
        let expected = Some(Event::Text { text, fin: true });
        let Self { client, server } = self;

        client.connection.send_text(text).unwrap();
        client.write_to(server);
        let event = server.connection.next_event(&mut server.buffer).unwrap();
        assert_eq!(event, expected);
        if let Some(Event::Text { text, .. }) = event {
            server.connection.send_text(text).unwrap();
        }
        server.write_to(client);
        let event = client.connection.next_event(&mut client.buffer).unwrap();
        assert_eq!(event, expected);
    }

    fn close(&mut self) {
        let Self { client, server } = self;

        client.connection.close(CloseCode::NORMAL, "bye").unwrap();
        client.write_to(server);
        assert_eq!(
            server.connection.next_event(&mut server.buffer),
            Ok(Some(Event::Close(CloseFrame {
                code: CloseCode::NORMAL,
                reason: "bye"
            })))
        );
        server.write_to(client);
        assert!(matches!(
            client.connection.next_event(&mut client.buffer),
            Ok(Some(Event::Close(_)))
        ));

        // The server closes the transport first (RFC 6455, section 7.1.1).
        assert_eq!(server.connection.transport_action(), TransportAction::Close);
        assert_eq!(client.connection.transport_action(), TransportAction::Wait);
        client.connection.handle_eof();
        assert_eq!(client.connection.transport_action(), TransportAction::Close);
        for (peer, initiator) in [(client, Initiator::Local), (server, Initiator::Peer)] {
            let ending = peer.connection.close_event().expect("it has ended");
            assert_eq!(ending.code, CloseCode::NORMAL);
            assert_eq!(ending.initiator, initiator);
            assert!(ending.was_clean);
        }
    }
}

impl Peer {
    /// Moves the output to the peer.
    fn write_to(&mut self, peer: &mut Self) {
        let output = self.connection.output();
        peer.buffer.extend_from_slice(output);
        let written = output.len();
        self.connection.advance_output(written);
    }
}
