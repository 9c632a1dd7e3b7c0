//! Bytes to messages: the receiving rules (RFC 6455 sections 5.1 to 5.6, 6.2 and 8.1).

use crate::connection::config::{Config, Delivery};
use crate::connection::message_type::MessageType;
use crate::connection::read_buffer::{ReadBuffer, Span, Store};
use crate::connection::role::Role;
use crate::deflate::{Boxed, Inflation};
use crate::wire::mask::rotate;
use crate::wire::{
    CloseFrame, FrameHeader, FrameStart, MAX_CONTROL_PAYLOAD, Opcode, ProtocolError, apply_mask,
    utf8,
};

mod compressed;
mod short_header;
mod whole;

/// Reads one event at a time and looks no further than the frame that completes it.
///
/// ```text
///                    header of a data frame
///        Header --------------------------------> Payload --.
///          ^  |                                    ^   |    | more of it is to come
///          |  | control frame, whole               |   '----'
///          |  '--> event                           |   |
///          '---------------------------------------+---' end of the frame: event if it ends the message
/// ```
#[derive(Debug)]
pub(crate) struct Receiver {
    stage: Stage,
    /// The message of which the last fragment is still to come.
    message: Option<MessageType>,
    role: Role,
    delivery: Delivery,
    /// Payload bytes announced for the open message by all frame headers so far.
    length: u64,
    max_frame: u64,
    max_message: u64,
    /// The lesser of the two, as far as it fits into 16 bits.
    max_whole: u16,
    /// Whether a part of a message has been taken in since this was last asked.
    progress: bool,
    /// The receiving half of the negotiated extension, if it was agreed on.
    pub(super) inflation: Option<Boxed<Inflation>>,
}

#[derive(Debug)]
enum Stage {
    /// At the beginning of a frame.
    Header,
    /// Inside the payload of a data frame: what is left of it, and the key for the next byte.
    Payload {
        remaining: u64,
        key: [u8; 4],
        fin: bool,
    },
    /// Nothing more is read: no event can follow, or the end of the current frame cannot be known.
    Lost,
}

/// Where an event's bytes lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    /// Not validated yet: making the `str` at the edge does it.
    Text(Store, Span, bool),
    Binary(Store, Span, bool),
    /// Text that was put together from several pieces, validated as they came.
    JoinedText,
    Ping(Span),
    Pong(Span),
    Close(Span),
}

