//! One side of the two: what it does, and what must hold then.

use std::collections::VecDeque;
use std::time::Duration;

use sockless::test_util::{OwnedEvent, Peer, Role, Rules, assert_legal, join_parts, judge};
use sockless::{
    CloseCode, Config, Connection, ReadBuffer, Reply, SendError, SharedMessage, TransportAction,
};

use super::ending::Ending;
use super::incoming::{Incoming, Payload};
use super::patience::{Due, Patience, Situation};
use crate::memory::Watch;
use crate::operations::Operation;

/// One side, what it has on its way to the other, and what it has said.
pub(super) struct Side {
    pub(super) peer: Peer,
    role: Role,
    config: Config,
    /// Taken off the output and not delivered yet.
    wire: VecDeque<u8>,
    /// All that was ever taken off the output.
    written: Vec<u8>,
    /// Messages it has finished sending, and Pings.
    sent: Vec<OwnedEvent>,
    open: Vec<u8>,
    /// Whether fragments of a message are still to be sent.
    fragmenting: bool,
    corrupted: bool,
    /// Whether output was dropped.
    dropped: bool,
    /// All that has reached its buffer.
    arrived: Vec<u8>,
    /// How much of that its events were taken from.
    taken: usize,
    incoming: Incoming,
    largest: usize,
    watch: Watch,
    /// The time, which is the same for both.
    now: Duration,
    ending: Ending,
    /// What its deadlines come to, if there are any.
    patience: Option<Patience>,
}

impl Side {
    /// A side before anything has happened.
    pub(super) fn new(role: Role, connection: Connection, config: &Config) -> Self {
        Self {
            peer: Peer::with(connection, ReadBuffer::new()),
            role,
            config: config.clone(),
            wire: VecDeque::new(),
            written: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            fragmenting: false,
            corrupted: false,
            dropped: false,
            arrived: Vec::new(),
            taken: 0,
            incoming: Incoming::default(),
            largest: 0,
            // No input makes a message of more.
            watch: Watch::with_inflated(config.delivery, 32 << 10, config.max_message_size),
            now: Duration::ZERO,
            ending: Ending::new(role, config.close_reply == Reply::Automatic),
            patience: config.deadlines.clone().map(Patience::new),
        }
    }

    /// Does it, and sees to what holds for both at any time.
    pub(super) fn act(&mut self, operation: Operation, other: &mut Self) {
        match operation {
            Operation::Transfer(n) => self.transfer(n.into(), other),
            Operation::Arrive(n) => self.arrive(n.into(), other),
            Operation::TakeEvents => self.take_events(),
            Operation::Time(n) => {
                self.now += hundredths(n);
                other.now = self.now;
                self.pass_time(self.now);
            }
            Operation::TimeBack(n) => {
                self.now = self.now.saturating_sub(hundredths(n));
                other.now = self.now;
                self.pass_time(self.now);
            }
            Operation::LargestTime => self.pass_time(Duration::MAX),
            Operation::SwapOutput => self.swap_output(),
            Operation::Corrupt(at, bits) => self.corrupt(at.into(), bits),
            Operation::EndOfStream => {
                self.peer.connection.handle_eof();
                self.ending.end_of_stream();
            }
            Operation::WriteError => {
                let dropped = self.drop_output();
                self.peer.connection.handle_write_error();
                self.ending.write_failed(dropped);
            }
            Operation::Reset => {
                let dropped = self.drop_output();
                self.peer.connection.handle_reset();
                self.ending.reset(dropped);
            }
            Operation::ExchangeBuffer => self.exchange_buffer(),
            operation => self.send(operation),
        }
        for side in [self, other] {
            side.check_output();
            side.check_ending();
            side.check_time();
        }
    }

