//! Where the other receivers differ from sockless: every class of difference that there may be.

use sockless::test_util::Role;

use crate::peers::Peer;
use crate::stream::Limits;

/// One thing that a receiver does otherwise: a switch of the [model](crate::model).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    AnyLengthForm,
    TopBitTooBig,
    TakesUnmasked,
    TakesMasked,
    LongCloseAndPong,
    MessageReplacesMessage,
    CutCharacterDropped,
    NoCloseFrame,
    RefusesAfterClose,
    LateRules,
    LateUtf8,
    LateSurrogates,
    InvalidCodeReplaced,
    Refuses1014,
    ReasonBeforeCode,
    NoLimits,
    NoMessageLimit,
    PingNotDelivered,
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u32);

impl Classes {
    /// All in which this peer differs.
    pub fn of(peer: Peer) -> Self {
        DIFFERENCES
            .iter()
            .filter(|difference| difference.peer == peer)
            .fold(Self::default(), |all, difference| {
                all.with(difference.class)
            })
    }

    pub const fn contains(self, class: Class) -> bool {
        self.0 & 1 << class as u32 != 0
    }

    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u32)
    }

    #[must_use]
    pub const fn without(self, class: Class) -> Self {
        Self(self.0 & !(1 << class as u32))
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The RFC says that an endpoint must do otherwise.
    Violation,
    /// It takes what the RFC says must not be sent, without saying that a receiver must refuse it.
    Leniency,
    /// The RFC says that it should.
    Should,
    /// The RFC leaves it open, and both are right.
    Choice,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Leniency => "leniency",
            Self::Should => "SHOULD",
            Self::Choice => "choice",
        }
    }
}

/// A class of differences in one peer.
#[derive(Debug)]
pub struct Difference {
    pub peer: Peer,
    pub class: Class,
    pub kind: Kind,
    /// Which section decides it, or leaves it open.
    pub section: &'static str,
    /// What the peer does.
    pub theirs: &'static str,
    /// What sockless does.
    pub ours: &'static str,
    /// A stream that shows it.
    pub example: Example,
}

/// A stream in which a peer differs in one class, and in no other but `along`.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Who receives.
    pub role: Role,
    pub limits: Limits,
    /// Bytes in hexadecimal; `00*5` is five of them.
    pub bytes: &'static str,
    /// What cannot be had without it.
    pub along: &'static [Class],
}

impl Example {
    const fn new(role: Role, bytes: &'static str, along: &'static [Class]) -> Self {
        Self {
            role,
            limits: Limits::Default,
            bytes,
            along,
        }
    }

    const fn to_client(bytes: &'static str) -> Self {
        Self::new(Role::Client, bytes, &[])
    }

    const fn to_server(bytes: &'static str) -> Self {
        Self::new(Role::Server, bytes, &[])
    }

    const fn along(self, along: &'static [Class]) -> Self {
        Self { along, ..self }
    }

    const fn limited(self) -> Self {
        Self {
            limits: Limits::Small,
            ..self
        }
    }
}

