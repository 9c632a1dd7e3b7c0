//! The guide's page on tungstenite shows two programs. This test has the same programs, which behave the same.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

#[path = "from_tungstenite/sockless.rs"]
mod with_sockless;
#[path = "from_tungstenite/tungstenite.rs"]
mod with_tungstenite;

const PAGE: &str = include_str!("../../src/guide/from_tungstenite.md");

#[test]
fn the_page_shows_these_programs() {
    for (program, block) in [
        (include_str!("from_tungstenite/tungstenite.rs"), "```ignore"),
        (include_str!("from_tungstenite/sockless.rs"), "```"),
    ] {
        let (_, program) = program.split_once("\n\n").unwrap();
        let program = program.replace("pub(crate) fn", "fn");
        assert!(
            PAGE.contains(&format!("{block}\n{program}```\n")),
            "{program}"
        );
    }
}

/// The messages that a client receives until the server ends the stream.
fn received<E>(serve: fn(TcpStream) -> Result<(), E>) -> Vec<Message>
where
    E: std::fmt::Debug + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    let transport = TcpStream::connect(address).unwrap();
    let (mut client, _) = tungstenite::client(format!("ws://{address}/"), transport).unwrap();
    let mut received = Vec::new();
    for message in [
        Message::text("Hello"),
        Message::binary(vec![7; 70_000]),
        Message::Ping(vec![1, 2, 3].into()),
        Message::text(""),
    ] {
        client.send(message).unwrap();
        received.push(client.read().unwrap());
    }
    let reason = CloseFrame {
        code: CloseCode::Normal,
        reason: "bye".into(),
    };
    client.close(Some(reason)).unwrap();
    loop {
        match client.read() {
            Ok(Message::Close(Some(frame))) => {
                // A server may leave out the reason.
                received.push(Message::Close(Some(CloseFrame {
                    reason: "".into(),
                    ..frame
                })));
            }
            Ok(message) => received.push(message),
            Err(error) => {
                assert!(matches!(error, Error::ConnectionClosed), "{error}");
                break;
            }
        }
    }
    server.join().unwrap().unwrap();
    received
}

#[test]
fn both_programs_behave_the_same() {
    let with_sockless = received(with_sockless::serve);
    assert_eq!(with_sockless.len(), 5);
    assert_eq!(with_sockless, received(with_tungstenite::serve));
}