    fn send(&mut self, operation: Operation) {
        let before = self.output();
        let connection = &mut self.peer.connection;
        let open = connection.can_send();
        let mut frame = 0;
        // What is written at once.
        let mut taken = Vec::new();
        let sent = match &operation {
            Operation::Text(text) => {
                frame = text.len();
                connection.send_text(text)
            }
            Operation::Binary(data) => {
                frame = data.len();
                connection.send_binary(data)
            }
            Operation::TextFragment(text, fin) => {
                frame = text.len();
                connection.send_text_fragment(text, *fin)
            }
            Operation::BinaryFragment(data, fin) => {
                frame = data.len();
                connection.send_binary_fragment(data, *fin)
            }
            Operation::Shared(message) => {
                let message = message.large();
                frame = message.data().len();
                connection.send_shared(&match message {
                    OwnedEvent::Text(text) => SharedMessage::text(&text),
                    message => SharedMessage::binary(message.data()),
                })
            }
            Operation::From(message, n) => {
                let message = message.large();
                frame = message.data().len();
                let outgoing = match &message {
                    OwnedEvent::Text(text) => connection.send_text_borrowed(text),
                    message => connection.send_binary_borrowed(message.data()),
                };
                outgoing.map(|mut outgoing| {
                    taken = first(outgoing.parts(), (*n).into());
                    outgoing.advance(taken.len());
                })
            }
            Operation::Ping(payload) => connection.send_ping(payload),
            Operation::Pong(payload) => connection.send_pong(payload),
            Operation::Close(code, reason) => connection.close(CloseCode::new(*code), reason),
            operation => panic!("{operation:?} sends nothing"),
        };
        self.write(&taken);
        // What is sent by the application is refused when as much waits as may wait, a Close frame never.
        let full = !before.is_empty() && before.len() >= self.config.max_output;
        let full = open && full && !matches!(operation, Operation::Close(..));
        assert_eq!(sent == Err(SendError::Full), full);
        let after = [taken, self.output()].concat();
        match sent {
            Ok(()) => {
                assert!(open && after.len() > before.len());
                assert!(after.starts_with(&before), "what waits goes first");
                self.largest = self.largest.max(frame);
                self.remember(operation);
            }
            Err(error) => {
                assert_eq!(after, before, "{error} changes nothing");
                assert_eq!(error == SendError::Closed, !open);
                assert_eq!(self.peer.connection.can_send(), open);
            }
        }
    }

    /// The limit, the largest message, automatic Pongs, a Close frame and a Ping. What does not compress grows a
    /// little.
    fn check_output(&self) {
        let bound = self.config.max_output
            + self.largest
            + self.largest / 100
            + 64
            + (2 << 10)
            + 131
            + 139
            + 10;
        assert!(self.peer.connection.output_len() <= bound);
    }

    /// What the other is to receive of it.
    fn remember(&mut self, operation: Operation) {
        match operation {
            Operation::Text(text) => self.sent.push(OwnedEvent::Text(text)),
            Operation::Binary(data) => self.sent.push(OwnedEvent::Binary(data)),
            Operation::TextFragment(text, fin) => {
                self.fragmenting = !fin;
                self.open.extend(text.into_bytes());
                if fin {
                    let text = String::from_utf8(std::mem::take(&mut self.open)).expect("text");
                    self.sent.push(OwnedEvent::Text(text));
                }
            }
            Operation::BinaryFragment(data, fin) => {
                self.fragmenting = !fin;
                self.open.extend(data);
                if fin {
                    self.sent
                        .push(OwnedEvent::Binary(std::mem::take(&mut self.open)));
                }
            }
            Operation::Shared(message) | Operation::From(message, _) => {
                self.sent.push(message.large());
            }
            Operation::Ping(payload) => {
                if let Some(patience) = &mut self.patience {
                    patience.pinged(self.peer.connection.output_len());
                }
                self.sent.push(OwnedEvent::Ping(payload));
            }
            Operation::Close(..) => self.ending.sent(),
            _ => {}
        }
    }

    /// Up to `n` bytes go over the wire, and the other takes its events.
    fn transfer(&mut self, n: usize, other: &mut Self) {
        self.arrive(n, other);
        other.take_events();
    }

    /// Up to `n` bytes go over the wire, and wait in the other's buffer. If its stream has ended, they get lost.
    fn arrive(&mut self, n: usize, other: &mut Self) {
        let taken = first(self.peer.connection.output_parts(), n);
        self.peer.connection.advance_output(taken.len());
        self.write(&taken);
        let bytes: Vec<u8> = self.wire.drain(..).collect();
        if other.ending.may_receive() {
            other.watch.receive(&mut other.peer.buffer, &bytes);
            other.arrived.extend(bytes);
        }
    }

