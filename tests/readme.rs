//! The server in the README is this one, and it works.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

// begin
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use sockless::handshake::{Request, ServerOptions};
use sockless::{Connection, Event, ReadBuffer, TransportAction};

fn serve(mut transport: TcpStream) -> io::Result<()> {
    let options = ServerOptions::default();
    let mut buffer = ReadBuffer::new();

    // The opening handshake.
    let mut connection = loop {
        let n = transport.read(buffer.spare_mut(4096))?;
        buffer.advance_filled(n);
        let accepted = match ServerHandshake::new(&options.config).read_request(&mut buffer) {
            Ok(None) if n == 0 => return Ok(()),
            Ok(None) => continue,
            Ok(Some(request)) => request.accept(&options),
            Err(error) => Err(error),
        };
        // Also a refusal has to be written, and to arrive: what follows is the same.
        break accepted
            .unwrap_or_else(|error| Connection::refused(error.response(), &options.config));
    };

    loop {
        // After an error the Close frame that tells the peer is in the output.
        while let Ok(Some(event)) = connection.next_event(&mut buffer) {
            // The event borrows the buffer, not the connection, so you can answer here.
            // This fails only if the connection is closing, since there is room.
            _ = match event {
                Event::Text { text, .. } => connection.send_text(text),
                Event::Binary { data, .. } => connection.send_binary(data),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()), // answered
            };
            // A peer that sends without reading must wait.
            if !connection.has_room() {
                write(&mut transport, &mut connection);
            }
        }
        write(&mut transport, &mut connection);
        match connection.transport_action() {
            TransportAction::Close => return Ok(()),
            TransportAction::ShutdownWrite => _ = transport.shutdown(Shutdown::Write),
            _ => {} // all is written: read
        }
        match transport.read(buffer.spare_mut(4096)) {
            Ok(0) => connection.handle_eof(),
            Ok(n) => buffer.advance_filled(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => connection.handle_reset(),
        }
    }
}

fn write(transport: &mut TcpStream, connection: &mut Connection) {
    while !connection.output().is_empty() {
        match transport.write(connection.output()) {
            Ok(n) if n > 0 => connection.advance_output(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The peer may have said why it left, so reading goes on.
            _ => connection.handle_write_error(),
        }
    }
}
// end

use std::net::TcpListener;
use std::thread;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn the_readme_shows_this_server() {
    let this = include_str!("readme.rs");
    let (_, this) = this.split_once("// begin\n").unwrap();
    let (this, _) = this.split_once("// end\n").unwrap();
    assert!(include_str!("../README.md").contains(&format!("```rust\n{this}```\n")));
}

/// What the server answers to `sent`, until it ends the stream.
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
fn it_echoes_and_closes() {
    // "Hello", masked (RFC 6455 section 5.7), and an empty Close frame.
    let frames = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x80\0\0\0\0";
    let answer = answer(&[REQUEST, frames].concat());
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x00"));
}

#[test]
fn it_tells_a_violation() {
    // "hi", then a frame with a reserved opcode.
    let answer = answer(&[REQUEST, b"\x81\x82\0\0\0\0hi\x83\x80"].concat());
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02hi\x88\x11\x03\xeareserved opcode"));
}

#[test]
fn it_refuses_what_is_no_websocket() {
    let answer = answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 426 "));
}
