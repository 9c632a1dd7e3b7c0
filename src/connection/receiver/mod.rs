//! Bytes to messages: the receiving rules (RFC 6455, sections 5.1 to 5.6, 6.2 and 8.1).

use crate::connection::config::{Config, Delivery};
use crate::connection::message_type::MessageType;
use crate::connection::read_buffer::{Place, ReadBuffer, Span};
use crate::connection::role::Role;
use crate::deflate::{Boxed, Inflation};
use crate::wire::masking_key::rotate;
use crate::wire::{
    CloseFrame, FrameHeader, FrameStart, MAX_CONTROL_PAYLOAD, Opcode, ProtocolError, apply_mask,
    utf8,
};
use compressed::{Rules, decompress};

mod compressed;
mod short_header;
mod whole;

/// Reads one event at a time, and looks no further than the frame that completes it.
///
/// ```text
///                    header of a data frame
///        Header --------------------------------> Payload --.
///          ^  |                                    ^   |    | more of it is to come
///          |  | control frame, whole               |   '----'
///          |  '--> event                           |   |
///          '---------------------------------------+---' end of the frame: event if it ends the message
///
///        any -- Close frame, end of the stream --> Done
/// ```
#[derive(Debug)]
pub(crate) struct Receiver {
    stage: Stage,
    /// The message whose last fragment has not ended.
    message: Option<MessageType>,
    role: Role,
    delivery: Delivery,
    max_frame: u64,
    max_message: u64,
    /// The smaller of the two limits, or `u16::MAX` if that is less.
    max_whole: u16,
    /// The payload bytes of the open message: those that the frame headers announced, or those that were decompressed.
    length: u64,
    /// Whether a part of a message was taken in since [`Self::take_progress`] was last called.
    progress: bool,
    /// The receiving half of permessage-deflate, if it was agreed on.
    pub(super) inflation: Option<Boxed<Inflation>>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Header,
    /// Inside the payload of a data frame.
    Payload(Payload),
    /// After a failure, inside a frame with this many bytes left.
    Skip(u64),
    /// Nothing more is read: no event can follow, or the end of the current frame is unknown.
    Done,
}

/// The rest of a data frame.
#[derive(Clone, Copy, Debug)]
struct Payload {
    message: MessageType,
    remaining: u64,
    /// The masking key for the next byte.
    key: [u8; 4],
    fin: bool,
}

/// Where the bytes of an event are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    /// Not validated yet. The conversion to `str` validates it.
    Text(Place, Span, bool),
    Binary(Place, Span, bool),
    /// Text that came in several pieces, each already validated.
    AssembledText,
    Ping(Span),
    Pong(Span),
    /// See [`Receiver::close_frame`].
    Close(Span),
}

