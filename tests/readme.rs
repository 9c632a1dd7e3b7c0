//! The server and the client of the README. The tests run both.
#![allow(missing_docs, clippy::unwrap_used, reason = "a failed test may panic")]

// begin
use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Event, ReadBuffer, TransportAction};
use std::io;
use std::net::{Shutdown, TcpStream};

fn serve(mut transport: TcpStream) -> io::Result<()> {
    let (options, mut buffer) = (ServerOptions::new(), ReadBuffer::new());
    let mut handshake = ServerHandshake::new(&options.config);
    let mut connection = handshake.accept_on(&mut transport, &mut buffer, &options)?;
    loop {
        while let Ok(Some(event)) = connection.next_event(&mut buffer) {
            _ = match event {
                Event::Text { text, .. } => connection.send_text(text),
                Event::Binary { data, .. } => connection.send_binary(data),
                _ => Ok(()), // a Ping or Close is already answered
            };
            connection.write_to(&mut transport);
        }
        connection.write_to(&mut transport);
        match connection.transport_action() {
            TransportAction::Close => return Ok(()),
            TransportAction::ShutdownWrite => _ = transport.shutdown(Shutdown::Write),
            _ => {} // everything is written, so read
        }
        connection.handle_read(buffer.read_from(&mut transport));
    }
}
// end

use sockless::test_util::OPENING_REQUEST;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// Returns the lines of this file between two comments.
fn shown(begin: &str, end: &str) -> &'static str {
    let (_, this) = include_str!("readme.rs").split_once(begin).unwrap();
    this.split_once(end).unwrap().0
}

#[test]
fn the_readme_shows_this_server_and_this_client() {
    let server = shown("// begin\n", "// end\n");
    assert!(server.lines().count() <= 30, "it stays short");
    // The README does not show the module around the client.
    let client = shown("// client\n", "    // end of client\n").replace("\n    ", "\n");
    let client = client.trim_start();
    let lines = client.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 20, "it stays short: {lines}");
    for program in [server, client] {
        assert!(include_str!("../README.md").contains(&format!("```rust\n{program}```\n")));
    }
}

#[cfg(feature = "getrandom")]
mod client {
    // client
    use sockless::handshake::{ClientHandshake, ClientOptions, Uri};
    use sockless::{CloseCode, OwnedEvent, ReadBuffer, Seed};
    use std::error::Error;
    use std::net::TcpStream;

    fn hello(uri: &Uri) -> Result<Vec<OwnedEvent>, Box<dyn Error>> {
        let mut transport = TcpStream::connect((uri.host(), uri.port()))?;
        let (mut buffer, mut received) = (ReadBuffer::new(), Vec::new());
        let mut handshake = ClientHandshake::new(uri, &ClientOptions::new(), Seed::from_os()?)?;
        let mut connection = handshake.connect_on(&mut transport, &mut buffer)?;
        connection.send_text("Hello")?;
        connection.close(CloseCode::NORMAL, "")?;
        while connection.wants_read() {
            connection.write_to(&mut transport);
            connection.handle_read(buffer.read_from(&mut transport));
            while let Some(event) = connection.next_event(&mut buffer)? {
                received.push(event.into_owned());
            }
        }
        Ok(received)
    }
    // end of client

    #[test]
    fn the_client_says_hello_to_the_server() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("ws://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || super::serve(listener.accept().unwrap().0));
        let received = hello(&uri.parse().unwrap()).unwrap();
        assert_eq!(
            received,
            [
                OwnedEvent::Text("Hello".to_owned()),
                OwnedEvent::Close(1000, String::new()),
            ]
        );
        server.join().unwrap().unwrap();
    }
}

/// Returns the bytes that the server writes after it received `sent`.
fn answer(sent: &[u8]) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0));
    client.write_all(sent).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    drop(client);
    server.join().unwrap().unwrap();
    answer
}

#[test]
fn the_server_echoes_and_closes() {
    // "Hello", masked (RFC 6455 section 5.7), and an empty Close frame.
    let frames = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x80\0\0\0\0";
    let answer = answer(&[OPENING_REQUEST, frames].concat());
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x00"));
}

#[test]
fn the_server_reports_a_violation() {
    // "hi", then a frame with a reserved opcode.
    let answer = answer(&[OPENING_REQUEST, b"\x81\x82\0\0\0\0hi\x83\x80"].concat());
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02hi\x88\x11\x03\xeareserved opcode"));
}

#[test]
fn the_server_refuses_other_requests() {
    let answer = answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 426 "));
}
