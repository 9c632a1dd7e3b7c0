//! The `FragmentCollector` of fastwebsockets, read until a Close frame, as its documentation shows.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets::{
    FragmentCollector, Frame, OpCode, Role as TheirRole, WebSocket, WebSocketError,
};
use sockless::test_util::{OwnedEvent, Role};

use super::memory::Memory;
use super::{Name, Peer};
use crate::outcome::{Outcome, replies};
use crate::stream::Stream;

pub struct Fastwebsockets;

impl Peer for Fastwebsockets {
    fn name(&self) -> Name {
        Name::Fastwebsockets
    }

    fn receive(&mut self, stream: &Stream, places: &[usize]) -> Outcome {
        let role = match stream.role {
            Role::Server => TheirRole::Server,
            Role::Client => TheirRole::Client,
        };
        let memory = Memory::new(&stream.bytes, places);
        let mut socket = WebSocket::after_handshake(memory, role);
        // It also refuses a frame of exactly this size. It has no limit for messages.
        socket.set_max_message_size(stream.limits.max_frame() + 1);
        let mut socket = FragmentCollector::new(socket);

        let mut outcome = Outcome::default();
        outcome.refused = loop {
            match finish(socket.read_frame()) {
                Ok(frame) => outcome.events.push(event(&frame)),
                Err(WebSocketError::UnexpectedEOF) => break None,
                Err(WebSocketError::InvalidUTF8) => break Some(1007),
                Err(WebSocketError::FrameTooLarge) => break Some(1009),
                Err(WebSocketError::IoError(error)) => {
                    panic!("a transport in memory cannot fail: {error}")
                }
                Err(_) => break Some(1002),
            }
            if let Some(OwnedEvent::Close(..)) = outcome.events.last() {
                break None;
            }
        };
        outcome.replies = replies(stream.role, socket.into_inner().written());
        outcome
    }
}

/// Polls until the future is ready. A transport in memory needs no waker.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn event(frame: &Frame<'_>) -> OwnedEvent {
    let payload = &frame.payload[..];
    match (frame.opcode, payload) {
        (OpCode::Text, _) => match str::from_utf8(payload) {
            Ok(text) => OwnedEvent::text(text),
            // This part equals no event of sockless, which delivers whole messages.
            Err(_) => OwnedEvent::BinaryPart(payload.into()),
        },
        (OpCode::Ping, _) => OwnedEvent::ping(payload),
        (OpCode::Pong, _) => OwnedEvent::pong(payload),
        (OpCode::Close, []) => OwnedEvent::close(1005, ""),
        (OpCode::Close, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            OwnedEvent::close(code, &String::from_utf8_lossy(reason))
        }
        (OpCode::Binary | OpCode::Continuation | OpCode::Close, _) => OwnedEvent::binary(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table says so.
    #[test]
    fn the_application_may_write_a_close_frame_after_a_violation() {
        let memory = Memory::new(b"\x83\x00", &[]);
        let mut socket =
            FragmentCollector::new(WebSocket::after_handshake(memory, TheirRole::Client));
        assert!(finish(socket.read_frame()).is_err());
        assert!(finish(socket.write_frame(Frame::close(1002, b""))).is_ok());
        let written = replies(Role::Client, socket.into_inner().written());
        assert_eq!(written, [OwnedEvent::close(1002, "")]);
    }
}
