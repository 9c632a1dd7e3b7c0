//! Bytes to messages: the receiving rules (RFC 6455 sections 5.1 to 5.6, 6.2 and 8.1).

use crate::close::CloseFrame;
use crate::config::{Config, Delivery};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, FrameStart, MAX_CONTROL_PAYLOAD, MessageType, Opcode};
use crate::mask::{apply_mask, rotate};
use crate::read_buffer::{ReadBuffer, Span};
use crate::role::Role;
use crate::utf8;

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
    /// How many bytes at the end of the held text are the beginning of a character: 3 at most.
    unfinished: u8,
    role: Role,
    delivery: Delivery,
    /// Payload bytes announced for the open message by all frame headers so far.
    length: u64,
    max_frame: u64,
    max_message: u64,
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
    /// The end of the current frame cannot be known, so nothing more can be read.
    Lost,
}

/// Where an event's bytes lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    /// Not validated yet: making the `str` at the edge does it.
    Text(Span, bool),
    Binary(Span, bool),
    Ping(Span),
    Pong(Span),
    Close(Span),
}

impl Receiver {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        Self {
            stage: Stage::Header,
            message: None,
            unfinished: 0,
            role,
            delivery: config.delivery,
            length: 0,
            max_frame: config.max_frame_size as u64,
            max_message: config.max_message_size as u64,
        }
    }

    /// The next event, or `None` if it needs more bytes than there are.
    pub(crate) fn next(
        &mut self,
        buffer: &mut ReadBuffer,
    ) -> Result<Option<Received>, ProtocolError> {
        loop {
            let progress = match self.stage {
                Stage::Header => self.read_header(buffer).inspect_err(|_| {
                    // As in `failed`, for a Close frame with a wrong header.
                    let opcode = buffer.unread().first().map_or(0, |byte| byte & 0xf);
                    if opcode == Opcode::Close.bits() {
                        self.stage = Stage::Lost;
                    }
                })?,
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
            self.check_length(length)?;
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
        self.length = self.length.saturating_add(length);
        if let Some(message) = MessageType::from_opcode(start.opcode) {
            // Nothing of an earlier message is left, unless the caller mixed up two buffers.
            buffer.release(usize::MAX);
            self.message = Some(message);
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
        if start.rsv != 0 {
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

    /// The limits, before any payload is taken in (section 10.4).
    fn check_length(&self, length: u64) -> Result<(), ProtocolError> {
        if length > self.max_frame {
            return Err(ProtocolError::FrameTooLarge);
        }
        if self.length.saturating_add(length) > self.max_message {
            return Err(ProtocolError::MessageTooLarge);
        }
        Ok(())
    }

    /// Takes in what there is of the current frame's payload.
    fn read_payload(&mut self, buffer: &mut ReadBuffer) -> Result<Progress, ProtocolError> {
        let (
            Stage::Payload {
                remaining,
                key,
                fin,
            },
            Some(message),
        ) = (&mut self.stage, self.message)
        else {
            return Ok(Progress::Incomplete);
        };
        let n = at_most(*remaining, buffer.unread().len());
        let piece = buffer.hold(n);
        if self.role == Role::Server {
            apply_mask(buffer.slice_mut(piece), *key, 0);
            *key = rotate(*key, n);
        }
        *remaining -= n as u64;
        let frame_ends = *remaining == 0;
        let message_ends = frame_ends && *fin;
        if frame_ends {
            self.stage = Stage::Header;
        }

        let event = if message_ends {
            self.message = None;
            self.unfinished = 0;
            self.length = 0;
            Some(received(message, buffer.release(usize::MAX), true))
        } else {
            match self.delivery {
                Delivery::Messages => {
                    if message == MessageType::Text {
                        self.validate(buffer, n)?;
                    }
                    None
                }
                Delivery::Chunks => {
                    let held = buffer.slice(buffer.held());
                    let whole = if message == MessageType::Text {
                        utf8::last_boundary(held)
                    } else {
                        held.len()
                    };
                    (whole > 0).then(|| received(message, buffer.release(whole), false))
                }
            }
        };
        Ok(match event {
            Some(received) => Progress::Event(received),
            None if frame_ends => Progress::Continue,
            None => Progress::Incomplete,
        })
    }

    /// Validates the last `n` bytes of the held text, together with the character they may continue, so
    /// that wrong text fails at the wrong byte and not at the end of its message (section 8.1).
    fn validate(&mut self, buffer: &ReadBuffer, n: usize) -> Result<(), ProtocolError> {
        let text = buffer.slice(buffer.held());
        let fresh = &text[text.len().saturating_sub(n + usize::from(self.unfinished))..];
        let complete = utf8::complete_length(fresh)?;
        // At most 3, so that the conversion never fails.
        self.unfinished = u8::try_from(fresh.len() - complete).unwrap_or(3);
        Ok(())
    }

    /// The connection has failed. A Close frame that was itself refused is the end of what is read: it is
    /// no Close frame for the record, and no other can follow it.
    pub(crate) fn failed(&mut self, error: ProtocolError) {
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
    pub(crate) fn discard<'b>(&mut self, buffer: &'b mut ReadBuffer) -> Option<CloseFrame<'b>> {
        buffer.release(usize::MAX);
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

enum Progress {
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

const fn received(message: MessageType, span: Span, fin: bool) -> Received {
    match message {
        MessageType::Text => Received::Text(span, fin),
        MessageType::Binary => Received::Binary(span, fin),
    }
}