    fn take_events(&mut self) {
        let (before, failed) = (self.peer.events.len(), self.ending.has_failed());
        self.peer.take_events();
        self.watch.check(&self.peer.buffer);
        if self.taken < self.arrived.len()
            && let Some(patience) = &mut self.patience
        {
            patience.arrived();
        }
        let payload = self.incoming.receive(&self.arrived[self.taken..]);
        self.taken = self.arrived.len();
        for event in &self.peer.events[before..] {
            if matches!(event, OwnedEvent::Close(..)) {
                self.ending.heard();
            }
            if let Some(patience) = &mut self.patience {
                patience.heard(event);
            }
        }
        if self.peer.error.is_none() {
            if let Some(patience) = &mut self.patience {
                patience.received(payload);
            }
            // The rest of an event will not come.
            assert!(self.ending.may_receive() || self.peer.buffer.is_empty());
            return;
        }
        if !failed {
            self.ending.failed();
            if let Some(patience) = &mut self.patience {
                patience.received(payload.min(Payload::Unclear));
            }
        }
        // RFC 6455 section 7.4.1: 1006 is in no Close frame.
        let ending = self.peer.close_event().expect("a failure is an end");
        if ending.code != 1006 {
            self.ending.heard_too_late();
        }
    }

    /// All output is about to be dropped. Returns whether there is any.
    fn drop_output(&mut self) -> bool {
        let dropped = self.peer.connection.output_len() > 0;
        self.dropped |= dropped;
        dropped
    }

    fn swap_output(&mut self) {
        let before = self.output();
        let mut output = b"left over".to_vec();
        self.peer.connection.swap_output(&mut output);
        assert_eq!(output, before);
        self.write(&output);
    }

    /// Bytes that were taken off the output.
    fn write(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        self.wire.extend(bytes);
        if let Some(patience) = &mut self.patience {
            patience.written(bytes.len());
        }
    }

    /// All that waits to be written, in one piece.
    fn output(&self) -> Vec<u8> {
        let connection = &self.peer.connection;
        let output = first(connection.output_parts(), usize::MAX);
        assert_eq!(output.len(), connection.output_len());
        let part = connection.output_parts().next().unwrap_or_default();
        assert_eq!(connection.output(), part);
        output
    }

    fn pass_time(&mut self, now: Duration) {
        let (situation, output) = (self.situation(), self.output());
        self.peer.connection.handle_timeout(now);
        let after = self.output();
        let queued = after.strip_prefix(&output[..]).expect("what waits stays");
        let ending = self.peer.connection.close_event();
        let due = match (&assert_legal(self.role, queued)[..], ending) {
            ([OwnedEvent::Ping(payload)], _) => Due::Ping(payload.clone()),
            ([], Some(ending)) if ending.timeout != self.ending.timeout() => {
                Due::GiveUp(ending.timeout.expect("it stays"))
            }
            ([], _) => Due::Nothing,
            (queued, _) => panic!("{queued:?}"),
        };
        match &mut self.patience {
            None => assert_eq!(due, Due::Nothing),
            Some(patience) => patience.passed(now, situation, &due),
        }
        match due {
            Due::Nothing => {}
            Due::Ping(payload) => {
                self.sent.push(OwnedEvent::Ping(payload));
                if let Some(patience) = &mut self.patience {
                    patience.queued(after.len());
                }
            }
            Due::GiveUp(timeout) => self.ending.gave_up(timeout, !after.is_empty()),
        }
    }

    /// What the model of its deadlines says is so.
    fn check_time(&mut self) {
        let situation = self.situation();
        let connection = &self.peer.connection;
        let (next, round_trip_time) = (connection.timeout_at(), connection.round_trip_time());
        match &mut self.patience {
            None => assert_eq!((next, round_trip_time), (None, None)),
            Some(patience) => patience.says(situation, next, round_trip_time),
        }
    }

    /// What the model of its ending says is so.
    fn check_ending(&self) {
        let (connection, ending) = (&self.peer.connection, &self.ending);
        assert_eq!(connection.can_send(), ending.is_open());
        let action = ending.action(connection.output_len() > 0);
        assert_eq!(connection.transport_action(), action);
        let wants_read = ending.may_receive() && action != TransportAction::Close;
        assert_eq!(connection.wants_read(), wants_read, "{action:?}");
        assert!(!ending.drops_output() || connection.output_len() == 0);
        let Some(event) = connection.close_event() else {
            return assert!(!ending.is_over());
        };
        assert!(ending.is_over());
        assert!(
            ending
                .is_clean()
                .is_none_or(|clean| clean == event.was_clean)
        );
        assert_eq!(event.initiator, ending.initiator());
        assert_eq!(event.timeout, ending.timeout());
        assert_eq!(event.error, self.peer.error);
        if !ending.has_heard() {
            assert_eq!((event.code.into(), event.reason), (1006, ""));
        }
        if let Some(OwnedEvent::Close(code, reason)) = self.peer.events.last() {
            assert_eq!((event.code.into(), event.reason), (*code, &reason[..]));
        }
    }

