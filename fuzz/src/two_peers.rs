//! A client and a server that do anything in any order, over a transport that may corrupt and end.

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use sockless::test_util::{OwnedEvent, Peer, Role, assert_legal, join_parts};
use sockless::{
    CloseCode, Config, Deflate, Delivery, ReadBuffer, Reply, SendError, TransportAction,
};

use crate::input::{Rest, structured};
use crate::memory::Watch;
use crate::opening;
use crate::operations::{Encoded, Operation};

/// Two peers and what happens.
#[derive(Arbitrary)]
struct Input {
    deflate: bool,
    chunks: bool,
    manual_pong: bool,
    manual_close: bool,
    max_output: u16,
    operations: Rest<Encoded>,
}

/// One side, what it has on its way to the other, and what it has said.
struct Side {
    peer: Peer,
    /// Taken off the output and not delivered yet.
    wire: VecDeque<u8>,
    /// All that was ever taken off the output.
    written: Vec<u8>,
    /// Messages it has finished sending, and Pings.
    sent: Vec<OwnedEvent>,
    open: Vec<u8>,
    corrupted: bool,
    /// No more bytes come to it.
    ended: bool,
    max_output: usize,
    largest: usize,
    watch: Watch,
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = structured::<Input>(data) else {
        return;
    };
    let deflate = input.deflate;
    let (client, server) = play(input);
    client.check(Role::Client, &server, deflate);
    server.check(Role::Server, &client, deflate);
}

/// The client and the server, after all that happens.
fn play(input: Input) -> (Side, Side) {
    let mut config = Config::default();
    config.max_output = input.max_output.into();
    if input.deflate {
        let mut deflate = Deflate::default();
        deflate.min_size = 5;
        deflate.level = 1;
        config.deflate = Some(deflate);
    }
    if input.chunks {
        config.delivery = Delivery::Chunks;
    }
    if input.manual_pong {
        config.pong = Reply::Manual;
    }
    if input.manual_close {
        config.close = Reply::Manual;
    }
    let (mut server, client) = opening::pair(config, config);
    server.advance_output(server.output().len());
    let side = |connection| Side {
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
        watch: Watch::with_inflated(config.delivery, 8 << 10, config.max_message_size),
    };
    let (mut client, mut server) = (side(client), side(server));
    for Encoded((by_client, operation)) in input.operations.0 {
        if by_client {
            client.act(operation, &mut server);
        } else {
            server.act(operation, &mut client);
        }
    }
    // What is still on its way arrives.
    for _ in 0..4 {
        client.act(Operation::Transfer(u16::MAX), &mut server);
        server.act(Operation::Transfer(u16::MAX), &mut client);
    }
    (client, server)
}

impl Side {
    fn act(&mut self, operation: Operation, other: &mut Self) {
        let connection = &mut self.peer.connection;
        let before = connection.output().to_vec();
        let open = connection.is_open();
        let mut frame = 0;
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
            Operation::Ping(payload) => connection.send_ping(payload),
            Operation::Pong(payload) => connection.send_pong(payload),
            Operation::Close(code, reason) => connection.close(CloseCode::new(*code), reason),
            Operation::Transfer(n) => return self.transfer((*n).into(), other),
            Operation::SwapOutput => return self.swap_output(),
            Operation::Corrupt(at, bits) => return self.corrupt((*at).into(), *bits),
            Operation::EndOfStream => return self.end(),
            Operation::ExchangeBuffer => return self.exchange_buffer(),
        };
        // What is sent by the application is refused when as much waits as may wait, a Close frame never.
        let full = !before.is_empty() && before.len() >= self.max_output;
        let full = open && full && !matches!(operation, Operation::Close(..));
        assert_eq!(sent == Err(SendError::Full), full);
        match sent {
            Ok(()) => {
                assert!(open && self.peer.connection.output().len() > before.len());
                self.largest = self.largest.max(frame);
                self.remember(operation);
            }
            Err(error) => {
                assert_eq!(
                    self.peer.connection.output(),
                    before,
                    "{error} changes nothing"
                );
                assert_eq!(error == SendError::Closed, !open);
                assert_eq!(self.peer.connection.is_open(), open);
            }
        }
        // The limit, the largest message, automatic Pongs and a Close frame. What does not compress grows
        // a little.
        let bound =
            self.max_output + self.largest + self.largest / 100 + 64 + (2 << 10) + 131 + 139;
        assert!(self.peer.connection.output().len() <= bound);
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
            Operation::Ping(payload) => self.sent.push(OwnedEvent::Ping(payload)),
            _ => {}
        }
    }

    /// Up to `n` bytes go over the wire, and the other takes its events.
    fn transfer(&mut self, n: usize, other: &mut Self) {
        let output = self.peer.connection.output();
        let n = n.min(output.len());
        self.wire.extend(&output[..n]);
        self.written.extend_from_slice(&output[..n]);
        self.peer.connection.advance_output(n);
        let bytes: Vec<u8> = self.wire.drain(..).collect();
        other.watch.receive(&mut other.peer.buffer, &bytes);
        other.peer.take_events();
        other.watch.check(&other.peer.buffer);
    }

    fn swap_output(&mut self) {
        let mut output = b"left over".to_vec();
        self.peer.connection.swap_output(&mut output);
        self.written.extend_from_slice(&output);
        self.wire.extend(output);
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
    fn check(&self, role: Role, other: &Self, deflate: bool) {
        assert!(self.peer.connection.output().is_empty());
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
            TransportAction::Write | TransportAction::Wait { until: None }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::seed;

    /// Or the target would see to nothing: what the client and the server have heard in the end, and how it ended
    /// for each (clean or not, and whether for an error).
    #[test]
    fn its_seeds_do_what_they_are_named_after() {
        type Ending = Option<(bool, bool)>;
        const CLEAN: Ending = Some((true, false));
        const ENDED: Ending = Some((false, false));
        const FAILED: Ending = Some((false, true));
        let expected: [(&str, [usize; 2], [Ending; 2]); 9] = [
            ("both_close", [1, 1], [CLEAN, CLEAN]),
            ("client_closes", [2, 2], [CLEAN, CLEAN]),
            ("compressed", [3, 3], [CLEAN, CLEAN]),
            ("corrupted", [1, 0], [CLEAN, FAILED]),
            ("fragments", [2, 3], [None, None]),
            ("manual_replies", [2, 3], [CLEAN, CLEAN]),
            ("messages", [3, 3], [None, None]),
            ("refused", [1, 0], [None, None]),
            ("stream_ends", [0, 1], [None, ENDED]),
        ];
        for (name, heard, endings) in expected {
            let (client, server) = play(structured(&seed("two_peers", name)).expect("a value"));
            let sides = [client, server];
            let found = sides.each_ref().map(|side| side.peer.events.len());
            assert_eq!(found, heard, "{name}");
            let found = sides.each_ref().map(|side| {
                let ending = side.peer.connection.close_event();
                ending.map(|event| (event.was_clean, event.error.is_some()))
            });
            assert_eq!(found, endings, "{name}");
        }
    }
}
