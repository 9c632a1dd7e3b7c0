//! Messages to bytes: the sending rules (RFC 6455, sections 5.1, 5.4, 5.5 and 6.1).

use alloc::vec::Vec;

use crate::connection::masking_keys::MaskingKeys;
use crate::connection::message_type::MessageType;
use crate::connection::output::Output;
use crate::connection::send_error::SendError;
use crate::deflate::{Boxed, Deflation};
use crate::wire::{CloseFrame, FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, apply_mask, first_byte};

#[cfg(target_has_atomic = "ptr")]
mod shared;

/// Writes frames into the output. Every method queues a whole frame or changes nothing.
#[derive(Debug)]
pub(crate) struct Sender {
    output: Output,
    /// Whether the output uses the memory of the opening handshake. That memory is freed once all of it is written,
    /// with the frames that were queued after the handshake.
    opening: bool,
    /// How many bytes of output were written to the transport, modulo 2^32.
    written: u32,
    /// Section 5.3: only a client has keys. It masks every frame with a fresh one.
    keys: Option<MaskingKeys>,
    /// The message whose last fragment was not sent yet.
    message: Option<MessageType>,
    /// The sending half of permessage-deflate, if it was agreed on.
    pub(super) deflation: Option<Boxed<Deflation>>,
}

impl Sender {
    /// A sender whose output begins with `opening`, the rest of the opening handshake.
    pub(crate) const fn new(keys: Option<MaskingKeys>, opening: Vec<u8>) -> Self {
        Self {
            opening: !opening.is_empty(),
            written: 0,
            output: Output::new(opening),
            keys,
            message: None,
            deflation: None,
        }
    }

