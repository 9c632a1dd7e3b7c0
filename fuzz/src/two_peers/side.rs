//! One side of the two: what it does, and what must hold then.

use std::collections::VecDeque;
use std::time::Duration;

use sockless::test_util::{OwnedEvent, Peer, Role, assert_legal, join_parts};
use sockless::{
    CloseCode, Config, Connection, ReadBuffer, SendError, SharedMessage, TransportAction,
};

use super::patience::{Awaited, Due, Patience};
use crate::memory::Watch;
use crate::operations::Operation;

/// One side, what it has on its way to the other, and what it has said.
pub(super) struct Side {
    pub(super) peer: Peer,
    /// Taken off the output and not delivered yet.
    wire: VecDeque<u8>,
    /// All that was ever taken off the output.
    written: Vec<u8>,
    /// Messages it has finished sending, and Pings.
    sent: Vec<OwnedEvent>,
    open: Vec<u8>,
    corrupted: bool,
    /// No more bytes come to it, or it takes none.
    ended: bool,
    max_output: usize,
    largest: usize,
    watch: Watch,
    /// The time, which is the same for both.
    now: Duration,
    /// What its deadlines come to, if there are any.
    patience: Option<Patience>,
}

impl Side {
    /// A side before anything has happened.
    pub(super) fn new(connection: Connection, config: &Config) -> Self {
        Self {
            peer: Peer::with(connection, ReadBuffer::new()),
            wire: VecDeque::new(),
            written: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            corrupted: false,
            ended: false,
            max_output: config.max_output,
            largest: 0,
            // No input makes a message of more.
            watch: Watch::with_inflated(config.delivery, 32 << 10, config.max_message_size),
            now: Duration::ZERO,
            patience: config.deadlines.map(Patience::new),
        }
    }

    /// Does it, and sees to what holds for both at any time.
    pub(super) fn act(&mut self, operation: Operation, other: &mut Self) {
        match operation {
            Operation::Transfer(n) => self.transfer(n.into(), other),
            Operation::Time(n) => {
                self.now += Duration::from_millis(10) * u32::from(n);
                other.now = self.now;
                self.tell_time();
            }
            Operation::SwapOutput => self.swap_output(),
            Operation::Corrupt(at, bits) => self.corrupt(at.into(), bits),
            Operation::EndOfStream => self.end(),
            Operation::ExchangeBuffer => self.exchange_buffer(),
            operation => self.send(operation),
        }
        for side in [self, other] {
            side.check_output();
            side.check_time();
        }
    }

