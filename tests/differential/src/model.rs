//! The receiving rules of RFC 6455 a second time, with a switch for everything that another receiver does differently.
//!
//! With all switches off, the model must give the outcome of the oracle. With all switches of a peer on, it must give the
//! outcome of that peer: the same events, the same refusal and the same replies. A switch that this needs explains a
//! difference.

use sockless::test_util::{OwnedEvent, Role};

use crate::frame::{Frame, Moment};
use crate::outcome::{Outcome, TOO_LONG};
use crate::peers::Name;
use crate::stream::Stream;
use crate::table::{Switch, Switches};

/// Returns the outcome of the stream for a receiver with these switches.
pub fn predict(peer: Name, on: Switches, stream: &Stream) -> Outcome {
    let mut model = Model {
        peer,
        on,
        server: stream.role == Role::Server,
        max_frame: stream.limits.max_frame() as u64,
        max_message: stream.limits.max_message() as u64,
        message: None,
        closed: false,
        outcome: Outcome::default(),
    };
    let mut rest = &stream.bytes[..];
    while let Some(frame) = Frame::read(rest, model.server) {
        match model.receive(&frame) {
            Ok(Next::Frame) => rest = &rest[frame.size..],
            Ok(Next::Nothing) => break,
            Err(violation) => {
                model.refuse(violation);
                break;
            }
        }
    }
    model.outcome
}

struct Model {
    peer: Name,
    on: Switches,
    server: bool,
    max_frame: u64,
    max_message: u64,
    message: Option<Message>,
    /// Whether a Close frame came.
    closed: bool,
    outcome: Outcome,
}

#[derive(Clone)]
struct Message {
    text: bool,
    bytes: Vec<u8>,
}

enum Next {
    Frame,
    /// The frame is incomplete or the last one.
    Nothing,
}

/// The close code of a violation.
struct Violation(u16);

/// How much of a frame must have come before a receiver checks a rule.
struct Schedule {
    reserved_bits: Moment,
    opcode: Moment,
    masking: Moment,
    /// Whether a control frame is a fragment.
    control_fin: Moment,
    control_length: Moment,
    length_form: Moment,
    frame_limit: Moment,
    message_limit: Moment,
    /// The order of fragments.
    order: Moment,
}

/// Every rule as soon as the frame shows a violation, as in the oracle.
const PROMPT: Schedule = Schedule {
    reserved_bits: Moment::Start,
    opcode: Moment::Start,
    masking: Moment::Start,
    control_fin: Moment::Start,
    control_length: Moment::Start,
    length_form: Moment::Length,
    frame_limit: Moment::Length,
    message_limit: Moment::Length,
    order: Moment::Start,
};

const TUNGSTENITE: Schedule = Schedule {
    reserved_bits: Moment::Whole,
    opcode: Moment::Header,
    masking: Moment::Whole,
    control_fin: Moment::Whole,
    control_length: Moment::Whole,
    length_form: Moment::Header,
    frame_limit: Moment::Header,
    message_limit: Moment::Whole,
    order: Moment::Whole,
};

const FASTWEBSOCKETS: Schedule = Schedule {
    control_fin: Moment::Header,
    control_length: Moment::Header,
    length_form: Moment::Header,
    frame_limit: Moment::Header,
    message_limit: Moment::Whole,
    order: Moment::Whole,
    ..PROMPT
};

const WSPROTO: Schedule = Schedule {
    reserved_bits: Moment::Length,
    masking: Moment::Length,
    order: Moment::Payload,
    ..PROMPT
};

impl Model {
    fn on(&self, switch: Switch) -> bool {
        self.on.contains(switch)
    }

    fn receive(&mut self, frame: &Frame) -> Result<Next, Violation> {
        if let Some(code) = self.violation(frame) {
            return Err(Violation(code));
        }
        if frame.is_control() {
            self.receive_control(frame)
        } else {
            self.receive_data(frame)
        }
    }

    /// The close code of the first rule that the frame breaks, in the order in which this receiver checks the rules.
    fn violation(&self, frame: &Frame) -> Option<u16> {
        let late = self.on(Switch::LateRules);
        let at = match self.peer {
            _ if !late => PROMPT,
            Name::Tungstenite => TUNGSTENITE,
            Name::Fastwebsockets => FASTWEBSOCKETS,
            Name::Wsproto => WSPROTO,
        };
        let length = frame.length.unwrap_or_default();
        let control = frame.is_control();
        let opcode = frame.opcode;
        // fastwebsockets checks text in one frame apart from other text.
        let text_frame = late && self.peer == Name::Fastwebsockets && opcode == 1 && frame.fin;
        let invalid_text = text_frame && str::from_utf8(&frame.payload).is_err();
        let wrong_mask = if self.server {
            !frame.masked && !self.on(Switch::TakesUnmasked)
        } else {
            frame.masked && !self.on(Switch::TakesMasked)
        };
        // A receiver that accepts any form of the length checks its value. The others check its form.
        let (at_control_length, long) = if self.on(Switch::AnyLengthForm) {
            (at.control_length.max(Moment::Length), length > 125)
        } else {
            (at.control_length, frame.short_length > 125)
        };
        let takes_long = self.on(Switch::LongCloseAndPong) && opcode != 9;
        let wrong_form = length < frame.least_length() && !self.on(Switch::AnyLengthForm);
        let too_large = length >= 1 << 63 && !self.on(Switch::TopBitTooBig);
        let limits = !self.on(Switch::NoLimits);
        let before = match &self.message {
            Some(message) if opcode == 0 => message.bytes.len() as u64,
            _ => 0,
        };
        let message_limit = limits && !control && !self.on(Switch::NoMessageLimit);
        let replaces = self.on(Switch::MessageReplacesMessage) && !frame.fin;
        let wrong_order = match (opcode, &self.message) {
            (0, message) => message.is_none(),
            (1 | 2, Some(_)) => !replaces,
            _ => false,
        };
        // RFC 6455: section 8.1, UTF-8; 5.5.1, nothing after a Close frame; 5.2, reserved bits, opcodes and lengths; 5.1,
        // masking; 5.5, control frames; 5.4, order of fragments; 10.4, limits.
        let rules = [
            (Moment::Whole, invalid_text, 1007),
            (Moment::Whole, self.closed, 1002),
            (at.reserved_bits, frame.rsv, 1002),
            (at.opcode, !matches!(opcode, 0..=2 | 8..=10), 1002),
            (at.masking, wrong_mask, 1002),
            (at.control_fin, control && !frame.fin, 1002),
            (at_control_length, control && long && !takes_long, 1002),
            (at.length_form, wrong_form || too_large, 1002),
            (at.order, wrong_order, 1002),
            (at.frame_limit, limits && length > self.max_frame, 1009),
            (
                at.message_limit,
                message_limit && before.saturating_add(length) > self.max_message,
                1009,
            ),
        ];
        let broken = rules
            .iter()
            .filter(|(at, broken, _)| *broken && frame.has_reached(*at));
        let (_, _, code) = broken.min_by_key(|(at, ..)| *at)?;
        Some(*code)
    }

