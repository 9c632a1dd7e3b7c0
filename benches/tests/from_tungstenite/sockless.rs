//! The program with sockless.

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::{Event, ReadBuffer, TransportAction};
use std::io;
use std::net::{Shutdown, TcpStream};

pub(crate) fn serve(mut transport: TcpStream) -> io::Result<()> {
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
