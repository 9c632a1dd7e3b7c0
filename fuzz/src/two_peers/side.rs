//! One of the two peers: what it does, and what must hold then.

use std::collections::VecDeque;
use std::time::Duration;

use sockless::test_util::{OwnedEvent, Peer, Role, Rules, assert_legal, join_parts, judge};
use sockless::{
    CloseCode, Config, Connection, Outgoing, ReadBuffer, Reply, SendError, SharedMessage,
    TransportAction,
};

use super::closing::{Closing, Unwritten};
use super::deadlines::{DeadlineModel, Due, Situation};
use super::incoming::{Counts, Payload};
use crate::memory::Watch;
use crate::operations::{Manner, Operation};

/// A peer, and what it sent and received.
pub(super) struct Side {
    pub(super) peer: Peer,
    role: Role,
    config: Config,
    /// Bytes that were taken from its output, and that are not reported as written.
    unreported: Vec<u8>,
    /// Bytes between its output and the other peer.
    pub(super) wire: VecDeque<u8>,
    /// All bytes that were written.
    pub(super) written: Vec<u8>,
    /// Whole messages and Pings that it sent.
    sent: Vec<OwnedEvent>,
    /// The fragments of a message whose last fragment is not sent yet.
    open: Vec<u8>,
    fragmenting: bool,
    /// Whether a byte on the wire was changed.
    corrupted: bool,
    /// Whether output was dropped.
    dropped: bool,
    /// All bytes that reached its buffer.
    arrived: Vec<u8>,
    /// How many of those bytes the events were taken from, and what they held.
    taken: usize,
    counts: Counts,
    /// The length of the largest frame that it sent.
    largest: usize,
    watch: Watch,
    /// Both peers have the same clock.
    now: Duration,
    closing: Closing,
    /// `None` if there are no deadlines.
    deadlines: Option<DeadlineModel>,
}

impl Side {
    pub(super) fn new(role: Role, connection: Connection, config: &Config) -> Self {
        Self {
            peer: Peer::with(connection, ReadBuffer::new()),
            role,
            config: config.clone(),
            unreported: Vec::new(),
            wire: VecDeque::new(),
            written: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            fragmenting: false,
            corrupted: false,
            dropped: false,
            arrived: Vec::new(),
            taken: 0,
            counts: Counts::default(),
            largest: 0,
            // No input makes a larger message.
            watch: Watch::with_inflated(config.delivery, 32 << 10, config.max_message_size),
            now: Duration::ZERO,
            closing: Closing::new(role, config.close_reply == Reply::Automatic),
            deadlines: config.deadlines.clone().map(DeadlineModel::new),
        }
    }

    /// Does one thing, then checks both sides.
    pub(super) fn act(&mut self, operation: Operation, other: &mut Self) {
        match operation {
            Operation::Send(event, manner) => self.send(event, manner),
            Operation::Transfer(n) => {
                self.arrive(n.into(), other);
                other.take_events();
            }
            Operation::Arrive(n) => self.arrive(n.into(), other),
            Operation::TakeEvents => self.take_events(),
            Operation::TakeOutput => self.take_output(),
            Operation::Write => {
                self.take_output();
                self.write_output(usize::MAX);
            }
            Operation::Corrupt(at, bits) => self.corrupt(at.into(), bits),
            Operation::EndOfStream => {
                self.peer.connection.handle_eof();
                self.closing.end_of_stream();
            }
            Operation::WriteError => {
                let dropped = self.drop_output();
                self.peer.connection.handle_write_error();
                self.report_late();
                self.closing.write_error(dropped);
            }
            Operation::Reset => {
                let dropped = self.drop_output();
                self.peer.connection.handle_reset();
                self.report_late();
                self.closing.read_error(dropped);
            }
            Operation::ExchangeBuffer => {
                if self.peer.buffer.is_empty() {
                    self.peer.buffer = ReadBuffer::with_capacity(3);
                }
            }
            Operation::Time(n) => self.set_clock(self.now + hundredths(n), other),
            Operation::TimeBack(n) => {
                self.set_clock(self.now.saturating_sub(hundredths(n)), other);
            }
            Operation::LargestTime => self.handle_timeout(Duration::MAX),
        }
        for side in [self, other] {
            side.check_output();
            side.check_closing();
            side.check_deadlines();
        }
    }