    fn receive_data(&mut self, frame: &Frame) -> Result<Next, Violation> {
        let mut message = match (frame.opcode, &self.message) {
            (0, Some(message)) => message.clone(),
            // The violation shows in later bytes.
            (0, None) => return Ok(Next::Nothing),
            (opcode, _) => Message {
                text: opcode == 1,
                bytes: Vec::new(),
            },
        };
        message.bytes.extend_from_slice(&frame.payload);
        if message.text && (frame.is_whole() || !self.on(Switch::LateUtf8)) {
            let end = frame.is_whole() && frame.fin;
            self.check_text(&mut message.bytes, end, frame)?;
        }
        if !frame.is_whole() {
            return Ok(Next::Nothing);
        }
        if !frame.fin {
            self.message = Some(message);
            return Ok(Next::Frame);
        }
        self.message = None;
        self.outcome.events.push(if message.text {
            OwnedEvent::text(str::from_utf8(&message.bytes).expect("checked to its end"))
        } else {
            OwnedEvent::Binary(message.bytes)
        });
        Ok(Next::Frame)
    }

    /// RFC 6455, section 8.1.
    fn check_text(&self, bytes: &mut Vec<u8>, end: bool, frame: &Frame) -> Result<(), Violation> {
        match str::from_utf8(bytes) {
            Err(error) if error.error_len().is_some() => {
                let begun = matches!(bytes[error.valid_up_to()..], [0xed, 0xa0..=0xbf]);
                if begun && !end && self.on(Switch::LateSurrogates) {
                    Ok(())
                } else {
                    Err(Violation(1007))
                }
            }
            Err(error) if end => {
                if !self.on(Switch::CutCharacterDropped) || frame.opcode != 0 {
                    return Err(Violation(1007));
                }
                bytes.truncate(error.valid_up_to());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn receive_control(&mut self, frame: &Frame) -> Result<Next, Violation> {
        if !frame.is_whole() {
            return Ok(Next::Nothing);
        }
        let payload = &frame.payload[..];
        match frame.opcode {
            8 => return self.receive_close(payload),
            9 => {
                if !self.on(Switch::PingNotDelivered) {
                    self.outcome.events.push(OwnedEvent::ping(payload));
                }
                self.outcome.replies.push(OwnedEvent::pong(payload));
            }
            _ => self.outcome.events.push(OwnedEvent::pong(payload)),
        }
        Ok(Next::Frame)
    }

    /// RFC 6455, sections 5.5.1, 7.1.5 and 7.4.
    fn receive_close(&mut self, payload: &[u8]) -> Result<Next, Violation> {
        let (code, reason) = match payload {
            [] => (1005, Ok("")),
            [_] => return Err(Violation(1002)),
            [high, low, reason @ ..] => (
                u16::from_be_bytes([*high, *low]),
                str::from_utf8(reason).map_err(|_| Violation(1007)),
            ),
        };
        let sent_back = if payload.len() > 125 { TOO_LONG } else { "" };
        let legal = match code {
            1005 => payload.is_empty(),
            1014 => !self.on(Switch::Refuses1014),
            _ => matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999),
        };
        let delivered = if legal {
            OwnedEvent::close(code, reason?)
        } else {
            if self.on(Switch::ReasonBeforeCode) {
                reason?;
            }
            if !self.on(Switch::InvalidCodeReplaced) {
                // fastwebsockets writes a Close frame for this violation only.
                if self.on(Switch::NoCloseFrame) && self.peer == Name::Fastwebsockets {
                    self.outcome
                        .replies
                        .push(OwnedEvent::close(1002, sent_back));
                }
                return Err(Violation(1002));
            }
            OwnedEvent::close(1002, "Protocol violation")
        };
        self.outcome.events.push(delivered);
        let code = if legal { code } else { 1002 };
        self.outcome
            .replies
            .push(OwnedEvent::close(code, sent_back));
        self.closed = true;
        Ok(if self.on(Switch::RefusesAfterClose) && !self.server {
            Next::Frame
        } else {
            Next::Nothing
        })
    }

    /// RFC 6455, section 7.1.7.
    fn refuse(&mut self, Violation(code): Violation) {
        self.outcome.refused = Some(code);
        if !self.closed && !self.on(Switch::NoCloseFrame) {
            self.outcome.replies.push(OwnedEvent::close(code, ""));
        }
    }
}
