//! The receiving rules of RFC 6455 once more, with a switch for everything that another receiver does otherwise.
//!
//! With all switches off it must be the oracle, with all of a peer's on it must be that peer: the same
//! events, the same end and the same replies. A switch that is needed for that explains a difference.

use sockless::test_util::{OwnedEvent, Role};

use crate::differences::{Class, Classes};
use crate::frame::{Frame, Moment};
use crate::outcome::{Outcome, TOO_LONG};
use crate::peers::Peer;
use crate::stream::Stream;

/// What comes of the stream if the receiver departs from the RFC, or from sockless, in these classes.
pub fn predict(peer: Peer, on: Classes, stream: &Stream) -> Outcome {
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
    peer: Peer,
    on: Classes,
    server: bool,
    max_frame: u64,
    max_message: u64,
    message: Option<Message>,
    /// A Close frame has come.
    closed: bool,
    outcome: Outcome,
}

struct Message {
    text: bool,
    bytes: Vec<u8>,
}

/// What is looked at after a frame.
enum Next {
    Frame,
    /// The frame is not whole yet, or was the last one.
    Nothing,
}

/// Its close code.
struct Violation(u16);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Nothing comes after a Close frame.
    End,
    ReservedBits,
    Opcode,
    Unmasked,
    Masked,
    FragmentedControl,
    ControlTooLong,
    LengthForm,
    TopBit,
    FrameLimit,
    MessageLimit,
    /// A continuation needs a message.
    Unexpected,
    /// A message in fragments needs continuations.
    Expected,
    /// Text in one frame is UTF-8. For a receiver that looks at this apart from all other text.
    TextFrame,
}