    fn send(&mut self, operation: Operation) {
        let before = self.output();
        let connection = &mut self.peer.connection;
        let open = connection.is_open();
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
                    OwnedEvent::Text(text) => connection.send_text_from(text),
                    message => connection.send_binary_from(message.data()),
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
        let full = !before.is_empty() && before.len() >= self.max_output;
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
                assert_eq!(self.peer.connection.is_open(), open);
            }
        }
    }

    /// The limit, the largest message, automatic Pongs, a Close frame and a Ping. What does not compress grows a
    /// little.
    fn check_output(&self) {
        let bound =
            self.max_output + self.largest + self.largest / 100 + 64 + (2 << 10) + 131 + 139 + 10;
        assert!(self.peer.connection.output_len() <= bound);
    }

    /// What the other is to receive of it.
    fn remember(&mut self, operation: Operation) {
        match operation {
            Operation::Text(text) => self.sent.push(OwnedEvent::Text(text)),
            Operation::Binary(data) => self.sent.push(OwnedEvent::Binary(data)),
            Operation::TextFragment(text, fin) => {
                self.open.extend(text.into_bytes());
                if fin {
                    let text = String::from_utf8(std::mem::take(&mut self.open)).expect("text");
                    self.sent.push(OwnedEvent::Text(text));
                }
            }
            Operation::BinaryFragment(data, fin) => {
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
                    patience.pinged();
                }
                self.sent.push(OwnedEvent::Ping(payload));
            }
            _ => {}
        }
    }

    /// Up to `n` bytes go over the wire, and the other takes its events.
    fn transfer(&mut self, n: usize, other: &mut Self) {
        let taken = first(self.peer.connection.output_parts(), n);
        self.peer.connection.advance_output(taken.len());
        self.write(&taken);
        let bytes: Vec<u8> = self.wire.drain(..).collect();
        other.watch.receive(&mut other.peer.buffer, &bytes);
        let before = other.peer.events.len();
        other.peer.take_events();
        other.watch.check(&other.peer.buffer);
        if let Some(patience) = &mut other.patience {
            let new = &other.peer.events[before..];
            new.iter().for_each(|event| patience.heard(event));
        }
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

    fn tell_time(&mut self) {
        let awaited = self.awaited();
        let due = match &mut self.patience {
            Some(patience) => patience.tell(self.now, awaited),
            None => Due::Nothing,
        };
        let (output, ending) = (self.output(), self.peer.close_event());
        self.peer.connection.handle_timeout(self.now);
        let after = self.output();
        let queued = after.strip_prefix(&output[..]).expect("what waits stays");
        if !matches!(due, Due::Ping(_)) {
            assert!(queued.is_empty(), "{queued:02x?}");
        }
        if !matches!(due, Due::GiveUp(_)) {
            assert_eq!(self.peer.close_event(), ending);
        }
        match due {
            Due::Nothing => {}
            Due::Ping(payload) => {
                // With a mask in front of the payload, or without.
                assert!(matches!(queued.len(), 6 | 10), "{queued:02x?}");
                self.sent.push(OwnedEvent::Ping(payload));
                if let Some(patience) = &mut self.patience {
                    patience.queued(after.len());
                }
            }
            Due::GiveUp(_) => {
                assert!(self.peer.connection.close_event().is_some());
                let action = self.peer.connection.transport_action();
                assert_eq!(action, TransportAction::Close);
                // It hears nothing any more.
                self.ended = true;
            }
        }
        let next = self.peer.connection.next_timeout();
        assert!(next.is_none_or(|next| next > self.now), "{next:?}");
    }

    /// What the model of its deadlines says is so.
    fn check_time(&self) {
        let connection = &self.peer.connection;
        let next = connection.next_timeout();
        let (expected, round_trip_time, timeout) = match &self.patience {
            Some(patience) => (
                patience.next(self.awaited()),
                patience.round_trip_time(),
                patience.timeout(),
            ),
            None => (None, None, None),
        };
        assert_eq!(next, expected);
        assert_eq!(connection.round_trip_time(), round_trip_time);
        let ending = connection.close_event();
        assert_eq!(ending.and_then(|event| event.timeout), timeout);
        match connection.transport_action() {
            TransportAction::Write => assert!(connection.output_len() > 0),
            TransportAction::Wait { until } | TransportAction::ShutdownWrite { until } => {
                assert_eq!(until, next);
            }
            TransportAction::Close => assert_eq!(next, None),
            action => panic!("{action:?}"),
        }
    }

    fn awaited(&self) -> Awaited {
        let heard_close = matches!(self.peer.events.last(), Some(OwnedEvent::Close(..)));
        Awaited::of(&self.peer.connection, heard_close)
    }

    fn corrupt(&mut self, at: usize, bits: u8) {
        let length = self.wire.len();
        if length > 0 && bits != 0 {
            self.wire[at % length] ^= bits;
            self.corrupted = true;
        }
    }

    fn end(&mut self) {
        self.peer.connection.handle_eof();
        self.ended = true;
        assert!(!self.peer.connection.is_open());
        assert!(self.peer.connection.close_event().is_some());
    }

    fn exchange_buffer(&mut self) {
        if self.peer.buffer.is_empty() {
            self.peer.buffer = ReadBuffer::with_capacity(3);
        }
    }

    /// In the end: what it said, what it heard, and how it ended.
    pub(super) fn check(&self, role: Role, other: &Self, deflate: bool) {
        assert_eq!(self.peer.connection.output_len(), 0);
        let ended = self.peer.connection.close_event();
        let (heard, open) = join_parts(&self.peer.events);
        // What was said before the transport failed has arrived, all of it and in order.
        let arrived = |said: &[OwnedEvent], heard: &[OwnedEvent]| {
            if !other.corrupted {
                assert!(said.starts_with(heard), "{heard:?} of {said:?}");
                assert!(self.ended || said.len() == heard.len(), "{said:?}");
            }
        };
        if deflate {
            // The strict reader knows no compression, so that answers are left out.
            arrived(&other.sent, &mine(&heard));
        } else {
            let said = assert_legal(role, &self.written);
            assert_eq!(mine(&said), self.sent, "nothing else was sent");
            arrived(&assert_legal(role.other(), &other.written), &heard);
            let close = |event: &OwnedEvent| matches!(event, OwnedEvent::Close(..));
            let exchanged = said.iter().any(close) && heard.iter().any(close);
            let clean = exchanged && self.peer.error.is_none();
            assert_eq!(ended.is_some_and(|event| event.was_clean), clean);
            let over = clean || self.ended || self.peer.error.is_some();
            assert_eq!(ended.is_some(), over);
        }
        if !other.corrupted {
            assert_eq!(
                self.peer.error, None,
                "a peer that keeps the rules breaks none"
            );
            // A message that is given up by a Close has not arrived in full.
            if let Some(part) = open.filter(|_| !self.ended) {
                assert!(other.open.starts_with(part.data()), "{part:?}");
            }
        }
        assert_eq!(ended.and_then(|event| event.error), self.peer.error);
        if let (Some(ending), Some(OwnedEvent::Close(code, reason))) =
            (ended, self.peer.events.last())
        {
            assert_eq!((ending.code.into(), ending.reason), (*code, &reason[..]));
        }
        let action = self.peer.connection.transport_action();
        let goes_on = matches!(
            action,
            TransportAction::Write | TransportAction::Wait { .. }
        );
        assert!(ended.is_some() || goes_on);
    }
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
        let mut server = Side::new(Connection::server(config), &config);
        let mut client = Side::new(Role::Client.connection(config), &config);
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
