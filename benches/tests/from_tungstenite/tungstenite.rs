//! The program with tungstenite.

use std::net::TcpStream;

use tungstenite::{Error, Message};

pub(crate) fn serve(transport: TcpStream) -> Result<(), Error> {
    let mut websocket = tungstenite::accept(transport).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error,
        tungstenite::HandshakeError::Interrupted(_) => unreachable!("the transport blocks"),
    })?;
    loop {
        match websocket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => websocket.send(message)?,
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
