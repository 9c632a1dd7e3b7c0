//! Messages that are sent to many.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::frame::{FrameHeader, MessageType};

/// A message that is encoded once and sent on any number of connections.
///
/// To clone it costs as much as to count a reference. See
/// [`Connection::send_shared`](crate::Connection::send_shared).
///
/// # Example
///
/// ```
/// use sockless::{Config, Connection, SharedMessage};
///
/// let news = SharedMessage::text("news");
/// let mut readers = [(); 3].map(|()| Connection::server(Config::default()));
/// for reader in &mut readers {
///     reader.send_shared(&news)?;
/// }
/// assert!(readers.iter().all(|reader| reader.output() == b"\x81\x04news"));
/// # Ok::<(), sockless::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SharedMessage {
    /// As a server sends it.
    frame: Arc<[u8]>,
    header_size: u8,
    kind: MessageType,
}

impl SharedMessage {
    /// A text message in one frame.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(MessageType::Text, text.as_bytes())
    }

    /// A binary message in one frame.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::new(MessageType::Binary, data)
    }

    fn new(kind: MessageType, payload: &[u8]) -> Self {
        let header = FrameHeader::whole(kind, payload.len());
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let header = header.write(&mut buffer);
        let mut frame = Vec::with_capacity(header.len().saturating_add(payload.len()));
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        Self {
            frame: frame.into(),
            // At most 10.
            header_size: u8::try_from(header.len()).unwrap_or_default(),
            kind,
        }
    }

    pub(crate) const fn kind(&self) -> MessageType {
        self.kind
    }

    /// The frame, not masked.
    pub(crate) const fn frame(&self) -> &Arc<[u8]> {
        &self.frame
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let start = usize::from(self.header_size);
        self.frame.get(start..).unwrap_or_default()
    }
}