    fn send(&mut self, event: OwnedEvent, manner: Manner) {
        let before = self.output();
        let unreported = std::mem::take(&mut self.unreported);
        let connection = &mut self.peer.connection;
        let open = connection.can_send();
        // What the transport takes at once.
        let mut taken = Vec::new();
        let mut take = |mut outgoing: Outgoing<'_>, n: u16| {
            taken = first(parts(&unreported).chain(outgoing.parts()), n.into());
            outgoing.advance(taken.len());
        };
        let sent = match (&event, manner) {
            (OwnedEvent::Text(text), Manner::Whole) => connection.send_text(text),
            (OwnedEvent::Text(text), Manner::Fragment { fin }) => {
                connection.send_text_fragment(text, fin)
            }
            (OwnedEvent::Text(text), Manner::Shared) => {
                connection.send_shared(&SharedMessage::text(text))
            }
            (OwnedEvent::Text(text), Manner::Borrowed(n)) => {
                let outgoing = connection.send_text_borrowed(text);
                outgoing.map(|outgoing| take(outgoing, n))
            }
            (OwnedEvent::Binary(data), Manner::Whole) => connection.send_binary(data),
            (OwnedEvent::Binary(data), Manner::Fragment { fin }) => {
                connection.send_binary_fragment(data, fin)
            }
            (OwnedEvent::Binary(data), Manner::Shared) => {
                connection.send_shared(&SharedMessage::binary(data))
            }
            (OwnedEvent::Binary(data), Manner::Borrowed(n)) => {
                let outgoing = connection.send_binary_borrowed(data);
                outgoing.map(|outgoing| take(outgoing, n))
            }
            (OwnedEvent::Ping(payload), _) => connection.send_ping(payload),
            (OwnedEvent::Pong(payload), _) => connection.send_pong(payload),
            (OwnedEvent::Close(code, reason), _) => connection.close(CloseCode::new(*code), reason),
            (event, _) => panic!("{event:?} is only received"),
        };
        self.unreported = unreported;
        self.write(&taken);
        // Full output refuses all that the application sends, except for a Close frame.
        let full = !before.is_empty() && before.len() >= self.config.max_output;
        let full = open && full && !matches!(event, OwnedEvent::Close(..));
        assert_eq!(sent == Err(SendError::Full), full);
        let after = [taken, self.output()].concat();
        if let Err(error) = sent {
            assert_eq!(after, before, "{error} changes nothing");
            assert_eq!(error == SendError::Closed, !open);
            assert_eq!(self.peer.connection.can_send(), open);
            return;
        }
        assert!(open && after.len() > before.len());
        assert!(after.starts_with(&before), "earlier output goes first");
        self.remember(event, manner);
    }

    /// Remembers what the other side must receive.
    fn remember(&mut self, event: OwnedEvent, manner: Manner) {
        match event {
            OwnedEvent::Close(..) => return self.closing.send(),
            OwnedEvent::Pong(_) => return,
            OwnedEvent::Ping(_) => {
                let output = self.peer.connection.output_len();
                if let Some(deadlines) = &mut self.deadlines {
                    deadlines.ping_sent(output);
                }
                return self.sent.push(event);
            }
            _ => self.largest = self.largest.max(event.data().len()),
        }
        let Manner::Fragment { fin } = manner else {
            return self.sent.push(event);
        };
        self.open.extend(event.data());
        self.fragmenting = !fin;
        if fin {
            let data = std::mem::take(&mut self.open);
            self.sent.push(match event {
                OwnedEvent::Text(_) => OwnedEvent::Text(String::from_utf8(data).expect("text")),
                _ => OwnedEvent::Binary(data),
            });
        }
    }

    /// Moves up to `n` bytes over the wire into the buffer of the other side. They are lost if its stream has ended.
    fn arrive(&mut self, n: usize, other: &mut Self) {
        self.write_output(n);
        let bytes: Vec<u8> = self.wire.drain(..).collect();
        if other.closing.may_receive() {
            other.watch.receive(&mut other.peer.buffer, &bytes);
            other.arrived.extend(bytes);
        }
    }

    fn take_events(&mut self) {
        let before = self.peer.events.len();
        self.peer.take_events();
        self.watch.check(&self.peer.buffer);
        let arrived = self.taken < self.arrived.len();
        let counts = Counts::of(&self.arrived);
        let mut payload = counts.since(self.counts);
        (self.taken, self.counts) = (self.arrived.len(), counts);
        let events = &self.peer.events[before..];
        if events.iter().any(|it| matches!(it, OwnedEvent::Close(..))) {
            self.closing.receive();
        }
        let failed = self.peer.error.is_some();
        if failed && self.closing.failed {
            payload = Payload::Nothing;
        } else if failed {
            self.closing.fail();
            payload = payload.min(Payload::Unclear);
        }
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.received(arrived, events, payload);
        }
        if failed {
            // RFC 6455, section 7.4.1: no Close frame has the code 1006, so another code means that the peer's Close
            // frame came after the failure.
            let event = self.peer.close_event().expect("a failure closes");
            self.closing.received |= event.code != 1006;
        } else {
            // The rest of an event cannot come after the end of the stream.
            assert!(self.closing.may_receive() || self.peer.buffer.is_empty());
        }
    }

    /// Notes that all output is about to be dropped. Returns whether there is any.
    fn drop_output(&mut self) -> bool {
        let dropped = self.peer.connection.output_len() > 0;
        self.dropped |= dropped;
        dropped
    }

    fn take_output(&mut self) {
        let before = self.output();
        let mut output = b"left over".to_vec();
        self.peer.connection.take_output(&mut output);
        self.unreported.extend(output);
        assert_eq!(self.unreported, before);
        assert_eq!(self.peer.connection.output(), b"");
    }

    /// Writes up to `n` bytes, and reports them.
    fn write_output(&mut self, n: usize) {
        let mut written = self.output();
        written.truncate(n);
        self.peer.connection.advance_output(written.len());
        self.write(&written);
    }

    /// Reports a write that ends after the output was dropped.
    fn report_late(&mut self) {
        let late = std::mem::take(&mut self.unreported);
        self.peer.connection.advance_output(late.len());
    }

    /// Puts bytes on the wire: first those that were taken from the output, then those that were not.
    fn write(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(self.unreported.len());
        self.unreported.drain(..taken);
        self.written.extend_from_slice(bytes);
        self.wire.extend(bytes);
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.written(bytes.len());
        }
    }

    /// All unwritten output in one piece, taken or not.
    fn output(&self) -> Vec<u8> {
        let connection = &self.peer.connection;
        let all = parts(&self.unreported).chain(connection.output_parts());
        let output = first(all, usize::MAX);
        assert_eq!(output.len(), connection.output_len());
        let part = connection.output_parts().next().unwrap_or_default();
        assert_eq!(connection.output(), part);
        output
    }

    fn corrupt(&mut self, at: usize, bits: u8) {
        let length = self.wire.len();
        if length > 0 && bits != 0 {
            self.wire[at % length] ^= bits;
            self.corrupted = true;
        }
    }

    fn set_clock(&mut self, now: Duration, other: &mut Self) {
        (self.now, other.now) = (now, now);
        self.handle_timeout(now);
    }

    fn handle_timeout(&mut self, now: Duration) {
        let (situation, output) = (self.situation(), self.output());
        self.peer.connection.handle_timeout(now);
        let after = self.output();
        let queued = after.strip_prefix(&output[..]).expect("the output stays");
        let event = self.peer.connection.close_event();
        let due = match (&assert_legal(self.role, queued)[..], event) {
            ([OwnedEvent::Ping(payload)], _) => Due::Ping(payload.clone()),
            ([], Some(event)) if event.timeout != self.closing.timeout => {
                Due::Timeout(event.timeout.expect("a timeout is final"))
            }
            ([], _) => Due::Nothing,
            (queued, _) => panic!("{queued:?}"),
        };
        match &mut self.deadlines {
            None => assert_eq!(due, Due::Nothing),
            Some(deadlines) => deadlines.check_due(now, situation, &due),
        }
        match due {
            Due::Nothing => {}
            Due::Ping(payload) => {
                self.sent.push(OwnedEvent::Ping(payload));
                if let Some(deadlines) = &mut self.deadlines {
                    deadlines.ping_queued(after.len());
                }
            }
            Due::Timeout(timeout) => self.closing.time_out(timeout, !after.is_empty()),
        }
    }

    /// The bound on the output: the limit, the largest frame (which grows a little if it does not compress), Pongs, a
    /// Close frame and a Ping.
    fn check_output(&self) {
        let largest = self.largest + self.largest / 100 + 64;
        let bound = self.config.max_output + largest + (2 << 10) + 131 + 139 + 10;
        assert!(self.peer.connection.output_len() <= bound);
    }

    fn check_deadlines(&mut self) {
        let situation = self.situation();
        let connection = &self.peer.connection;
        let (next, round_trip_time) = (connection.timeout_at(), connection.round_trip_time());
        match &mut self.deadlines {
            None => assert_eq!((next, round_trip_time), (None, None)),
            Some(deadlines) => deadlines.check_next(situation, next, round_trip_time),
        }
    }

    fn check_closing(&self) {
        let (connection, closing) = (&self.peer.connection, &self.closing);
        assert_eq!(connection.can_send(), closing.is_open());
        let action = closing.action(self.unwritten());
        assert_eq!(connection.transport_action(), action);
        let wants_read = closing.may_receive() && action != TransportAction::Close;
        assert_eq!(connection.wants_read(), wants_read, "{action:?}");
        assert!(!closing.drops_output() || connection.output_len() == 0);
        let event = connection.close_event();
        assert_eq!(event.is_some(), closing.is_over());
        let Some(event) = event else {
            return;
        };
        let clean = closing.is_clean();
        assert!(clean.is_none_or(|clean| clean == event.was_clean));
        assert_eq!(event.initiator, closing.initiator);
        assert_eq!(event.timeout, closing.timeout);
        assert_eq!(event.error, self.peer.error);
        if !closing.received {
            assert_eq!((event.code.into(), event.reason), (1006, ""));
        }
        if let Some(OwnedEvent::Close(code, reason)) = self.peer.events.last() {
            assert_eq!((event.code.into(), event.reason), (*code, &reason[..]));
        }
    }

    fn unwritten(&self) -> Unwritten {
        if !self.peer.connection.output().is_empty() {
            Unwritten::Output
        } else if !self.unreported.is_empty() {
            Unwritten::Taken
        } else {
            Unwritten::Nothing
        }
    }

    fn situation(&self) -> Situation {
        let connection = &self.peer.connection;
        Situation {
            awaited: self.closing.awaited(self.unwritten()),
            // The length of a compressed message is unknown, so a fragment of it may be a long one.
            fragmenting: self.fragmenting && connection.uses_deflate(),
        }
    }

    /// Checks at the end what this side wrote and what it received.
    pub(super) fn check(&self, other: &Self) {
        assert_eq!(self.peer.connection.output_len(), 0);
        let (received, open) = join_parts(&self.peer.events);
        if self.peer.connection.uses_deflate() {
            self.check_inflated(&received, other);
        } else {
            self.check_with_oracle(&received);
        }
        if other.corrupted {
            return;
        }
        if self.closing.may_receive() {
            assert_eq!(self.arrived, other.written);
        }
        let error = self.peer.error;
        assert_eq!(error, None, "the other side breaks no rule");
        // A part of a message is the beginning of one that was sent.
        if let Some(part) = open {
            let ping = |event: &&OwnedEvent| matches!(event, OwnedEvent::Ping(_));
            let messages = other.sent.iter().filter(|event| !ping(event));
            let sent = messages.map(OwnedEvent::data);
            let mut sent = sent.chain([&other.open[..]]);
            assert!(sent.any(|sent| sent.starts_with(part.data())), "{part:?}");
        }
    }

    /// The oracle knows no compression. What arrives without a change must equal what was sent.
    fn check_inflated(&self, received: &[OwnedEvent], other: &Self) {
        if other.corrupted {
            return;
        }
        let received = messages_and_pings(received);
        assert!(other.sent.starts_with(&received), "{received:?}");
        assert_eq!(received.len(), self.counts.completed);
        let all = self.closing.may_receive() && !other.dropped;
        assert!(!all || received.len() == other.sent.len(), "{received:?}");
    }

    fn check_with_oracle(&self, received: &[OwnedEvent]) {
        let rules = Rules::new(self.role.other(), &Config::default());
        let verdict = judge(&rules, &self.written);
        assert_eq!(verdict.error, None);
        let written = messages_and_pings(&verdict.events);
        assert!(self.sent.starts_with(&written), "only what was sent");
        if !self.dropped {
            _ = assert_legal(self.role, &self.written);
            assert_eq!(written.len(), self.sent.len());
        }
        // The connection delivers all that arrived, also after the end of the stream.
        let verdict = judge(&Rules::new(self.role, &self.config), &self.arrived);
        assert_eq!(received, verdict.events);
        let code = self.peer.error.map(|error| u16::from(error.close_code()));
        assert_eq!(code, verdict.error);
    }
}

const fn hundredths(n: u16) -> Duration {
    Duration::from_millis(10 * n as u64)
}

/// Leaves out Pongs and Close frames, which a connection also sends automatically.
fn messages_and_pings(events: &[OwnedEvent]) -> Vec<OwnedEvent> {
    let mut events = events.to_vec();
    events.retain(|event| !matches!(event, OwnedEvent::Pong(_) | OwnedEvent::Close(..)));
    events
}

/// These bytes as one part, unless there are none.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    Some(bytes).filter(|bytes| !bytes.is_empty()).into_iter()
}

/// The first `n` bytes of all parts. No part is empty.
fn first<'a>(parts: impl Iterator<Item = &'a [u8]>, n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        assert!(!part.is_empty());
        bytes.extend_from_slice(part);
    }
    bytes.truncate(n);
    bytes
}