    fn situation(&self) -> Situation {
        let connection = &self.peer.connection;
        Situation {
            awaited: self.ending.awaited(connection.output_len() > 0),
            // The length of such a message is not known, so it may be long enough.
            fragmenting: self.fragmenting && connection.uses_deflate(),
        }
    }

    fn corrupt(&mut self, at: usize, bits: u8) {
        let length = self.wire.len();
        if length > 0 && bits != 0 {
            self.wire[at % length] ^= bits;
            self.corrupted = true;
        }
    }

    fn exchange_buffer(&mut self) {
        if self.peer.buffer.is_empty() {
            self.peer.buffer = ReadBuffer::with_capacity(3);
        }
    }

    /// In the end: what it said, and what it heard.
    pub(super) fn check(&self, other: &Self) {
        assert_eq!(self.peer.connection.output_len(), 0);
        let (heard, open) = join_parts(&self.peer.events);
        if self.peer.connection.uses_deflate() {
            // The oracle knows no compression.
            if !other.corrupted {
                let heard = mine(&heard);
                assert!(other.sent.starts_with(&heard), "{heard:?}");
                assert_eq!(heard.len(), self.incoming.completed());
                let all = self.ending.may_receive() && !other.dropped;
                assert!(!all || heard.len() == other.sent.len(), "{heard:?}");
            }
        } else {
            let rules = Rules::new(self.role.other(), &Config::default());
            let said = judge(&rules, &self.written);
            assert_eq!(said.error, None);
            let said = mine(&said.events);
            assert!(self.sent.starts_with(&said), "nothing else was sent");
            if !self.dropped {
                _ = assert_legal(self.role, &self.written);
                assert_eq!(said.len(), self.sent.len());
            }
            // Whatever came before the end of the stream is delivered, also if it was still in the buffer then.
            let verdict = judge(&Rules::new(self.role, &self.config), &self.arrived);
            assert_eq!(heard, verdict.events);
            let code = self.peer.error.map(|error| u16::from(error.close_code()));
            assert_eq!(code, verdict.error);
        }
        if self.ending.may_receive() && !other.corrupted {
            assert_eq!(self.arrived, other.written);
        }
        if !other.corrupted {
            assert_eq!(
                self.peer.error, None,
                "a peer that keeps the rules breaks none"
            );
            // A message that was cut off has not arrived in full.
            if let Some(part) = open {
                let ping = |event: &&OwnedEvent| matches!(event, OwnedEvent::Ping(_));
                let messages = other.sent.iter().filter(|event| !ping(event));
                let said = messages.map(OwnedEvent::data);
                let mut said = said.chain([&other.open[..]]);
                assert!(said.any(|said| said.starts_with(part.data())), "{part:?}");
            }
        }
    }
}

const fn hundredths(n: u16) -> Duration {
    Duration::from_millis(10 * n as u64)
}

/// The messages and Pings: what only the application sends.
fn mine(events: &[OwnedEvent]) -> Vec<OwnedEvent> {
    let automatic =
        |event: &&OwnedEvent| matches!(event, OwnedEvent::Pong(_) | OwnedEvent::Close(..));
    let rest = events.iter().filter(|event| !automatic(event));
    rest.cloned().collect()
}

/// The first `n` bytes of all parts, none of which is empty.
fn first<'a>(parts: impl Iterator<Item = &'a [u8]>, n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        assert!(!part.is_empty());
        bytes.extend_from_slice(part);
    }
    bytes.truncate(n);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::Whole;

    /// Or the checks of the order of parts would see to nothing.
    #[test]
    fn a_server_copies_no_large_message() {
        let config = Config::default();
        let side = |role: Role| Side::new(role, role.connection(&config), &config);
        let (mut client, mut server) = (side(Role::Client), side(Role::Server));
        let message = || Whole::Binary(vec![1; 1024]);
        for _ in 0..2 {
            server.act(Operation::Text("own".into()), &mut client);
            server.act(Operation::Shared(message()), &mut client);
        }
        assert_eq!(server.peer.connection.output_parts().count(), 4);
        server.act(Operation::From(message(), 8000), &mut client);
        assert_eq!((server.wire.len(), server.written.len()), (8000, 8000));
        assert_eq!(server.peer.connection.output_parts().count(), 2);
    }
}
