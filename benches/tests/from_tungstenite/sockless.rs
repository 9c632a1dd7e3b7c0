//! As the guide shows it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use sockless::handshake::{Request, ServerOptions};
use sockless::{Connection, Event, ReadBuffer, TransportAction};

pub(crate) fn serve(mut transport: TcpStream) -> io::Result<()> {
    let options = ServerOptions::default();
    let mut buffer = ReadBuffer::new();
    let mut connection = None;
    loop {
        let n = transport.read(buffer.spare_mut(4096))?;
        buffer.advance_filled(n);
        let connection = match &mut connection {
            Some(connection) => connection,
            None => match accept(&mut buffer, &options) {
                Some(accepted) => connection.insert(accepted),
                None if n == 0 => return Ok(()),
                None => continue,
            },
        };
        while let Ok(Some(event)) = connection.next_event(&mut buffer) {
            // This fails only if the connection is closing, since there is room.
            _ = match event {
                Event::Text { text, .. } => connection.send_text(text),
                Event::Binary { data, .. } => connection.send_binary(data),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
            };
            write(&mut transport, connection);
        }
        if n == 0 {
            connection.handle_eof();
        }
        write(&mut transport, connection);
        match connection.transport_action() {
            TransportAction::Close => return Ok(()),
            TransportAction::ShutdownWrite => _ = transport.shutdown(Shutdown::Write),
            _ => {} // all is written: read
        }
    }
}

/// Returns a connection once the request has come whole. A refused request has one too,
/// because the refusal must be written.
fn accept(buffer: &mut ReadBuffer, options: &ServerOptions<'_>) -> Option<Connection> {
    let accepted = match ServerHandshake::new(&options.config).read_request(buffer) {
        Ok(request) => request?.accept(options),
        Err(error) => Err(error),
    };
    Some(accepted.unwrap_or_else(|error| Connection::refused(error.response(), &options.config)))
}

fn write(transport: &mut TcpStream, connection: &mut Connection) {
    while !connection.output().is_empty() {
        match transport.write(connection.output()) {
            Ok(n) if n > 0 => connection.advance_output(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The peer may have said why it left, so reading goes on.
            _ => connection.handle_write_error(),
        }
    }
}
