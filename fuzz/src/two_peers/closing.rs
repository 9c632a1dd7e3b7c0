//! A model of how a connection closes, from the documented rules.

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

/// What a connection has not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    Nothing,
    /// The application took all of it, and has not reported that it is written.
    Taken,
    /// At least a part of it was not taken.
    Output,
}

/// Whether more bytes can come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    Open,
    /// The stream has ended.
    Ended,
    /// A read failed.
    Failed,
    /// A deadline passed.
    TimedOut,
}

/// The closing state of one connection.
pub(super) struct Closing {
    role: Role,
    /// Whether the connection answers a Close frame automatically.
    answers: bool,
    /// A Close frame went into the output and was not dropped with it.
    sent: bool,
    /// The peer's Close frame came.
    pub(super) received: bool,
    /// The peer broke the protocol.
    pub(super) failed: bool,
    write_failed: bool,
    input: Input,
    pub(super) timeout: Option<Timeout>,
    pub(super) initiator: Initiator,
    /// A Close frame may have been in dropped output. No rule says whether the closing is clean then.
    doubtful: bool,
}

impl Closing {
    pub(super) const fn new(role: Role, answers: bool) -> Self {
        Self {
            role,
            answers,
            sent: false,
            received: false,
            failed: false,
            write_failed: false,
            input: Input::Open,
            timeout: None,
            initiator: Initiator::Transport,
            doubtful: false,
        }
    }

    /// This side's Close frame goes into the output.
    pub(super) fn send(&mut self) {
        self.sent = true;
        self.initiate(Initiator::Local);
    }

    /// The peer's Close frame comes.
    pub(super) fn receive(&mut self) {
        let answers = self.answers && self.is_open();
        self.received = true;
        self.initiate(Initiator::Peer);
        if answers {
            self.send();
        }
    }

    /// The peer breaks the protocol.
    pub(super) fn fail(&mut self) {
        if self.is_open() {
            self.send();
        }
        self.failed = true;
    }

    pub(super) fn end_of_stream(&mut self) {
        self.input = self.input.max(Input::Ended);
    }

    /// A read fails. `dropped` says whether that drops output.
    pub(super) fn read_error(&mut self, dropped: bool) {
        self.doubtful |= dropped;
        self.input = self.input.max(Input::Failed);
    }

    /// A write fails. A Close frame is the last output, so it is part of any output that is dropped.
    pub(super) const fn write_error(&mut self, dropped: bool) {
        self.write_failed = true;
        if dropped && !self.received && !self.failed {
            self.sent = false;
        } else if dropped {
            self.doubtful = true;
        }
    }

    /// A deadline passes. A Close frame is part of any output that is left then.
    pub(super) const fn time_out(&mut self, timeout: Timeout, output_left: bool) {
        self.input = Input::TimedOut;
        self.timeout = Some(timeout);
        if output_left {
            self.sent = false;
        }
    }

    /// Whether the application can send messages.
    pub(super) fn is_open(&self) -> bool {
        !self.sent && !self.failed && !self.write_failed && self.may_receive()
    }

    pub(super) fn may_receive(&self) -> bool {
        self.input == Input::Open
    }

    /// Whether new output is dropped at once.
    pub(super) fn drops_output(&self) -> bool {
        self.write_failed || self.input == Input::Failed
    }

    /// Whether the connection has a close event.
    pub(super) fn is_over(&self) -> bool {
        let closed = self.received && (self.sent || self.write_failed);
        closed || self.failed || !self.may_receive()
    }

    /// Whether the closing was clean, if a rule says so.
    pub(super) const fn is_clean(&self) -> Option<bool> {
        match self.sent && self.received && !self.failed {
            true if self.doubtful => None,
            clean => Some(clean),
        }
    }

    /// What the application must do with the transport.
    pub(super) fn action(&self, unwritten: Unwritten) -> TransportAction {
        match self.input {
            Input::Failed | Input::TimedOut => TransportAction::Close,
            Input::Ended if self.write_failed => TransportAction::Close,
            // After a failed write only the peer's Close frame can still come.
            Input::Open if self.write_failed && self.received => TransportAction::Close,
            Input::Open if self.write_failed => TransportAction::Wait,
            _ if unwritten == Unwritten::Output => TransportAction::Write,
            _ if unwritten == Unwritten::Taken => TransportAction::Wait,
            Input::Ended => TransportAction::Close,
            Input::Open if self.failed && self.received => TransportAction::Close,
            Input::Open if self.failed => TransportAction::ShutdownWrite,
            // RFC 6455, section 7.1.1: the server closes the transport first.
            Input::Open if self.sent && self.received && self.role == Role::Server => {
                TransportAction::Close
            }
            Input::Open => TransportAction::Wait,
        }
    }

    /// What the deadlines apply to.
    pub(super) fn awaited(&self, unwritten: Unwritten) -> Awaited {
        let half_closed = self.sent && !self.received || self.received && self.is_open();
        if self.is_open() && !self.received {
            Awaited::Messages
        } else if half_closed && !self.failed && self.may_receive() {
            Awaited::Close
        } else if self.action(unwritten) == TransportAction::Close {
            Awaited::Nothing
        } else {
            Awaited::EndOfStream
        }
    }

    fn initiate(&mut self, initiator: Initiator) {
        if self.initiator == Initiator::Transport {
            self.initiator = initiator;
        }
    }
}
