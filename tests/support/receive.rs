//! What a connection receives, counted and not kept.

use sockless::{Connection, Event, ProtocolError, ReadBuffer};

/// What a connection has delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    let mut received = Received::default();
    for piece in wire.chunks(read) {
        buffer.spare_mut(read)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        loop {
            received.bytes += match connection.next_event(buffer) {
                Ok(None) => break,
                Ok(Some(Event::Text { text, .. })) => text.len(),
                Ok(Some(Event::Binary { data, .. })) => data.len(),
                Ok(Some(_)) => 0,
                Err(error) => {
                    received.error = Some(error);
                    return received;
                }
            };
            received.events += 1;
        }
    }
    received
}