impl Receiver {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        Self {
            stage: Stage::Header,
            message: None,
            role,
            delivery: config.delivery,
            max_frame: config.max_frame_size,
            max_message: config.message_limit(),
            max_whole: u16::try_from(config.max_frame_size.min(config.max_message_size))
                .unwrap_or(u16::MAX),
            length: 0,
            progress: false,
            inflation: None,
        }
    }

    /// The next event, or `None` if that needs more bytes.
    pub(crate) fn next(
        &mut self,
        buffer: &mut ReadBuffer,
    ) -> Result<Option<Received>, ProtocolError> {
        loop {
            let step = match self.stage {
                Stage::Header => {
                    self.take_fragments(buffer)?;
                    self.read_header(buffer)
                        .inspect_err(|_| self.end_at_close(buffer.unread()))?
                }
                Stage::Payload(payload) => self.read_payload(payload, buffer)?,
                Stage::Skip(_) | Stage::Done => Step::NeedsMore,
            };
            match step {
                Step::Event(received) => return Ok(Some(received)),
                Step::NeedsMore => return Ok(None),
                Step::Continue => {}
            }
        }
    }

    /// Parses the payload of a Close frame. Receiving ends, even if the payload is invalid (section 5.5.1).
    pub(crate) fn close_frame<'b>(
        &mut self,
        payload: &'b [u8],
    ) -> Result<CloseFrame<'b>, ProtocolError> {
        self.end();
        CloseFrame::parse(payload)
    }

    /// Nothing more is received: the peer sent a Close frame, or the stream has ended.
    pub(crate) fn end(&mut self) {
        self.stage = Stage::Done;
        self.abandon_message();
    }

    /// Gives up the rest of the open message.
    pub(crate) fn abandon_message(&mut self) {
        self.message = None;
        if let Some(inflation) = &mut self.inflation {
            inflation.abandon();
        }
    }

    /// Reads on after a failure and drops everything, to learn whether the peer sent a Close frame.
    ///
    /// Section 7.1.7 forbids processing of these bytes. The Close frame is only for the record of how the connection
    /// ended.
    #[expect(clippy::arithmetic_side_effects, reason = "`n` is at most `remaining`")]
    pub(crate) fn close_after_failure<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Option<CloseFrame<'b>> {
        buffer.abandon_message();
        let payload = loop {
            match self.stage {
                Stage::Done => {
                    buffer.clear();
                    return None;
                }
                Stage::Payload(Payload { remaining, .. }) | Stage::Skip(remaining) => {
                    let n = at_most(remaining, buffer.unread().len());
                    buffer.received_mut().consume(n);
                    let remaining = remaining - n as u64;
                    if remaining > 0 {
                        self.stage = Stage::Skip(remaining);
                        return None;
                    }
                    self.stage = Stage::Header;
                }
                Stage::Header => match FrameHeader::parse(buffer.unread()) {
                    Err(_) => self.stage = Stage::Done,
                    Ok(None) => return None,
                    Ok(Some((header, size))) if header.opcode == Opcode::Close => {
                        let length = at_most(header.payload_length, MAX_CONTROL_PAYLOAD);
                        let key = header.masking_key.unwrap_or_default();
                        break take_control(size, length, key, buffer)?;
                    }
                    Ok(Some((header, size))) => {
                        buffer.received_mut().consume(size);
                        self.stage = Stage::Skip(header.payload_length);
                    }
                },
            }
        };
        self.close_frame(buffer.received().slice(payload)).ok()
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// Whether a part of a message, or its header, was taken in since the last call.
    ///
    /// Control frames do not count, because the awaited Pong could have come instead.
    pub(crate) const fn take_progress(&mut self) -> bool {
        let progress = self.progress;
        if progress {
            self.progress = false;
        }
        progress
    }

    fn read_header(&mut self, buffer: &mut ReadBuffer) -> Result<Step, ProtocolError> {
        let bytes = buffer.unread();
        // The first two bytes are checked before the length, and the length before the masking key. So a violation is
        // found at the same byte, for any cut of the stream.
        let Some(start) = FrameStart::parse(bytes)? else {
            return Ok(Step::NeedsMore);
        };
        let message = self.check(start)?;
        let Some(length) = start.payload_length(bytes)? else {
            return Ok(Step::NeedsMore);
        };
        if message.is_some() {
            self.check_length(start, length)?;
        }
        let size = start.header_size();
        let Some(header) = bytes.get(..size) else {
            return Ok(Step::NeedsMore);
        };
        let key = if start.masked {
            header.last_chunk().copied().unwrap_or_default()
        } else {
            [0; 4]
        };
        let Some(message) = message else {
            let length = at_most(length, MAX_CONTROL_PAYLOAD);
            let payload = take_control(size, length, key, buffer);
            return Ok(match (payload, start.opcode) {
                (None, _) => Step::NeedsMore,
                (Some(payload), Opcode::Close) => Step::Event(Received::Close(payload)),
                (Some(payload), Opcode::Ping) => Step::Event(Received::Ping(payload)),
                (Some(payload), _) => Step::Event(Received::Pong(payload)),
            });
        };
        buffer.received_mut().consume(size);
        self.progress = true;
        if self.message.is_none() {
            self.begin(message, start, buffer);
        }
        if self.place() == Place::Received {
            self.length = self.length.saturating_add(length);
        }
        self.stage = Stage::Payload(Payload {
            message,
            remaining: length,
            key,
            fin: start.fin,
        });
        Ok(Step::Continue)
    }

    /// After an invalid header of a Close frame, no other Close frame can follow.
    fn end_at_close(&mut self, bytes: &[u8]) {
        let opcode = bytes.first().map_or(0, |byte| byte & 0xf);
        if opcode == Opcode::Close.bits() {
            self.stage = Stage::Done;
        }
    }

    /// Checks the rules of this connection that the first two bytes decide. Returns the message of the frame, or `None`
    /// for a control frame.
    fn check(&self, start: FrameStart) -> Result<Option<MessageType>, ProtocolError> {
        // Section 5.2: a reserved bit fails the connection unless an extension defines it.
        if start.rsv != 0 && !self.begins_compressed(start) {
            return Err(ProtocolError::ReservedBits);
        }
        // Section 5.1: a server refuses unmasked frames, and a client refuses masked frames.
        match (self.role, start.masked) {
            (Role::Server, false) => return Err(ProtocolError::UnmaskedFrame),
            (Role::Client, true) => return Err(ProtocolError::MaskedFrame),
            _ => {}
        }
        // Section 5.4: fragments of different messages are not interleaved. Control frames may come between fragments.
        match (start.opcode, self.message) {
            (Opcode::Continuation, None) => Err(ProtocolError::UnexpectedContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(ProtocolError::ExpectedContinuation),
            (Opcode::Continuation, message) => Ok(message),
            (opcode, _) => Ok(MessageType::from_opcode(opcode)),
        }
    }

    /// Whether this is the first frame of a compressed message (RFC 7692, section 6).
    fn begins_compressed(&self, start: FrameStart) -> bool {
        self.inflation.is_some()
            && start.rsv == FrameHeader::RSV1
            && matches!(start.opcode, Opcode::Text | Opcode::Binary)
    }

    /// Checks the limits before any payload is taken in (section 10.4).
    fn check_length(&self, start: FrameStart, length: u64) -> Result<(), ProtocolError> {
        // The size of a compressed message is checked when it is decompressed.
        let compressed = self.begins_compressed(start)
            || (self.message.is_some() && self.place() == Place::Decompressed);
        let max_frame = if compressed {
            Config::compressed_frame_limit(self.max_frame)
        } else {
            self.max_frame
        };
        if length > max_frame {
            return Err(ProtocolError::FrameTooLarge);
        }
        if !compressed && self.length.saturating_add(length) > self.max_message {
            return Err(ProtocolError::MessageTooLarge);
        }
        Ok(())
    }

    fn begin(&mut self, message: MessageType, start: FrameStart, buffer: &mut ReadBuffer) {
        self.message = Some(message);
        if let Some(inflation) = &mut self.inflation {
            inflation.begin(start.rsv == FrameHeader::RSV1);
        }
        // Nothing of an earlier message is left, unless the caller mixed up two buffers.
        buffer.region_mut(self.place()).release(usize::MAX);
        buffer.text_mut().close();
    }

    /// Where the open message is put together.
    fn place(&self) -> Place {
        match &self.inflation {
            Some(inflation) if inflation.is_compressed() => Place::Decompressed,
            _ => Place::Received,
        }
    }

    /// Takes in the received payload of the current frame.
    #[expect(clippy::arithmetic_side_effects, reason = "`n` is at most `remaining`")]
    fn read_payload(
        &mut self,
        mut payload: Payload,
        buffer: &mut ReadBuffer,
    ) -> Result<Step, ProtocolError> {
        let n = at_most(payload.remaining, buffer.unread().len());
        if let Some(inflation) = &mut self.inflation
            && inflation.is_compressed()
        {
            self.progress |= n > inflation.unmasked();
            let rules = Rules {
                role: self.role,
                delivery: self.delivery,
                max_message: self.max_message,
            };
            let all = decompress(inflation, &mut payload, &mut self.length, rules, buffer);
            self.stage = Stage::Payload(payload);
            return if all? {
                self.complete(payload, Place::Decompressed, buffer)
            } else {
                self.deliver_decompressed(payload.message, buffer)
            };
        }
        self.progress |= n > 0;
        let piece = buffer.received_mut().hold(n);
        if self.role == Role::Server {
            apply_mask(buffer.received_mut().slice_mut(piece), payload.key, 0);
            payload.key = rotate(payload.key, n);
        }
        payload.remaining -= n as u64;
        // Parts of messages are delivered before the message is complete, so they need no room for the rest.
        let holds = payload.fin && self.delivery == Delivery::Messages;
        buffer.set_missing(if holds { payload.remaining } else { 0 });
        self.complete(payload, Place::Received, buffer)
    }

    /// Delivers the bytes that are decompressed so far, or makes room for more.
    fn deliver_decompressed(
        &self,
        message: MessageType,
        buffer: &mut ReadBuffer,
    ) -> Result<Step, ProtocolError> {
        if self.delivery == Delivery::Messages {
            self.assemble(message, Place::Decompressed, buffer)?;
            return Ok(Step::Continue);
        }
        let chunk = take_chunk(message, Place::Decompressed, buffer);
        Ok(chunk.map_or(Step::Continue, Step::Event))
    }

    /// Returns the event that the new payload completes, if any.
    fn complete(
        &mut self,
        payload: Payload,
        place: Place,
        buffer: &mut ReadBuffer,
    ) -> Result<Step, ProtocolError> {
        let frame_ends = payload.remaining == 0;
        self.stage = if frame_ends {
            Stage::Header
        } else {
            Stage::Payload(payload)
        };
        let event = if frame_ends && payload.fin {
            self.message = None;
            self.length = 0;
            Some(self.last_part(payload.message, place, buffer)?)
        } else if self.delivery == Delivery::Chunks {
            take_chunk(payload.message, place, buffer)
        } else {
            if !self.can_leave_text(payload, place, buffer) {
                self.assemble(payload.message, place, buffer)?;
            }
            None
        };
        Ok(match event {
            Some(received) => Step::Event(received),
            None if frame_ends => Step::Continue,
            None => Step::NeedsMore,
        })
    }

    /// The message, or the part of it that was not delivered yet, at its end.
    fn last_part(
        &self,
        message: MessageType,
        place: Place,
        buffer: &mut ReadBuffer,
    ) -> Result<Received, ProtocolError> {
        let last = buffer.region_mut(place).release(usize::MAX);
        if !buffer.text().is_open() {
            buffer.text_mut().close();
            return Ok(received(message, place, last, true));
        }
        self.add_text(place, last, buffer)?;
        buffer.text_mut().close();
        Ok(Received::AssembledText)
    }

    /// Adds the received part of a text message to the parts before, up to the last complete character. So invalid text
    /// fails at the invalid byte and not at the end of its message (section 8.1).
    fn assemble(
        &self,
        message: MessageType,
        place: Place,
        buffer: &mut ReadBuffer,
    ) -> Result<(), ProtocolError> {
        // Binary data is put together where it is.
        if message == MessageType::Text
            && let Some(Received::Text(_, span, _)) = take_chunk(message, place, buffer)
        {
            self.add_text(place, span, buffer)?;
        }
        Ok(())
    }

    fn add_text(
        &self,
        place: Place,
        span: Span,
        buffer: &mut ReadBuffer,
    ) -> Result<(), ProtocolError> {
        let limit = at_most(self.max_message, usize::MAX);
        let (piece, text) = buffer.piece_and_text(place, span);
        text.add(utf8::text(piece)?, limit);
        Ok(())
    }

    /// Whether text in the last fragment can stay where it was received until its next piece comes.
    fn can_leave_text(&self, payload: Payload, place: Place, buffer: &mut ReadBuffer) -> bool {
        /// When the message is complete, text of this size is still in the nearest cache for its second validation.
        const SHORT: u64 = 32 << 10;
        payload.message == MessageType::Text
            && payload.fin
            && place == Place::Received
            && self.length <= SHORT
            && buffer.can_leave_text()
    }
}