    /// Queues a whole message in one frame.
    #[expect(
        clippy::inline_always,
        reason = "inlined into the caller together with `Connection::send_binary`"
    )]
    #[inline(always)]
    pub(crate) fn message(
        &mut self,
        message: MessageType,
        payload: &[u8],
    ) -> Result<(), SendError> {
        // Section 5.4: fragments of different messages must not be interleaved.
        if self.message.is_some() {
            return Err(SendError::MessageOpen);
        }
        if self.deflation.is_some() {
            self.negotiated(message, payload);
            return Ok(());
        }
        self.frame(message.opcode(), true, payload);
        Ok(())
    }

    /// Queues a whole message on a connection with permessage-deflate.
    #[inline(never)]
    fn negotiated(&mut self, message: MessageType, payload: &[u8]) {
        self.begin(Some(payload.len()));
        self.data(message.opcode(), payload, true);
    }

    /// Queues the header of a message in one frame and returns the payload, which must follow the present output. If
    /// the payload cannot be sent unchanged, it queues all of it and returns an empty slice.
    pub(crate) fn message_from<'p>(
        &mut self,
        message: MessageType,
        payload: &'p [u8],
    ) -> Result<&'p [u8], SendError> {
        if !self.sends_plain(payload.len()) {
            self.message(message, payload)?;
            return Ok(&[]);
        }
        if self.message.is_some() {
            return Err(SendError::MessageOpen);
        }
        self.output.push_header(&message.header(payload.len()));
        Ok(payload)
    }

    /// Queues the first or the next fragment of a message.
    pub(crate) fn fragment(
        &mut self,
        message: MessageType,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        let opcode = match self.message {
            None => message.opcode(),
            Some(open) if open == message => Opcode::Continuation,
            Some(_) => return Err(SendError::MessageOpen),
        };
        if self.message.is_none() {
            self.begin(fin.then_some(payload.len()));
        }
        self.data(opcode, payload, fin);
        self.message = if fin { None } else { Some(message) };
        Ok(())
    }

    /// Queues a Ping or Pong.
    pub(crate) fn control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlFrameTooLong);
        }
        self.frame(opcode, true, payload);
        Ok(())
    }

    pub(crate) fn close(&mut self, close: CloseFrame<'_>) -> Result<(), SendError> {
        let mut buffer = [0; CloseFrame::MAX_SIZE];
        let payload = close
            .write(&mut buffer)
            .ok_or(SendError::InvalidCloseCode(close.code))?;
        self.control(Opcode::Close, payload)
    }

    /// Whether a message of this length is sent unchanged: neither masked nor compressed.
    #[inline]
    fn sends_plain(&mut self, length: usize) -> bool {
        if self.message.is_none() && self.deflation.is_some() && self.begin(Some(length)) {
            return false;
        }
        self.keys.is_none()
    }

    /// Begins a message, with its length if that is known. Returns whether it is compressed.
    #[inline(never)]
    fn begin(&mut self, length: Option<usize>) -> bool {
        self.deflation.as_mut().is_some_and(|deflation| {
            deflation.begin(length);
            deflation.is_compressed()
        })
    }

    /// The size on the wire of a Ping or Pong with this payload of at most 125 bytes.
    pub(crate) fn control_size(&self, payload: &[u8]) -> u8 {
        let header = if self.keys.is_some() { 6 } else { 2 };
        u8::try_from(payload.len())
            .unwrap_or(u8::MAX)
            .saturating_add(header)
    }

    pub(crate) const fn output(&self) -> &Output {
        &self.output
    }

    /// See [`Connection::advance_output`](crate::Connection::advance_output). If `n` is more than all output, this
    /// changes nothing and returns false.
    #[inline]
    pub(crate) fn advance_output(&mut self, n: usize) -> bool {
        if !self.output.advance(n) {
            return false;
        }
        self.count_written(n);
        if self.opening {
            self.after_opening();
        }
        true
    }

    /// See [`Connection::take_output`](crate::Connection::take_output).
    pub(crate) fn take_output(&mut self, other: &mut Vec<u8>) {
        self.output.take(other);
        self.opening = false;
    }

    /// Notes that `n` bytes were written to the transport, from the output or from elsewhere.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only differences count, and no write takes 4 GiB at once"
    )]
    #[inline]
    pub(crate) const fn count_written(&mut self, n: usize) {
        self.written = self.written.wrapping_add(n as u32);
    }

    /// How many bytes were written to the transport so far, modulo 2^32.
    pub(crate) const fn written(&self) -> u32 {
        self.written
    }

    /// Drops all output and frees its memory.
    pub(crate) fn drop_output(&mut self) {
        self.output = Output::default();
        self.opening = false;
    }

    /// Gives up the message whose last fragment was not sent: nothing more can be sent.
    pub(crate) fn abandon_message(&mut self) {
        self.message = None;
        if let Some(deflation) = &mut self.deflation {
            deflation.abandon();
        }
    }

    /// Whether a compressed message is being sent in fragments, and its last one was not sent yet.
    pub(crate) fn is_fragmenting_compressed(&self) -> bool {
        self.message.is_some() && self.is_compressing()
    }

    /// Whether the message that is being sent is compressed.
    fn is_compressing(&self) -> bool {
        matches!(&self.deflation, Some(deflation) if deflation.is_compressed())
    }

    /// Queues the rest of the payload that [`message_from`](Self::message_from) returned.
    pub(crate) fn message_rest(&mut self, payload: &[u8]) {
        self.output.push_bytes(payload);
    }

    /// Frees the memory once all output is written.
    #[cold]
    #[inline(never)]
    fn after_opening(&mut self) {
        if self.output.is_empty() {
            self.drop_output();
        }
    }

    /// Queues a frame of a message, compressed if the message is.
    #[inline(never)]
    fn data(&mut self, opcode: Opcode, payload: &[u8], fin: bool) {
        if self.is_compressing() {
            return self.compressed(opcode, payload, fin);
        }
        self.frame(opcode, fin, payload);
    }

    #[inline(never)]
    fn compressed(&mut self, opcode: Opcode, payload: &[u8], fin: bool) {
        let Some(deflation) = &mut self.deflation else {
            return;
        };
        let start = self.output.begin();
        deflation.deflate(payload, fin, self.output.payload_mut());
        // RFC 7692, section 6: only the first frame of a message has the bit.
        let rsv = if opcode == Opcode::Continuation {
            0
        } else {
            FrameHeader::RSV1
        };
        let header = self.header(opcode, fin, rsv, self.output.payload_len(start));
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let payload = self.output.end(start, header.write(&mut buffer));
        if let Some(key) = header.masking_key {
            apply_mask(payload, key, 0);
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "inlined into the caller together with `Connection::send_binary`"
    )]
    #[inline(always)]
    fn frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if self.keys.is_some() {
            self.masked(opcode, fin, payload);
        } else if payload.len() <= MAX_CONTROL_PAYLOAD {
            let first = first_byte(opcode, fin);
            self.output.push_short(first, payload);
        } else {
            self.long(opcode, fin, payload);
        }
    }

    /// Queues a masked frame, on a client.
    #[inline(never)]
    fn masked(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return self.long(opcode, fin, payload);
        }
        let Some(key) = self.keys.as_mut().and_then(MaskingKeys::ready) else {
            return self.masked_with_new_keys(opcode, fin, payload);
        };
        let first = first_byte(opcode, fin);
        self.output.push_short_masked(first, key, payload);
    }

    #[cold]
    #[inline(never)]
    fn masked_with_new_keys(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if let Some(keys) = &mut self.keys {
            keys.refill();
            self.masked(opcode, fin, payload);
        }
    }

    /// Queues a frame with a payload of any length.
    #[inline(never)]
    fn long(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let header = self.header(opcode, fin, 0, payload.len());
        self.output.push(&header, payload);
    }

    /// A header, with a fresh masking key on a client.
    #[inline]
    fn header(&mut self, opcode: Opcode, fin: bool, rsv: u8, length: usize) -> FrameHeader {
        let masking_key = self.keys.as_mut().map(MaskingKeys::next);
        FrameHeader {
            fin,
            rsv,
            opcode,
            masking_key,
            payload_length: length as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capacity of the output, which moves out with its bytes.
    fn capacity(mut sender: Sender) -> usize {
        let mut memory = Vec::new();
        sender.take_output(&mut memory);
        memory.capacity()
    }

    /// Only the handshake's own memory is freed. Memory that a caller lends stays.
    #[test]
    fn the_memory_of_the_opening_is_given_back_however_it_was_written() {
        for pieces in [&[10][..], &[3, 7], &[1, 8, 1]] {
            let mut sender = Sender::new(None, alloc::vec![b'x'; 10]);
            for &piece in pieces {
                assert!(sender.output().len() >= piece);
                assert!(sender.advance_output(piece));
            }
            assert_eq!(capacity(sender), 0, "{pieces:?}");
        }
    }

    #[test]
    fn frames_queued_after_the_opening_share_its_memory() {
        for length in [1, 125, 1000] {
            let mut sender = Sender::new(None, alloc::vec![b'x'; 10]);
            sender.frame(Opcode::Binary, true, &alloc::vec![0; length]);
            let size = sender.output().len();
            assert!(sender.advance_output(size - 1));
            assert_eq!(sender.output().len(), 1);
            assert!(sender.advance_output(1));
            assert_eq!(capacity(sender), 0, "{length} B");
        }
    }

    #[test]
    fn lent_memory_is_kept() {
        for length in [1, 125, 900] {
            let mut sender = Sender::new(None, alloc::vec![b'x'; 10]);
            let mut lent = Vec::with_capacity(1000);
            sender.take_output(&mut lent);
            assert_eq!(lent.len(), 10);
            assert!(sender.advance_output(0));
            sender.frame(Opcode::Binary, true, &alloc::vec![0; length]);
            assert!(sender.advance_output(sender.output().len()));
            assert_eq!(capacity(sender), 1000, "{length} B");
        }
    }
}
