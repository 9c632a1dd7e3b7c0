//! What a connection receives, counted and not kept.

use sockless::{Connection, Event, ProtocolError, ReadBuffer};

/// What a connection has delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) events: usize,
    /// The bytes of text and binary messages.
    pub(crate) bytes: usize,
    /// Why the connection has failed.
    pub(crate) error: Option<ProtocolError>,
}

/// Gives `wire` to the connection in reads of at most `read` bytes, and takes all events.
pub(crate) fn receive(
    connection: &mut Connection,
    buffer: &mut ReadBuffer,
    wire: &[u8],
    read: usize,
) -> Received {
    let (mut events, mut bytes) = (0, 0);
    for piece in wire.chunks(read) {
        buffer.spare_mut(read)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        loop {
            bytes += match connection.next_event(buffer) {
                Ok(Some(Event::Text { text, .. })) => text.len(),
                Ok(Some(Event::Binary { data, .. })) => data.len(),
                Ok(Some(_)) => 0,
                Ok(None) => break,
                Err(error) => {
                    let error = Some(error);
                    return Received {
                        events,
                        bytes,
                        error,
                    };
                }
            };
            events += 1;
        }
    }
    Received {
        events,
        bytes,
        error: None,
    }
}
