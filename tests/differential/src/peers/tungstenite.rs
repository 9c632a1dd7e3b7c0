//! tungstenite, read until it reports that the connection is closed, as its documentation asks.

use std::io::ErrorKind;

use sockless::test_util::{OwnedEvent, Role};
use tungstenite::Message;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};

use super::memory::Memory;
use super::{Name, Peer};
use crate::outcome::{Outcome, replies};
use crate::stream::Stream;

pub struct Tungstenite;

impl Peer for Tungstenite {
    fn name(&self) -> Name {
        Name::Tungstenite
    }

    fn receive(&mut self, stream: &Stream, places: &[usize]) -> Outcome {
        let role = match stream.role {
            Role::Server => TheirRole::Server,
            Role::Client => TheirRole::Client,
        };
        // A buffer of the default size takes long to clear for every stream.
        let config = WebSocketConfig::default()
            .read_buffer_size(1024)
            .max_frame_size(Some(stream.limits.max_frame()))
            .max_message_size(Some(stream.limits.max_message()));
        let memory = Memory::new(&stream.bytes, places);
        let mut socket = WebSocket::from_raw_socket(memory, role, Some(config));

        let mut outcome = Outcome::default();
        outcome.refused = loop {
            match socket.read() {
                Ok(message) => outcome.events.push(event(message)),
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
                // The stream ended. A server also ends after a Close frame.
                Err(
                    Error::ConnectionClosed
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                ) => break None,
                Err(Error::Protocol(_)) => break Some(1002),
                Err(Error::Utf8(_)) => break Some(1007),
                Err(Error::Capacity(_)) => break Some(1009),
                Err(error) => panic!("a transport in memory cannot fail: {error}"),
            }
        };
        outcome.replies = replies(stream.role, socket.get_ref().written());
        outcome
    }
}

fn event(message: Message) -> OwnedEvent {
    match message {
        Message::Text(text) => OwnedEvent::text(&text),
        Message::Binary(data) => OwnedEvent::binary(&data),
        Message::Ping(payload) => OwnedEvent::ping(&payload),
        Message::Pong(payload) => OwnedEvent::pong(&payload),
        Message::Close(None) => OwnedEvent::close(1005, ""),
        Message::Close(Some(close)) => OwnedEvent::close(close.code.into(), &close.reason),
        Message::Frame(_) => unreachable!("`read` returns messages"),
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::CloseFrame;
    use tungstenite::protocol::frame::coding::CloseCode;

    use super::*;

    /// The table says so.
    #[test]
    fn the_application_may_write_a_close_frame_after_a_violation() {
        let memory = Memory::new(b"\x83\x00", &[]);
        let mut socket = WebSocket::from_raw_socket(memory, TheirRole::Client, None);
        while let Err(Error::Io(_)) = socket.read() {}
        let close = CloseFrame {
            code: CloseCode::Protocol,
            reason: "".into(),
        };
        assert!(socket.close(Some(close)).is_ok());
        let written = replies(Role::Client, socket.get_ref().written());
        assert_eq!(written, [OwnedEvent::close(1002, "")]);
    }
}