enum Step {
    Event(Received),
    NeedsMore,
    /// A part of the wire format is done, and completes no event.
    Continue,
}

/// Takes the undelivered part of a message, up to the last complete character.
fn take_chunk(message: MessageType, place: Place, buffer: &mut ReadBuffer) -> Option<Received> {
    let region = buffer.region_mut(place);
    let held = region.held();
    let whole = match message {
        MessageType::Text => utf8::last_boundary(held),
        MessageType::Binary => held.len(),
    };
    (whole > 0).then(|| received(message, place, region.release(whole), false))
}

const fn received(message: MessageType, place: Place, span: Span, fin: bool) -> Received {
    match message {
        MessageType::Text => Received::Text(place, span, fin),
        MessageType::Binary => Received::Binary(place, span, fin),
    }
}

/// The smaller of a length on the wire and one in memory.
fn at_most(length: u64, limit: usize) -> usize {
    usize::try_from(length).map_or(limit, |length| length.min(limit))
}

/// Takes the payload of a control frame once all of it has come. With the header, that is at most 139 bytes.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a header and a control payload take 139 bytes at most"
)]
#[inline]
fn take_control(size: usize, length: usize, key: [u8; 4], buffer: &mut ReadBuffer) -> Option<Span> {
    let received = buffer.received_mut();
    if received.unread().len() < size + length {
        return None;
    }
    received.consume(size);
    let payload = received.consume(length);
    apply_mask(received.slice_mut(payload), key, 0);
    Some(payload)
}
