//! A model of how the connection of one side ends, from the documented rules.

use sockless::test_util::Role;
use sockless::{Initiator, Timeout, TransportAction};

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Messages,
    Close,
    EndOfStream,
    Nothing,
}

/// Whether bytes may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    Flows,
    /// The stream has ended.
    Ended,
    /// Reading failed.
    Failed,
    /// A deadline has passed.
    GivenUp,
}

/// What has happened to a connection, as far as it matters for its end.
pub(super) struct Ending {
    role: Role,
    /// Whether a Close frame is answered automatically.
    answers: bool,
    /// A Close frame of this side went into the output, and did not go down with it.
    sent: bool,
    /// One of the peer came.
    heard: bool,
    /// The peer broke the protocol.
    failed: bool,
    write_failed: bool,
    input: Input,
    timeout: Option<Timeout>,
    initiator: Initiator,
    /// Output was dropped with a Close frame in it, and no rule says whether that makes the end unclean.
    doubtful: bool,
}

impl Ending {
    pub(super) const fn new(role: Role, answers: bool) -> Self {
        Self {
            role,
            answers,
            sent: false,
            heard: false,
            failed: false,
            write_failed: false,
            input: Input::Flows,
            timeout: None,
            initiator: Initiator::Transport,
            doubtful: false,
        }
    }

    /// A Close frame of this side went into the output.
    pub(super) fn sent(&mut self) {
        self.sent = true;
        self.began_by(Initiator::Local);
    }

    /// The peer's Close frame came.
    pub(super) fn heard(&mut self) {
        let answers = self.answers && self.is_open();
        self.heard = true;
        self.began_by(Initiator::Peer);
        if answers {
            self.sent();
        }
    }

    /// The peer broke the protocol.
    pub(super) fn failed(&mut self) {
        if self.is_open() {
            self.sent();
        }
        self.failed = true;
    }

    /// A Close frame came after that. It is no event, and changes only what is still waited for.
    pub(super) const fn heard_too_late(&mut self) {
        self.heard = true;
    }

    pub(super) fn end_of_stream(&mut self) {
        self.input = self.input.max(Input::Ended);
    }

    /// Reading failed, and with it went down output or not.
    pub(super) fn reset(&mut self, dropped: bool) {
        self.doubtful |= dropped;
        self.input = self.input.max(Input::Failed);
    }

    /// Writing failed, and with it went down output or not. Nothing follows a Close frame, so that is in it then.
    pub(super) const fn write_failed(&mut self, dropped: bool) {
        self.write_failed = true;
        if dropped && !self.heard && !self.failed {
            self.sent = false;
        } else if dropped {
            self.doubtful = true;
        }
    }

    /// A deadline has passed, and output was left or not. Nothing follows a Close frame, so that is in it then.
    pub(super) const fn gave_up(&mut self, timeout: Timeout, left: bool) {
        self.input = Input::GivenUp;
        self.timeout = Some(timeout);
        if left {
            self.sent = false;
        }
    }

    /// Whether messages can be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.sent && !self.failed && !self.write_failed && self.may_receive()
    }

    /// Whether bytes may come.
    pub(super) fn may_receive(&self) -> bool {
        self.input == Input::Flows
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether the peer's Close frame came.
    pub(super) const fn has_heard(&self) -> bool {
        self.heard
    }

    /// Whether what is queued is dropped at once.
    pub(super) fn drops_output(&self) -> bool {
        self.write_failed || self.input == Input::Failed
    }

    /// Whether it is known how the connection has ended.
    pub(super) fn is_over(&self) -> bool {
        let closed = self.heard && (self.sent || self.write_failed);
        closed || self.failed || !self.may_receive()
    }

    /// Whether it has ended cleanly, if a rule says so.
    pub(super) const fn is_clean(&self) -> Option<bool> {
        let clean = self.sent && self.heard && !self.failed;
        if clean && self.doubtful {
            return None;
        }
        Some(clean)
    }

    pub(super) const fn initiator(&self) -> Initiator {
        self.initiator
    }

    pub(super) const fn timeout(&self) -> Option<Timeout> {
        self.timeout
    }

    /// What to do with the transport, with output that waits or without.
    pub(super) fn action(&self, output: bool) -> TransportAction {
        match self.input {
            Input::Failed | Input::GivenUp => TransportAction::Close,
            Input::Ended if self.write_failed => TransportAction::Close,
            // The peer's Close frame is all that may still come.
            Input::Flows if self.write_failed && self.heard => TransportAction::Close,
            Input::Flows if self.write_failed => TransportAction::Wait,
            _ if output => TransportAction::Write,
            Input::Ended => TransportAction::Close,
            Input::Flows if self.failed && self.heard => TransportAction::Close,
            Input::Flows if self.failed => TransportAction::ShutdownWrite,
            // RFC 6455 section 7.1.1: the server closes first.
            Input::Flows if self.sent && self.heard && self.role == Role::Server => {
                TransportAction::Close
            }
            Input::Flows => TransportAction::Wait,
        }
    }

    /// What the deadlines are for.
    pub(super) fn awaited(&self, output: bool) -> Awaited {
        let half_closed = self.sent && !self.heard || self.heard && self.is_open();
        if self.is_open() && !self.heard {
            Awaited::Messages
        } else if half_closed && !self.failed && self.may_receive() {
            Awaited::Close
        } else if self.action(output) == TransportAction::Close {
            Awaited::Nothing
        } else {
            Awaited::EndOfStream
        }
    }

    fn began_by(&mut self, initiator: Initiator) {
        if self.initiator == Initiator::Transport {
            self.initiator = initiator;
        }
    }
}