/// All of them. Where a peer has a class, everything in it that this peer does must be what the model does.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        peer: Peer::Tungstenite,
        class: Class::AnyLengthForm,
        kind: Kind::Leniency,
        section: "RFC 6455 5.2",
        theirs: "takes a payload length in a longer form than it needs",
        ours: "refuses it with 1002",
        example: Example::to_client("82 7e 00 00"),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::NoCloseFrame,
        kind: Kind::Should,
        section: "RFC 6455 7.1.7",
        theirs: "when the peer breaks the protocol, writes no Close frame by itself; the application may",
        ours: "writes one with the code for the violation",
        example: Example::to_client("83 00"),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::LateRules,
        kind: Kind::Choice,
        section: "RFC 6455 7.1.7",
        theirs: "judges the opcode and the frame limit when the header is complete, all else when the frame \
                 is; of a frame with two faults it may name another one",
        ours: "judges each at the first byte that shows it",
        example: Example::to_client("c2 01"),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::LateUtf8,
        kind: Kind::Choice,
        section: "RFC 6455 8.1",
        theirs: "checks text for UTF-8 a whole frame at a time",
        ours: "checks it as it arrives",
        example: Example::to_client("81 02 ff"),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::InvalidCodeReplaced,
        kind: Kind::Choice,
        section: "RFC 6455 7.4",
        theirs: "takes a Close frame with a code that must not be sent for one with 1002, which it delivers \
                 and answers",
        ours: "delivers nothing, fails the connection and writes 1002",
        example: Example::to_client("88 02 03 ed"),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::Refuses1014,
        kind: Kind::Choice,
        section: "RFC 6455 7.4.2",
        theirs: "takes close code 1014, registered after the RFC, for invalid",
        ours: "takes it for valid",
        example: Example::to_client("88 02 03 f6").along(&[Class::InvalidCodeReplaced]),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::ReasonBeforeCode,
        kind: Kind::Choice,
        section: "RFC 6455 5.5.1",
        theirs: "of a Close frame with an invalid code and a reason that is not UTF-8, refuses the reason",
        ours: "refuses the code",
        example: Example::to_client("88 03 03 ed ff").along(&[Class::NoCloseFrame]),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::TopBitTooBig,
        kind: Kind::Choice,
        section: "RFC 6455 5.2",
        theirs: "refuses a payload length of 2^63 or more as over its limit",
        ours: "refuses it with 1002, as malformed",
        example: Example::to_client("82 7f 80 00*7").along(&[Class::NoCloseFrame]),
    },
    Difference {
        peer: Peer::Tungstenite,
        class: Class::RefusesAfterClose,
        kind: Kind::Choice,
        section: "RFC 6455 1.4",
        theirs: "as a client, reports a frame after the Close frame as an error",
        ours: "ignores it",
        example: Example::to_client("88 00 81 00"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::AnyLengthForm,
        kind: Kind::Leniency,
        section: "RFC 6455 5.2",
        theirs: "takes a payload length in a longer form than it needs",
        ours: "refuses it with 1002",
        example: Example::to_client("82 7e 00 00"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::TakesUnmasked,
        kind: Kind::Violation,
        section: "RFC 6455 5.1",
        theirs: "as a server, takes frames that are not masked",
        ours: "refuses them with 1002",
        example: Example::to_server("82 00"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::TakesMasked,
        kind: Kind::Violation,
        section: "RFC 6455 5.1",
        theirs: "as a client, takes masked frames, and delivers their payload masked",
        ours: "refuses them with 1002",
        example: Example::to_client("82 81 37 fa 21 3d 7f"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::LongCloseAndPong,
        kind: Kind::Violation,
        section: "RFC 6455 5.5",
        theirs: "takes Close and Pong frames with a payload of more than 125 bytes, and sends such a Close frame \
                 back whole",
        ours: "refuses them with 1002",
        example: Example::to_client("88 7e 00 7e 03 e8 61*124"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::MessageReplacesMessage,
        kind: Kind::Leniency,
        section: "RFC 6455 5.4",
        theirs: "when the first fragment of a message comes inside another message, drops that one silently",
        ours: "refuses it with 1002",
        example: Example::to_client("02 01 61 02 01 62 80 00"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::CutCharacterDropped,
        kind: Kind::Violation,
        section: "RFC 6455 8.1",
        theirs: "delivers text in fragments that ends inside a character, without those bytes",
        ours: "refuses it with 1007",
        example: Example::to_client("01 02 61 c3 80 00"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::NoCloseFrame,
        kind: Kind::Should,
        section: "RFC 6455 7.1.7",
        theirs: "when the peer breaks the protocol, writes no Close frame by itself, except for an invalid close \
                 code; the application may",
        ours: "writes one with the code for the violation",
        example: Example::to_client("83 00"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::LateRules,
        kind: Kind::Choice,
        section: "RFC 6455 7.1.7",
        theirs: "judges control frames and the frame limit when the header is complete, the order of fragments \
                 when the frame is; of a frame with two faults it may name another one",
        ours: "judges each at the first byte that shows it",
        example: Example::to_client("80 01"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::LateUtf8,
        kind: Kind::Choice,
        section: "RFC 6455 8.1",
        theirs: "checks text for UTF-8 a whole frame at a time",
        ours: "checks it as it arrives",
        example: Example::to_client("81 02 ff"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::Refuses1014,
        kind: Kind::Choice,
        section: "RFC 6455 7.4.2",
        theirs: "takes close code 1014, registered after the RFC, for invalid",
        ours: "takes it for valid",
        example: Example::to_client("88 02 03 f6"),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::ReasonBeforeCode,
        kind: Kind::Choice,
        section: "RFC 6455 5.5.1",
        theirs: "of a Close frame with an invalid code and a reason that is not UTF-8, refuses the reason",
        ours: "refuses the code",
        example: Example::to_client("88 03 03 ed ff").along(&[Class::NoCloseFrame]),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::TopBitTooBig,
        kind: Kind::Choice,
        section: "RFC 6455 5.2",
        theirs: "refuses a payload length of 2^63 or more as over its limit",
        ours: "refuses it with 1002, as malformed",
        example: Example::to_client("82 7f 80 00*7").along(&[Class::NoCloseFrame]),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::NoMessageLimit,
        kind: Kind::Choice,
        section: "RFC 6455 10.4",
        theirs: "holds its `max_message_size` against each frame, not against the message that they make up",
        ours: "limits frames and messages",
        example: Example::to_client("02 65 00*101 80 65 00*101").limited(),
    },
    Difference {
        peer: Peer::Fastwebsockets,
        class: Class::PingNotDelivered,
        kind: Kind::Choice,
        section: "RFC 6455 5.5.2",
        theirs: "answers a Ping without showing it to the application",
        ours: "answers it and delivers it",
        example: Example::to_client("89 00"),
    },
    Difference {
        peer: Peer::Wsproto,
        class: Class::LateRules,
        kind: Kind::Choice,
        section: "RFC 6455 7.1.7",
        theirs: "judges reserved bits and masking when the length is complete, the order of fragments at the \
                 first byte of payload",
        ours: "judges each at the first byte that shows it",
        example: Example::to_client("80 01"),
    },
    Difference {
        peer: Peer::Wsproto,
        class: Class::LateSurrogates,
        kind: Kind::Choice,
        section: "RFC 6455 8.1",
        theirs: "refuses the encoding of a surrogate (`ed a0 80` to `ed bf bf`) at its third byte, as Python's \
                 decoder does",
        ours: "refuses it at the second, which no character has",
        example: Example::to_client("01 02 ed a0"),
    },
    Difference {
        peer: Peer::Wsproto,
        class: Class::Refuses1014,
        kind: Kind::Choice,
        section: "RFC 6455 7.4.2",
        theirs: "takes close code 1014, registered after the RFC, for invalid",
        ours: "takes it for valid",
        example: Example::to_client("88 02 03 f6"),
    },
    Difference {
        peer: Peer::Wsproto,
        class: Class::NoLimits,
        kind: Kind::Choice,
        section: "RFC 6455 10.4",
        theirs: "limits neither frames nor messages, which is left to the application",
        ours: "limits both, and refuses a header that announces more with 1009",
        example: Example::to_client("82 7e 00 83").limited(),
    },
];