/// Which rules are looked at when, in their order.
type Schedule = [(Moment, &'static [Rule])];

/// As soon as a frame shows the violation, as the oracle does.
const PROMPT: &Schedule = &[
    (
        Moment::Start,
        &[
            Rule::ReservedBits,
            Rule::Opcode,
            Rule::Unmasked,
            Rule::Masked,
            Rule::Unexpected,
            Rule::Expected,
            Rule::FragmentedControl,
            Rule::ControlTooLong,
        ],
    ),
    (
        Moment::Length,
        &[
            Rule::ControlTooLong,
            Rule::LengthForm,
            Rule::TopBit,
            Rule::FrameLimit,
            Rule::MessageLimit,
        ],
    ),
    (Moment::Whole, &[Rule::End]),
];

const TUNGSTENITE: &Schedule = &[
    (
        Moment::Header,
        &[
            Rule::Opcode,
            Rule::LengthForm,
            Rule::TopBit,
            Rule::FrameLimit,
        ],
    ),
    (
        Moment::Whole,
        &[
            Rule::Unmasked,
            Rule::End,
            Rule::ReservedBits,
            Rule::Masked,
            Rule::FragmentedControl,
            Rule::ControlTooLong,
            Rule::Unexpected,
            Rule::Expected,
            Rule::MessageLimit,
        ],
    ),
];

const FASTWEBSOCKETS: &Schedule = &[
    (
        Moment::Start,
        &[
            Rule::ReservedBits,
            Rule::Opcode,
            Rule::Unmasked,
            Rule::Masked,
        ],
    ),
    (
        Moment::Header,
        &[
            Rule::LengthForm,
            Rule::TopBit,
            Rule::FragmentedControl,
            Rule::ControlTooLong,
            Rule::FrameLimit,
        ],
    ),
    (
        Moment::Whole,
        &[
            Rule::TextFrame,
            Rule::Unexpected,
            Rule::Expected,
            Rule::MessageLimit,
        ],
    ),
];

const WSPROTO: &Schedule = &[
    (
        Moment::Start,
        &[Rule::Opcode, Rule::FragmentedControl, Rule::ControlTooLong],
    ),
    (
        Moment::Length,
        &[
            Rule::LengthForm,
            Rule::TopBit,
            Rule::ReservedBits,
            Rule::Unmasked,
            Rule::Masked,
            Rule::FrameLimit,
            Rule::MessageLimit,
        ],
    ),
    (Moment::Payload, &[Rule::Unexpected, Rule::Expected]),
];

impl Model {
    fn schedule(&self) -> &'static Schedule {
        match self.peer {
            _ if !self.on(Class::LateRules) => PROMPT,
            Peer::Tungstenite => TUNGSTENITE,
            Peer::Fastwebsockets => FASTWEBSOCKETS,
            Peer::Wsproto => WSPROTO,
        }
    }

    fn on(&self, class: Class) -> bool {
        self.on.contains(class)
    }

    fn receive(&mut self, frame: &Frame) -> Result<Next, Violation> {
        for (moment, rules) in self.schedule() {
            for rule in *rules {
                if frame.has_reached(*moment) && self.is_broken(*rule, frame) {
                    return Err(Violation(match rule {
                        Rule::FrameLimit | Rule::MessageLimit => 1009,
                        Rule::TextFrame => 1007,
                        _ => 1002,
                    }));
                }
            }
        }
        if frame.is_control() {
            self.receive_control(frame)
        } else {
            self.receive_data(frame)
        }
    }

    fn is_broken(&self, rule: Rule, frame: &Frame) -> bool {
        let length = frame.length.unwrap_or_default();
        let data = !frame.is_control();
        let limits = !self.on(Class::NoLimits);
        match rule {
            Rule::End => self.closed,
            Rule::ReservedBits => frame.rsv,
            Rule::Opcode => !matches!(frame.opcode, 0..=2 | 8..=10),
            Rule::Unmasked => self.server && !frame.masked && !self.on(Class::TakesUnmasked),
            Rule::Masked => !self.server && frame.masked && !self.on(Class::TakesMasked),
            Rule::FragmentedControl => !data && !frame.fin,
            Rule::ControlTooLong if self.on(Class::LongCloseAndPong) && frame.opcode != 9 => false,
            // Where any form of a length will do, its value decides, otherwise its form does.
            Rule::ControlTooLong if self.on(Class::AnyLengthForm) => !data && length > 125,
            Rule::ControlTooLong => !data && frame.short_length > 125,
            Rule::LengthForm => length < frame.least_length() && !self.on(Class::AnyLengthForm),
            Rule::TopBit => length >= 1 << 63 && !self.on(Class::TopBitTooBig),
            Rule::FrameLimit => limits && length > self.max_frame,
            Rule::MessageLimit => {
                let before = match &self.message {
                    Some(message) if frame.opcode == 0 => message.bytes.len() as u64,
                    _ => 0,
                };
                let limited = limits && data && !self.on(Class::NoMessageLimit);
                limited && before.saturating_add(length) > self.max_message
            }
            Rule::Unexpected => frame.opcode == 0 && self.message.is_none(),
            Rule::Expected => {
                let replaces = self.on(Class::MessageReplacesMessage) && !frame.fin;
                matches!(frame.opcode, 1 | 2) && self.message.is_some() && !replaces
            }
            Rule::TextFrame => {
                frame.opcode == 1 && frame.fin && str::from_utf8(&frame.payload).is_err()
            }
        }
    }

    fn receive_data(&mut self, frame: &Frame) -> Result<Next, Violation> {
        let mut message = match (frame.opcode, &self.message) {
            (0, Some(message)) => Message {
                text: message.text,
                bytes: message.bytes.clone(),
            },
            (0, None) => return Ok(Next::Nothing),
            (opcode, _) => Message {
                text: opcode == 1,
                bytes: Vec::new(),
            },
        };
        message.bytes.extend_from_slice(&frame.payload);
        if message.text && (frame.is_whole() || !self.on(Class::LateUtf8)) {
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

    /// RFC 6455 section 8.1.
    fn check_text(&self, bytes: &mut Vec<u8>, end: bool, frame: &Frame) -> Result<(), Violation> {
        match str::from_utf8(bytes) {
            Err(error) if error.error_len().is_some() => {
                let begun = matches!(bytes[error.valid_up_to()..], [0xed, 0xa0..=0xbf]);
                if begun && !end && self.on(Class::LateSurrogates) {
                    Ok(())
                } else {
                    Err(Violation(1007))
                }
            }
            Err(error) if end => {
                if !self.on(Class::CutCharacterDropped) || frame.opcode != 0 {
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
                if !self.on(Class::PingNotDelivered) {
                    self.outcome.events.push(OwnedEvent::ping(payload));
                }
                self.outcome.replies.push(OwnedEvent::pong(payload));
            }
            _ => self.outcome.events.push(OwnedEvent::pong(payload)),
        }
        Ok(Next::Frame)
    }

    /// RFC 6455 sections 5.5.1, 7.1.5 and 7.4.
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
            1014 => !self.on(Class::Refuses1014),
            _ => matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999),
        };
        let delivered = if legal {
            OwnedEvent::close(code, reason?)
        } else {
            if self.on(Class::ReasonBeforeCode) {
                reason?;
            }
            if !self.on(Class::InvalidCodeReplaced) {
                // fastwebsockets tells of this violation only.
                if self.on(Class::NoCloseFrame) && self.peer == Peer::Fastwebsockets {
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
        Ok(if self.on(Class::RefusesAfterClose) && !self.server {
            Next::Frame
        } else {
            Next::Nothing
        })
    }

    /// RFC 6455 section 7.1.7.
    fn refuse(&mut self, Violation(code): Violation) {
        self.outcome.refused = Some(code);
        if !self.closed && !self.on(Class::NoCloseFrame) {
            self.outcome.replies.push(OwnedEvent::close(code, ""));
        }
    }
}