impl Receiver {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        Self {
            stage: Stage::Header,
            message: None,
            role,
            delivery: config.delivery,
            length: 0,
            max_frame: config.max_frame_size,
            max_message: config.message_limit(),
            max_whole: u16::try_from(config.max_frame_size.min(config.max_message_size))
                .unwrap_or(u16::MAX),
            progress: false,
            inflation: None,
        }
    }

    /// The next event, or `None` if it needs more bytes than there are.
    pub(crate) fn next(
        &mut self,
        buffer: &mut ReadBuffer,
    ) -> Result<Option<Received>, ProtocolError> {
        loop {
            let progress = match self.stage {
                Stage::Header => {
                    self.join_fragments(buffer)?;
                    self.read_header(buffer).inspect_err(|_| {
                        // As in `failed`, for a Close frame with a wrong header.
                        let opcode = buffer.unread().first().map_or(0, |byte| byte & 0xf);
                        if opcode == Opcode::Close.bits() {
                            self.stage = Stage::Lost;
                        }
                    })?
                }
                Stage::Payload { .. } => self.read_payload(buffer)?,
                Stage::Lost => Progress::Incomplete,
            };
            match progress {
                Progress::Event(received) => return Ok(Some(received)),
                Progress::Incomplete => return Ok(None),
                Progress::Continue => {}
            }
        }
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// Whether a part of a message has been taken in since this was last asked, if only a header. Control frames do not count: where one
    /// can come, the Pong that is awaited could have come as well.
    pub(crate) const fn take_progress(&mut self) -> bool {
        let progress = self.progress;
        if progress {
            self.progress = false;
        }
        progress
    }

    /// Nothing more is received: the peer sent a Close frame, or the stream has ended.
    pub(crate) fn end(&mut self) {
        self.stage = Stage::Lost;
        self.abandon_message();
    }

    /// The rest of the open message will not be taken in.
    pub(crate) fn abandon_message(&mut self) {
        self.message = None;
        if let Some(inflation) = &mut self.inflation {
            inflation.abandon();
        }
    }

    fn read_header(&mut self, buffer: &mut ReadBuffer) -> Result<Progress, ProtocolError> {
        let bytes = buffer.unread();
        // Everything the first two bytes can show is refused before the length is looked at, and the
        // length before the masking key, so that a violation is met at the same byte however it is cut.
        let Some(start) = FrameStart::parse(bytes)? else {
            return Ok(Progress::Incomplete);
        };
        self.check(start)?;
        let Some(length) = start.payload_length(bytes)? else {
            return Ok(Progress::Incomplete);
        };
        if !start.opcode.is_control() {
            self.check_length(start, length)?;
        }
        let size = start.header_size();
        let Some(header) = bytes.get(..size) else {
            return Ok(Progress::Incomplete);
        };
        let key = if start.masked {
            header.last_chunk().copied().unwrap_or_default()
        } else {
            [0; 4]
        };

        if start.opcode.is_control() {
            return Ok(read_control(
                start.opcode,
                size,
                at_most(length, MAX_CONTROL_PAYLOAD),
                key,
                buffer,
            ));
        }
        buffer.consume(size);
        self.progress = true;
        if let Some(message) = MessageType::from_opcode(start.opcode) {
            self.message = Some(message);
            if let Some(inflation) = &mut self.inflation {
                inflation.begin(start.rsv == FrameHeader::RSV1);
            }
            // Nothing of an earlier message is left, unless the caller mixed up two buffers.
            let store = self.store();
            buffer.store(store).release(usize::MAX);
            buffer.close_joined();
        }
        if self.store() == Store::Wire {
            self.length = self.length.saturating_add(length);
        }
        self.stage = Stage::Payload {
            remaining: length,
            key,
            fin: start.fin,
        };
        Ok(Progress::Continue)
    }

    /// The rules that the first two bytes decide, beyond those no connection could allow.
    fn check(&self, start: FrameStart) -> Result<(), ProtocolError> {
        // Section 5.2: a reserved bit fails the connection unless an extension defines it.
        if start.rsv != 0 && !self.is_compressed(start) {
            return Err(ProtocolError::ReservedBits);
        }
        // Section 5.1: a server refuses frames that are not masked, a client frames that are.
        match (self.role, start.masked) {
            (Role::Server, false) => return Err(ProtocolError::UnmaskedFrame),
            (Role::Client, true) => return Err(ProtocolError::MaskedFrame),
            _ => {}
        }
        // Section 5.4: fragments of messages are never interleaved; control frames may stand between.
        match (start.opcode, self.message) {
            (Opcode::Continuation, None) => Err(ProtocolError::UnexpectedContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(ProtocolError::ExpectedContinuation),
            _ => Ok(()),
        }
    }

    /// Whether the first frame of a message says that it is compressed (RFC 7692 section 6).
    fn is_compressed(&self, start: FrameStart) -> bool {
        self.inflation.is_some()
            && start.rsv == FrameHeader::RSV1
            && matches!(start.opcode, Opcode::Text | Opcode::Binary)
    }

    /// The limits, before any payload is taken in (section 10.4).
    fn check_length(&self, start: FrameStart, length: u64) -> Result<(), ProtocolError> {
        // A compressed message is measured as it is decompressed.
        let compressed =
            self.is_compressed(start) || (self.message.is_some() && self.store() != Store::Wire);
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

    /// Takes in what there is of the current frame's payload.
    #[expect(clippy::arithmetic_side_effects, reason = "`n` is at most `remaining`")]
    fn read_payload(&mut self, buffer: &mut ReadBuffer) -> Result<Progress, ProtocolError> {
        if self.store() == Store::Inflated {
            return self.read_compressed(buffer);
        }
        let Stage::Payload {
            remaining,
            key,
            fin,
        } = &mut self.stage
        else {
            return Ok(Progress::Incomplete);
        };
        let n = at_most(*remaining, buffer.unread().len());
        self.progress |= n > 0;
        let piece = buffer.hold(n);
        if self.role == Role::Server {
            apply_mask(buffer.slice_mut(piece), *key, 0);
            *key = rotate(*key, n);
        }
        *remaining -= n as u64;
        // Parts of messages are not held until the message is whole.
        let holds = *fin && self.delivery == Delivery::Messages;
        buffer.set_missing(if holds { *remaining } else { 0 });
        self.deliver(buffer, Store::Wire)
    }

    /// Where the open message is put together.
    fn store(&self) -> Store {
        match &self.inflation {
            Some(inflation) if inflation.is_compressed() => Store::Inflated,
            _ => Store::Wire,
        }
    }

    fn max_message(&self) -> usize {
        usize::try_from(self.max_message).unwrap_or(usize::MAX)
    }
}

impl Receiver {
    /// After more payload was taken in: the event it completes, if any.
    fn deliver(
        &mut self,
        buffer: &mut ReadBuffer,
        store: Store,
    ) -> Result<Progress, ProtocolError> {
        let (Stage::Payload { remaining, fin, .. }, Some(message)) = (&self.stage, self.message)
        else {
            return Ok(Progress::Incomplete);
        };
        let (frame_ends, message_ends) = (*remaining == 0, *remaining == 0 && *fin);
        if frame_ends {
            self.stage = Stage::Header;
        }
        let event = if message_ends {
            self.message = None;
            self.length = 0;
            Some(self.whole(buffer, store, message)?)
        } else if self.delivery == Delivery::Chunks {
            self.chunk(buffer, store)
        } else {
            self.join(buffer, store)?;
            None
        };
        Ok(match event {
            Some(received) => Progress::Event(received),
            None if frame_ends => Progress::Continue,
            None => Progress::Incomplete,
        })
    }

    /// The message, or what of it was not delivered yet, now that it ends.
    fn whole(
        &self,
        buffer: &mut ReadBuffer,
        store: Store,
        message: MessageType,
    ) -> Result<Received, ProtocolError> {
        let last = buffer.store(store).release(usize::MAX);
        if !buffer.is_joining() {
            buffer.close_joined();
            return Ok(received(message, store, last, true));
        }
        buffer.join_text(store, last, self.max_message())?;
        buffer.close_joined();
        Ok(Received::JoinedText)
    }

    /// Puts what has come of a text message to what came of it before, without the beginning of a character. So wrong
    /// text fails at the wrong byte and not at the end of its message (section 8.1).
    pub(super) fn join(&self, buffer: &mut ReadBuffer, store: Store) -> Result<(), ProtocolError> {
        /// What of it is validated once more is still in the nearest cache then.
        const SHORT: u64 = 32 << 10;
        // Binary data is joined where it lies.
        if self.message != Some(MessageType::Text) {
            return Ok(());
        }
        let is_short = matches!(self.stage, Stage::Payload { fin: true, .. })
            && store == Store::Wire
            && self.length <= SHORT;
        if is_short && buffer.leaves_text() {
            return Ok(());
        }
        if let Some(Received::Text(_, span, _)) = self.chunk(buffer, store) {
            buffer.join_text(store, span, self.max_message())?;
        }
        Ok(())
    }

    /// What has come of the message and is not delivered yet, without the beginning of a character.
    pub(super) fn chunk(&self, buffer: &mut ReadBuffer, store: Store) -> Option<Received> {
        let message = self.message?;
        let buffer = buffer.store(store);
        let held = buffer.slice(buffer.held());
        let whole = match message {
            MessageType::Text => utf8::last_boundary(held),
            MessageType::Binary => held.len(),
        };
        (whole > 0).then(|| received(message, store, buffer.release(whole), false))
    }
}

const fn received(message: MessageType, store: Store, span: Span, fin: bool) -> Received {
    match message {
        MessageType::Text => Received::Text(store, span, fin),
        MessageType::Binary => Received::Binary(store, span, fin),
    }
}

impl Receiver {
    /// The connection has failed. A Close frame that was itself refused is the end of what is read: it is
    /// no Close frame for the record, and no other can follow it.
    pub(crate) fn failed(&mut self, error: ProtocolError) {
        self.abandon_message();
        if matches!(
            error,
            ProtocolError::CloseTooShort
                | ProtocolError::InvalidCloseCode(_)
                | ProtocolError::InvalidCloseReason
        ) {
            self.stage = Stage::Lost;
        }
    }

    /// Reads on after a failure, dropping everything, to learn whether the peer sent a Close frame.
    ///
    /// Section 7.1.7 forbids to act on what still comes; how the connection ended is for the record only.
    #[expect(clippy::arithmetic_side_effects, reason = "`n` is at most `remaining`")]
    pub(crate) fn discard<'b>(&mut self, buffer: &'b mut ReadBuffer) -> Option<CloseFrame<'b>> {
        buffer.release_all();
        let close = loop {
            match &mut self.stage {
                Stage::Lost => {
                    buffer.clear();
                    return None;
                }
                Stage::Payload { remaining, .. } => {
                    let n = at_most(*remaining, buffer.unread().len());
                    buffer.consume(n);
                    *remaining -= n as u64;
                    if *remaining > 0 {
                        return None;
                    }
                    self.stage = Stage::Header;
                }
                Stage::Header => match FrameHeader::parse(buffer.unread()) {
                    Err(_) => self.stage = Stage::Lost,
                    Ok(None) => return None,
                    Ok(Some((header, size))) if header.opcode == Opcode::Close => {
                        let key = header.masking_key.unwrap_or_default();
                        let Progress::Event(Received::Close(payload)) = read_control(
                            header.opcode,
                            size,
                            at_most(header.payload_length, MAX_CONTROL_PAYLOAD),
                            key,
                            buffer,
                        ) else {
                            return None;
                        };
                        break payload;
                    }
                    Ok(Some((header, size))) => {
                        buffer.consume(size);
                        self.stage = Stage::Payload {
                            remaining: header.payload_length,
                            key: [0; 4],
                            fin: true,
                        };
                    }
                },
            }
        };
        self.stage = Stage::Lost;
        CloseFrame::parse(buffer.slice(close)).ok()
    }
}

pub(super) enum Progress {
    Event(Received),
    /// More bytes are needed.
    Incomplete,
    /// A part of the wire format is done and no event with it.
    Continue,
}

/// The smaller of a length on the wire and one in memory.
fn at_most(length: u64, limit: usize) -> usize {
    usize::try_from(length).map_or(limit, |length| length.min(limit))
}

/// Takes a control frame once it is whole, which costs 139 bytes of buffer at most.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a header and a control payload take 139 bytes at most"
)]
#[expect(
    clippy::inline_always,
    reason = "it has one caller, and is of the size from which on that is no longer enough"
)]
#[inline(always)]
fn read_control(
    opcode: Opcode,
    size: usize,
    length: usize,
    key: [u8; 4],
    buffer: &mut ReadBuffer,
) -> Progress {
    if buffer.unread().len() < size + length {
        return Progress::Incomplete;
    }
    buffer.consume(size);
    let payload = buffer.consume(length);
    apply_mask(buffer.slice_mut(payload), key, 0);
    Progress::Event(match opcode {
        Opcode::Close => Received::Close(payload),
        Opcode::Ping => Received::Ping(payload),
        _ => Received::Pong(payload),
    })
}
